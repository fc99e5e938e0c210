/**
 * The decoder of every architecture: sessions made, copied, written and freed, passes run over all threads, logits handed
 * out, faults traced to their layer. An architecture adds a `DecoderBody`: its forward pass, and where its state lies.
 * @module
 */
import { SessionError } from '../errors.ts';
import type { KvType } from '../description/plan.ts';
import { PREFILL_BATCH, vectorBytes } from '../description/plan.ts';
import type { Executor } from '../threads/executor.ts';
import type { Arena, Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import type { Decoder, DecoderState, Reading } from './decoder.ts';
import { SpikeRecord } from './spike-record.ts';
import { SpikeCounter } from './spike-trace.ts';
import { type Pass, PassQueue, type Share } from './pass-queue.ts';
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
  /** Sessions that one pass serves at most, 1 … `PREFILL_BATCH`. */
  readonly slots: number;
  /** (slots, vocab) f32, rows padded */
  readonly logits: Ptr;
  /** Layers of neurons, and how many fired in the last pass: (slots, layers), a row for each segment; absent where nothing spikes. */
  readonly spikeCounts?: readonly Float64Array[];
  /** Neurons of each of those layers. */
  readonly neurons?: readonly number[];
  /** The residual stream of the t-th token of the last batch, `streamWidth` f32. */
  streamAt(t: number): Ptr;
  readonly streamWidth: number;
  /** The stream of token t of the last batch behind the last norm, valid until the next call; absent where the head reads
   *  something else. */
  stateAt?(t: number): Ptr;
  /** Bytes from one stream to the next, where they may be shown to callers; absent where they may not. */
  readonly streamStride?: number;
  /** The pieces that `length` positions fill, in an order that depends on `length` alone. */
  runs(base: Ptr, length: number): Iterable<Run>;
  /** The pass that the step describes, on this thread alone. */
  pass(step: Step, afterLayer: AfterLayer): void;
  /** Keeps what a pass overwrites and later ones build on, for segment `slot`; absent where a pass only appends. */
  save?(base: Ptr, slot: number): void;
  restore?(base: Ptr, slot: number): void;
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
    if (spikeCounts) this.spikes = new SpikeCounter(spikeCounts[0].length);
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
  readonly states: boolean;
  readonly blocks?: number;
  readonly spikes?: SpikeCounter;
  readonly #k: Kernels;
  readonly #arena: Arena;
  readonly #body: DecoderBody;
  readonly #executor: Executor;
  readonly #step: Step;
  /** Bytes of a row of logits. */
  readonly #rowBytes: number;
  /** Where several sessions can share a pass. */
  readonly #queue: PassQueue<SessionMemory> | null;
  /** Made when somebody first wants to see spikes. */
  #record: SpikeRecord | null = null;
  /** Addresses of sessions that were given back. */
  readonly #free: Ptr[] = [];

  constructor(k: Kernels, arena: Arena, body: DecoderBody, executor: Executor) {
    this.#k = k;
    this.#arena = arena;
    this.#body = body;
    this.#executor = executor;
    this.#step = new Step(executor.words);
    this.#rowBytes = vectorBytes(body.vocab);
    this.vocab = body.vocab;
    this.context = body.context;
    this.kv = body.kv;
    this.canRewind = !body.recurrent;
    this.rewindsUpTo = body.rewindsUpTo;
    this.streams = body.streamStride !== undefined;
    this.states = body.stateAt !== undefined;
    if (body.endsEarly) this.blocks = body.layers;
    if (body.spikeCounts) this.spikes = new SpikeCounter(body.spikeCounts[0].length);
    const run = (shares: readonly Share<SessionMemory>[]): void | Promise<void> =>
      this.#executor.run(this.#steps(shares));
    this.#queue = body.slots > 1 ? new PassQueue(run, this.batch, body.slots) : null;
  }

  createState(): SessionMemory {
    const base = this.#free.pop() ?? this.#arena.alloc(this.#body.sessionBytes, 'session state');
    return new SessionMemory(base, this.#body);
  }

  freeState(state: SessionMemory): void {
    this.#queue?.drop(state);
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

  join(): () => void {
    return this.#queue?.join() ?? (() => {});
  }

  forward(state: SessionMemory, reading: Reading, first: number, n: number): void | Promise<void> {
    const pass: Pass<SessionMemory> = { state, reading, first, left: n };
    // what is shown between layers, and what ends early, is not shared
    if (this.#queue && !reading.afterLayer && reading.blocks === undefined) return this.#queue.add(pass);
    const checked = (): void => {
      if (pass.fault) throw pass.fault.error;
    };
    const pending = this.#executor.run(this.#steps([{ pass, n }]));
    return pending ? pending.then(checked) : checked();
  }

  /** The pass with the first heads that are wanted, then the other heads. A fault of one session is noted in its pass. */
  *#steps(shares: readonly Share<SessionMemory>[]): Generator<Step> {
    const body = this.#body;
    const [{ pass: { reading: { afterLayer, blocks = body.layers }, first } }] = shares;
    const wanted = headsOf(shares);
    shares.forEach(({ pass: { state }, n }, slot) => {
      state.written = Math.max(state.written, state.length + n);
      body.save?.(state.base, slot);
      body.spikeCounts?.[slot].fill(0);
    });
    const record = shares.some(({ pass }) => pass.reading.seeSpikes) ? this.#spikeRecord() : null;
    const describe = (some: readonly Share<SessionMemory>[], record: SpikeRecord | null = null): Step => {
      const step = this.#step.begin(blocks, record?.at);
      for (const { pass: { state, reading: { ids }, first }, n } of some) {
        step.add(state.base, state.length, ids, first, n);
      }
      return step;
    };
    const step = describe(shares, record);
    // other threads cannot be stopped between layers: this thread then passes over the batch once more
    const alone = this.#executor.size === 1;
    const look = afterLayer &&
      ((layer: number): void => afterLayer(layer, first, step.n, body.streamAt(0), body.streamStride ?? 0));
    const heads = (from: number): number[] => wanted.slice(from, from + body.slots).map(({ row }) => row);
    const damaged: number[] = [];
    let passed = false;
    try {
      if (look && alone) {
        body.pass(step, look);
        yield step.headsOf(heads(0));
      } else yield step.withHeads(heads(0));
      let from = 0;
      shares.forEach(({ n }, slot) => {
        if (this.#notFinite(from, n) >= 0) damaged.push(slot);
        from += n;
      });
      if (look && !alone && damaged.length === 0) body.pass(step, look);
      passed = true;
    } finally {
      shares.forEach(({ pass: { state } }, slot) => {
        if (!passed || damaged.includes(slot)) body.restore?.(state.base, slot);
      });
    }
    let counted: 0 | 1 = 1;
    let row = 0;
    shares.forEach(({ pass, n }, slot) => {
      row += n;
      if (damaged.includes(slot)) return;
      const { state } = pass;
      state.length += n;
      this.#showStates(pass, n, row - n);
      this.#showSpikes(pass, n, row - n, record);
      if (!body.spikeCounts) return;
      this.spikes?.add(n, body.spikeCounts[slot], counted);
      state.spikes?.add(n, body.spikeCounts[slot]);
      counted = 0;
    });
    for (let i = 0; i < wanted.length; i += body.slots) {
      if (i > 0) yield this.#step.headsOf(heads(i));
      wanted.slice(i, i + body.slots).forEach((head, j) => {
        if (!damaged.includes(head.slot)) this.#show(shares[head.slot].pass, head.id, body.logits + j * this.#rowBytes);
      });
    }
    for (const slot of damaged) this.#blame(shares[slot], slot, describe);
    for (const { pass, n } of shares) {
      pass.first += n;
      pass.left -= n;
    }
  }

  /** Hands what the head reads of n rows from `row` on to who asked for it. */
  #showStates(pass: Pass<SessionMemory>, n: number, row: number): void {
    const { reading: { seeState }, first } = pass;
    const { stateAt } = this.#body;
    if (!seeState || !stateAt) return;
    try {
      for (let i = 0; i < n; i++) seeState(stateAt(row + i), first + i);
    } catch (error) {
      pass.fault = { error };
    }
  }

  /** The same of the neurons that fired in them. */
  #showSpikes(pass: Pass<SessionMemory>, n: number, row: number, record: SpikeRecord | null): void {
    const { reading: { seeSpikes }, first } = pass;
    if (!seeSpikes || !record || pass.fault) return;
    try {
      for (let i = 0; i < n; i++) record.show(row + i, first + i, seeSpikes);
    } catch (error) {
      pass.fault = { error };
    }
  }

  #spikeRecord(): SpikeRecord | null {
    const { neurons } = this.#body;
    if (neurons) this.#record ??= new SpikeRecord(this.#arena, neurons, this.batch);
    return this.#record;
  }

  /** Hands the logits after ids[i] to who reads. */
  #show(pass: Pass<SessionMemory>, i: number, logits: Ptr): void {
    if (pass.fault) return;
    if (this.spikes) this.spikes.heads++;
    if (pass.state.spikes) pass.state.spikes.heads++;
    try {
      if (this.#k.not_finite_f32(logits, this.#body.vocab) >= 0) {
        throw new SessionError(
          'NOT_FINITE',
          'the head made a NaN or infinite logit; the weights are damaged or overflow f32',
        );
      }
      pass.reading.see(logits, i);
    } catch (error) {
      pass.fault = { error };
    }
  }

  trial(): void | Promise<void> {
    return this.#executor.run([this.#step.headsOf([0])]);
  }

  slide(state: SessionMemory, keep: number): void | Promise<void> {
    return this.#executor.between(() => {
      state.length -= this.#body.slide(state.base, keep, state.length);
    });
  }

  /** The first of n tokens from row `from` on whose residual stream contains a NaN or infinity, counted from there; or −1. */
  #notFinite(from: number, n: number): number {
    const { streamWidth } = this.#body;
    for (let t = 0; t < n; t++) if (this.#k.not_finite_f32(this.#body.streamAt(from + t), streamWidth) >= 0) return t;
    return -1;
  }

  /** Runs a share once more, alone and on this thread, looks after every layer, and notes the fault. */
  #blame(share: Share<SessionMemory>, slot: number, describe: (some: readonly Share<SessionMemory>[]) => Step): void {
    const { pass: { state }, n } = share;
    const { layerName } = this.#body;
    let why = `the embedding of position ${state.length} contains a NaN or infinity`;
    let found = false;
    const look = (layer: number): void => {
      const t = found ? -1 : this.#notFinite(0, n);
      if (t < 0) return;
      found = true;
      why = `${layerName} ${layer} made a NaN or infinity at position ${state.length + t}; ` +
        'the weights are damaged or overflow f32';
    };
    this.#body.pass(describe([share]), look);
    this.#body.restore?.(state.base, slot);
    share.pass.fault = { error: new SessionError('NOT_FINITE', why) };
  }
}

/** A head that is wanted: after which id of which segment, and its row in the batch. */
interface Head {
  readonly slot: number;
  readonly id: number;
  readonly row: number;
}

function headsOf(shares: readonly Share[]): Head[] {
  const heads: Head[] = [];
  let row = 0;
  shares.forEach(({ pass: { first, reading: { from } }, n }, slot) => {
    for (let t = 0; t < n; t++, row++) if (first + t >= from) heads.push({ slot, id: first + t, row });
  });
  return heads;
}
