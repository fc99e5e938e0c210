// Forward and backward of what stands between the products: rates of neurons, normalisation, GELU, and the variance that
// spikes have around their rate. Rows are tokens, one after the other without padding; sizes of rows are multiples of 4.
//
// A neuron that fires with rate a in random steps has a variance of a(1 − a) in each; a norm and a GELU of single steps see
// that variance, which a pass over mean rates has to add. `noise` below is such a variance, one a token.

import { exp4 } from '../inline/mathf';

// @ts-ignore: decorator
@inline
function sum4(v: v128): f32 {
  const pair = f32x4.add(v, v128.shuffle<i64>(v, v, 1, 0));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

// @ts-ignore: decorator
@inline
function splat(x: f32): v128 {
  return f32x4.splat(x);
}

/** y[t,c] += bias[c]                                                                                     t < n, c < cols */
export function add_bias(y: usize, bias: usize, n: i32, cols: i32): void {
  const row = <usize>cols << 2;
  for (let t = 0; t < n; t++) {
    for (let c: usize = 0; c < row; c += 16, y += 16) v128.store(y, f32x4.add(v128.load(y), v128.load(bias + c)));
  }
}

/** out[c] += Σ_t y[t,c] */
export function column_sums(y: usize, n: i32, cols: i32, out: usize): void {
  const row = <usize>cols << 2;
  for (let t = 0; t < n; t++) {
    for (let c: usize = 0; c < row; c += 16, y += 16) v128.store(out + c, f32x4.add(v128.load(out + c), v128.load(y)));
  }
}

/** y[i] += factor · x[i]                                                                             n a multiple of 4 */
export function add_scaled(y: usize, x: usize, factor: f32, n: i32): void {
  const f = splat(factor);
  for (const end = y + (<usize>n << 2); y < end; y += 16, x += 16) {
    v128.store(y, f32x4.add(v128.load(y), f32x4.mul(f, v128.load(x))));
  }
}

/** Two rounds of a hash of four counters; every bit of them changes about half of the others. */
// @ts-ignore: decorator
@inline
function hash4(v: v128): v128 {
  let x = v128.xor(v, i32x4.shr_u(v, 16));
  x = i32x4.mul(x, i32x4.splat(0x7feb352d));
  x = v128.xor(x, i32x4.shr_u(x, 15));
  x = i32x4.mul(x, i32x4.splat(0x846ca68b));
  return v128.xor(x, i32x4.shr_u(x, 16));
}

/**
 * current[i] += spread · ε,   rate[i] = round(levels · clamp(current[i], 0, 1)) / levels              n a multiple of 4
 * ε: sum of four uniform numbers of 16 bits, of variance 1, from seed and i alone; no noise for a spread of 0.   NaN stays NaN
 */
export function rates(current: usize, rate: usize, n: i32, levels: f32, spread: f32, seed: i32): void {
  const zero = splat(0), one = splat(1), up = splat(levels), down = splat(1 / levels);
  const low = i32x4.splat(0xffff), unit = splat(spread * 1.7320508 / 65536), centre = splat(2 * 65536);
  let counter = i32x4.add(i32x4.mul(i32x4.splat(seed), i32x4.splat(0x9e3779b9)), memoryIota());
  const next = i32x4.splat(8);
  for (const end = current + (<usize>n << 2); current < end; current += 16, rate += 16) {
    let x = v128.load(current);
    if (spread != 0) {
      const a = hash4(counter), b = hash4(i32x4.add(counter, i32x4.splat(1)));
      counter = i32x4.add(counter, next);
      const sum = i32x4.add(
        i32x4.add(v128.and(a, low), i32x4.shr_u(a, 16)), i32x4.add(v128.and(b, low), i32x4.shr_u(b, 16)),
      );
      x = f32x4.add(x, f32x4.mul(f32x4.sub(f32x4.convert_i32x4_s(sum), centre), unit));
      v128.store(current, x);
    }
    const held = f32x4.min(f32x4.max(x, zero), one);
    v128.store(rate, f32x4.mul(f32x4.nearest(f32x4.mul(held, up)), down));
  }
}

// @ts-ignore: decorator
@inline
function memoryIota(): v128 {
  return i32x4(0, 2, 4, 6);
}

/** grad[i] ← grad[i] where −margin < current[i] < 1 + margin, else 0: straight through the rate.     n a multiple of 4 */
export function rates_back(current: usize, grad: usize, n: i32, margin: f32): void {
  const low = splat(-margin), high = splat(1 + margin);
  for (const end = grad + (<usize>n << 2); grad < end; grad += 16, current += 16) {
    const x = v128.load(current);
    v128.store(grad, v128.and(v128.load(grad), v128.and(f32x4.gt(x, low), f32x4.lt(x, high))));
  }
}

/** Σ x[i] in f64: NaN where one is.                                                                 n a multiple of 4 */
export function total(x: usize, n: i32): f64 {
  let a = f64x2.splat(0), b = a;
  for (const end = x + (<usize>n << 2); x < end; x += 16) {
    const v = v128.load(x);
    a = f64x2.add(a, f64x2.promote_low_f32x4(v)), b = f64x2.add(b, f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0)));
  }
  const s = f64x2.add(a, b);
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}

