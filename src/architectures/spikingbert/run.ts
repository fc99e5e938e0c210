/**
 * The run of one text through a spiking BERT: steps as they are asked for, and what has fired so far.
 * @module
 */
import { type Executor, solo } from '../../threads/executor.ts';
import { layerFeatures, spikingBertRunBytes } from './plan.ts';
import type { Ptr } from '../../wasm/arena.ts';
import { strideOf } from '../../forward/matmul.ts';
import { type SpikingBert, spikingBertProgram, writeChunk } from './forward.ts';
import { SpikingBertState } from './state.ts';

/** How a text is run. */
export interface SpikingBertRunOptions {
  /** Steps in all, at most. */
  readonly steps: number;
  readonly threshold: number;
  readonly leak: number;
  /** Potential of every membrane before the first step; default 0. */
  readonly initial?: number;
  /** Tokens that are attended to: the rest is padding. */
  readonly visible?: number;
}

/** One text. */
export class SpikingBertRun {
  /** Spikes of every layer in every step: `stepSpikes[t · layers + j]`. */
  readonly stepSpikes: Float64Array;
  readonly #m: SpikingBert;
  readonly #executor: Executor;
  readonly #state: SpikingBertState;
  readonly #mark: Ptr;
  /** Which neurons of the last layer fired at the first token in each step: (steps, width). */
  readonly #first: Uint8Array;
  /** How often each of them did in the first `#summed` steps. */
  readonly #sums: Float32Array;
  #summed = 0;
  #done = 0;

  /** Takes its memory from the end of the arena. @throws {MemoryError} */
  constructor(m: SpikingBert, ids: ArrayLike<number>, typeIds: ArrayLike<number>, options: SpikingBertRunOptions) {
    const { d, arena } = m;
    const { steps, threshold, leak, initial = 0, visible = ids.length } = options;
    this.#m = m;
    this.#executor = m.executor ?? alone(m);
    const threads = this.#executor.size;
    this.#mark = arena.mark();
    const base = arena.alloc(spikingBertRunBytes(d, ids.length, steps, threads), `run of ${ids.length} tokens`);
    this.#state = new SpikingBertState(d, base, { tokens: ids.length, steps, threshold, leak, visible }, threads);
    this.#state.prepare(m, ids, typeIds, initial);
    this.stepSpikes = new Float64Array(steps * this.#state.layers);
    this.#first = new Uint8Array(steps * d.width);
    this.#sums = new Float32Array(d.width);
  }

  /** Steps so far. */
  get done(): number {
    return this.#done;
  }

  /** n more steps. @returns a promise where this thread may not wait for other threads @throws {SessionError} `WORKER_DIED` */
  advance(n: number): void | Promise<void> {
    return this.#executor.run(this.#chunks(n));
  }

  *#chunks(n: number): Generator<void> {
    for (const end = this.#done + n; this.#done < end;) {
      const steps = Math.min(this.#state.size.chunk, end - this.#done);
      writeChunk(this.#executor.words, this.#state, steps);
      yield;
      this.#collect(steps);
      this.#done += steps;
    }
  }

  #collect(steps: number): void {
    const { arena, d } = this.#m;
    const { layers, size, stream } = this.#state;
    for (let j = 0; j < layers; j++) {
      const fired = arena.i32(this.#state.fired(j), steps);
      for (let step = 0; step < steps; step++) this.stepSpikes[(this.#done + step) * layers + j] = fired[step];
    }
    const nibbles = arena.u8(stream.at, stream.groups * size.vectors);
    for (let step = 0; step < steps; step++) {
      const n = step * size.tokens4;
      const at = Math.floor(n / 128) * stream.groups * 128 + (n % 128);
      const row = this.#first.subarray((this.#done + step) * d.width);
      for (let f = 0; f < d.width; f++) {
        const group = (f >> 6) * 16 + (f & 15);
        row[f] = (nibbles[at + group * 128] >> ((f >> 4) & 3)) & 1;
      }
    }
  }

  /** Layers of neurons, tokens, and the tokens that a row of `rawCounts` has places for. */
  get size(): { readonly layers: number; readonly tokens: number; readonly tokens4: number } {
    const { layers, size: { tokens, tokens4 } } = this.#state;
    return { layers, tokens, tokens4 };
  }

  /** Neurons of a token in layer j. */
  features(j: number): number {
    return layerFeatures(this.#m.d, j);
  }

  /** How often each neuron of layer j has fired so far, as it is in memory: (features, tokens4). Valid until memory grows. */
  rawCounts(j: number): Uint16Array {
    return this.#m.arena.u16(this.#state.counts(j, 0), this.features(j) * this.#state.size.tokens4);
  }

  /** How often each neuron of layer j has fired so far: (tokens, features). */
  counts(j: number): Uint16Array {
    const { tokens, tokens4 } = this.#state.size;
    const features = this.features(j);
    const from = this.rawCounts(j);
    const counts = new Uint16Array(tokens * features);
    for (let f = 0; f < features; f++) {
      for (let t = 0; t < tokens; t++) counts[t * features + f] = from[f * tokens4 + t];
    }
    return counts;
  }

  /** Logits of the mean over the first t steps, or over all so far. */
  logits(t: number = this.#done): Float32Array {
    const { width } = this.#m.d;
    if (t < this.#summed) {
      this.#sums.fill(0);
      this.#summed = 0;
    }
    for (; this.#summed < t; this.#summed++) {
      const row = this.#first.subarray(this.#summed * width);
      for (let f = 0; f < width; f++) this.#sums[f] += row[f];
    }
    return classify(this.#m, this.#sums.map((count) => count * Math.fround(1 / t)));
  }

  /** Gives the memory back, and that of everything allocated since. */
  free(): void {
    this.#m.arena.release(this.#mark);
  }
}

/** A executor of this thread. */
function alone(m: SpikingBert): Executor {
  const executor = solo();
  executor.bind(spikingBertProgram(m, executor.words), {});
  return executor;
}

/** Wc·rates + bc */
export function classify({ k, d, w, arena }: SpikingBert, rates: Float32Array): Float32Array {
  const { data, units, rows, paddedRows } = w.classifier;
  const mark = arena.mark();
  try {
    const x = arena.alloc(strideOf(d.width) * 4, 'rates');
    const y = arena.alloc(strideOf(rows) * 4, 'logits');
    arena.f32(x, d.width).set(rates);
    k.f32_gemm(data, units, x, 0, y, 0, 0, paddedRows, 1);
    k.add_f32(y, w.classifierBias, rows);
    return arena.f32(y, rows).slice();
  } finally {
    arena.release(mark);
  }
}
