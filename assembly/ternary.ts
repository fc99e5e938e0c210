// Packed codes × int8 activations: ternary rows (2 bits per weight) and binary rows (1 bit per weight).

import { CHUNKS_PER_FLUSH, CHUNKS_PER_SCALE, dot_codes, dot_masked, x_data_offset, x_sums_offset } from './inline/codes';
import { f16_mask, f16_scale, load_f16x4, reduce4_i32 } from './inline/lanes';

/** Scale of a matrix: one f32 per row, or one f16 per block of columns. */
const PER_ROW: i32 = 0;

// v128 constants are rebuilt at every use by V8; a load from memory is not.
const MASKS = memory.data<u64>([
  0x0303030303030303, 0x0303030303030303, 0x0101010101010101, 0x0101010101010101,
  0x0003000300030003, 0x0003000300030003, 0x000c000c000c000c, 0x000c000c000c000c,
  0x0030003000300030, 0x0030003000300030, 0x00c000c000c000c0, 0x00c000c000c000c0,
  0x0001000100010001, 0x0001000100010001, 0x0004000400040004, 0x0004000400040004,
  0x0010001000100010, 0x0010001000100010, 0x0040004000400040, 0x0040004000400040,
], 16);

/**
 * y[t,r] = Σ_b scale[r,b] · s[t,b] · (Σ_{c in block b} (code[r,c] − 1) · q[t,c])                    r0 ≤ r < r1, t < n
 * w codes, 4 rows interleaved    x n vectors of `quantize_absmax_i8`, xStride bytes apart    y (n, yStride) f32
 * scales  kind 0: f32 per row, blockChunks = chunks and x of one scale each;
 *         kind 1: f16, (rows/4, blocks, 4), one per blockChunks · 64 columns, at most 256, and x of a scale per 256
 *
 *   w   row group 0                                          row group 1 …
 *       chunk 0: row0 16 B │ row1 16 B │ row2 16 B │ row3 16 B │ chunk 1: …          chunk: see inline/codes.ts
 *
 * needs: r0 and r1 multiples of 4, y writable to r1; chunks % blockChunks = 0; w 16-aligned, x as quantised; codes 0 … 3
 * exact: the integer sums are exact up to 2^17 columns; then f32: convert, · (scale·s), added block after block
 * equals: reference.tritGemm, bit for bit, in every build.
 * cost: relaxed 68 ops per 256 weights (0.27 each), base 108 (0.42); 0.25 byte read per weight and batch of n
 */
