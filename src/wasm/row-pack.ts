/**
 * Rows whose blocks were unpacked, brought to what forward passes with spikes as inputs take: one f32 scale per row, or f32.
 * @module
 */
import { type RowRun, sharedScale } from './column-pack.ts';

/**
 * int8 rows with a scale per block → f32 rows, exactly: 8 bits times 11.
 * @param codes (count, cols), cols a whole number of blocks
 * @param scales (count, blocks)
 * @param to (count, stride): the first `n` of each row are written
 */
export function widenRows(
  codes: Int8Array,
  scales: Float32Array,
  { count, cols }: RowRun,
  to: Float32Array,
  stride: number,
  n: number,
): void {
  const blocks = scales.length / count;
  for (let r = 0; r < count; r++) {
    for (let c = 0; c < n; c++) {
      to[r * stride + c] = scales[r * blocks + Math.floor((c * blocks) / cols)] * codes[r * cols + c];
    }
  }
}

/**
 * Multiplies each of `to` by the one scale of its row.
 * @param scales (count, blocks)
 * @param zero the code of weight 0, which takes the place of others in blocks whose scale is 0; none for signs
 * @returns the first row whose blocks have several scales, or −1
 */
export function joinScales(
  codes: Uint8Array,
  scales: Float32Array,
  { count, cols }: RowRun,
  zero: number | null,
  to: Float32Array,
): number {
  const blocks = scales.length / count;
  for (let r = 0; r < count; r++) {
    const own = scales.subarray(r * blocks, (r + 1) * blocks);
    const one = sharedScale(own, codes.subarray(r * cols, (r + 1) * cols), zero);
    if (Number.isNaN(one)) return r;
    to[r] *= one;
  }
  return -1;
}
