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

/** One vector against four rows. */
// @ts-ignore: decorator
@inline
function gemm1(type: i32, w: usize, row: usize, x: usize, y: usize, mask: v128, scale: v128): void {
  const size = type == F32 ? 4 : 2;
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (const end = w + row; w < end; w += 4 * size, x += 16) {
    const v = v128.load(x);
    s0 = f32x4.add(s0, f32x4.mul(load4(type, w, mask, scale), v));
    s1 = f32x4.add(s1, f32x4.mul(load4(type, w + row, mask, scale), v));
    s2 = f32x4.add(s2, f32x4.mul(load4(type, w + 2 * row, mask, scale), v));
    s3 = f32x4.add(s3, f32x4.mul(load4(type, w + 3 * row, mask, scale), v));
  }
  v128.store(y, reduce4_f32(s0, s1, s2, s3));
}

/** Two vectors against four rows: eight sums in registers; more make V8 spill, and additions bound it already. */
// @ts-ignore: decorator
@inline
function gemm2(type: i32, w: usize, row: usize, x: usize, x1: usize, y: usize, y1: usize, mask: v128, scale: v128): void {
  const size = type == F32 ? 4 : 2;
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  for (const end = w + row; w < end; w += 4 * size, x += 16, x1 += 16) {
    const v = v128.load(x), u = v128.load(x1);
    let c = load4(type, w, mask, scale);
    s0 = f32x4.add(s0, f32x4.mul(c, v));
    t0 = f32x4.add(t0, f32x4.mul(c, u));
    c = load4(type, w + row, mask, scale);
    s1 = f32x4.add(s1, f32x4.mul(c, v));
    t1 = f32x4.add(t1, f32x4.mul(c, u));
    c = load4(type, w + 2 * row, mask, scale);
    s2 = f32x4.add(s2, f32x4.mul(c, v));
    t2 = f32x4.add(t2, f32x4.mul(c, u));
    c = load4(type, w + 3 * row, mask, scale);
    s3 = f32x4.add(s3, f32x4.mul(c, v));
    t3 = f32x4.add(t3, f32x4.mul(c, u));
  }
  v128.store(y, reduce4_f32(s0, s1, s2, s3));
  v128.store(y1, reduce4_f32(t0, t1, t2, t3));
}

/** The one loop of the three kernels below. */
// @ts-ignore: decorator
@inline
function gemm(type: i32, w: usize, stride: i32, x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32): void {
  const mask = f16_mask(), scale = f16_scale();
  const row = <usize>stride * (type == F32 ? 4 : 2);
  const xRow = <usize>xStride << 2, yRow = <usize>yStride << 2;
  for (let r = r0; r < r1; r += 4) {
    const wp = w + <usize>r * row;
    let xp = x, yp = y + (<usize>r << 2), t = n;
    for (; t >= 2; t -= 2, xp += 2 * xRow, yp += 2 * yRow) gemm2(type, wp, row, xp, xp + xRow, yp, yp + yRow, mask, scale);
    if (t > 0) gemm1(type, wp, row, xp, yp, mask, scale);
  }
}

/**
 * y[t,r] = Σ_c w[r,c] · x[t,c]                                                                    r0 ≤ r < r1, t < n
 * w (rows, stride) f32, row-major    x (n, xStride) f32    y (n, yStride) f32
 * needs: stride a multiple of 4, x zero from the last column to stride; r0, r1 multiples of 4, y writable to r1
 * order: lane i sums the columns 4j + i in turn, then (l0 + l2) + (l1 + l3); no fused multiply; the same for any n
 * equals: reference-matrix.denseGemv, bit for bit, in every build
 * cost: of one vector 3.25 ops per 4 products, of two at a time 2.75, of which two are arithmetic; 4 bytes per weight
 */
export function f32_gemm(w: usize, stride: i32, x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32): void {
  gemm(F32, w, stride, x, xStride, y, yStride, r0, r1, n);
}

/** `f32_gemm` over f16 rows, widened exactly; 2 bytes and, for every two vectors, 4 ops more per 4 weights. Finite weights only. */
export function f16_gemm(w: usize, stride: i32, x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32): void {
  gemm(F16, w, stride, x, xStride, y, yStride, r0, r1, n);
}

/** `f32_gemm` over bf16 rows, widened exactly; 2 bytes and, for every two vectors, 2 ops more per 4 weights. */
export function bf16_gemm(w: usize, stride: i32, x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32): void {
  gemm(BF16, w, stride, x, xStride, y, yStride, r0, r1, n);
}

/**
 * y[i] = w[i]                                                                                              0 ≤ i < n
 * w (n) f16    y (n) f32
 * layout: plain vectors; must not overlap
 * needs: n a multiple of 4.   exact for finite numbers, as matrices hold them; `f16_to_f32` takes all, in three times the time
 * equals: reference.f16, bit for bit, in every build.   cost: 6 bytes, 5 operations per 4
 */
export function widen_f16(w: usize, y: usize, n: i32): void {
  const mask = f16_mask(), scale = f16_scale();
  for (const end = w + (<usize>n << 1); w < end; w += 8, y += 16) v128.store(y, load_f16x4(w, mask, scale));
}
