/**
 * Products of matrices with many spike vectors at once. Two ways lead to the same sums: partial sums of four columns looked
 * up for sixteen vectors at a time, whoever fired; and columns of those that fired, added. Codes take what is faster at the
 * rate of the present vectors; the sums are integers, so the choice changes no bit. Int8 and floats always take columns.
 * @module
 */
import { firstUnit, type ThreadContext } from '../threads/context.ts';

import type { Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import type { Matrix } from '../wasm/weights.ts';

/** Rows that are worked on together: 16 groups of nibbles. */
export const UNIT_ROWS = 64;

/** Spikes of one layer as nibbles; see assembly/nibble.ts. */
export interface Spikes {
  readonly at: Ptr;
  readonly features: number;
  readonly groups: number;
}

/** Columns beat tables where fewer fire: measured on codes of 768 and 3072 columns, 512 vectors. */
const COLUMNS_BELOW = 0.15;

/** Vectors of a chunk that stand in a row, and the lists of who fired in them. */
export interface SpikeBatch {
  readonly n: number;
  /** Elements between rows of results. */
  readonly stride: number;
  readonly tables: Ptr;
  readonly lists: Ptr;
  /** Entries of one list. */
  readonly listStride: number;
  readonly listed: Ptr;
}

/** Whether a matrix takes lists of who fired. @param rate share of all neurons and vectors that fired */
export function takesLists(m: Matrix, rate: number): boolean {
  return m.layout === 'f32' || m.layout === 'i8' || rate < COLUMNS_BELOW;
}

/** Lists who fired, this thread's share of the vectors. */
export function listSpikes(k: Kernels, x: Spikes, b: SpikeBatch, thread: ThreadContext): void {
  const eights = Math.ceil(b.n / 8);
  const [from, to] = [0, 1].map((i) => 8 * firstUnit(eights, thread.index + i, thread.count));
  k.spike_lists(x.at, x.groups, from, to, b.lists, b.listStride, b.listed);
}

/**
 * y[i] = m[row + i] · x[n] + bias for a unit of up to 64 rows and all vectors.
 * @param lists whether those of x are made; else tables serve, which float and int8 matrices cannot
 * @param tile scratch, 64 · 4 bytes per column; @param sums scratch, 1 kB
 */
export function multiplySpikes(
  k: Kernels,
  m: Matrix,
  bias: Ptr,
  x: Spikes,
  b: SpikeBatch,
  lists: boolean,
  row: number,
  y: Ptr,
  tile: Ptr,
  sums: Ptr,
): void {
  const rows = Math.min(UNIT_ROWS, m.paddedRows - row);
  const { n, stride, listStride } = b;
  const at = bias + row * 4;
  if (m.layout === 'f32') {
    k.tile_f32(m.data, m.units, row, rows, tile);
    return k.gather_f32(tile, m.units, b.lists, listStride, b.listed, at, y, stride, rows, n, sums);
  }
  const kind = m.layout === 'trit2' ? 0 : m.layout === 'bit1' ? 1 : 2;
  if (lists) {
    const scales = m.scales + row * 4;
    k.tile_i8(kind, m.data, m.units, row, rows, tile, sums);
    return k.gather_i8(kind, tile, b.lists, listStride, b.listed, scales, at, y, stride, rows, n, sums);
  }
  k.nibble_gemm(
    kind,
    m.data,
    m.scales,
    m.scaleKind,
    m.unitsPerScale,
    m.units,
    bias,
    b.tables,
    x.at,
    y,
    stride,
    row,
    row + rows,
    n,
    sums,
  );
}
