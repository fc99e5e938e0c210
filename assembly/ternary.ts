// Packed codes × int8 activations, vector by vector: ternary rows (2 bits per weight) and binary rows (1 bit per weight).
// Batches go by the tables of lookup.ts.

import { CHUNKS_PER_SCALE, dot_i8, dot_masked, x_data_offset, x_sums_offset } from './inline/codes';
import { f16_mask, f16_scale, load_f16x4, reduce4_i32 } from './inline/lanes';

/** Scale of a matrix: one f32 per row, or one f16 per block of columns. */
const PER_ROW: i32 = 0;
/** Chunks that i16 sums hold in the relaxed build: 32512 in a lane that is four times too large. */
const MOST_CHUNKS: i32 = 8;

// v128 constants are rebuilt at every use by V8; a load from memory is not.
const MASKS = memory.data<u64>([
  0x0303030303030303, 0x0303030303030303, 0x0c0c0c0c0c0c0c0c, 0x0c0c0c0c0c0c0c0c,
  0x0101010101010101, 0x0101010101010101, 0x0202020202020202, 0x0202020202020202,
  0x0003000300030003, 0x0003000300030003, 0x000c000c000c000c, 0x000c000c000c000c,
  0x0030003000300030, 0x0030003000300030, 0x00c000c000c000c0, 0x00c000c000c000c0,
  0x0001000100010001, 0x0001000100010001, 0x0004000400040004, 0x0004000400040004,
  0x0010001000100010, 0x0010001000100010, 0x0040004000400040, 0x0040004000400040,
], 16);

/** Sum of the activations of `count` chunks from chunk c on; they lie in one group of four, or begin one and end in the next. */
// @ts-ignore: decorator
@inline
function sum_of(sums: usize, c: i32, count: i32): v128 {
  const at = sums + (<usize>c << 2);
  const last = v128.load32_splat(at + (<usize>count << 2) - 4);
  if (c & (CHUNKS_PER_SCALE - 1)) return i32x4.sub(last, v128.load32_splat(at - 4));
  return count > CHUNKS_PER_SCALE ? i32x4.add(last, v128.load32_splat(at + (CHUNKS_PER_SCALE - 1 << 2))) : last;
}

/** Sums of the lanes of four i16x8. */
// @ts-ignore: decorator
@inline
function reduce4_i16(a: v128, b: v128, c: v128, d: v128): v128 {
  return reduce4_i32(
    i32x4.extadd_pairwise_i16x8_s(a), i32x4.extadd_pairwise_i16x8_s(b),
    i32x4.extadd_pairwise_i16x8_s(c), i32x4.extadd_pairwise_i16x8_s(d),
  );
}

/** out + f32(sum) · (scale · s) */
// @ts-ignore: decorator
@inline
function add_scaled(out: v128, sum: v128, scale: v128, s: usize): v128 {
  return f32x4.add(out, f32x4.mul(f32x4.convert_i32x4_s(sum), f32x4.mul(scale, v128.load32_splat(s))));
}

/**
 * y[t,r] = Σ_b scale[r,b] · s[t,b] · (Σ_{c in block b} (code[r,c] − 1) · q[t,c])                    r0 ≤ r < r1, t < n
 * w codes, 4 rows interleaved    x n vectors of `quantize_absmax_i8`, xStride bytes apart    y (n, yStride) f32
 * scales  kind 0: f32 per row and x of one scale each, blockChunks = chunks, or 4 where a code is 3;
 *         kind 1: f16, (rows/4, blocks, 4), one per blockChunks · 64 columns, 1, 2 or 4, and x of a scale per 256
 *
 *   w   row group 0                                          row group 1 …
 *       chunk 0: row0 16 B │ row1 16 B │ row2 16 B │ row3 16 B │ chunk 1: …          chunk: see inline/codes.ts
 *
 * needs: r0 and r1 multiples of 4, y writable to r1; chunks % blockChunks = 0 for kind 1; w 16-aligned, x as quantised;
 *   codes 0 … 3: i16 sums hold 8 chunks of codes up to 2, at most 4 · 6096 with codes up to 3
 * exact: the integer sums are exact up to 2^17 columns; then f32: convert, · (scale·s), added block after block
 * equals: reference.tritGemm, bit for bit, in every build.
 * cost: 0.25 byte per weight; per 1024 weights with their scale 310 instructions in the relaxed build, 490 in the base build.
 *   Limited by what a core issues: 256 dot products, 64 shifts and masks each and their loads cannot be fewer on 128 bits
 */
