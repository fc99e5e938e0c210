// Float rows × f32 vectors: norms' neighbours, small matrices, and the reference path of every other layout.

import { f16_mask, f16_scale, load_f16x4, reduce4_f32 } from './inline/lanes';

const F32: i32 = 0, F16: i32 = 1, BF16: i32 = 2;

/** Four weights as f32x4. `type` is a constant where this is inlined. */
// @ts-ignore: decorator
@inline
function load4(type: i32, p: usize, mask: v128, scale: v128): v128 {
  if (type == F32) return v128.load(p);
  if (type == F16) return load_f16x4(p, mask, scale);
  return i32x4.shl(v128.load16x4_u(p), 16);
}

/** The one loop of the three kernels below. */
// @ts-ignore: decorator
@inline
function gemm(type: i32, w: usize, stride: i32, x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32): void {
  const mask = f16_mask(), scale = f16_scale();
  const size = type == F32 ? 4 : 2;
  const row = <usize>stride * size;
  for (let r = r0; r < r1; r += 4) {
    for (let t = 0; t < n; t++) {
      let wp = w + <usize>r * row;
      let xp = x + (<usize>t * xStride << 2);
      const end = wp + row;
      let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
      for (; wp < end; wp += 4 * size, xp += 16) {
        const v = v128.load(xp);
        s0 = f32x4.add(s0, f32x4.mul(load4(type, wp, mask, scale), v));
        s1 = f32x4.add(s1, f32x4.mul(load4(type, wp + row, mask, scale), v));
        s2 = f32x4.add(s2, f32x4.mul(load4(type, wp + 2 * row, mask, scale), v));
        s3 = f32x4.add(s3, f32x4.mul(load4(type, wp + 3 * row, mask, scale), v));
      }
      v128.store(y + (<usize>(t * yStride + r) << 2), reduce4_f32(s0, s1, s2, s3));
    }
  }
}

/**
 * y[t,r] = Σ_c w[r,c] · x[t,c]                                                                    r0 ≤ r < r1, t < n
 * w (rows, stride) f32, row-major    x (n, xStride) f32    y (n, yStride) f32
 * needs: stride a multiple of 4, x zero from the last column to stride; r0, r1 multiples of 4, y writable to r1
 * order: lane i sums the columns 4j + i in turn, then (l0 + l2) + (l1 + l3); no fused multiply
 * equals: reference.denseGemm, bit for bit, in every build.   cost: 2 ops per 4 weights, 4 bytes per weight
 */
export function f32_gemm(w: usize, stride: i32, x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32): void {
  gemm(F32, w, stride, x, xStride, y, yStride, r0, r1, n);
}

/** `f32_gemm` over f16 rows, widened exactly; 2 bytes and 1.25 ops per weight. Finite weights only. */
export function f16_gemm(w: usize, stride: i32, x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32): void {
  gemm(F16, w, stride, x, xStride, y, yStride, r0, r1, n);
}

/** `f32_gemm` over bf16 rows, widened exactly; 2 bytes and 0.75 ops per weight. */
export function bf16_gemm(w: usize, stride: i32, x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32): void {
  gemm(BF16, w, stride, x, xStride, y, yStride, r0, r1, n);
}
