/**
 * Rounding of sizes and offsets. By division: `(n + a - 1) & -a` is wrong from 2^31 on.
 * @module
 */

/** The smallest multiple of `to` that is at least `value`; exact for safe integers. */
export function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