export function trit2_gemm_i8(
  w: usize, scales: usize, kind: i32, blockChunks: i32, chunks: i32,
  x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32,
): void {
  const m3 = v128.load(MASKS);
  const a = v128.load(MASKS + 32), b = v128.load(MASKS + 48), c = v128.load(MASKS + 64), d = v128.load(MASKS + 80);
  const f16m = f16_mask(), f16s = f16_scale();
  const blocks = chunks / blockChunks;
  for (let r = r0; r < r1; r += 4) {
    const group = w + (<usize>(r >> 2) * chunks << 6);
    for (let t = 0; t < n; t++) {
      const xt = x + <usize>t * xStride;
      let wp = group;
      let xp = xt + x_data_offset(chunks);
      let sums = xt + x_sums_offset(chunks);
      let out = f32x4.splat(0);
      for (let block = 0; block < blocks; block++) {
        let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
        let xsum = 0;
        if (ASC_FEATURE_RELAXED_SIMD) {
          for (let left = blockChunks; left > 0; left -= CHUNKS_PER_FLUSH) {
            let a0 = i16x8.splat(0), a1 = a0, a2 = a0, a3 = a0;
            const end = wp + (<usize>min(left, CHUNKS_PER_FLUSH) << 6);
            for (; wp < end; wp += 64, xp += 64, sums += 4) {
              const x0 = v128.load(xp), x1 = v128.load(xp, 16), x2 = v128.load(xp, 32), x3 = v128.load(xp, 48);
              xsum += load<i32>(sums);
              let v = v128.load(wp);
              a0 = dot_codes(dot_codes(a0, x0, v, 0, m3), x1, v, 2, m3);
              a0 = dot_codes(dot_codes(a0, x2, v, 4, m3), x3, v, 6, m3);
              v = v128.load(wp, 16);
              a1 = dot_codes(dot_codes(a1, x0, v, 0, m3), x1, v, 2, m3);
              a1 = dot_codes(dot_codes(a1, x2, v, 4, m3), x3, v, 6, m3);
              v = v128.load(wp, 32);
              a2 = dot_codes(dot_codes(a2, x0, v, 0, m3), x1, v, 2, m3);
              a2 = dot_codes(dot_codes(a2, x2, v, 4, m3), x3, v, 6, m3);
              v = v128.load(wp, 48);
              a3 = dot_codes(dot_codes(a3, x0, v, 0, m3), x1, v, 2, m3);
              a3 = dot_codes(dot_codes(a3, x2, v, 4, m3), x3, v, 6, m3);
            }
            s0 = i32x4.add(s0, i32x4.extadd_pairwise_i16x8_s(a0));
            s1 = i32x4.add(s1, i32x4.extadd_pairwise_i16x8_s(a1));
            s2 = i32x4.add(s2, i32x4.extadd_pairwise_i16x8_s(a2));
            s3 = i32x4.add(s3, i32x4.extadd_pairwise_i16x8_s(a3));
          }
        } else {
          const end = wp + (<usize>blockChunks << 6);
          for (; wp < end; wp += 64, xp += 128, sums += 4) {
            xsum += load<i32>(sums);
            let x0 = v128.load(xp), x1 = v128.load(xp, 16), x2 = v128.load(xp, 32), x3 = v128.load(xp, 48);
            let v0 = v128.load(wp), v1 = v128.load(wp, 16), v2 = v128.load(wp, 32), v3 = v128.load(wp, 48);
            s0 = dot_masked(dot_masked(dot_masked(dot_masked(s0, x0, v0, a), x1, v0, b), x2, v0, c), x3, v0, d);
            s1 = dot_masked(dot_masked(dot_masked(dot_masked(s1, x0, v1, a), x1, v1, b), x2, v1, c), x3, v1, d);
            s2 = dot_masked(dot_masked(dot_masked(dot_masked(s2, x0, v2, a), x1, v2, b), x2, v2, c), x3, v2, d);
            s3 = dot_masked(dot_masked(dot_masked(dot_masked(s3, x0, v3, a), x1, v3, b), x2, v3, c), x3, v3, d);
            x0 = v128.load(xp, 64), x1 = v128.load(xp, 80), x2 = v128.load(xp, 96), x3 = v128.load(xp, 112);
            v0 = i16x8.shr_u(v0, 8), v1 = i16x8.shr_u(v1, 8), v2 = i16x8.shr_u(v2, 8), v3 = i16x8.shr_u(v3, 8);
            s0 = dot_masked(dot_masked(dot_masked(dot_masked(s0, x0, v0, a), x1, v0, b), x2, v0, c), x3, v0, d);
            s1 = dot_masked(dot_masked(dot_masked(dot_masked(s1, x0, v1, a), x1, v1, b), x2, v1, c), x3, v1, d);
            s2 = dot_masked(dot_masked(dot_masked(dot_masked(s2, x0, v2, a), x1, v2, b), x2, v2, c), x3, v2, d);
            s3 = dot_masked(dot_masked(dot_masked(dot_masked(s3, x0, v3, a), x1, v3, b), x2, v3, c), x3, v3, d);
          }
          s0 = i32x4.shr_s(s0, 6), s1 = i32x4.shr_s(s1, 6), s2 = i32x4.shr_s(s2, 6), s3 = i32x4.shr_s(s3, 6);
        }
        const sum = i32x4.sub(reduce4_i32(s0, s1, s2, s3), i32x4.splat(xsum));
        const scale = kind == PER_ROW
          ? v128.load(scales + (<usize>r << 2))
          : load_f16x4(scales + (<usize>((r >> 2) * blocks + block) << 3), f16m, f16s);
        const xs = v128.load32_splat(xt + (block * blockChunks / CHUNKS_PER_SCALE << 2));
        out = f32x4.add(out, f32x4.mul(f32x4.convert_i32x4_s(sum), f32x4.mul(scale, xs)));
      }
      v128.store(y + (<usize>(t * yStride + r) << 2), out);
    }
  }
}

