/**
 * Products of matrices with spikes: the columns of neurons that fired are added, the others are never read.
 * @module
 */
import { firstUnit, type ThreadContext } from '../threads/context.ts';
import { columnUnit } from '../description/columns.ts';
import type { Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import type { Columns } from '../wasm/weights.ts';

/** Scratch of the integer sums: one i32 and one byte per padded row. Threads write different rows of it. */
export interface ColumnScratch {
  readonly sums: Ptr;
  readonly bytes: Ptr;
}

/** y = m · s for the spikes in `list`, this thread's rows. */
export function accumulate(
  k: Kernels,
  m: Columns,
  list: Ptr,
  count: number,
  y: Ptr,
  scratch: ColumnScratch,
  thread: ThreadContext,
): void {
  const { data, paddedRows, scales, span } = m;
  const { sums, bytes } = scratch;
  const unit = columnUnit(m.layout);
  const r0 = unit * firstUnit(paddedRows / unit, thread.index, thread.count);
  const r1 = unit * firstUnit(paddedRows / unit, thread.index + 1, thread.count);
  switch (m.layout) {
    case 'f32col':
      return k.columns_f32(data, paddedRows, list, count, y, r0, r1);
    case 'i8col':
      return k.columns_i8(data, paddedRows, scales, span, list, count, sums, y, r0, r1);
    case 'trit2col':
      return k.columns_trit2(data, paddedRows, scales, span, list, count, sums, bytes, y, r0, r1);
    case 'bit1col':
      return k.columns_bit1(data, paddedRows, scales, span, list, count, sums, bytes, y, r0, r1);
    default:
      m.layout satisfies never;
  }
}
