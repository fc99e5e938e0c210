/**
 * Matrices whose inputs are spikes, laid out input by input, so that only the columns of neurons that fired are read.
 * Drawings of the layouts stand in assembly/columns.ts.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import { weightType } from '../container/ggml-types.ts';
import type { TensorInfo, TensorType } from '../container/tensor.ts';

/** `f32col` floats; `i8col` int8 and `trit2col` 2-bit codes with one f32 scale per row. */
export type ColumnLayout = 'f32col' | 'i8col' | 'trit2col';

/** Rows of a column are padded to this. */
const COLUMN_ROWS = 64;

/** Sizes of a matrix laid out by columns. */
export interface ColumnSize {
  readonly layout: ColumnLayout;
  readonly rows: number;
  readonly cols: number;
  readonly paddedRows: number;
  readonly dataBytes: number;
  readonly scaleBytes: number;
}

const LAYOUTS: Readonly<Record<TensorType, ColumnLayout>> = {
  F32: 'f32col',
  F16: 'f32col',
  BF16: 'f32col',
  // its scales change along a row, so that columns cannot be summed as integers
  Q8_0: 'f32col',
  I8: 'i8col',
  TQ1_0: 'trit2col',
  TQ2_0: 'trit2col',
  Q2_0: 'trit2col',
  Q1_0: 'trit2col',
  I2_S: 'trit2col',
};

const BITS: Readonly<Record<ColumnLayout, number>> = { f32col: 32, i8col: 8, trit2col: 2 };

/** Sizes by columns of a stored matrix. Floats of any width and Q8_0 become f32; types of 1 and 2 bits 2-bit codes.
 *  @param info a tensor of two dimensions @throws {ModelFileError} `TENSOR_TYPE` for a type that is no weight */
export function columnSize(info: TensorInfo): ColumnSize {
  const [rows, cols] = info.shape;
  const layout = LAYOUTS[weightType(info)];
  const paddedRows = alignUp(rows, COLUMN_ROWS);
  const dataBytes = (cols * paddedRows * BITS[layout]) / 8;
  return { layout, rows, cols, paddedRows, dataBytes, scaleBytes: layout === 'f32col' ? 0 : paddedRows * 4 };
}
