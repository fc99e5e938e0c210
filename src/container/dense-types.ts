/**
 * Element types of safetensors files and PyTorch checkpoints: one element after the other, without blocks.
 * @module
 */
import { ModelFileError } from '../errors.ts';
import { MAX_DENSE_DIMS, MAX_NAME_BYTES } from '../limits.ts';
import { elementsOf } from './ggml-types.ts';
import { quote } from './gguf-types.ts';
import type { RawType, TensorInfo } from './tensor.ts';

/** A type without blocks. */
export type DenseType = 'F32' | 'F16' | 'BF16' | 'I8' | RawType;

/** Bytes of an element. */
export const DENSE_BYTES: Readonly<Record<DenseType, number>> = {
  F64: 8,
  I64: 8,
  F32: 4,
  I32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  U16: 2,
  U32: 4,
  U64: 8,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
};

/** Says whether a type of this name can be read. */
export function isDenseType(name: string): name is DenseType {
  return Object.hasOwn(DENSE_BYTES, name);
}

/** A name for errors: the file and the tensor. */
export function tensorLabel(fileName: string, name: string): string {
  return `${fileName}: tensor ${quote(name)}`;
}

/**
 * A name that is not empty, not too long, and without NUL, behind which C programs would see nothing.
 * @throws {ModelFileError} `TENSOR_NAME`
 */
export function checkTensorName(fileName: string, name: string): void {
  const why = name === ''
    ? 'has an empty name'
    : name.length > MAX_NAME_BYTES
    ? `has a name of ${name.length} characters, at most ${MAX_NAME_BYTES} are read`
    : name.includes('\0')
    ? 'has a NUL character in its name'
    : null;
  if (why !== null) throw new ModelFileError('TENSOR_NAME', `${tensorLabel(fileName, name)} ${why}`);
}

/**
 * Elements of a shape.
 * @throws {ModelFileError} `TENSOR_SHAPE` for too many dimensions, or for more elements than can be counted
 */
export function countElements(fileName: string, name: string, shape: readonly number[]): number {
  const label = tensorLabel(fileName, name);
  if (shape.length > MAX_DENSE_DIMS) {
    throw new ModelFileError(
      'TENSOR_SHAPE',
      `${label} has ${shape.length} dimensions, at most ${MAX_DENSE_DIMS} are read`,
    );
  }
  const elements = elementsOf(shape);
  // 2^50 elements of 8 bytes are still exact
  if (elements > 2 ** 50) {
    throw new ModelFileError('TENSOR_SHAPE', `${label} of ${shape.join(' × ')} has more than 2^50 elements`);
  }
  return elements;
}

/** A row of the tensor table. @param offset of its first byte in the file */
export function denseTensor(name: string, type: DenseType, shape: readonly number[], offset: number): TensorInfo {
  const byteLength = elementsOf(shape) * DENSE_BYTES[type];
  return Object.freeze({ name, type, shape: Object.freeze(shape), blockElements: 1, offset, byteLength });
}