/**
 * out[t] += Σ_c weight[c] · a[t,c](1 − a[t,c])                     a: rates    weight 0: `flat` for all columns
 */
export function variance(a: usize, weight: usize, flat: f32, n: i32, cols: i32, out: usize): void {
  const one = splat(1), row = <usize>cols << 2;
  for (let t = 0; t < n; t++, out += 4) {
    let sum = splat(0);
    for (let c: usize = 0; c < row; c += 16, a += 16) {
      const x = v128.load(a);
      const v = f32x4.mul(x, f32x4.sub(one, x));
      sum = f32x4.add(sum, weight == 0 ? v : f32x4.mul(v, v128.load(weight + c)));
    }
    store<f32>(out, load<f32>(out) + sum4(sum) * (weight == 0 ? flat : 1));
  }
}

/** Backward of `variance`: da[t,c] += dout[t] · weight[c] · (1 − 2a);   dweight[c] += Σ_t dout[t] · a(1 − a) */
export function variance_back(
  a: usize, weight: usize, flat: f32, n: i32, cols: i32, dout: usize, da: usize, dweight: usize,
): void {
  const one = splat(1), row = <usize>cols << 2;
  for (let t = 0; t < n; t++, dout += 4) {
    const g = splat(load<f32>(dout)), gf = splat(load<f32>(dout) * flat);
    for (let c: usize = 0; c < row; c += 16, a += 16, da += 16) {
      const x = v128.load(a);
      const slope = f32x4.sub(one, f32x4.add(x, x));
      const factor = weight == 0 ? gf : f32x4.mul(g, v128.load(weight + c));
      v128.store(da, f32x4.add(v128.load(da), f32x4.mul(factor, slope)));
      if (dweight == 0) continue;
      const v = f32x4.mul(g, f32x4.mul(x, f32x4.sub(one, x)));
      v128.store(dweight + c, f32x4.add(v128.load(dweight + c), v));
    }
  }
}

/**
 * u ← z = (u − mean) · inverse[t],   inverse[t] = 1 / √(var u + noise[t] + eps),   out = gain · z + shift
 * u (n, cols) in place    noise (n), or 0 for none    inverse (n)    out (n, cols)
 */
export function norm(
  u: usize, gain: usize, shift: usize, noise: usize, eps: f32, n: i32, cols: i32, inverse: usize, out: usize,
): void {
  const row = <usize>cols << 2, share = <f32>1 / <f32>cols;
  for (let t = 0; t < n; t++, inverse += 4) {
    let s = splat(0);
    for (let c: usize = 0; c < row; c += 16) s = f32x4.add(s, v128.load(u + c));
    const mean = splat(sum4(s) * share);
    s = splat(0);
    for (let c: usize = 0; c < row; c += 16) {
      const d = f32x4.sub(v128.load(u + c), mean);
      s = f32x4.add(s, f32x4.mul(d, d));
    }
    const more = noise == 0 ? <f32>0 : load<f32>(noise + (<usize>t << 2));
    const inv: f32 = 1 / sqrt<f32>(sum4(s) * share + more + eps);
    store<f32>(inverse, inv);
    const factor = splat(inv);
    for (let c: usize = 0; c < row; c += 16, u += 16, out += 16) {
      const z = f32x4.mul(f32x4.sub(v128.load(u), mean), factor);
      v128.store(u, z);
      v128.store(out, f32x4.add(f32x4.mul(z, v128.load(gain + c)), v128.load(shift + c)));
    }
  }
}

