/**
 * Weights as codes: rounding, blocks of codes with given scales, and by how much weights moved.
 * @module
 */
import { TYPE_LAYOUTS } from '../container/ggml-types.ts';
import type { Errors, Runs } from './runs.ts';

/** Largest and root mean square of |w − w′|, as they come. */
export class ErrorSums {
  #max = 0;
  #squares = 0;
  #count = 0;

  add(error: number): void {
    if (error > this.#max) this.#max = error;
    this.#squares += error * error;
    this.#count++;
  }

  get errors(): Errors {
    return { maxError: this.#max, rmsError: this.#count === 0 ? 0 : Math.sqrt(this.#squares / this.#count) };
  }
}

/** TQ1_0 or TQ2_0: the encoder's own scale, the largest of a block, gives way to that of the row. */
export function tritBlocks(
  runs: Runs,
  codes: Float32Array,
  cols: number,
  scales: readonly number[],
  to: 'TQ1_0' | 'TQ2_0',
): Uint8Array {
  const { blockElements, blockBytes } = TYPE_LAYOUTS[to];
  const bytes = runs.blocks(codes, to);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const perRow = cols / blockElements;
  for (let b = 0; b * blockBytes < bytes.length; b++) {
    view.setUint16((b + 1) * blockBytes - 2, scales[Math.floor(b / perRow)], true);
  }
  return bytes;
}

/** Q1_0: f16 scale, then 128 signs, lowest bit first. */
export function signBlocks(codes: Float32Array, cols: number, scales: readonly number[]): Uint8Array {
  const { blockElements, blockBytes } = TYPE_LAYOUTS.Q1_0;
  const bytes = new Uint8Array((codes.length / blockElements) * blockBytes);
  const view = new DataView(bytes.buffer);
  for (let b = 0, i = 0; i < codes.length; b++) {
    view.setUint16(b * blockBytes, scales[Math.floor(i / cols)], true);
    for (const end = i + blockElements; i < end; i++) {
      if (codes[i] > 0) bytes[b * blockBytes + 2 + ((i % blockElements) >> 3)] |= 1 << (i & 7);
    }
  }
  return bytes;
}

/** Nearest integer, halves to even, of numbers below 2^51. */
export function roundEven(x: number): number {
  const magic = 1.5 * 2 ** 52;
  return x + magic - magic;
}

export function bytesOf({ buffer, byteOffset, byteLength }: Int8Array | Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
