/**
 * Everything that the run of one text writes. Places follow from the base address and the sizes alone, so that every thread
 * makes this object for itself.
 * @module
 */
import type { SpikingBertDescription } from './description.ts';
import { layerFeatures, type RunPart, runParts, type RunSize, runSize, spikeGroups, threadParts } from './plan.ts';
import { UNIT_ROWS } from '../../forward/spike-matmul.ts';
import { alignUp } from '../../bytes/align.ts';
import type { Arena, Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import { readRow } from '../../forward/matmul.ts';
import type { Spikes } from '../../forward/spike-matmul.ts';
import type { SpikingBertWeights } from './weights.ts';

/** Numbers of a run that all its steps share. */
export interface SpikingBertRunNumbers {
  readonly tokens: number;
  /** Steps in all, at most. */
  readonly steps: number;
  readonly threshold: number;
  readonly leak: number;
  /** Tokens that are attended to; the rest is padding. */
  readonly visible: number;
}

/** A thread's own buffers. */
export interface ThreadScratch {
  /** Currents of one unit. (64, stride) f32 */
  readonly currents: Ptr;
  /** Columns of one unit's rows; see assembly/gather.ts. */
  readonly tile: Ptr;
  /** Scores of one head. (tokens, tokens4) f32 */
  readonly scores: Ptr;
  /** Sums of products. 1 kB */
  readonly sums: Ptr;
}

export class SpikingBertState {
  readonly base: Ptr;
  readonly bytes: number;
  readonly size: RunSize;
  readonly numbers: SpikingBertRunNumbers;
  /** Neuron layers: the embedding and six of each encoder. */
  readonly layers: number;
  /** Spikes of a chunk: between encoders; of one encoder: keys, values, context, attention's output, hidden. */
  readonly stream: Spikes;
  readonly key: Spikes;
  readonly value: Spikes;
  readonly context: Spikes;
  readonly mixed: Spikes;
  readonly hidden: Spikes;
  readonly threads: readonly ThreadScratch[];
  readonly #at: Readonly<Record<RunPart, Ptr>>;
  /** Neurons before layer j. */
  readonly #before: readonly number[];

  /** @param base a block of `spikingBertRunBytes` bytes */
  constructor(d: SpikingBertDescription, base: Ptr, numbers: SpikingBertRunNumbers, threads: number) {
    this.base = base;
    this.numbers = numbers;
    this.size = runSize(d, numbers.tokens, numbers.steps);
    this.layers = 6 * d.layers + 1;
    let end = base;
    const at: Partial<Record<RunPart, Ptr>> = {};
    for (const [part, bytes] of Object.entries(runParts(d, this.size, threads))) {
      at[part as RunPart] = end;
      end += bytes;
    }
    this.bytes = end - base;
    this.#at = at as Record<RunPart, Ptr>;
    const before = [0];
    for (let j = 0; j < this.layers; j++) {
      before.push(before[j] + alignUp(layerFeatures(d, j), UNIT_ROWS) * this.size.tokens4);
    }
    this.#before = before;
    const spikes = (part: RunPart, features: number): Spikes => ({
      at: this.#at[part],
      features,
      groups: spikeGroups(features),
    });
    this.stream = spikes('stream', d.width);
    this.key = spikes('key', d.width);
    this.value = spikes('value', d.width);
    this.context = spikes('context', d.width);
    this.mixed = spikes('mixed', d.width);
    this.hidden = spikes('hidden', d.hidden);
    const own = threadParts(d, this.size);
    const stride = own.currents + own.tile + own.scores + own.sums;
    this.threads = Array.from({ length: threads }, (_, i) => {
      const currents = this.#at.threads + i * stride;
      const tile = currents + own.currents;
      const scores = tile + own.tile;
      return { currents, tile, scores, sums: scores + own.scores };
    });
  }

  /** LayerNorm of the embedding, the current of layer 0 in every step. (features, tokens4) f32 */
  get input(): Ptr {
    return this.#at.input;
  }
  /** Tables of `nibble_tables`. */
  get tables(): Ptr {
    return this.#at.tables;
  }
  /** Currents of a layer before its norm; of queries, which become the context. (features, stride) f32 */
  get currents(): Ptr {
    return this.#at.currents;
  }
  get mean(): Ptr {
    return this.#at.mean;
  }
  get inverse(): Ptr {
    return this.#at.inverse;
  }
  /** Who fired, per vector. (vectors, widest) i32, and how many (vectors) i32 */
  get lists(): Ptr {
    return this.#at.lists;
  }
  get listed(): Ptr {
    return this.#at.listed;
  }

  /** Membranes of layer j from feature f on. (features, tokens4) f32 */
  membranes(j: number, f: number): Ptr {
    return this.#at.membranes + (this.#before[j] + f * this.size.tokens4) * 4;
  }

  /** How often each neuron has fired, from feature f on. (features, tokens4) u16 */
  counts(j: number, f: number): Ptr {
    return this.#at.counts + (this.#before[j] + f * this.size.tokens4) * 2;
  }

  /** Spikes of layer j in each step of the present chunk. (layers, chunk) i32 */
  fired(j: number): Ptr {
    return this.#at.fired + j * this.size.chunk * 4;
  }

  /** Begins a text: membranes at `initial`, what is not there silent for ever, and the input. */
  prepare(
    { k, d, w, arena }: { k: Kernels; d: SpikingBertDescription; w: SpikingBertWeights; arena: Arena },
    ids: ArrayLike<number>,
    typeIds: ArrayLike<number>,
    initial: number,
  ): void {
    const { tokens, tokens4 } = this.size;
    for (let j = 0; j < this.layers; j++) {
      const features = layerFeatures(d, j);
      const all = arena.f32(this.membranes(j, 0), alignUp(features, UNIT_ROWS) * tokens4);
      all.fill(-Infinity);
      for (let f = 0; f < features; f++) all.fill(initial, f * tokens4, f * tokens4 + tokens);
    }
    const rows = this.#at.embedding;
    const other = rows + tokens * d.width * 4;
    for (let t = 0; t < tokens; t++) {
      const row = rows + t * d.width * 4;
      readRow(k, w.words, ids[t], row);
      for (const [table, id] of [[w.positions, t], [w.segments, typeIds[t]]] as const) {
        readRow(k, table, id, other);
        k.add_f32(row, other, d.width);
      }
      k.layer_norm_f32(row, w.norm, w.normBias, row, d.width, d.normEps);
    }
    k.transpose_f32(rows, tokens, d.width, this.input, tokens4);
    k.nibble_tables(this.tables);
  }
}
