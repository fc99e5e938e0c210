/**
 * Rows of a file's blocks → codes and scales, whatever the type; what is damaged is refused with its place.
 * @module
 */
import { TYPE_LAYOUTS } from '../container/ggml-types.ts';
import type { TensorInfo, TensorType } from '../container/tensor.ts';
import { ModelFileError } from '../errors.ts';
import type { Ptr } from './arena.ts';
import type { Kernels } from './kernels.ts';

/** Columns of one run of I2_S codes, which the unpacker counts as a block. */
export const I2_S_RUN: number = 128;

/**
 * Blocks of `count` rows at `src` → one code a byte at `codes`, and f16 scales, or parts, at `scales`.
 * @param row number of the first row, for errors
 * @returns blocks of a row
 * @throws {ModelFileError} `WEIGHT_NOT_FINITE`, `TERNARY_CODE`
 */
export function unpackRows(
  k: Kernels,
  info: TensorInfo,
  cols: number,
  src: Ptr,
  row: number,
  count: number,
  codes: Ptr,
  scales: Ptr,
): number {
  const blocks = cols / (info.blockElements || I2_S_RUN);
  const bad = unpackBlocks(k, info, src, codes, scales, count * blocks);
  if (bad !== -1) refuseBlock(info, row, blocks, bad);
  return blocks;
}

type Unpack = (k: Kernels, src: Ptr, codes: Ptr, scales: Ptr, blocks: number, blockElements: number) => number;

const plain =
  (kernel: 'unpack_q8_0' | 'unpack_q5_0' | 'unpack_iq4_nl' | 'unpack_tq1_0' | 'unpack_tq2_0' | 'unpack_q1_0'): Unpack =>
  (k, src, codes, scales, blocks) => k[kernel](src, codes, scales, blocks);

const grouped = (type: TensorType): Unpack => (k, src, codes, scales, blocks) =>
  k.unpack_grouped(TYPE_LAYOUTS[type].id, src, codes, scales, blocks);

/** Kernels that take blocks apart; none for types without blocks. */
const UNPACK: Readonly<Record<TensorType, Unpack | null>> = {
  F32: null,
  F16: null,
  BF16: null,
  I8: null,
  U2_ROWS: null, // fill-quarters.ts reads it
  Q8_0: plain('unpack_q8_0'),
  Q5_0: plain('unpack_q5_0'),
  IQ4_NL: plain('unpack_iq4_nl'),
  TQ1_0: plain('unpack_tq1_0'),
  TQ2_0: plain('unpack_tq2_0'),
  Q2_0: (k, src, codes, scales, blocks, group) => k.unpack_q2_0(src, codes, scales, blocks, group),
  Q1_0: plain('unpack_q1_0'),
  I2_S: (k, src, codes, _, blocks) => k.unpack_i2_s(src, codes, blocks * I2_S_RUN),
  Q4_0: grouped('Q4_0'),
  Q4_1: grouped('Q4_1'),
  Q5_1: grouped('Q5_1'),
  Q2_K: grouped('Q2_K'),
  Q3_K: grouped('Q3_K'),
  Q4_K: grouped('Q4_K'),
  Q5_K: grouped('Q5_K'),
  Q6_K: grouped('Q6_K'),
};

/**
 * Blocks at `src` → one code a byte at `codes`, and at `scales` f16 scales, or of grouped types the parts of
 * assembly/grouped-pack.ts.
 * @returns −1; b ≥ 0: a scale of block b is not finite; −2 − b: block b holds a bad code
 */
export function unpackBlocks(
  k: Kernels,
  { type, blockElements }: Pick<TensorInfo, 'type' | 'blockElements'>,
  src: Ptr,
  codes: Ptr,
  scales: Ptr,
  blocks: number,
): number {
  const unpack = UNPACK[type as TensorType];
  return unpack ? unpack(k, src, codes, scales, blocks, blockElements) : -1;
}

/** @throws {ModelFileError} always: `WEIGHT_NOT_FINITE`, `TERNARY_CODE` */
export function refuseBlock(info: TensorInfo, row: number, blocks: number, bad: number): never {
  // unpackers answer the index of a block whose scale is not finite, and −2 − index for a code that is no trit
  const index = bad >= 0 ? bad : -2 - bad;
  const place = `row ${row + Math.floor(index / blocks)}, block ${index % blocks}`;
  if (bad >= 0) refuseNotFinite(info, place);
  throw new ModelFileError(
    'TERNARY_CODE',
    `tensor "${info.name}", ${place}: code 3 is not a ternary weight; the file is damaged`,
  );
}

/** @throws {ModelFileError} always: `WEIGHT_NOT_FINITE` */
export function refuseNotFinite(info: TensorInfo, place: string): never {
  throw new ModelFileError(
    'WEIGHT_NOT_FINITE',
    `tensor "${info.name}", ${place}: NaN or infinity; the file is damaged`,
  );
}
