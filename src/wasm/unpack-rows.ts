/**
 * Rows of a file's blocks → codes and scales, whatever the type; what is damaged is refused with its place.
 * @module
 */
import type { RawType, TensorInfo } from '../container/tensor.ts';
import { ModelFileError } from '../errors.ts';
import type { Ptr } from './arena.ts';
import type { Kernels } from './kernels.ts';

/** Columns of one run of I2_S codes, which the unpacker counts as a block. */
export const I2_S_RUN: number = 128;

/**
 * Blocks of `count` rows at `src` → one code a byte at `codes`, and f16 scales at `scales`.
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
  let bad = -1;
  switch (info.type) {
    case 'Q8_0':
      bad = k.unpack_q8_0(src, codes, scales, count * blocks);
      break;
    case 'TQ1_0':
      bad = k.unpack_tq1_0(src, codes, scales, count * blocks);
      break;
    case 'TQ2_0':
      bad = k.unpack_tq2_0(src, codes, scales, count * blocks);
      break;
    case 'Q2_0':
      bad = k.unpack_q2_0(src, codes, scales, count * blocks, info.blockElements);
      break;
    case 'Q1_0':
      bad = k.unpack_q1_0(src, codes, scales, count * blocks);
      break;
    case 'I2_S':
      bad = k.unpack_i2_s(src, codes, count * cols);
      break;
    default:
      info.type satisfies RawType | 'F32' | 'F16' | 'BF16' | 'I8' | 'U2_ROWS'; // have no blocks, or were refused when reserved
  }
  if (bad !== -1) refuseBlock(info, row, blocks, bad);
  return blocks;
}

export function refuseBlock(info: TensorInfo, row: number, blocks: number, bad: number): never {
  // unpackers answer the index of a block whose scale is not finite, and −2 − index for a code that is no trit
  const index = bad >= 0 ? bad : -2 - bad;
  const place = `row ${row + Math.floor(index / blocks)}, block ${index % blocks}`;
  if (bad >= 0) refuseNotFinite(info, place);
  throw new ModelFileError(
    'TERNARY_CODE',
    `tensor "${info.name}", ${place}: code 3 stands for no ternary weight; the file is damaged`,
  );
}

/** @throws {ModelFileError} always: `WEIGHT_NOT_FINITE` */
export function refuseNotFinite(info: TensorInfo, place: string): never {
  throw new ModelFileError(
    'WEIGHT_NOT_FINITE',
    `tensor "${info.name}", ${place}: NaN or infinity; the file is damaged`,
  );
}
