/**
 * Binds weights, buffers and states of a llama-shaped model to the `Decoder` contract.
 * @module
 */
import { SessionError } from '../../errors.ts';
import { type Executor, solo } from '../../threads/executor.ts';
import { SOLO } from '../../threads/context.ts';
import type { LlamaDescription } from './description.ts';
import { type KvType, PREFILL_BATCH } from '../../description/plan.ts';
import { llamaStateBytes } from './plan.ts';
import type { Arena, Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import { type Decoder, type DecoderState, headNotFinite, type Reading } from '../../forward/decoder.ts';
import { forward, type Llama, llamaProgram } from './forward.ts';
import { llamaBuffers, LlamaState } from './state.ts';
import type { LlamaWeights } from './weights.ts';
import { strideOf } from '../../forward/matmul.ts';
import { Step } from '../../forward/step.ts';

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
  readonly streams: boolean = true;
  readonly canRewind: boolean = true;
  readonly #m: Llama;
  readonly #arena: Arena;
  readonly #options: LlamaDecoderOptions;
  readonly #executor: Executor;
  readonly #step: Step;
  /** Addresses of states that were given back. */
  readonly #free: Ptr[] = [];

  /** @param executor runs the steps; default this thread alone @throws {MemoryError} */
  constructor(
    k: Kernels,
    arena: Arena,
    d: LlamaDescription,
    w: LlamaWeights,
    options: LlamaDecoderOptions,
    executor: Executor = solo(),
  ) {
    const { context, kv } = options;
    this.#arena = arena;
    this.#options = options;
    this.#executor = executor;
    this.#step = new Step(executor.words);
    const b = llamaBuffers(d, arena, k, w.ropeFactors, context, executor.size);
    this.#m = { k, d, w, b };
    const recipe = { kind: 'llama', d, w, b, context, kv } as const;
    executor.bind(llamaProgram(k, recipe, executor.words), recipe);
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
    void this.#executor.between(() => {
      // nothing of a text outlives its session
      for (const { at, bytes } of state.cache.runs(state.written)) this.#arena.u8(at, bytes).fill(0);
      this.#free.push(state.base);
    });
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

  forward(state: State, reading: Reading, first: number, n: number): void | Promise<void> {
    return this.#executor.run(this.#steps(state, reading, first, n));
  }

  /** The pass with the first head that is wanted, then the other heads. */
  *#steps(state: State, { ids, from, see, afterLayer }: Reading, first: number, n: number): Generator<void> {
    const { k, d, b } = this.#m;
    let t = Math.max(0, from - first);
    const head = t < n ? t : -1;
    const look = afterLayer &&
      ((layer: number): void => afterLayer(layer, first, n, b.x, strideOf(d.width) * 4));
    // threads cannot be looked at between layers: where there are others, this thread passes over the batch once more
    const alone = this.#executor.size === 1;
    state.written = Math.max(state.written, state.length + n);
    this.#step.pass(state.base, state.length, ids, first, n, d.layers, head);
    if (look && alone) {
      forward(this.#m, state.cache, this.#step.ids, n, state.length, SOLO, look);
      this.#step.headOf(head);
    }
    yield;
    if (this.#notFinite(n) >= 0) this.#blame(state, n);
    if (look && !alone) forward(this.#m, state.cache, this.#step.ids, n, state.length, SOLO, look);
    state.length += n;
    for (; t < n; t++) {
      if (k.not_finite_f32(b.logits, d.vocab) >= 0) throw headNotFinite();
      see(b.logits, first + t);
      if (t + 1 === n) return;
      this.#step.headOf(t + 1);
      yield;
    }
  }

  trial(): void | Promise<void> {
    this.#step.headOf(0);
    return this.#executor.run([undefined]);
  }

  slide(state: State, keep: number): void | Promise<void> {
    return this.#executor.between(() => {
      const drop = Math.max(1, Math.floor((state.length - keep) / 2));
      state.cache.slide(keep, drop, state.length, this.#arena, this.#m.k, this.#m.b);
      state.length -= drop;
    });
  }

  /** The first of n tokens of the batch whose residual stream holds a NaN or infinity, or −1. */
  #notFinite(n: number): number {
    const { k, d, b } = this.#m;
    for (let t = 0; t < n; t++) if (k.not_finite_f32(b.x + t * strideOf(d.width) * 4, d.width) >= 0) return t;
    return -1;
  }

  /** Runs the batch once more, on this thread, and looks after every layer. */
  #blame(state: State, n: number): never {
    const look = (layer: number): void => {
      const t = this.#notFinite(n);
      if (t < 0) return;
      throw new SessionError(
        'NOT_FINITE',
        `layer ${layer} made a NaN or infinity at position ${
          state.length + t
        }; the weights are damaged or overflow f32`,
      );
    };
    forward(this.#m, state.cache, this.#step.ids, n, state.length, SOLO, look);
    throw new SessionError('NOT_FINITE', `the embedding of position ${state.length} holds a NaN or infinity`);
  }
}
