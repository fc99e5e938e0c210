/**
 * A matrix in wasm memory, as forward passes see it.
 * @module
 */
import type { ColumnSize } from '../description/columns.ts';
import type { PackedSize } from '../description/layout.ts';
import type { Ptr } from './arena.ts';

/** A packed matrix in wasm memory. `scaleKind` 0: one f32 per row; 1: one f16 per `unitsPerScale` units. */
export interface Matrix extends PackedSize {
  readonly name: string;
  readonly data: Ptr;
  readonly scales: Ptr;
  readonly scaleKind: 0 | 1;
  /** Activations are taken as they are, not quantised; `i8` alone has kernels for both. */
  readonly exact: boolean;
  /** Largest integer of a quantised activation of `i8`: 127 or 32767. */
  readonly top: number;
  /** Whether a code of `trit2` is 3, which is +2, here or in a matrix that reads the same activations. The tables of lookup.ts
   *  count to base 3 and then do not serve. Known once the matrix is loaded. */
  threes: boolean;
}

/** A matrix laid out by columns, in wasm memory; its inputs are spikes. */
export interface Columns extends Omit<ColumnSize, 'span'> {
  readonly name: string;
  readonly data: Ptr;
  readonly scales: Ptr;
  /** As its size says, until it is loaded: all inputs where the blocks of every row turn out to have one scale. */
  span: number;
}
