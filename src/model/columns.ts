/**
 * Matrices whose inputs are spikes, laid out input by input, so that only the columns of neurons that fired are read.
 * Drawings of the layouts stand in assembly/columns.ts.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import { weightType } from '../container/ggml-types.ts';
import type { TensorInfo } from '../container/tensor.ts';
import { ModelFileError } from '../errors.ts';

/** `f32col` floats; `i8col` int8 and `trit2col` 2-bit codes with one f32 scale per row. */
export type ColumnLayout = 'f32col' | 'i8col' | 'trit2col';

/** Rows of a column are padded to this. */
export const COLUMN_ROWS = 64;

/** Sizes of a matrix laid out by columns. */
export interface ColumnSize {
  readonly layout: ColumnLayout;
  readonly rows: number;
  readonly cols: number;
  readonly paddedRows: number;
  readonly dataBytes: number;
  readonly scaleBytes: number;
}

/** Sizes by columns of a stored matrix: floats of any width become f32. 
 *  @param info a tensor of two dimensions @throws {ModelFileError} `TENSOR_TYPE` for a type that has no such layout */
export function columnSize(info: TensorInfo): ColumnSize {
  const [rows, cols] = info.shape;
  const type = weightType(info);
  if (type !== 'F32' && type !== 'F16' && type !== 'BF16') {
    throw new ModelFileError('TENSOR_TYPE', `tensor "${info.name}" takes spikes and is ${type}; F32, F16 and BF16 are supported there`);
  }
  const paddedRows = alignUp(rows, COLUMN_ROWS);
  return { layout: 'f32col', rows, cols, paddedRows, dataBytes: cols * paddedRows * 4, scaleBytes: 0 };
}
