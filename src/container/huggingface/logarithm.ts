/**
 * A logarithm that has the same bits on every runtime, as hosts' own differ in the last place: additions, multiplications
 * and divisions alone, in a fixed order.
 * @module
 */

/** Terms of the series, of which the last is below the spacing of f64. */
const TERMS = 24;

/** Natural logarithm of a finite x > 0, within a few units in the last place. */
export function logarithm(x: number): number {
  let twos = 0;
  while (x > 1.5) [x, twos] = [x / 2, twos + 1];
  while (x < 0.75) [x, twos] = [x * 2, twos - 1];
  // ln x = 2 artanh z, |z| ≤ 1/5
  const z = (x - 1) / (x + 1);
  let sum = 0;
  for (let n = TERMS; n >= 0; n--) sum = sum * z * z + 1 / (2 * n + 1);
  return 2 * z * sum + twos * Math.LN2;
}