/**
 * y[t,r] = Σ_b scale[r,b] · s[t,b] · (Σ_{c in block b} (2·bit[r,c] − 1) · q[t,c])                  r0 ≤ r < r1, t < n
 * w bits, 4 rows interleaved as in `trit2_gemm_i8`; x, y, scales likewise, blockPairs counts pairs of chunks (128 columns)
 *
 *   a pair, 16 bytes, 128 bits     byte j   even bits 2k: column 16k + j     odd bits 2k+1: column 64 + 16k + j
 *   so that `pair & 0x55…` and `(pair >> 1) & 0x55…` are chunks of codes 0 and 1
 *
 * needs, exact: as `trit2_gemm_i8`; blockPairs divides chunks / 2
 * equals: reference.bitGemm, bit for bit, in every build.   cost: relaxed 0.25 ops and 0.125 byte per weight, base 0.42 ops
 */
export function bit1_gemm_i8(
  w: usize, scales: usize, kind: i32, blockPairs: i32, chunks: i32,
  x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32,
): void {
  const m1 = v128.load(MASKS + 16);
  const a = v128.load(MASKS + 96), b = v128.load(MASKS + 112), c = v128.load(MASKS + 128), d = v128.load(MASKS + 144);
  const f16m = f16_mask(), f16s = f16_scale();
  const pairs = chunks >> 1;
  const blocks = pairs / blockPairs;
  for (let r = r0; r < r1; r += 4) {
    const group = w + (<usize>(r >> 2) * pairs << 6);
    for (let t = 0; t < n; t++) {
      const xt = x + <usize>t * xStride;
      let wp = group;
      let xp = xt + x_data_offset(chunks);
      let sums = xt + x_sums_offset(chunks);
      let out = f32x4.splat(0);
      for (let block = 0; block < blocks; block++) {
        let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
        let xsum = 0;
        if (ASC_FEATURE_RELAXED_SIMD) {
          for (let left = blockPairs; left > 0; left -= CHUNKS_PER_FLUSH) {
            let a0 = i16x8.splat(0), a1 = a0, a2 = a0, a3 = a0;
            const end = wp + (<usize>min(left, CHUNKS_PER_FLUSH) << 6);
            for (; wp < end; wp += 64, xp += 128, sums += 8) {
              xsum += load<i32>(sums) + load<i32>(sums, 4);
              let x0 = v128.load(xp), x1 = v128.load(xp, 16), x2 = v128.load(xp, 32), x3 = v128.load(xp, 48);
              const v0 = v128.load(wp), v1 = v128.load(wp, 16), v2 = v128.load(wp, 32), v3 = v128.load(wp, 48);
              a0 = dot_codes(dot_codes(dot_codes(dot_codes(a0, x0, v0, 0, m1), x1, v0, 2, m1), x2, v0, 4, m1), x3, v0, 6, m1);
              a1 = dot_codes(dot_codes(dot_codes(dot_codes(a1, x0, v1, 0, m1), x1, v1, 2, m1), x2, v1, 4, m1), x3, v1, 6, m1);
              a2 = dot_codes(dot_codes(dot_codes(dot_codes(a2, x0, v2, 0, m1), x1, v2, 2, m1), x2, v2, 4, m1), x3, v2, 6, m1);
              a3 = dot_codes(dot_codes(dot_codes(dot_codes(a3, x0, v3, 0, m1), x1, v3, 2, m1), x2, v3, 4, m1), x3, v3, 6, m1);
              x0 = v128.load(xp, 64), x1 = v128.load(xp, 80), x2 = v128.load(xp, 96), x3 = v128.load(xp, 112);
              a0 = dot_codes(dot_codes(dot_codes(dot_codes(a0, x0, v0, 1, m1), x1, v0, 3, m1), x2, v0, 5, m1), x3, v0, 7, m1);
              a1 = dot_codes(dot_codes(dot_codes(dot_codes(a1, x0, v1, 1, m1), x1, v1, 3, m1), x2, v1, 5, m1), x3, v1, 7, m1);
              a2 = dot_codes(dot_codes(dot_codes(dot_codes(a2, x0, v2, 1, m1), x1, v2, 3, m1), x2, v2, 5, m1), x3, v2, 7, m1);
              a3 = dot_codes(dot_codes(dot_codes(dot_codes(a3, x0, v3, 1, m1), x1, v3, 3, m1), x2, v3, 5, m1), x3, v3, 7, m1);
            }
            s0 = i32x4.add(s0, i32x4.extadd_pairwise_i16x8_s(a0));
            s1 = i32x4.add(s1, i32x4.extadd_pairwise_i16x8_s(a1));
            s2 = i32x4.add(s2, i32x4.extadd_pairwise_i16x8_s(a2));
            s3 = i32x4.add(s3, i32x4.extadd_pairwise_i16x8_s(a3));
          }
        } else {
          const end = wp + (<usize>blockPairs << 6);
          for (; wp < end; wp += 64, sums += 8) {
            xsum += load<i32>(sums) + load<i32>(sums, 4);
            // even bits then odd bits; within each, even columns then odd columns
            for (let half = 0; half < 4; half++, xp += 64) {
              const shift = (half >> 1) + ((half & 1) << 3);
              const x0 = v128.load(xp), x1 = v128.load(xp, 16), x2 = v128.load(xp, 32), x3 = v128.load(xp, 48);
              const v0 = i16x8.shr_u(v128.load(wp), shift), v1 = i16x8.shr_u(v128.load(wp, 16), shift);
              const v2 = i16x8.shr_u(v128.load(wp, 32), shift), v3 = i16x8.shr_u(v128.load(wp, 48), shift);
              s0 = dot_masked(dot_masked(dot_masked(dot_masked(s0, x0, v0, a), x1, v0, b), x2, v0, c), x3, v0, d);
              s1 = dot_masked(dot_masked(dot_masked(dot_masked(s1, x0, v1, a), x1, v1, b), x2, v1, c), x3, v1, d);
              s2 = dot_masked(dot_masked(dot_masked(dot_masked(s2, x0, v2, a), x1, v2, b), x2, v2, c), x3, v2, d);
              s3 = dot_masked(dot_masked(dot_masked(dot_masked(s3, x0, v3, a), x1, v3, b), x2, v3, c), x3, v3, d);
            }
          }
          s0 = i32x4.shr_s(s0, 6), s1 = i32x4.shr_s(s1, 6), s2 = i32x4.shr_s(s2, 6), s3 = i32x4.shr_s(s3, 6);
        }
        const sum = i32x4.sub(i32x4.shl(reduce4_i32(s0, s1, s2, s3), 1), i32x4.splat(xsum));
        const scale = kind == PER_ROW
          ? v128.load(scales + (<usize>r << 2))
          : load_f16x4(scales + (<usize>((r >> 2) * blocks + block) << 3), f16m, f16s);
        const xs = v128.load32_splat(xt + (block * blockPairs * 2 / CHUNKS_PER_SCALE << 2));
        out = f32x4.add(out, f32x4.mul(f32x4.convert_i32x4_s(sum), f32x4.mul(scale, xs)));
      }
      v128.store(y + (<usize>(t * yStride + r) << 2), out);
    }
  }
}
