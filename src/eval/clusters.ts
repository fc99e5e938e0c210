/**
 * Errors of values that come in clusters. By itself, as perplexity needs no other statistics.
 * @module
 */

/** An interval; both ends belong to it. */
export type Interval = readonly [low: number, high: number];

/** Standard errors from the middle to each end of an interval of 95 %. */
export const Z95 = 1.959963984540054;

/**
 * Standard error of a mean whose values come in clusters that are independent of each other, as the tokens of windows do.
 * @param deviations Σ(value − mean) of each cluster
 * @param count values in all
 */
export function clusteredError(deviations: readonly number[], count: number): number {
  const k = deviations.length;
  if (k < 2) return 0;
  return Math.sqrt((deviations.reduce((sum, x) => sum + x * x, 0) * k) / (k - 1)) / count;
}
