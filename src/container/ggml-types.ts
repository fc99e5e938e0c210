/**
 * Element types of GGUF files: numbers, names and block sizes, as ggml defines them.
 *
 * | type  | id | elements | bytes | layout of a block                                                        |
 * |-------|----|----------|-------|--------------------------------------------------------------------------|
 * | Q4_0 … Q5_1, Q2_K … Q6_K, IQ4_NL | 2 … 20 | 32, 256 | | see assembly/grouped-unpack.ts                            |
 * | Q8_0  |  8 |       32 |    34 | f16 d, 32 × i8                                                           |
 * | TQ1_0 | 34 |      256 |    54 | 48 bytes of 5 trits, 4 bytes of 4 trits, f16 d                           |
 * | TQ2_0 | 35 |      256 |    66 | 64 bytes of 2-bit codes, f16 d                                           |
 * | I8    | 24 |        1 |     1 | i8; the scales of its rows stand in a vector of their own                |
 * | I2_S  | 36 |      128 |    32 | 2-bit codes; behind the last block of the tensor f32 scale and 28 bytes  |
 * | Q1_0  | 41 |      128 |    18 | f16 d, 16 bytes of sign bits, lowest bit first                           |
 * | Q2_0  | 42 |       64 |    18 | f16 d, 16 bytes of 2-bit codes, lowest bits first                        |
 * | Q2_0  | 42 |      128 |    34 | the older form of the same number: f16 d, 32 bytes                       |
 * | U2_ROWS | – |        4 |     1 | 2-bit codes of four rows, a quarter of all rows apart; see huggingface/    |
 * @module
 */
import { ModelFileError } from '../errors.ts';
import type { RawType, TensorInfo, TensorType, UnreadType } from './tensor.ts';

/** How rows lie in memory: `trit2` and `bit1` hold packed codes, `i8` bytes, `u4` and `u8` unsigned codes in groups with a scale
 *  and a minimum each, the rest floats as stored. */
export type Layout = 'trit2' | 'bit1' | 'i8' | 'u4' | 'u8' | 'f32' | 'f16' | 'bf16';

/** How columns lie in memory, where inputs are spikes: `f32col` floats; `i8col` int8, `trit2col` 2-bit codes and `bit1col`
 *  signs, with scales beside them. */
export type ColumnLayout = 'f32col' | 'i8col' | 'trit2col' | 'bit1col';

/** How one element type is stored. A row is a whole number of blocks. */
export interface TypeLayout {
  readonly id: number;
  readonly blockElements: number;
  readonly blockBytes: number;
  /** Bytes behind the last block of a tensor. */
  readonly tailBytes: number;
  readonly rows: Layout;
  /** null for types that cannot take spikes as inputs. */
  readonly columns: ColumnLayout | null;
  /** Of `u4` and `u8`, the `kind` of assembly/grouped.ts: bit 0: blocks of 256 with groups; bit 1: minima; from bit 2 on the code
   *  of weight 0. */
  readonly grouping: number;
}

const row = (
  id: number,
  blockElements: number,
  blockBytes: number,
  rows: Layout,
  columns: ColumnLayout | null,
  { tailBytes = 0, groups = false, minima = false, zero = 0 } = {},
): TypeLayout => {
  const grouping = Number(groups) | (Number(minima) << 1) | (zero << 2);
  return Object.freeze({ id, blockElements, blockBytes, tailBytes, rows, columns, grouping });
};

/** Every type that weights can have, with all that is known of it but its kernels: one row makes a type. */
export const TYPE_LAYOUTS: Readonly<Record<TensorType, TypeLayout>> = {
  F32: row(0, 1, 4, 'f32', 'f32col'),
  F16: row(1, 1, 2, 'f16', 'f32col'),
  Q4_0: row(2, 32, 18, 'u4', null, { zero: 8 }),
  Q4_1: row(3, 32, 20, 'u4', null, { minima: true }),
  Q5_0: row(6, 32, 22, 'i8', 'i8col'),
  Q5_1: row(7, 32, 24, 'u8', null, { minima: true }),
  Q8_0: row(8, 32, 34, 'i8', 'i8col'),
  Q2_K: row(10, 256, 84, 'u8', null, { groups: true, minima: true }),
  Q3_K: row(11, 256, 110, 'u8', null, { groups: true, zero: 4 }),
  Q4_K: row(12, 256, 144, 'u4', null, { groups: true, minima: true }),
  Q5_K: row(13, 256, 176, 'u8', null, { groups: true, minima: true }),
  Q6_K: row(14, 256, 210, 'u8', null, { groups: true, zero: 32 }),
  IQ4_NL: row(20, 32, 18, 'i8', 'i8col'),
  I8: row(24, 1, 1, 'i8', 'i8col'),
  BF16: row(30, 1, 2, 'bf16', 'f32col'),
  TQ1_0: row(34, 256, 54, 'trit2', 'trit2col'),
  TQ2_0: row(35, 256, 66, 'trit2', 'trit2col'),
  I2_S: row(36, 128, 32, 'trit2', 'trit2col', { tailBytes: 32 }),
  Q1_0: row(41, 128, 18, 'bit1', 'bit1col'),
  Q2_0: row(42, 64, 18, 'trit2', 'trit2col'),
  // of checkpoints alone; a GGUF file has no number for it
  U2_ROWS: row(-1, 4, 1, 'trit2', null),
};

