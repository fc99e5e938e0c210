/**
 * Element types of GGUF files: numbers, names and block sizes, as ggml defines them.
 *
 * | type  | id | elements | bytes | layout of a block                                                        |
 * |-------|----|----------|-------|--------------------------------------------------------------------------|
 * | Q8_0  |  8 |       32 |    34 | f16 d, 32 × i8                                                           |
 * | TQ1_0 | 34 |      256 |    54 | 48 bytes of 5 trits, 4 bytes of 4 trits, f16 d                           |
 * | TQ2_0 | 35 |      256 |    66 | 64 bytes of 2-bit codes, f16 d                                           |
 * | I8    | 24 |        1 |     1 | i8; the scales of its rows stand in a vector of their own                |
 * | I2_S  | 36 |      128 |    32 | 2-bit codes; behind the last block of the tensor f32 scale and 28 bytes  |
 * | Q1_0  | 41 |      128 |    18 | f16 d, 16 bytes of sign bits, lowest bit first                           |
 * | Q2_0  | 42 |       64 |    18 | f16 d, 16 bytes of 2-bit codes, lowest bits first                        |
 * | Q2_0  | 42 |      128 |    34 | the older form of the same number: f16 d, 32 bytes                       |
 * | U2_ROWS | – |        4 |     1 | 2-bit codes of four rows, a quarter of all rows apart; see huggingface.ts  |
 * @module
 */
import { ModelFileError } from '../errors.ts';
import type { TensorInfo, TensorType } from './tensor.ts';

/** How one element type is stored. A row is a whole number of blocks. */
export interface TypeLayout {
  readonly id: number;
  readonly blockElements: number;
  readonly blockBytes: number;
  /** Bytes behind the last block of a tensor. */
  readonly tailBytes: number;
}

const layout = (id: number, blockElements: number, blockBytes: number, tailBytes: number = 0): TypeLayout =>
  Object.freeze({ id, blockElements, blockBytes, tailBytes });

/** Types that can be read. */
export const TYPE_LAYOUTS: Readonly<Record<TensorType, TypeLayout>> = {
  F32: layout(0, 1, 4),
  F16: layout(1, 1, 2),
  Q8_0: layout(8, 32, 34),
  I8: layout(24, 1, 1),
  BF16: layout(30, 1, 2),
  TQ1_0: layout(34, 256, 54),
  TQ2_0: layout(35, 256, 66),
  I2_S: layout(36, 128, 32, 32),
  Q1_0: layout(41, 128, 18),
  Q2_0: layout(42, 64, 18),
  U2_ROWS: layout(-1, 4, 1), // of checkpoints alone; a GGUF file has no number for it
};

/** Q2_0 as it was written before its groups became 64 wide; told apart by the bytes a tensor takes. */
export const OLD_Q2_0: TypeLayout = layout(42, 128, 34);

/** Types that exist and are not supported, so that a refusal can name them: first number and names of each run. */
const UNSUPPORTED_RUNS: ReadonlyArray<readonly [number, string]> = [
  [2, 'Q4_0 Q4_1 Q4_2 Q4_3 Q5_0 Q5_1'],
  [9, 'Q8_1 Q2_K Q3_K Q4_K Q5_K Q6_K Q8_K IQ2_XXS IQ2_XS IQ3_XXS IQ1_S IQ4_NL IQ3_S IQ2_S IQ4_XS'],
  [24, 'I8 I16 I32 I64 F64 IQ1_M'],
  [31, 'Q4_0_4_4 Q4_0_4_8 Q4_0_8_8'],
  [37, 'IQ4_NL_4_8 IQ4_NL_8_8 MXFP4 NVFP4'],
];

/** The name of a type that exists and is not supported, or undefined. */
export function unsupportedType(id: number): string | undefined {
  const run = UNSUPPORTED_RUNS.findLast(([first]) => first <= id);
  return run?.[1].split(' ')[id - run[0]];
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
