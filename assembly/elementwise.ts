/**
 * Element by element: sums, products, activations; softmax of one row; the check for NaN and infinities.
 * Light loops have their tail behind them: a test and a call inside cost four times the work. Where the body is an
 * exponential it costs nothing, and the body stands in the module once.
 */
import { exp4, gelu16, gelu4, geluTanh4, silu4 } from './inline/mathf';
import { headMask, load4, loadHead, store4, storeHead } from './inline/tail';

/** max(x, 0)²; NaN stays NaN. */
@inline
function relu2(x: v128): v128 {
  const r = f32x4.pmax(x, f32x4.splat(0));
  return f32x4.mul(r, r);
}

/**
 * y[i] += x[i]                                                                                             0 ≤ i < n
 * y (n) f32, in place    x (n) f32, may be y
 * layout: plain vectors
 * needs: nothing of alignment or length.   range: all f32
 * equals: reference.add, bit for bit, in every build.   cost: 12 bytes, 1 operation per element
 */
export function add_f32(y: usize, x: usize, n: i32): void {
  for (; n >= 4; n -= 4, x += 16, y += 16) v128.store(y, f32x4.add(v128.load(y), v128.load(x)));
  if (n > 0) storeHead(y, f32x4.add(loadHead(y, n), loadHead(x, n)), n);
}

/**
 * y[i] *= s                                                                                                0 ≤ i < n
 * y (n) f32, in place    s f32
 * layout: plain vector
 * needs: nothing of alignment or length.   range: all f32
 * equals: reference.scale, bit for bit, in every build.   cost: 8 bytes, 1 operation per element
 */
export function scale_f32(y: usize, s: f32, n: i32): void {
  const factor = f32x4.splat(s);
  for (; n >= 4; n -= 4, y += 16) v128.store(y, f32x4.mul(v128.load(y), factor));
  if (n > 0) storeHead(y, f32x4.mul(loadHead(y, n), factor), n);
}

/**
 * gate[i] = silu(gate[i]) · up[i]                                                                          0 ≤ i < n
 * gate (n) f32, in place    up (n) f32
 * layout: plain vectors
 * needs: nothing of alignment or length.   range: finite; silu is −0 below −88.72283, and of −∞ NaN as in PyTorch
 * equals: f64 SiLU within 2.5 ulp (under −87: 2^-121 absolute), then a product rounded once; the same bits in every build
 * cost: 12 bytes, about 30 vector operations per 4
 */
export function silu_mul_f32(gate: usize, up: usize, n: i32): void {
  for (; n > 0; n -= 4, gate += 16, up += 16) store4(gate, f32x4.mul(silu4(load4(gate, n)), load4(up, n)), n);
}

/**
 * x[i] = x[i] / 2 · (1 + erf(x[i] / √2))                                                                   0 ≤ i < n
 * x (n) f32, in place
 * layout: plain vector
 * needs: nothing of alignment or length.   range: finite x, −0 kept; ∞ gives NaN, −∞ stays
 * equals: f64 GELU within 1e-7 · |x|, the same bits in every build.   cost: 8 bytes, about 40 vector operations per 4
 */
export function gelu_f32(x: usize, n: i32): void {
  for (; n >= 16; n -= 16, x += 64) gelu16(x);
  for (; n > 0; n -= 4, x += 16) store4(x, gelu4(load4(x, n)), n);
}

/**
 * gate[i] = gelu(gate[i]) · up[i],   gelu(x) = x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))              0 ≤ i < n
 * gate (n) f32, in place    up (n) f32
 * layout: plain vectors
 * needs: nothing of alignment or length.   range: finite
 * equals: that formula in f64 within 1e-6 · |gate · up|, the same bits in every build.   cost: 12 bytes, about 34 vector operations per 4
 */
export function gelu_tanh_mul_f32(gate: usize, up: usize, n: i32): void {
  for (; n > 0; n -= 4, gate += 16, up += 16) store4(gate, f32x4.mul(geluTanh4(load4(gate, n)), load4(up, n)), n);
}

/**
 * gate[i] = max(gate[i], 0)² · up[i]                                                                       0 ≤ i < n
 * gate (n) f32, in place    up (n) f32
 * layout: plain vectors
 * needs: nothing of alignment or length.   range: all f32; NaN stays NaN
 * equals: reference.relu2, then reference.mul, bit for bit.   cost: 12 bytes, 3 operations per element
 */
export function relu2_mul_f32(gate: usize, up: usize, n: i32): void {
  for (; n >= 4; n -= 4, gate += 16, up += 16) v128.store(gate, f32x4.mul(relu2(v128.load(gate)), v128.load(up)));
  if (n > 0) storeHead(gate, f32x4.mul(relu2(loadHead(gate, n)), loadHead(up, n)), n);
}

/**
 * x[i] = e^(x[i] − max x) / Σ e^(x − max x)                                                                0 ≤ i < n
 * x (n) f32, in place
 * layout: plain vector. The sum: element i in f64 lane i mod 4, then (l0 + l2) + (l1 + l3); its reciprocal in f32
 * needs: nothing of alignment or length.   range: −∞ gives 0; a row of −∞ only gives zeros; NaN or +∞ gives NaN
 * equals: reference.softmax within 4 ulp or 2^-126, the same bits in every build
 * cost: 20 bytes, about 32 vector operations per 4
 */
export function softmax_f32(x: usize, n: i32): void {
  const none = f32x4.splat(-Infinity);
  let m = none;
  let left = n;
  let p = x;
  for (; left >= 4; left -= 4, p += 16) m = f32x4.pmax(m, v128.load(p));
  if (left > 0) m = f32x4.pmax(m, v128.bitselect(loadHead(p, left), none, headMask(left)));
  m = f32x4.pmax(m, v128.shuffle<i32>(m, m, 2, 3, 0, 1));
  m = f32x4.pmax(m, v128.shuffle<i32>(m, m, 1, 0, 3, 2));
  // A row of −∞ only: subtracting 0 instead of −∞ leaves −∞, whose powers are 0, and 0 is then not divided by 0.
  m = v128.andnot(m, f32x4.eq(m, none));
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  for (left = n, p = x; left > 0; left -= 4, p += 16) {
    const e = v128.and(exp4(f32x4.sub(load4(p, left), m)), headMask(left));
    store4(p, e, left);
    a = f64x2.add(a, f64x2.promote_low_f32x4(e));
    b = f64x2.add(b, f64x2.promote_low_f32x4(v128.shuffle<i64>(e, e, 1, 1)));
  }
  const s = f64x2.add(a, b);
  const sum = f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
  scale_f32(x, sum == 0 ? 0 : <f32>(1 / sum), n);
}

/**
 * index of the first NaN or ±∞ in x, −1 where all are finite                                               0 ≤ i < n
 * x (n) f32
 * layout: plain vector
 * needs: nothing of alignment or length.   exact
 * equals: reference.notFinite.   cost: 4 bytes, 3/4 operation per element
 */
export function not_finite_f32(x: usize, n: i32): i32 {
  const magnitude = i32x4.splat(0x7fffffff);
  const largest = i32x4.splat(0x7f7fffff);
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16) {
    const bad = i32x4.gt_s(v128.and(v128.load(x), magnitude), largest);
    if (v128.any_true(bad)) return i + ctz(i32x4.bitmask(bad));
  }
  if (i == n) return -1;
  const bad = i32x4.bitmask(i32x4.gt_s(v128.and(loadHead(x, n - i), magnitude), largest));
  return bad == 0 ? -1 : i + ctz(bad);
}
