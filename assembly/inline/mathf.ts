/**
 * Transcendental functions of our own: the host's differ between engines, these give the same bits everywhere.
 * Four f32 lanes at a time, plain mul and add (never fused); the scalar forms are lane 0 of the same code.
 * Constants are read from memory: V8 rebuilds v128 constants at every use, a splatting load is one instruction.
 * Errors are the largest found against f64 over every 257th f32 bit pattern, rounded up (test/kernels/mathf.test.ts).
 *
 *            largest error    at the ends
 *   exp      1.0 ulp          exp(−∞) = 0, 0 below −87.33654 (results under 2^−126 are flushed), +∞ above 88.72283
 *   sigmoid  2.5 ulp          0 below −88.72283, 1 above 17
 *   gelu     1e-7 · |x|       ±0 kept; ±∞ does not become finite
 * NaN gives NaN.
 */

@inline const EXP_LOW: f32 = -87.33654; // below it the result is under 2^-126
@inline const EXP_HIGH: f32 = 88.72283; // above it the result is over the largest f32
@inline const ROUND: f32 = 12582912; // 1.5 · 2^23: adding it rounds half to even and leaves the integer in the low bits

// exp: bounds, log2 e, ROUND, ln 2 in two parts (9 bits, so that n times it is exact; the rest),
// (e^r − 1 − r) / r² as a polynomial in r on |r| ≤ ln 2 / 2, numbers
const EXP: usize = memory.data<f32>([
  EXP_LOW, EXP_HIGH, 1.44269504, ROUND, 0.693359375, -2.12194440e-4,
  0.49999994, 0.16666521, 0.04166839, 0.0083687454, 0.001381454,
  1, 2, Infinity,
], 16);

// gelu: log2(erfc(a / √2) / 2) as a polynomial in a on a ≤ 8; (2^f − 1) / f in f on |f| ≤ 1/2
const GELU: usize = memory.data<f32>([
  8, -1, -1.1511059, -0.45920292, -0.05251188, 0.0070864715, -1.5502515e-4, -1.7850951e-4, 3.7732076e-5, -2.6958389e-6,
  0.6931472, 0.24022646, 0.055503286, 0.009618489, 0.0013399931, 1.5345808e-4,
], 16);

/** The constant at index `i` of a table, in all four lanes. */
@inline
function at(table: usize, i: usize): v128 {
  return v128.load_splat<f32>(table + (i << 2));
}

/** v · x + c */
@inline
function step(v: v128, x: v128, c: v128): v128 {
  return f32x4.add(f32x4.mul(v, x), c);
}

/**
 * e^x: x = n ln 2 + r, e^r = 1 + (r + r² P(r)), and n is added to the exponent bits.
 */
@inline
export function exp4(x: v128): v128 {
  const low = at(EXP, 0);
  const high = at(EXP, 1);
  const c = f32x4.pmin(f32x4.pmax(x, low), high);
  const z = step(c, at(EXP, 2), at(EXP, 3));
  const n = f32x4.sub(z, at(EXP, 3));
  const r = f32x4.sub(f32x4.sub(c, f32x4.mul(n, at(EXP, 4))), f32x4.mul(n, at(EXP, 5)));
  let p = step(at(EXP, 10), r, at(EXP, 9));
  p = step(p, r, at(EXP, 8));
  p = step(p, r, at(EXP, 7));
  p = step(p, r, at(EXP, 6));
  p = step(p, f32x4.mul(r, r), r);
  p = f32x4.add(p, at(EXP, 11));
  p = i32x4.add(p, i32x4.shl(z, 23));
  p = v128.andnot(p, f32x4.lt(x, low));
  p = v128.bitselect(at(EXP, 13), p, f32x4.gt(x, high));
  return v128.bitselect(x, p, f32x4.ne(x, x));
}

/** 1 / (1 + e^−x) */
@inline
export function sigmoid4(x: v128): v128 {
  const one = at(EXP, 11);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
}

/** x · sigmoid(x), as x / (1 + e^−x) */
@inline
export function silu4(x: v128): v128 {
  return f32x4.div(x, f32x4.add(at(EXP, 11), exp4(f32x4.neg(x))));
}