/**
 * Backward of `norm`: grad of out becomes that of u, in place; dgain, dshift are added to; dnoise[t] is written, unless 0.
 * z and inverse are those that `norm` left.
 */
export function norm_back(
  z: usize, gain: usize, inverse: usize, n: i32, cols: i32, grad: usize, dgain: usize, dshift: usize, dnoise: usize,
): void {
  const row = <usize>cols << 2, share = <f32>1 / <f32>cols;
  for (let t = 0; t < n; t++, inverse += 4) {
    let s = splat(0), q = s;
    for (let c: usize = 0; c < row; c += 16) {
      const d = v128.load(grad + c), v = v128.load(z + c);
      v128.store(dgain + c, f32x4.add(v128.load(dgain + c), f32x4.mul(d, v)));
      v128.store(dshift + c, f32x4.add(v128.load(dshift + c), d));
      const g = f32x4.mul(d, v128.load(gain + c));
      v128.store(grad + c, g);
      s = f32x4.add(s, g), q = f32x4.add(q, f32x4.mul(g, v));
    }
    const inv = load<f32>(inverse), along = sum4(q);
    if (dnoise != 0) store<f32>(dnoise + (<usize>t << 2), <f32>-0.5 * along * inv * inv);
    const mean = splat(sum4(s) * share), slope = splat(along * share), factor = splat(inv);
    for (let c: usize = 0; c < row; c += 16, grad += 16, z += 16) {
      const g = f32x4.sub(f32x4.sub(v128.load(grad), mean), f32x4.mul(v128.load(z), slope));
      v128.store(grad, f32x4.mul(g, factor));
    }
  }
}

/** Φ(y) = ½ erfc(−y / √2) within 2e-7, and e = exp(−y² / 2) beside it (Abramowitz and Stegun 7.1.26, seven digits). */
// @ts-ignore: decorator
@inline
function phi4(y: v128, e: v128): v128 {
  const a = f32x4.mul(f32x4.abs(y), splat(0.70710678));
  const t = f32x4.div(splat(1), f32x4.add(splat(1), f32x4.mul(splat(0.3275911), a)));
  let p = f32x4.add(f32x4.mul(t, splat(1.061405429)), splat(-1.453152027));
  p = f32x4.add(f32x4.mul(t, p), splat(1.421413741));
  p = f32x4.add(f32x4.mul(t, p), splat(-0.284496736));
  p = f32x4.add(f32x4.mul(t, p), splat(0.254829592));
  const tail = f32x4.mul(f32x4.mul(f32x4.mul(p, t), e), splat(0.5));
  return v128.bitselect(f32x4.sub(splat(1), tail), tail, f32x4.gt(y, splat(0)));
}

/**
 * out = E gelu(x + σ ε) = x Φ(x/s) + σ²/s φ(x/s),   s² = 1 + σ²,   σ²[t,c] = noise[t] · weight[c]; noise 0: none
 * x, out (n, cols)    Φ, φ: of the standard normal distribution
 */
export function gelu(x: usize, noise: usize, weight: usize, n: i32, cols: i32, out: usize): void {
  const row = <usize>cols << 2, one = splat(1), root = splat(0.39894228);
  for (let t = 0; t < n; t++) {
    const level = noise == 0 ? splat(0) : v128.load32_splat(noise + (<usize>t << 2));
    for (let c: usize = 0; c < row; c += 16, x += 16, out += 16) {
      const v = v128.load(x);
      const more = noise == 0 ? level : f32x4.mul(level, v128.load(weight + c));
      const s = f32x4.sqrt(f32x4.add(one, more));
      const y = f32x4.div(v, s);
      const e = exp4(f32x4.mul(f32x4.mul(y, y), splat(-0.5)));
      const f = f32x4.mul(v, phi4(y, e));
      v128.store(out, f32x4.add(f, f32x4.mul(f32x4.mul(f32x4.div(more, s), root), e)));
    }
  }
}

