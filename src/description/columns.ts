/**
 * Matrices whose inputs are spikes, laid out input by input, so that only the columns of neurons that fired are read.
 * Drawings of the layouts stand in assembly/columns.ts.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import { weightType } from '../container/ggml-types.ts';
import type { TensorInfo, TensorType } from '../container/tensor.ts';

/** `f32col` floats; `i8col` int8, `trit2col` 2-bit codes and `bit1col` signs, with scales beside them. */
export type ColumnLayout = 'f32col' | 'i8col' | 'trit2col' | 'bit1col';

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

const LAYOUTS: Readonly<Record<TensorType, ColumnLayout>> = {
  F32: 'f32col',
  F16: 'f32col',
  BF16: 'f32col',
  I8: 'i8col',
  Q8_0: 'i8col',
  TQ1_0: 'trit2col',
  TQ2_0: 'trit2col',
  Q2_0: 'trit2col',
  I2_S: 'trit2col',
  U2_ROWS: 'trit2col',
  Q1_0: 'bit1col',
};

const BITS: Readonly<Record<ColumnLayout, number>> = { f32col: 32, i8col: 8, trit2col: 2, bit1col: 1 };

/** Outputs that a kernel takes at a time; the rows of a column are padded to it. */
export function columnUnit(layout: ColumnLayout): number {
  return layout === 'bit1col' ? 128 : 64;
}

/** Sizes by columns of a stored matrix. Floats of any width become f32, codes of any packing 2 bits or 1.
 *  @param info a tensor of two dimensions @throws {ModelFileError} `TENSOR_TYPE` for a type that is no weight */
export function columnSize(info: TensorInfo): ColumnSize {
  const [rows, cols] = info.shape;
  const layout = LAYOUTS[weightType(info)];
  const paddedRows = alignUp(rows, columnUnit(layout));
  const dataBytes = (cols * paddedRows * BITS[layout]) / 8;
  // floats, I8 and I2_S have no blocks
  const span = info.blockElements > 1 ? info.blockElements : cols;
  const scaleBytes = layout === 'f32col' ? 0 : (cols / span) * paddedRows * 4;
  return { layout, rows, cols, paddedRows, span, dataBytes, scaleBytes };
}
