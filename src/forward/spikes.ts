/**
 * Products of matrices with spikes: the columns of neurons that fired are added, the others are never read.
 * @module
 */
import { firstUnit, type Lane } from '../lanes/lane.ts';
import type { Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import type { Columns } from '../wasm/weights.ts';

/** Scratch of the integer sums: one i32 and one byte per row. Lanes write different rows of it. */
export interface ColumnScratch {
  readonly sums: Ptr;
  readonly bytes: Ptr;
}

/** Rows of one unit of a lane's share: what the widest kernel takes at a time. */
const UNIT = 64;

/** y = m · s for the spikes in `list`, this lane's rows. */
export function accumulate(
  k: Kernels,
  m: Columns,
  list: Ptr,
  count: number,
  y: Ptr,
  scratch: ColumnScratch,
  lane: Lane,
): void {
  const r0 = UNIT * firstUnit(m.paddedRows / UNIT, lane.index, lane.count);
  const r1 = UNIT * firstUnit(m.paddedRows / UNIT, lane.index + 1, lane.count);
  switch (m.layout) {
    case 'f32col':
      return k.columns_f32(m.data, m.paddedRows, list, count, y, r0, r1);
    case 'i8col':
      return k.columns_i8(m.data, m.paddedRows, m.scales, list, count, scratch.sums, y, r0, r1);
    case 'trit2col':
      return k.columns_trit2(m.data, m.paddedRows, m.scales, list, count, scratch.sums, scratch.bytes, y, r0, r1);
    default:
      m.layout satisfies never;
  }
}
