/**
 * Binds weights, buffers and states of a llama-shaped model to the `Decoder` contract.
 * @module
 */
import { SessionError } from '../errors.ts';
import { SOLO } from '../lanes/lane.ts';
import type { LlamaDescription } from '../model/description.ts';
import { type KvType, llamaStateBytes, PREFILL_BATCH } from '../model/plan.ts';
import type { Arena, Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import type { Decoder, DecoderState } from './decoder.ts';
import { forward, head, type Llama } from './llama.ts';
import { llamaBuffers, LlamaState } from './llama-state.ts';
import type { LlamaWeights } from './llama-weights.ts';
import { strideOf } from './matmul.ts';

class State implements DecoderState {
  length = 0;
  /** Positions that were ever written, those read and given up included. */
  written = 0;
  readonly base: Ptr;
  readonly cache: LlamaState;

  constructor(d: LlamaDescription, base: Ptr, context: number, kv: KvType) {
    this.base = base;
    this.cache = new LlamaState(d, base, context, kv);
  }

  get context(): number {
    return this.cache.context;
  }
}

export interface LlamaDecoderOptions {
  readonly context: number;
  readonly kv: KvType;
}

export class LlamaDecoder implements Decoder {
  readonly batch: number = PREFILL_BATCH;
  readonly canRewind: boolean = true;
  readonly #m: Llama;
  readonly #arena: Arena;
  readonly #options: LlamaDecoderOptions;
  /** Addresses of states that were given back. */
  readonly #free: Ptr[] = [];

  /** @throws {MemoryError} */
  constructor(k: Kernels, arena: Arena, d: LlamaDescription, w: LlamaWeights, options: LlamaDecoderOptions) {
    this.#arena = arena;
    this.#options = options;
    this.#m = { k, d, w, b: llamaBuffers(d, arena, k, w.ropeFactors, options.context, SOLO.count) };
  }

  get vocab(): number {
    return this.#m.d.vocab;
  }

  get context(): number {
    return this.#options.context;
  }

  get kv(): KvType {
    return this.#options.kv;
  }

  createState(): State {
    const { context, kv } = this.#options;
    const base = this.#free.pop() ?? this.#arena.alloc(llamaStateBytes(this.#m.d, context, kv), 'session state');
    return new State(this.#m.d, base, context, kv);
  }

  freeState(state: State): void {
    // nothing of a text outlives its session
    for (const { at, bytes } of state.cache.runs(state.written)) this.#arena.u8(at, bytes).fill(0);
    this.#free.push(state.base);
  }

  resetState(state: State): void {
    state.length = 0;
  }

  forkState(state: State): State {
    const copy = this.createState();
    copy.cache.copyFrom(state.cache, state.length, this.#arena);
    copy.length = state.length;
    copy.written = state.length;
    return copy;
  }

  stateBytes(length: number): number {
    const { layers, kvHeads, headDim } = this.#m.d;
    return 2 * layers * kvHeads * headDim * length * (this.kv === 'f16' ? 2 : 4);
  }

  writeState(state: State, into: Uint8Array): void {
    let done = 0;
    for (const { at, bytes } of state.cache.runs(state.length)) {
      into.set(this.#arena.u8(at, bytes), done);
      done += bytes;
    }
  }

  readState(state: State, from: Uint8Array, length: number): void {
    let done = 0;
    for (const { at, bytes } of state.cache.runs(length)) {
      this.#arena.u8(at, bytes).set(from.subarray(done, done + bytes));
      done += bytes;
    }
    state.length = length;
    state.written = Math.max(state.written, length);
  }

  forward(state: State, ids: ArrayLike<number>): void {
    state.written = Math.max(state.written, state.length + ids.length);
    const { k, d, b } = this.#m;
    forward(this.#m, state.cache, ids, state.length, SOLO);
    for (let t = 0; t < ids.length; t++) {
      if (k.not_finite_f32(b.x + t * strideOf(d.width) * 4, d.width) >= 0) this.#blame(state, ids);
    }
    state.length += ids.length;
  }

  logits(t: number): Ptr {
    const { k, d, b } = this.#m;
    head(this.#m, t, SOLO);
    if (k.not_finite_f32(b.logits, d.vocab) >= 0) {
      throw new SessionError(
        'NOT_FINITE',
        'the head made a NaN or infinite logit; the weights are damaged or overflow f32',
      );
    }
    return b.logits;
  }

  slide(state: State, keep: number): void {
    const drop = Math.max(1, Math.floor((state.length - keep) / 2));
    state.cache.slide(keep, drop, state.length, this.#arena, this.#m.k, this.#m.b);
    state.length -= drop;
  }

  /** Runs the batch once more and looks after every layer. */
  #blame(state: State, ids: ArrayLike<number>): never {
    const { k, d, b } = this.#m;
    const look = (layer: number): void => {
      for (let t = 0; t < ids.length; t++) {
        if (k.not_finite_f32(b.x + t * strideOf(d.width) * 4, d.width) < 0) continue;
        throw new SessionError(
          'NOT_FINITE',
          `layer ${layer} made a NaN or infinity at position ${
            state.length + t
          }; the weights are damaged or overflow f32`,
        );
      }
    };
    forward(this.#m, state.cache, ids, state.length, SOLO, look);
    throw new SessionError('NOT_FINITE', `the embedding of position ${state.length} holds a NaN or infinity`);
  }
}