/** x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))), as x · sigmoid(x · (2√(2/π) + 0.044715 · 2√(2/π) · x²)) */
@inline
export function geluTanh4(x: v128): v128 {
  const inner = step(f32x4.mul(x, x), f32x4.splat(0.07135481627362308), f32x4.splat(1.5957691216057308));
  return f32x4.div(x, f32x4.add(at(EXP, 11), exp4(f32x4.neg(f32x4.mul(x, inner)))));
}

/**
 * x/2 · (1 + erf(x / √2)), as max(x, 0) − |x| · E with E = erfc(|x| / √2) / 2 = 2^q, q a polynomial in |x|. E alone is
 * needed, and only to an absolute error: no second branch as in erf, no ends to look after.
 */
@inline
export function gelu4(x: v128): v128 {
  const a = f32x4.abs(x);
  const t = f32x4.pmin(a, at(GELU, 0)); // beyond 8, where E is 2^-55, nothing is left to tell from 0
  let q = step(at(GELU, 9), t, at(GELU, 8));
  q = step(q, t, at(GELU, 7));
  q = step(q, t, at(GELU, 6));
  q = step(q, t, at(GELU, 5));
  q = step(q, t, at(GELU, 4));
  q = step(q, t, at(GELU, 3));
  q = step(q, t, at(GELU, 2));
  q = step(q, t, at(GELU, 1));
  const z = f32x4.add(q, at(EXP, 3));
  const f = f32x4.sub(q, f32x4.sub(z, at(EXP, 3)));
  let p = step(at(GELU, 15), f, at(GELU, 14));
  p = step(p, f, at(GELU, 13));
  p = step(p, f, at(GELU, 12));
  p = step(p, f, at(GELU, 11));
  p = step(p, f, at(GELU, 10));
  p = step(p, f, at(EXP, 11));
  p = i32x4.add(p, i32x4.shl(z, 23));
  return f32x4.sub(f32x4.pmax(x, f32x4.splat(0)), f32x4.mul(a, p));
}

/**
 * `gelu4` of sixteen elements in place, the same bits. Four vectors take each step of the polynomials together: one alone waits
 * for its own last result most of the time.
 */
export function gelu16(x: usize): void {
  const top = at(GELU, 0);
  let t = f32x4.pmin(f32x4.abs(v128.load(x)), top), u = f32x4.pmin(f32x4.abs(v128.load(x, 16)), top);
  let v = f32x4.pmin(f32x4.abs(v128.load(x, 32)), top), w = f32x4.pmin(f32x4.abs(v128.load(x, 48)), top);
  let p = at(GELU, 9), q = p, r = p, s = p;
  for (let i: usize = 8; i >= 1; i--) {
    const c = at(GELU, i);
    p = step(p, t, c), q = step(q, u, c), r = step(r, v, c), s = step(s, w, c);
  }
  const round = at(EXP, 3);
  const e = f32x4.add(p, round), f = f32x4.add(q, round), g = f32x4.add(r, round), h = f32x4.add(s, round);
  t = f32x4.sub(p, f32x4.sub(e, round)), u = f32x4.sub(q, f32x4.sub(f, round));
  v = f32x4.sub(r, f32x4.sub(g, round)), w = f32x4.sub(s, f32x4.sub(h, round));
  p = at(GELU, 15), q = p, r = p, s = p;
  for (let i: usize = 14; i >= 10; i--) {
    const c = at(GELU, i);
    p = step(p, t, c), q = step(q, u, c), r = step(r, v, c), s = step(s, w, c);
  }
  const one = at(EXP, 11);
  half(x, i32x4.add(step(p, t, one), i32x4.shl(e, 23))), half(x + 16, i32x4.add(step(q, u, one), i32x4.shl(f, 23)));
  half(x + 32, i32x4.add(step(r, v, one), i32x4.shl(g, 23))), half(x + 48, i32x4.add(step(s, w, one), i32x4.shl(h, 23)));
}

/** x ← max(x, 0) − |x| · e, four elements. */
@inline
function half(x: usize, e: v128): void {
  const v = v128.load(x);
  v128.store(x, f32x4.sub(f32x4.pmax(v, f32x4.splat(0)), f32x4.mul(f32x4.abs(v), e)));
}

/** Lane 0 of `exp4`. */
export function expf(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}
