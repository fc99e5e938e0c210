/**
 * Normalisation of one row. Sums are carried in four f64 lanes: element i goes to lane i mod 4, and at the end
 * (l0 + l2) + (l1 + l3). The order depends on nothing else, so neither build nor threads change a bit.
 */
import { headMask, loadHead, storeHead } from './inline/tail';

/** The two f64 halves of four f32 lanes. */
@inline
function low(v: v128): v128 {
  return f64x2.promote_low_f32x4(v);
}
@inline
function high(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 1));
}
@inline
function total(a: v128, b: v128): f64 {
  const s = f64x2.add(a, b);
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}

/** (v − mean) · inv in f64, rounded once. */
@inline
function centred(v: v128, mean: v128, inv: v128): v128 {
  const l = f32x4.demote_f64x2_zero(f64x2.mul(f64x2.sub(low(v), mean), inv));
  const h = f32x4.demote_f64x2_zero(f64x2.mul(f64x2.sub(high(v), mean), inv));
  return v128.shuffle<i64>(l, h, 0, 2);
}

/** 1 / √v, and 0 for v = 0 so that a row of zeros stays zero when eps is 0. */
@inline
function inverseRoot(v: f64): f64 {
  return v == 0 ? 0 : 1 / sqrt<f64>(v);
}

/**
 * y[i] = x[i] · inv · weight[i],   inv = 1 / √(Σ x² / n + eps), 0 where that root is 0                     0 ≤ i < n
 * x (n) f32    weight (n) f32, 0 = all ones    y (n) f32, may be x
 * layout: plain vectors
 * needs: nothing of alignment or length.   range: squares cannot overflow (f64); NaN or ±∞ in x gives NaN
 * equals: reference.rmsNorm, bit for bit, in every build: sum in f64, inv rounded to f32 once
 * cost: 16 bytes, 4 operations per element
 */
export function rms_norm_f32(x: usize, weight: usize, y: usize, n: i32, eps: f32): void {
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  const rest = n & 3;
  const end = x + (<usize>(n - rest) << 2);
  for (let p = x; p < end; p += 16) {
    const v = v128.load(p);
    const l = low(v);
    const h = high(v);
    a = f64x2.add(a, f64x2.mul(l, l));
    b = f64x2.add(b, f64x2.mul(h, h));
  }
  if (rest) {
    const v = loadHead(end, rest);
    const l = low(v);
    const h = high(v);
    a = f64x2.add(a, f64x2.mul(l, l));
    b = f64x2.add(b, f64x2.mul(h, h));
  }
  const inv = f32x4.splat(<f32>inverseRoot(total(a, b) / <f64>n + <f64>eps));
  if (weight == 0) {
    for (; x < end; x += 16, y += 16) v128.store(y, f32x4.mul(v128.load(x), inv));
    if (rest) storeHead(y, f32x4.mul(loadHead(x, rest), inv), rest);
    return;
  }
  for (; x < end; x += 16, y += 16, weight += 16) {
    v128.store(y, f32x4.mul(f32x4.mul(v128.load(x), inv), v128.load(weight)));
  }
  if (rest) storeHead(y, f32x4.mul(f32x4.mul(loadHead(x, rest), inv), loadHead(weight, rest)), rest);
}

/**
 * y[i] = f32((x[i] − mean) · inv) · weight[i] + bias[i],   inv = 1 / √(Σ (x − mean)² / n + eps)            0 ≤ i < n
 * x (n) f32    weight (n) f32    bias (n) f32, 0 = none    y (n) f32, may be x
 * layout: plain vectors
 * needs: nothing of alignment or length.   range: two passes, so a large mean costs no accuracy; NaN or ±∞ gives NaN
 * equals: reference.layerNorm, bit for bit, in every build: everything up to the f32 rounding is f64
 * cost: 24 bytes, 8 operations per element
 */
export function layer_norm_f32(x: usize, weight: usize, bias: usize, y: usize, n: i32, eps: f32): void {
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  const rest = n & 3;
  const end = x + (<usize>(n - rest) << 2);
  for (let p = x; p < end; p += 16) {
    const v = v128.load(p);
    a = f64x2.add(a, low(v));
    b = f64x2.add(b, high(v));
  }
  if (rest) {
    const v = loadHead(end, rest);
    a = f64x2.add(a, low(v));
    b = f64x2.add(b, high(v));
  }
  const mean = f64x2.splat(total(a, b) / <f64>n);
  a = f64x2.splat(0);
  b = f64x2.splat(0);
  for (let p = x; p < end; p += 16) {
    const v = v128.load(p);
    const l = f64x2.sub(low(v), mean);
    const h = f64x2.sub(high(v), mean);
    a = f64x2.add(a, f64x2.mul(l, l));
    b = f64x2.add(b, f64x2.mul(h, h));
  }
  if (rest) {
    const v = loadHead(end, rest);
    const there = headMask(rest);
    const l = v128.and(f64x2.sub(low(v), mean), i64x2.extend_low_i32x4_s(there));
    const h = v128.and(f64x2.sub(high(v), mean), i64x2.extend_high_i32x4_s(there));
    a = f64x2.add(a, f64x2.mul(l, l));
    b = f64x2.add(b, f64x2.mul(h, h));
  }
  const inv = f64x2.splat(inverseRoot(total(a, b) / <f64>n + <f64>eps));
  for (; x < end; x += 16, y += 16, weight += 16) {
    let r = f32x4.mul(centred(v128.load(x), mean, inv), v128.load(weight));
    if (bias != 0) {
      r = f32x4.add(r, v128.load(bias));
      bias += 16;
    }
    v128.store(y, r);
  }
  if (rest) {
    const r = f32x4.mul(centred(loadHead(x, rest), mean, inv), loadHead(weight, rest));
    storeHead(y, bias != 0 ? f32x4.add(r, loadHead(bias, rest)) : r, rest);
  }
}
