// int8 rows × int8, int16 or f32 activations.

import { f16_mask, f16_scale, load_f16x4, reduce4_f32, reduce4_i32 } from './inline/lanes';

/** One row's 32 weights at w against 32 widened activations; four i32 sums of eight products each. */
// @ts-ignore: decorator
@inline
function dot32(w: usize, x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  return i32x4.add(
    i32x4.add(i32x4.dot_i16x8_s(v128.load8x8_s(w), x0), i32x4.dot_i16x8_s(v128.load8x8_s(w, 8), x1)),
    i32x4.add(i32x4.dot_i16x8_s(v128.load8x8_s(w, 16), x2), i32x4.dot_i16x8_s(v128.load8x8_s(w, 24), x3)),
  );
}

/**
 * y[t,r] = Σ_b scale[r,b] · s[t,b] · (Σ_{c in block b} w[r,c] · q[t,c])      blocks of 32 columns     r0 ≤ r < r1, t < n
 * w int8, 4 rows interleaved by 32    x n vectors of `quantize_block32_i16`, xStride bytes apart    y (n, yStride) f32
 * scales  kind 0: f32 per row, applied once at the end;   kind 1: f16, (rows/4, blocks, 4)
 *
 *   w   block 0: row0 32 B │ row1 32 B │ row2 32 B │ row3 32 B │ block 1: …
 *
 * needs: r0, r1 multiples of 4, y writable to r1; w and x 16-aligned
 * exact: |Σ| ≤ 32·128·32767 < 2^27; of int8 activations below 2^19, whose f32 is exact too; then f32, block after block
 * equals: reference.int8Gemm, bit for bit, in every build.
 * cost: 60 ops per 128 weights; 1.06 bytes read per weight and batch of n. Limited by memory on one thread
 */
export function int8_gemm_i16(
  w: usize, scales: usize, kind: i32, blocks: i32,
  x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32,
): void {
  const f16m = f16_mask(), f16s = f16_scale();
  const data = ((blocks << 2) + 63) & ~63;
  for (let r = r0; r < r1; r += 4) {
    const group = w + (<usize>(r >> 2) * blocks << 7);
    for (let t = 0; t < n; t++) {
      const xt = x + <usize>t * xStride;
      let wp = group;
      let xp = xt + data;
      let sp = scales + (<usize>(r >> 2) * blocks << 3);
      let out = f32x4.splat(0);
      for (let b = 0; b < blocks; b++, wp += 128, xp += 64, sp += 8) {
        const x0 = v128.load(xp), x1 = v128.load(xp, 16), x2 = v128.load(xp, 32), x3 = v128.load(xp, 48);
        const sum = reduce4_i32(
          dot32(wp, x0, x1, x2, x3),
          dot32(wp + 32, x0, x1, x2, x3),
          dot32(wp + 64, x0, x1, x2, x3),
          dot32(wp + 96, x0, x1, x2, x3),
        );
        const xs = v128.load32_splat(xt + (b << 2));
        const scale = kind == 0 ? xs : f32x4.mul(load_f16x4(sp, f16m, f16s), xs);
        out = f32x4.add(out, f32x4.mul(f32x4.convert_i32x4_s(sum), scale));
      }
      if (kind == 0) out = f32x4.mul(out, v128.load(scales + (<usize>r << 2)));
      v128.store(y + (<usize>(t * yStride + r) << 2), out);
    }
  }
}

/** sum + the products of a row's eight weights at w with eight activations, in four lanes. */
// @ts-ignore: decorator
@inline
function exact8(sum: v128, w: usize, low: v128, high: v128): v128 {
  const pair = v128.load8x8_s(w);
  return f32x4.add(sum, f32x4.add(
    f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(pair)), low),
    f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(pair)), high),
  ));
}

/**
 * y[t,r] = Σ_b scale[r,b] · (Σ_{c in block b} w[r,c] · x[t,c])      blocks of 32 columns     r0 ≤ r < r1, t < n
 * w and scales as `int8_gemm_i16`    x (n, xStride) f32, zeros behind the last column    y (n, yStride) f32
 * needs: r0, r1 multiples of 4; x readable to blocks · 32
 * order: per block eight by eight in four lanes, these as (0 + 2) + (1 + 3), then block after block
 * equals: reference.int8Exact, bit for bit, in every build.   cost: 160 ops per 128 weights
 */
export function int8_gemm_f32(
  w: usize, scales: usize, kind: i32, blocks: i32,
  x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32,
): void {
  const f16m = f16_mask(), f16s = f16_scale();
  for (let r = r0; r < r1; r += 4) {
    for (let t = 0; t < n; t++) {
      let wp = w + (<usize>(r >> 2) * blocks << 7);
      let xp = x + (<usize>t * xStride << 2);
      let sp = scales + (<usize>(r >> 2) * blocks << 3);
      let out = f32x4.splat(0);
      for (let b = 0; b < blocks; b++, wp += 96, sp += 8) {
        let s0 = f32x4.splat(0), s1 = f32x4.splat(0), s2 = f32x4.splat(0), s3 = f32x4.splat(0);
        for (let i = 0; i < 4; i++, wp += 8, xp += 32) {
          const low = v128.load(xp), high = v128.load(xp, 16);
          s0 = exact8(s0, wp, low, high);
          s1 = exact8(s1, wp + 32, low, high);
          s2 = exact8(s2, wp + 64, low, high);
          s3 = exact8(s3, wp + 96, low, high);
        }
        const sum = reduce4_f32(s0, s1, s2, s3);
        out = f32x4.add(out, kind == 0 ? sum : f32x4.mul(load_f16x4(sp, f16m, f16s), sum));
      }
      if (kind == 0) out = f32x4.mul(out, v128.load(scales + (<usize>r << 2)));
      v128.store(y + (<usize>(t * yStride + r) << 2), out);
    }
  }
}
