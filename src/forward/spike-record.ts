/**
 * Which neurons fired, for callers that want to see it: a pass copies the bits of its layers into wasm memory, and views over
 * them are handed out. Nothing is copied, and no memory taken, until somebody asks.
 *
 *   a row is a token: layer 0 │ layer 1 │ …      a layer is one bit a neuron, in words of 32
 * @module
 */
import type { Arena, Ptr } from '../wasm/arena.ts';

/**
 * Sees which neurons of a layer fired. Called for every layer in turn: for each token that is read, or in each time step.
 * @param layer in the order of `stats().spikes.layers`; of a classifier in that of `firingRates`
 * @param fired one bit a neuron: neuron i is bit `i % 8` of byte `i >> 3`, and bits after the last neuron are 0. A view that is
 *   valid during the call
 * @param at of `generate`: which token, 0 for the first of the prompt; of `classify`: the time step, from 1 on, and neuron i of
 *   token t is bit `t · features + i`
 */
export type OnSpikes = (layer: number, fired: Uint8Array, at: number) => void;

/** Bytes of a layer of n neurons in a row: whole words, as the kernels write them. */
export const layerBytes = (n: number): number => 4 * Math.ceil(n / 32);

/** Where each layer begins in a row, and after the last of them the length of the row. */
export function layerOffsets(neurons: readonly number[]): number[] {
  const offsets = [0];
  for (const n of neurons) offsets.push(offsets[offsets.length - 1] + layerBytes(n));
  return offsets;
}

/** A batch of rows. */
export class SpikeRecord {
  readonly at: Ptr;
  readonly #arena: Arena;
  readonly #neurons: readonly number[];
  readonly #rows: number;
  #buffer: ArrayBufferLike | null = null;
  /** (rows, layers) */
  #views: Uint8Array[] = [];

  /** @param rows tokens of a batch @throws {MemoryError} */
  constructor(arena: Arena, neurons: readonly number[], rows: number) {
    this.#arena = arena;
    this.#neurons = neurons;
    this.#rows = rows;
    this.at = arena.alloc(rows * layerOffsets(neurons)[neurons.length], 'record of spikes');
  }

  /** Shows the layers of row t. @param index given as `at` */
  show(t: number, index: number, see: OnSpikes): void {
    const { length } = this.#neurons;
    for (let layer = 0; layer < length; layer++) see(layer, this.#view(t * length + layer), index);
  }

  /** Views are made once, and again when the memory has grown. */
  #view(i: number): Uint8Array {
    const { buffer } = this.#arena.memory;
    if (this.#buffer !== buffer) {
      const offsets = layerOffsets(this.#neurons);
      const row = offsets[this.#neurons.length];
      this.#buffer = buffer;
      this.#views = Array.from(
        { length: this.#rows },
        (_, t) =>
          this.#neurons.map((n, layer) => new Uint8Array(buffer, this.at + t * row + offsets[layer], Math.ceil(n / 8))),
      ).flat();
    }
    return this.#views[i];
  }
}
