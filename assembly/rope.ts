// Rotary position embedding. Angles are computed in f64 by functions compiled into this module, so that every engine
// has the same table; the rotation itself is f32.

import { cos64, exp64, log64 } from './inline/mathd';

/**
 * freq[i] = theta^(−2i / dims) / (linear · factor[i])                                              i < dims / 2
 * factors (dims/2) f32 or 0 for none    out (dims/2) f64
 * once per model.   error: below 1e-14 relative
 */
export function rope_freqs_f64(theta: f64, dims: i32, linear: f64, factors: usize, out: usize): void {
  for (let i = 0; i < dims >> 1; i++) {
    let freq = exp64(-2.0 * <f64>i / <f64>dims * log64(theta)) / linear;
    if (factors) freq /= <f64>load<f32>(factors + (i << 2));
    store<f64>(out + (i << 3), freq);
  }
}

/**
 * table[t] = magnitude · cos(p·freq[i]), magnitude · sin(p·freq[i])                         p = pos + t, t < count, i < half; all cos, then all sin
 * freqs (half) f64    table (count, 2·half) f32    magnitude: 1 for a rotation; YaRN stretches
 * error: half an ulp of f32 up to position 2^20.   cost: about 100 ns per pair; once per token, not per head
 */
export function rope_table_f32(freqs: usize, half: i32, pos: i32, count: i32, magnitude: f64, table: usize): void {
  for (let t = 0; t < count; t++, table += <usize>half << 3) {
    for (let i = 0; i < half; i++) {
      const angle = <f64>(pos + t) * load<f64>(freqs + (i << 3));
      store<f32>(table + (i << 2), <f32>(magnitude * cos64(angle, 0)));
      store<f32>(table + ((half + i) << 2), <f32>(magnitude * cos64(angle, 3)));
    }
  }
}

/**
 * a′ = a·cos − b·sin,   b′ = a·sin + b·cos             per head, pairs (a, b) = (x[2i], x[2i+1]) or, halved, (x[i], x[half+i])
 * x (heads, headDim) f32 in place    table one row of `rope_table_f32`
 * dimensions from 2·half on stay as they are.   equals: reference.rope, bit for bit
 */
export function rope_apply_f32(x: usize, heads: i32, headDim: i32, table: usize, half: i32, halved: i32): void {
  const step = halved ? 1 : 2;
  const apart = halved ? half : 1;
  for (let h = 0; h < heads; h++, x += <usize>headDim << 2) {
    for (let i = 0; i < half; i++) {
      const cos = load<f32>(table + (i << 2));
      const sin = load<f32>(table + ((half + i) << 2));
      const p = x + ((i * step) << 2);
      const q = p + (apart << 2);
      const a = load<f32>(p), b = load<f32>(q);
      store<f32>(p, a * cos - b * sin);
      store<f32>(q, a * sin + b * cos);
    }
  }
}

/** ln x, x > 0: for the few logarithms of a description. error: below 1e-15 relative */
export function log_f64(x: f64): f64 {
  return log64(x);
}