export function trit2_gemm_i8(
  w: usize, scales: usize, kind: i32, blockChunks: i32, chunks: i32,
  x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32,
): void {
  const m0 = v128.load(MASKS), m1 = v128.load(MASKS, 16);
  const ma = v128.load(MASKS, 64), mb = v128.load(MASKS, 80), mc = v128.load(MASKS, 96), md = v128.load(MASKS, 112);
  const f16m = f16_mask(), f16s = f16_scale();
  const span = min(MOST_CHUNKS, blockChunks);
  for (let r = r0; r < r1; r += 4) {
    const group = w + (<usize>(r >> 2) * chunks << 6);
    for (let t = 0; t < n; t++) {
      const xt = x + <usize>t * xStride;
      const sums = xt + x_sums_offset(chunks);
      let wp = group;
      let xp = xt + x_data_offset(chunks);
      let sp = scales + (<usize>(r >> 2) * (chunks / blockChunks) << 3);
      let out = f32x4.splat(0), total = i32x4.splat(0);
      for (let c = 0; c < chunks; c += span) {
        const some = min(span, chunks - c);
        const end = wp + (<usize>some << 6);
        let s: v128;
        if (ASC_FEATURE_RELAXED_SIMD) {
          // b is four times too large
          let a0 = i16x8.splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
          for (; wp < end; wp += 64, xp += 64) {
            let x0 = v128.load(xp), x1 = v128.load(xp, 16);
            let v = v128.load(wp);
            a0 = dot_i8(a0, x0, v128.and(v, m0)), b0 = dot_i8(b0, x1, v128.and(v, m1));
            v = v128.load(wp, 16);
            a1 = dot_i8(a1, x0, v128.and(v, m0)), b1 = dot_i8(b1, x1, v128.and(v, m1));
            v = v128.load(wp, 32);
            a2 = dot_i8(a2, x0, v128.and(v, m0)), b2 = dot_i8(b2, x1, v128.and(v, m1));
            v = v128.load(wp, 48);
            a3 = dot_i8(a3, x0, v128.and(v, m0)), b3 = dot_i8(b3, x1, v128.and(v, m1));
            x0 = v128.load(xp, 32), x1 = v128.load(xp, 48);
            v = i16x8.shr_u(v128.load(wp), 4);
            a0 = dot_i8(a0, x0, v128.and(v, m0)), b0 = dot_i8(b0, x1, v128.and(v, m1));
            v = i16x8.shr_u(v128.load(wp, 16), 4);
            a1 = dot_i8(a1, x0, v128.and(v, m0)), b1 = dot_i8(b1, x1, v128.and(v, m1));
            v = i16x8.shr_u(v128.load(wp, 32), 4);
            a2 = dot_i8(a2, x0, v128.and(v, m0)), b2 = dot_i8(b2, x1, v128.and(v, m1));
            v = i16x8.shr_u(v128.load(wp, 48), 4);
            a3 = dot_i8(a3, x0, v128.and(v, m0)), b3 = dot_i8(b3, x1, v128.and(v, m1));
          }
          s = reduce4_i16(
            i16x8.add(a0, i16x8.shr_s(b0, 2)), i16x8.add(a1, i16x8.shr_s(b1, 2)),
            i16x8.add(a2, i16x8.shr_s(b2, 2)), i16x8.add(a3, i16x8.shr_s(b3, 2)),
          );
        } else {
          let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
          for (; wp < end; wp += 64, xp += 128) {
            let x0 = v128.load(xp), x1 = v128.load(xp, 16), x2 = v128.load(xp, 32), x3 = v128.load(xp, 48);
            let v0 = v128.load(wp), v1 = v128.load(wp, 16), v2 = v128.load(wp, 32), v3 = v128.load(wp, 48);
            s0 = dot_masked(dot_masked(dot_masked(dot_masked(s0, x0, v0, ma), x1, v0, mb), x2, v0, mc), x3, v0, md);
            s1 = dot_masked(dot_masked(dot_masked(dot_masked(s1, x0, v1, ma), x1, v1, mb), x2, v1, mc), x3, v1, md);
            s2 = dot_masked(dot_masked(dot_masked(dot_masked(s2, x0, v2, ma), x1, v2, mb), x2, v2, mc), x3, v2, md);
            s3 = dot_masked(dot_masked(dot_masked(dot_masked(s3, x0, v3, ma), x1, v3, mb), x2, v3, mc), x3, v3, md);
            x0 = v128.load(xp, 64), x1 = v128.load(xp, 80), x2 = v128.load(xp, 96), x3 = v128.load(xp, 112);
            v0 = i16x8.shr_u(v0, 8), v1 = i16x8.shr_u(v1, 8), v2 = i16x8.shr_u(v2, 8), v3 = i16x8.shr_u(v3, 8);
            s0 = dot_masked(dot_masked(dot_masked(dot_masked(s0, x0, v0, ma), x1, v0, mb), x2, v0, mc), x3, v0, md);
            s1 = dot_masked(dot_masked(dot_masked(dot_masked(s1, x0, v1, ma), x1, v1, mb), x2, v1, mc), x3, v1, md);
            s2 = dot_masked(dot_masked(dot_masked(dot_masked(s2, x0, v2, ma), x1, v2, mb), x2, v2, mc), x3, v2, md);
            s3 = dot_masked(dot_masked(dot_masked(dot_masked(s3, x0, v3, ma), x1, v3, mb), x2, v3, mc), x3, v3, md);
          }
          s = i32x4.shr_s(reduce4_i32(s0, s1, s2, s3), 6);
        }
        s = i32x4.sub(s, sum_of(sums, c, some));
        if (kind == PER_ROW) {
          total = i32x4.add(total, s);
        } else {
          out = add_scaled(out, s, load_f16x4(sp, f16m, f16s), xt + (c & ~(CHUNKS_PER_SCALE - 1)));
          sp += 8;
        }
      }
      if (kind == PER_ROW) out = add_scaled(out, total, v128.load(scales + (<usize>r << 2)), xt);
      v128.store(y + (<usize>(t * yStride + r) << 2), out);
    }
  }
}

