/**
 * The decoder of every architecture: sessions made, copied, written and freed, passes run over all threads, logits handed
 * out, faults traced to their layer. An architecture adds a `DecoderBody`: its forward pass, and where its state lies.
 * @module
 */
import { SessionError } from '../errors.ts';
import type { KvType } from '../description/plan.ts';
import { PREFILL_BATCH } from '../description/plan.ts';
import type { Executor } from '../threads/executor.ts';
import type { Arena, Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import type { Decoder, DecoderState, Reading } from './decoder.ts';
import { SpikeCounter } from './spike-trace.ts';
import { Step } from './step.ts';

/** A piece of a session's memory. */
export interface Run {
  readonly at: Ptr;
  readonly bytes: number;
}

/** Called after each layer of a pass. */
export type AfterLayer = (layer: number) => void;

/** What differs between architectures. Addresses named `base` are those of a session's memory. */
export interface DecoderBody {
  readonly vocab: number;
  /** Positions of a session. */
  readonly context: number;
  readonly kv: KvType;
  /** Layers of a pass. */
  readonly layers: number;
  /** What a layer is called when it is at fault. */
  readonly layerName: 'layer' | 'block';
  /** Whether a pass may end before the last layer. */
  readonly endsEarly: boolean;
  /** Whether the state forgets: a sum over everything that was read, or a ring. Such sessions cannot go back, and are cleared to
   *  begin anew. */
  readonly recurrent: boolean;
  /** The largest context whose sessions can go back, where that depends on it. */
  readonly rewindsUpTo?: number;
  /** Bytes of a session's memory. */
  readonly sessionBytes: number;
  /** (vocab) f32 */
  readonly logits: Ptr;
  /** Layers of neurons, and how many fired in the last pass; absent where nothing spikes. */
  readonly spikeCounts?: Float64Array;
  /** The residual stream of the t-th token of the last batch, `streamWidth` f32. */
  streamAt(t: number): Ptr;
  readonly streamWidth: number;
  /** Bytes from one stream to the next, where they may be shown to callers; absent where they may not. */
  readonly streamStride?: number;
  /** The pieces that `length` positions fill, in an order that depends on `length` alone. */
  runs(base: Ptr, length: number): Iterable<Run>;
  /** The pass that the step describes, on this thread alone. */
  pass(base: Ptr, step: Step, n: number, position: number, afterLayer: AfterLayer): void;
  /** Keeps what a pass overwrites and later ones build on; absent where a pass only appends. */
  save?(base: Ptr): void;
  restore?(base: Ptr): void;
  /** Makes room: drops positions after the first `keep`. @returns how many @throws {SessionError} `CONTEXT_OVERFLOW` */
  slide(base: Ptr, keep: number, length: number): number;
}

class SessionMemory implements DecoderState {
  readonly context: number;
  readonly base: Ptr;
  readonly spikes?: SpikeCounter;
  length = 0;
  /** Positions that were written since all was clear, those of passes that failed included. */
  written = 0;

  constructor(base: Ptr, { context, spikeCounts }: DecoderBody) {
    this.base = base;
    this.context = context;
    if (spikeCounts) this.spikes = new SpikeCounter(spikeCounts.length);
  }
}

/** Runs a `DecoderBody` as the `Decoder` that sessions know. */
export class SessionDecoder implements Decoder {
  readonly batch: number = PREFILL_BATCH;
  readonly vocab: number;
  readonly context: number;
  readonly kv: KvType;
  readonly canRewind: boolean;
  readonly rewindsUpTo?: number;
  readonly streams: boolean;
  readonly blocks?: number;
  readonly spikes?: SpikeCounter;
  readonly #k: Kernels;
  readonly #arena: Arena;
  readonly #body: DecoderBody;
  readonly #executor: Executor;
  readonly #step: Step;
  /** Addresses of sessions that were given back. */
  readonly #free: Ptr[] = [];

  constructor(k: Kernels, arena: Arena, body: DecoderBody, executor: Executor) {
    this.#k = k;
    this.#arena = arena;
    this.#body = body;
    this.#executor = executor;
    this.#step = new Step(executor.words);
    this.vocab = body.vocab;
    this.context = body.context;
    this.kv = body.kv;
    this.canRewind = !body.recurrent;
    this.rewindsUpTo = body.rewindsUpTo;
    this.streams = body.streamStride !== undefined;
    if (body.endsEarly) this.blocks = body.layers;
    if (body.spikeCounts) this.spikes = new SpikeCounter(body.spikeCounts.length);
  }

  createState(): SessionMemory {
    const base = this.#free.pop() ?? this.#arena.alloc(this.#body.sessionBytes, 'session state');
    return new SessionMemory(base, this.#body);
  }

  freeState(state: SessionMemory): void {
    void this.#executor.between(() => {
      this.#clear(state); // nothing of a text outlives its session
      this.#free.push(state.base);
    });
  }

  resetState(state: SessionMemory): void {
    if (this.#body.recurrent) this.#clear(state);
    state.length = 0;
  }

  #clear(state: SessionMemory): void {
    for (const { at, bytes } of this.#body.runs(state.base, state.written)) this.#arena.u8(at, bytes).fill(0);
    state.written = 0;
  }

  forkState(state: SessionMemory): SessionMemory {
    const copy = this.createState();
    const all = this.#arena.u8(0, this.#arena.used);
    const distance = copy.base - state.base;
    for (const { at, bytes } of this.#body.runs(state.base, state.length)) {
      all.copyWithin(at + distance, at, at + bytes);
    }
    copy.length = state.length;
    copy.written = state.length;
    return copy;
  }

  stateBytes(length: number): number {
    let sum = 0;
    for (const { bytes } of this.#body.runs(0, length)) sum += bytes;
    return sum;
  }

  writeState(state: SessionMemory, into: Uint8Array): void {
    let done = 0;
    for (const { at, bytes } of this.#body.runs(state.base, state.length)) {
      into.set(this.#arena.u8(at, bytes), done);
      done += bytes;
    }
  }

  readState(state: SessionMemory, from: Uint8Array, length: number): void {
    let done = 0;
    for (const { at, bytes } of this.#body.runs(state.base, length)) {
      this.#arena.u8(at, bytes).set(from.subarray(done, done + bytes));
      done += bytes;
    }
    state.length = length;
    state.written = Math.max(state.written, length);
  }

  forward(state: SessionMemory, reading: Reading, first: number, n: number): void | Promise<void> {
    return this.#executor.run(this.#steps(state, reading, first, n));
  }

  /** The pass with the first head that is wanted, then the other heads. */
  *#steps(state: SessionMemory, reading: Reading, first: number, n: number): Generator<Step> {
    const { ids, from, see, afterLayer, blocks } = reading;
    const body = this.#body;
    let t = Math.max(0, from - first);
    const head = t < n ? t : -1;
    state.written = Math.max(state.written, state.length + n);
    body.save?.(state.base);
    body.spikeCounts?.fill(0);
    const look = afterLayer &&
      ((layer: number): void => afterLayer(layer, first, n, body.streamAt(0), body.streamStride ?? 0));
    // other threads cannot be stopped between layers: this thread then passes over the batch once more
    const alone = this.#executor.size === 1;
    const step = this.#step.pass(state.base, state.length, ids, first, n, blocks ?? body.layers, head);
    let passed = false;
    try {
      if (look && alone) {
        body.pass(state.base, step, n, state.length, look);
        step.headOf(head);
      }
      yield step;
      if (this.#notFinite(n) >= 0) this.#blame(state, n);
      if (look && !alone) body.pass(state.base, step, n, state.length, look);
      passed = true;
    } finally {
      if (!passed) body.restore?.(state.base);
    }
    state.length += n;
    if (body.spikeCounts) {
      this.spikes?.add(n, body.spikeCounts);
      state.spikes?.add(n, body.spikeCounts);
    }
    for (; t < n; t++) {
      if (this.spikes) this.spikes.heads++;
      if (state.spikes) state.spikes.heads++;
      if (this.#k.not_finite_f32(body.logits, body.vocab) >= 0) {
        throw new SessionError(
          'NOT_FINITE',
          'the head made a NaN or infinite logit; the weights are damaged or overflow f32',
        );
      }
      see(body.logits, first + t);
      if (t + 1 === n) return;
      yield step.headOf(t + 1);
    }
  }

  trial(): void | Promise<void> {
    return this.#executor.run([this.#step.headOf(0)]);
  }

  slide(state: SessionMemory, keep: number): void | Promise<void> {
    return this.#executor.between(() => {
      state.length -= this.#body.slide(state.base, keep, state.length);
    });
  }

  /** The first of n tokens of the batch whose residual stream holds a NaN or infinity, or −1. */
  #notFinite(n: number): number {
    const { streamWidth } = this.#body;
    for (let t = 0; t < n; t++) if (this.#k.not_finite_f32(this.#body.streamAt(t), streamWidth) >= 0) return t;
    return -1;
  }

  /** Runs the batch once more, on this thread, and looks after every layer. */
  #blame(state: SessionMemory, n: number): never {
    const { layerName } = this.#body;
    const look = (layer: number): void => {
      const t = this.#notFinite(n);
      if (t < 0) return;
      throw new SessionError(
        'NOT_FINITE',
        `${layerName} ${layer} made a NaN or infinity at position ${
          state.length + t
        }; the weights are damaged or overflow f32`,
      );
    };
    this.#body.restore?.(state.base);
    this.#body.pass(state.base, this.#step, n, state.length, look);
    throw new SessionError('NOT_FINITE', `the embedding of position ${state.length} holds a NaN or infinity`);
  }
}