/** Backward of `gelu`: grad of out becomes that of x, in place; dnoise[t] and dweight[c] are added to. */
export function gelu_back(
  x: usize, noise: usize, weight: usize, n: i32, cols: i32, grad: usize, dnoise: usize, dweight: usize,
): void {
  const row = <usize>cols << 2, one = splat(1), root = splat(0.39894228), half = splat(0.5);
  for (let t = 0; t < n; t++) {
    const level = noise == 0 ? splat(0) : v128.load32_splat(noise + (<usize>t << 2));
    let sum = splat(0);
    for (let c: usize = 0; c < row; c += 16, x += 16, grad += 16) {
      const v = v128.load(x), g = v128.load(grad);
      const w = noise == 0 ? level : v128.load(weight + c);
      const s2 = f32x4.add(one, f32x4.mul(level, w));
      const s = f32x4.sqrt(s2), y = f32x4.div(v, s);
      const e = exp4(f32x4.mul(f32x4.mul(y, y), splat(-0.5)));
      const density = f32x4.mul(e, root), s3 = f32x4.mul(s2, s);
      v128.store(grad, f32x4.mul(g, f32x4.add(phi4(y, e), f32x4.div(f32x4.mul(density, v), s3))));
      if (noise == 0) continue;
      // ∂/∂σ² = φ(y) · ((s² + 1) / 2s³ − x² / 2s⁵)
      const by = f32x4.mul(
        f32x4.mul(density, f32x4.div(half, s3)),
        f32x4.sub(f32x4.add(s2, one), f32x4.mul(y, y)),
      );
      const d = f32x4.mul(g, by);
      sum = f32x4.add(sum, f32x4.mul(d, w));
      v128.store(dweight + c, f32x4.add(v128.load(dweight + c), f32x4.mul(d, level)));
    }
    if (noise != 0) store<f32>(dnoise + (<usize>t << 2), load<f32>(dnoise + (<usize>t << 2)) + sum4(sum));
  }
}

/** rows[r] = Σ_c w[r,c]²,   cols[c] = Σ_r w[r,c]² · factor; either may be 0 */
export function squares(w: usize, rows: i32, cols: i32, byRow: usize, byCol: usize, factor: f32): void {
  const row = <usize>cols << 2, f = splat(factor);
  if (byCol != 0) memory.fill(byCol, 0, row);
  for (let r = 0; r < rows; r++, w += row) {
    let sum = splat(0);
    for (let c: usize = 0; c < row; c += 16) {
      const v = v128.load(w + c), q = f32x4.mul(v, v);
      sum = f32x4.add(sum, q);
      if (byCol != 0) v128.store(byCol + c, f32x4.add(v128.load(byCol + c), f32x4.mul(q, f)));
    }
    if (byRow != 0) store<f32>(byRow + (<usize>r << 2), sum4(sum));
  }
}

/** Backward of `squares`: dw[r,c] += 2 w[r,c] · (drow[r] + factor · dcol[c]); either may be 0 */
export function squares_back(w: usize, rows: i32, cols: i32, dRow: usize, dCol: usize, factor: f32, dw: usize): void {
  const row = <usize>cols << 2, f = splat(factor);
  for (let r = 0; r < rows; r++) {
    const own = dRow == 0 ? splat(0) : v128.load32_splat(dRow + (<usize>r << 2));
    for (let c: usize = 0; c < row; c += 16, w += 16, dw += 16) {
      const g = dCol == 0 ? own : f32x4.add(own, f32x4.mul(f, v128.load(dCol + c)));
      const v = v128.load(w);
      v128.store(dw, f32x4.add(v128.load(dw), f32x4.mul(f32x4.add(v, v), g)));
    }
  }
}

/**
 * Σ (a − target)²,   target[t,c] = clamp(½ + (h − mean[c]) · half, 0, 1);   da += factor · (a − target)
 * h (n, cols) a state of the teacher    half: 1 / 2R    da may be 0
 */
export function match(a: usize, h: usize, mean: usize, half: f32, n: i32, cols: i32, factor: f32, da: usize): f64 {
  const row = <usize>cols << 2, zero = splat(0), one = splat(1), middle = splat(0.5), scale = splat(half), f = splat(factor);
  let all: f64 = 0;
  for (let t = 0; t < n; t++) {
    let sum = zero;
    for (let c: usize = 0; c < row; c += 16, a += 16, h += 16) {
      const raw = f32x4.add(middle, f32x4.mul(f32x4.sub(v128.load(h), v128.load(mean + c)), scale));
      const d = f32x4.sub(v128.load(a), f32x4.min(f32x4.max(raw, zero), one));
      sum = f32x4.add(sum, f32x4.mul(d, d));
      if (da == 0) continue;
      v128.store(da, f32x4.add(v128.load(da), f32x4.mul(f, d)));
      da += 16;
    }
    all += sum4(sum);
  }
  return all;
}