/** Both halves of a pair of one row, relaxed build: even bits, then odd bits; `b` becomes twice too large. */
// @ts-ignore: decorator
@inline
function even4(acc: v128, v: v128, x0: v128, x1: v128, x2: v128, x3: v128, mask: v128): v128 {
  acc = dot_i8(dot_i8(acc, x0, v128.and(v, mask)), x1, v128.and(i16x8.shr_u(v, 2), mask));
  return dot_i8(dot_i8(acc, x2, v128.and(i16x8.shr_u(v, 4), mask)), x3, v128.and(i16x8.shr_u(v, 6), mask));
}

/**
 * y[t,r] = Σ_b scale[r,b] · s[t,b] · (Σ_{c in block b} (2·bit[r,c] − 1) · q[t,c])                  r0 ≤ r < r1, t < n
 * w bits, 4 rows interleaved as in `trit2_gemm_i8`; x, y, scales likewise, blockPairs counts pairs of chunks (128 columns)
 *
 *   a pair, 16 bytes, 128 bits     byte j   even bits 2k: column 16k + j     odd bits 2k+1: column 64 + 16k + j
 *   so that `pair & 0x55…` and `(pair >> 1) & 0x55…` are chunks of codes 0 and 1
 *
 * needs, exact: as `trit2_gemm_i8`; blockPairs divides chunks / 2 and is 1 or 2 with kind 1
 * equals: reference.bitGemm, bit for bit, in every build.
 * cost: 0.125 byte per weight; per 1024 weights with two scales 300 instructions in the relaxed build, 490 in the base build
 */
