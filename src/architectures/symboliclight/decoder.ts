/**
 * Binds weights, buffers and states of a SymbolicLight model to the `Decoder` contract.
 * @module
 */
import { SessionError } from '../../errors.ts';
import { type Executor, solo } from '../../threads/executor.ts';
import { SOLO } from '../../threads/context.ts';
import { MAX_POSITIONS } from '../../limits.ts';
import type { SymbolicLightDescription } from './description.ts';
import { type KvType, PREFILL_BATCH, vectorBytes } from '../../description/plan.ts';
import { symbolicLightStateBytes } from './plan.ts';
import type { Arena, Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import { type Decoder, type DecoderState, headNotFinite, type Reading } from '../../forward/decoder.ts';
import { strideOf } from '../../forward/matmul.ts';
import { SpikeCounter } from '../../forward/spike-trace.ts';
import { Step } from '../../forward/step.ts';
import { forward, type SymbolicLight, symbolicLight, symbolicLightProgram } from './forward.ts';
import { symbolicLightBuffers, SymbolicLightState } from './state.ts';
import type { SymbolicLightWeights } from './weights.ts';

class State implements DecoderState {
  readonly context: number = MAX_POSITIONS;
  length = 0;
  /** Positions that were written since all was clear, those of passes that failed included. */
  written = 0;
  readonly memory: SymbolicLightState;
  readonly spikes: SpikeCounter;

  constructor(d: SymbolicLightDescription, base: Ptr) {
    this.memory = new SymbolicLightState(d, base);
    this.spikes = new SpikeCounter(spikingLayers(d));
  }
}

/** Layers of neurons: the encoder, and mixer, feed-forward and output of each block. */
const spikingLayers = (d: SymbolicLightDescription): number => 3 * d.layers + 1;

export interface SymbolicLightOptions {
  /** For benchmarks: this share of neurons is silent, drawn at random, whatever their potentials. */
  readonly forcedSparsity?: number;
}

export class SymbolicLightDecoder implements Decoder {
  readonly batch: number = PREFILL_BATCH;
  readonly streams: boolean = false;
  readonly context: number = MAX_POSITIONS;
  /** Membranes and decaying states are sums over all that was read. */
  readonly canRewind: boolean = false;
  readonly kv: KvType = 'f32';
  readonly spikes: SpikeCounter;
  readonly #m: SymbolicLight;
  readonly #arena: Arena;
  readonly #executor: Executor;
  readonly #step: Step;
  /** What a pass changes for good, as it was before: the membrane, and the decaying state of each block. */
  readonly #saved: Ptr;
  /** Addresses of states that were given back. */
  readonly #free: Ptr[] = [];

  /** @param executor runs the steps; default this thread alone @throws {MemoryError} */
  constructor(
    k: Kernels,
    arena: Arena,
    d: SymbolicLightDescription,
    w: SymbolicLightWeights,
    { forcedSparsity }: SymbolicLightOptions = {},
    executor: Executor = solo(),
  ) {
    this.#arena = arena;
    this.#executor = executor;
    this.#step = new Step(executor.words);
    this.#saved = arena.alloc((1 + d.layers) * vectorBytes(d.width), 'saved state');
    const recipe = {
      kind: 'symboliclight',
      d,
      w,
      b: symbolicLightBuffers(d, arena, k, executor),
      forcedSparsity,
    } as const;
    this.#m = symbolicLight(k, recipe, arena.memory, 0);
    executor.bind(symbolicLightProgram(this.#m, executor.words), recipe);
    this.spikes = new SpikeCounter(spikingLayers(d));
  }

  get blocks(): number {
    return this.#m.d.layers;
  }

  get vocab(): number {
    return this.#m.d.vocab;
  }

  createState(): State {
    const { d } = this.#m;
    const base = this.#free.pop() ?? this.#arena.alloc(symbolicLightStateBytes(d), 'session state');
    return new State(d, base);
  }

  freeState(state: State): void {
    void this.#executor.between(() => {
      this.resetState(state);
      this.#free.push(state.memory.base);
    });
  }

  resetState(state: State): void {
    // nothing of a text outlives its session
    for (const { at, bytes } of state.memory.runs(state.written)) this.#arena.u8(at, bytes).fill(0);
    state.length = 0;
    state.written = 0;
  }

  forkState(state: State): State {
    const copy = this.createState();
    const all = this.#arena.u8(0, this.#arena.used);
    const distance = copy.memory.base - state.memory.base;
    for (const { at, bytes } of state.memory.runs(state.length)) all.copyWithin(at + distance, at, at + bytes);
    copy.length = state.length;
    copy.written = state.length;
    return copy;
  }

  /** Grows until every slot is taken, and no further. */
  stateBytes(length: number): number {
    let sum = 0;
    for (const { bytes } of new SymbolicLightState(this.#m.d, 0).runs(length)) sum += bytes;
    return sum;
  }

  writeState(state: State, into: Uint8Array): void {
    let done = 0;
    for (const { at, bytes } of state.memory.runs(state.length)) {
      into.set(this.#arena.u8(at, bytes), done);
      done += bytes;
    }
  }

  readState(state: State, from: Uint8Array, length: number): void {
    let done = 0;
    for (const { at, bytes } of state.memory.runs(length)) {
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
  *#steps(state: State, { ids, from, see, blocks }: Reading, first: number, n: number): Generator<void> {
    const { k, d, b } = this.#m;
    const { memory } = state;
    let t = Math.max(0, from - first);
    state.written = Math.max(state.written, state.length + n);
    this.#save(memory);
    b.spikeCounts.fill(0);
    this.#step.pass(memory.base, state.length, ids, first, n, blocks ?? d.layers, t < n ? t : -1);
    let passed = false;
    try {
      yield;
      if (this.#notFinite(n) >= 0) this.#blame(state, n);
      passed = true;
    } finally {
      if (!passed) this.#restore(memory);
    }
    state.length += n;
    this.spikes.add(n, b.spikeCounts);
    state.spikes.add(n, b.spikeCounts);
    for (; t < n; t++) {
      this.spikes.heads++;
      state.spikes.heads++;
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

  slide(): void {
    // the window slides by itself, and MAX_POSITIONS bounds what was counted
    throw new SessionError('CONTEXT_OVERFLOW', `this session has read ${MAX_POSITIONS} tokens; begin a new one`);
  }

  /**
   * Keeps what a pass overwrites and later ones build on. Keys and values are not among it: those of a batch take the places
   * of positions that even its first token no longer sees.
   */
  #save(memory: SymbolicLightState): void {
    const { k, d } = this.#m;
    k.copy_f32(memory.membrane, this.#saved, d.width);
    for (let i = 0; i < d.layers; i++) k.copy_f32(memory.decayAt(i), this.#savedAt(i), d.width);
  }

  #restore(memory: SymbolicLightState): void {
    const { k, d } = this.#m;
    k.copy_f32(this.#saved, memory.membrane, d.width);
    for (let i = 0; i < d.layers; i++) k.copy_f32(this.#savedAt(i), memory.decayAt(i), d.width);
  }

  #savedAt(block: number): Ptr {
    return this.#saved + (1 + block) * vectorBytes(this.#m.d.width);
  }

  /** The first of n tokens of the batch whose stream holds a NaN or infinity, or −1. */
  #notFinite(n: number): number {
    const { k, d, own } = this.#m;
    for (let t = 0; t < n; t++) if (k.not_finite_f32(own.c + t * strideOf(d.width) * 4, d.width) >= 0) return t;
    return -1;
  }

  /** Runs the batch once more, on this thread, and looks after every block. */
  #blame(state: State, n: number): never {
    const look = (block: number): void => {
      const t = this.#notFinite(n);
      if (t < 0) return;
      throw new SessionError(
        'NOT_FINITE',
        `block ${block} made a NaN or infinity at position ${
          state.length + t
        }; the weights are damaged or overflow f32`,
      );
    };
    this.#restore(state.memory);
    forward(this.#m, state.memory, this.#step.ids, n, state.length, SOLO, this.#step.blocks, look);
    throw new SessionError('NOT_FINITE', `the embedding of position ${state.length} holds a NaN or infinity`);
  }
}
