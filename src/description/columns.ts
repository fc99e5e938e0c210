/**
 * Matrices whose inputs are spikes, laid out input by input, so that only the columns of neurons that fired are read.
 * Drawings of the layouts stand in assembly/columns.ts.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import { type ColumnLayout, columnLayout } from '../container/ggml-types.ts';
import type { TensorInfo } from '../container/tensor.ts';

export type { ColumnLayout } from '../container/ggml-types.ts';

/** Sizes of a matrix laid out by columns. */
export interface ColumnSize {
  readonly layout: ColumnLayout;
  readonly rows: number;
  readonly cols: number;
  readonly paddedRows: number;
  /** Inputs that follow one another and share a row of scales, one f32 for each output: the blocks of the file, or all. */
  readonly span: number;
  readonly dataBytes: number;
  readonly scaleBytes: number;
}

const BITS: Readonly<Record<ColumnLayout, number>> = { f32col: 32, i8col: 8, trit2col: 2, bit1col: 1 };

/** Outputs that a kernel takes at a time; the rows of a column are padded to it. */
export function columnUnit(layout: ColumnLayout): number {
  return layout === 'bit1col' ? 128 : 64;
}

/** Sizes by columns of a stored matrix. Floats of any width become f32, codes of any packing 2 bits or 1.
 *  @param info a tensor of two dimensions @throws {ModelFileError} `TENSOR_TYPE` for a type that takes no spikes */
export function columnSize(info: TensorInfo): ColumnSize {
  const [rows, cols] = info.shape;
  const layout = columnLayout(info);
  const paddedRows = alignUp(rows, columnUnit(layout));
  const dataBytes = (cols * paddedRows * BITS[layout]) / 8;
  // floats, I8 and I2_S have no blocks
  const span = info.blockElements > 1 ? info.blockElements : cols;
  const scaleBytes = layout === 'f32col' ? 0 : (cols / span) * paddedRows * 4;
  return { layout, rows, cols, paddedRows, span, dataBytes, scaleBytes };
}