/** Q2_0 as it was written before its groups became 64 wide; told apart by the bytes a tensor takes. */
export const OLD_Q2_0: TypeLayout = row(42, 128, 34, 'trit2', 'trit2col');

/** Types that exist and have no kernels here: first number and names of each run. */
const UNREAD_RUNS: ReadonlyArray<readonly [number, readonly (UnreadType | RawType)[]]> = [
  [4, ['Q4_2', 'Q4_3']],
  [9, ['Q8_1']],
  [15, ['Q8_K', 'IQ2_XXS', 'IQ2_XS', 'IQ3_XXS', 'IQ1_S']],
  [21, ['IQ3_S', 'IQ2_S', 'IQ4_XS']],
  [25, ['I16', 'I32', 'I64', 'F64', 'IQ1_M']],
  [31, ['Q4_0_4_4', 'Q4_0_4_8', 'Q4_0_8_8']],
  [36, ['IQ4_NL_4_4', 'IQ4_NL_4_8', 'IQ4_NL_8_8', 'MXFP4', 'NVFP4']],
];

/** The name of a type number that has no kernels. */
export function unreadType(id: number): UnreadType | RawType {
  const run = UNREAD_RUNS.findLast(([first]) => first <= id);
  return run?.[1][id - run[0]] ?? `TYPE_${id}`;
}

/** The name of a type number, or undefined for one that cannot be read. */
export function typeOfId(id: number): TensorType | undefined {
  return (Object.keys(TYPE_LAYOUTS) as TensorType[]).find((type) => TYPE_LAYOUTS[type].id === id);
}

/**
 * The type of a tensor that is to be computed with.
 * @throws {ModelFileError} `TENSOR_TYPE` for types of masks, counters and packed codes, naming the tensor and its type
 */
export function weightType({ name, type }: TensorInfo): TensorType {
  if (Object.hasOwn(TYPE_LAYOUTS, type)) return type as TensorType;
  const types = Object.keys(TYPE_LAYOUTS).join(', ');
  throw new ModelFileError('TENSOR_TYPE', `tensor "${name.slice(0, 100)}" is ${type}; weights are one of ${types}`);
}

/**
 * How the columns of a tensor lie that takes spikes.
 * @throws {ModelFileError} `TENSOR_TYPE` for types that only models without spikes can have
 */
export function columnLayout(info: TensorInfo): ColumnLayout {
  const { columns } = TYPE_LAYOUTS[weightType(info)];
  if (columns !== null) return columns;
  throw new ModelFileError(
    'TENSOR_TYPE',
    `tensor "${info.name.slice(0, 100)}" is ${info.type}, which models that spike do not take; convert it to q8_0`,
  );
}

/**
 * Elements of a shape; 1 for a scalar, 0 when any dimension is 0, Infinity when the product is no safe integer.
 * @param shape non-negative integers
 */
export function elementsOf(shape: readonly number[]): number {
  if (shape.includes(0)) return 0;
  let elements = 1;
  for (const dim of shape) {
    elements *= dim;
    if (!Number.isSafeInteger(elements)) return Infinity;
  }
  return elements;
}

/** Bytes that `elements` take in a layout, its tail included. `elements` is a multiple of the block. */
export function layoutBytes(elements: number, { blockElements, blockBytes, tailBytes }: TypeLayout): number {
  return elements === 0 ? 0 : (elements / blockElements) * blockBytes + tailBytes;
}

/**
 * Bytes of a tensor as written today: Q2_0 in groups of 64.
 * @param shape row-major, outermost first; the innermost dimension is a multiple of the type's block
 */
export function tensorBytes(type: TensorType, shape: readonly number[]): number {
  return layoutBytes(elementsOf(shape), TYPE_LAYOUTS[type]);
}