export function bit1_gemm_i8(
  w: usize, scales: usize, kind: i32, blockPairs: i32, chunks: i32,
  x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32,
): void {
  const m0 = v128.load(MASKS, 32), m1 = v128.load(MASKS, 48);
  const ma = v128.load(MASKS, 128), mb = v128.load(MASKS, 144), mc = v128.load(MASKS, 160), md = v128.load(MASKS, 176);
  const f16m = f16_mask(), f16s = f16_scale();
  const pairs = chunks >> 1;
  const span = kind == PER_ROW ? MOST_CHUNKS >> 1 : blockPairs;
  for (let r = r0; r < r1; r += 4) {
    const group = w + (<usize>(r >> 2) * pairs << 6);
    for (let t = 0; t < n; t++) {
      const xt = x + <usize>t * xStride;
      const sums = xt + x_sums_offset(chunks);
      let wp = group;
      let xp = xt + x_data_offset(chunks);
      let sp = scales + (<usize>(r >> 2) * (pairs / blockPairs) << 3);
      let out = f32x4.splat(0), total = i32x4.splat(0);
      for (let c = 0; c < pairs; c += span) {
        const some = min(span, pairs - c);
        const end = wp + (<usize>some << 6);
        let s: v128;
        if (ASC_FEATURE_RELAXED_SIMD) {
          let a0 = i16x8.splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
          for (; wp < end; wp += 64, xp += 128) {
            let x0 = v128.load(xp), x1 = v128.load(xp, 16), x2 = v128.load(xp, 32), x3 = v128.load(xp, 48);
            a0 = even4(a0, v128.load(wp), x0, x1, x2, x3, m0);
            a1 = even4(a1, v128.load(wp, 16), x0, x1, x2, x3, m0);
            a2 = even4(a2, v128.load(wp, 32), x0, x1, x2, x3, m0);
            a3 = even4(a3, v128.load(wp, 48), x0, x1, x2, x3, m0);
            x0 = v128.load(xp, 64), x1 = v128.load(xp, 80), x2 = v128.load(xp, 96), x3 = v128.load(xp, 112);
            b0 = even4(b0, v128.load(wp), x0, x1, x2, x3, m1);
            b1 = even4(b1, v128.load(wp, 16), x0, x1, x2, x3, m1);
            b2 = even4(b2, v128.load(wp, 32), x0, x1, x2, x3, m1);
            b3 = even4(b3, v128.load(wp, 48), x0, x1, x2, x3, m1);
          }
          s = reduce4_i16(
            i16x8.add(a0, i16x8.shr_s(b0, 1)), i16x8.add(a1, i16x8.shr_s(b1, 1)),
            i16x8.add(a2, i16x8.shr_s(b2, 1)), i16x8.add(a3, i16x8.shr_s(b3, 1)),
          );
        } else {
          let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
          for (; wp < end; wp += 64) {
            // even bits then odd bits; within each, even columns then odd columns
            for (let half = 0; half < 4; half++, xp += 64) {
              const shift = (half >> 1) + ((half & 1) << 3);
              const x0 = v128.load(xp), x1 = v128.load(xp, 16), x2 = v128.load(xp, 32), x3 = v128.load(xp, 48);
              const v0 = i16x8.shr_u(v128.load(wp), shift), v1 = i16x8.shr_u(v128.load(wp, 16), shift);
              const v2 = i16x8.shr_u(v128.load(wp, 32), shift), v3 = i16x8.shr_u(v128.load(wp, 48), shift);
              s0 = dot_masked(dot_masked(dot_masked(dot_masked(s0, x0, v0, ma), x1, v0, mb), x2, v0, mc), x3, v0, md);
              s1 = dot_masked(dot_masked(dot_masked(dot_masked(s1, x0, v1, ma), x1, v1, mb), x2, v1, mc), x3, v1, md);
              s2 = dot_masked(dot_masked(dot_masked(dot_masked(s2, x0, v2, ma), x1, v2, mb), x2, v2, mc), x3, v2, md);
              s3 = dot_masked(dot_masked(dot_masked(dot_masked(s3, x0, v3, ma), x1, v3, mb), x2, v3, mc), x3, v3, md);
            }
          }
          s = i32x4.shr_s(reduce4_i32(s0, s1, s2, s3), 6);
        }
        s = i32x4.sub(i32x4.shl(s, 1), sum_of(sums, c << 1, some << 1));
        if (kind == PER_ROW) {
          total = i32x4.add(total, s);
        } else {
          out = add_scaled(out, s, load_f16x4(sp, f16m, f16s), xt + (c << 1 & ~(CHUNKS_PER_SCALE - 1)));
          sp += 8;
        }
      }
      if (kind == PER_ROW) out = add_scaled(out, total, v128.load(scales + (<usize>r << 2)), xt);
      v128.store(y + (<usize>(t * yStride + r) << 2), out);
    }
  }
}
