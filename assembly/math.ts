/** The logistic function over vectors, and the double-precision sine and cosine behind the RoPE tables. */
import { cos64 } from './inline/mathd';
import { sigmoid4 } from './inline/mathf';
import { load4, store4 } from './inline/tail';

/**
 * y[i] = 1 / (1 + e^−x[i])                                                                                 0 ≤ i < n
 * x (n) f32    y (n) f32, may be x
 * layout: plain vectors
 * needs: nothing of alignment or length.   range: all f32; 0 below −88.72283
 * equals: f64 sigmoid within 2.5 ulp, the same bits in every build.   cost: 8 bytes, about 29 vector operations per 4
 */
export function math_sigmoid_f32(x: usize, y: usize, n: i32): void {
  for (; n > 0; n -= 4, x += 16, y += 16) store4(y, sigmoid4(load4(x, n)), n);
}

/**
 * out[0] = cos x, out[1] = sin x
 * out (2) f64
 * layout: cosine, then sine
 * needs: nothing.   range: |x| < 2^29; NaN and ±∞ give NaN
 * equals: cos and sin within 3e-16, the same bits in every build.   cost: about 60 operations
 */
export function math_cossin_f64(x: f64, out: usize): void {
  store<f64>(out, cos64(x, 0));
  store<f64>(out, cos64(x, 3), 8);
}
