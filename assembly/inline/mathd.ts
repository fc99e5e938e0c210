// Double precision for the tables of the rotary embedding. Run once per model, so short rather than fast.

/** ln x for normal x > 0, below 3e-16 relative: x = m·2^e with m near 1, then 2·artanh((m − 1) / (m + 1)). */
export function log64(x: f64): f64 {
  const bits = reinterpret<u64>(x);
  let e = <i32>(bits >> 52) - 1023;
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    e++;
  }
  const s = (m - 1) / (m + 1);
  const s2 = s * s;
  let sum: f64 = 0;
  for (let k = 25; k >= 1; k -= 2) sum = sum * s2 + 1.0 / <f64>k;
  return <f64>e * 0.6931471805599453 + 2 * s * sum;
}

/** e^x for |x| < 700, below 1e-15 relative: x = n·ln 2 + r, then the Taylor series of r. */
export function exp64(x: f64): f64 {
  const n = nearest(x * 1.4426950408889634);
  const r = (x - n * 6.93147180369123816490e-1) - n * 1.90821492927058770002e-10;
  let sum: f64 = 1;
  for (let k = 14; k >= 1; k--) sum = 1 + sum * r / <f64>k;
  return sum * reinterpret<f64>(<u64>(<i64>n + 1023) << 52);
}

/**
 * cos(x + quarter · π/2) for |x| < 2^29, below 3e-16 absolute; quarter 3 gives sin x. x = n·π/2 + r with π/2 in three parts, the
 * first two of 24 bits so that their products with n are exact; then the Taylor series of r in −π/4 … π/4.
 */
export function cos64(x: f64, quarter: i32): f64 {
  const n = nearest(x * 0.6366197723675814);
  const r = ((x - n * 1.570796251296997) - n * 7.549789415861596e-08) - n * 5.390302858158119e-15;
  const quadrant = (<i32>(<i64>n & 3) + quarter) & 3;
  const odd = quadrant & 1;
  const r2 = r * r;
  let sum: f64 = 1;
  for (let k = 16; k > 0; k -= 2) sum = 1 - sum * r2 / <f64>(k * (k - 1 + 2 * odd));
  if (odd) sum *= r;
  return quadrant == 1 || quadrant == 2 ? -sum : sum;
}
