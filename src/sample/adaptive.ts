/**
 * Temperatures that follow the entropy of the logits, as the public code of SymbolicLight has them. Exact arithmetic of
 * f64 and a logarithm of our own: the same temperature on every engine.
 * @module
 */

/** What uncertainty does: `cool` lowers the temperature, `warm` raises it, `off` leaves it alone. */
export type AdaptiveTemperature = 'off' | 'cool' | 'warm';

/** Below it a probability counts as this much, banned tokens included. */
export const LEAST_PROBABILITY: number = 1e-7;
const LEAST_TEMPERATURE = 0.1;
const MOST_TEMPERATURE = 1.5;

/** ln x for x > 0, below 1e-15: x = m·2^e with m near 1, then 2·artanh((m − 1) / (m + 1)). */
export function ln(x: number): number {
  let e = 0;
  let m = x;
  for (; m > Math.SQRT2; m /= 2) e++;
  for (; m < Math.SQRT1_2; m *= 2) e--;
  const s = (m - 1) / (m + 1);
  let sum = 0;
  for (let k = 25; k >= 1; k -= 2) sum = sum * s * s + 1 / k;
  return e * Math.LN2 + 2 * s * sum;
}

/** What such a probability adds to an entropy. */
export const LEAST_TERM: number = -LEAST_PROBABILITY * ln(LEAST_PROBABILITY);

/**
 * The temperature for one token.
 *
 *   cool   max(0.1, T − h·(T − 0.1))                                     h = entropy / ln(vocab) in 0 … 1
 *   warm   lo + h·(hi − lo),   lo = max(0.1, T / 2),  hi = max(lo, min(1.5, 3·T / 2))
 *
 * @param base T, the temperature that was asked for
 * @param vocab tokens that could be drawn, of which ln is the greatest entropy
 */
export function adaptedTemperature(rule: 'cool' | 'warm', base: number, nats: number, vocab: number): number {
  const h = Math.min(1, Math.max(0, nats / ln(Math.max(vocab, 2))));
  if (rule === 'cool') return Math.max(LEAST_TEMPERATURE, base - h * (base - LEAST_TEMPERATURE));
  const low = Math.max(LEAST_TEMPERATURE, base * 0.5);
  const high = Math.max(low, Math.min(MOST_TEMPERATURE, base * 1.5));
  return low + h * (high - low);
}
