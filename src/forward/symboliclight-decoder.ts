/**
 * Binds weights, buffers and states of a SymbolicLight model to the `Decoder` contract.
 * @module
 */
import { SessionError } from '../errors.ts';
import { SOLO } from '../lanes/lane.ts';
import { MAX_POSITIONS } from '../limits.ts';
import type { SymbolicLightDescription } from '../model/description.ts';
import { type KvType, PREFILL_BATCH, symbolicLightStateBytes } from '../model/plan.ts';
import type { Arena, Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import type { Decoder, DecoderState } from './decoder.ts';
import { forcedSpikes } from './forced-spikes.ts';
import { strideOf } from './matmul.ts';
import { SpikeCounter } from './spike-trace.ts';
import { forward, head, type SymbolicLight } from './symboliclight.ts';
import { symbolicLightBuffers, SymbolicLightState } from './symboliclight-state.ts';
import type { SymbolicLightWeights } from './symboliclight-weights.ts';

class State implements DecoderState {
  readonly context: number = MAX_POSITIONS;
  length = 0;
  readonly memory: SymbolicLightState;
  readonly spikes: SpikeCounter;

  constructor(d: SymbolicLightDescription, base: Ptr, arena: Arena) {
    this.memory = new SymbolicLightState(d, base, arena);
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
  readonly context: number = MAX_POSITIONS;
  /** Membranes and decaying states are sums over all that was read. */
  readonly canRewind: boolean = false;
  readonly kv: KvType = 'f32';
  readonly spikes: SpikeCounter;
  readonly #m: SymbolicLight;
  readonly #arena: Arena;
  /** Addresses of states that were given back. */
  readonly #free: Ptr[] = [];
  /** Whose batch `logits` is about. */
  #last: State | null = null;

  /** @throws {MemoryError} */
  constructor(
    k: Kernels,
    arena: Arena,
    d: SymbolicLightDescription,
    w: SymbolicLightWeights,
    { forcedSparsity }: SymbolicLightOptions = {},
  ) {
    this.#arena = arena;
    const force = forcedSparsity === undefined ? undefined : forcedSpikes(arena, forcedSparsity);
    this.#m = { k, d, w, b: symbolicLightBuffers(d, arena, k, SOLO.count), force };
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
    return new State(d, base, this.#arena);
  }

  freeState(state: State): void {
    this.resetState(state);
    this.#free.push(state.memory.base);
  }

  resetState(state: State): void {
    this.#arena.u8(state.memory.base, state.memory.bytes).fill(0);
    state.length = 0;
  }

  forkState(state: State): State {
    const copy = this.createState();
    const { base, bytes } = state.memory;
    this.#arena.u8(0, this.#arena.used).copyWithin(copy.memory.base, base, base + bytes);
    copy.length = state.length;
    return copy;
  }

  /** The same for any length. */
  stateBytes(): number {
    return symbolicLightStateBytes(this.#m.d);
  }

  writeState(state: State, into: Uint8Array): void {
    into.set(this.#arena.u8(state.memory.base, state.memory.bytes));
  }

  readState(state: State, from: Uint8Array, length: number): void {
    this.#arena.u8(state.memory.base, state.memory.bytes).set(from);
    state.length = length;
  }

  forward(state: State, ids: ArrayLike<number>, blocks?: number): void {
    const { k, d, b } = this.#m;
    const width = strideOf(d.width) * 4;
    const look = (block: number): void => {
      for (let t = 0; t < ids.length; t++) {
        if (k.not_finite_f32(b.c + t * width, d.width) < 0) continue;
        throw new SessionError(
          'NOT_FINITE',
          `block ${block} made a NaN or infinity at position ${
            state.length + t
          }; the weights are damaged or overflow f32; ` +
            'this session has read a part of the batch: reset it',
        );
      }
    };
    b.spikeCounts.fill(0);
    // a recurrent state cannot be run a second time, so every block is looked at as it is made
    forward(this.#m, state.memory, ids, state.length, SOLO, look, blocks);
    state.length += ids.length;
    this.spikes.add(ids.length, b.spikeCounts);
    state.spikes.add(ids.length, b.spikeCounts);
    this.#last = state;
  }

  logits(t: number): Ptr {
    const { k, d, b } = this.#m;
    head(this.#m, t, SOLO);
    this.spikes.heads++;
    if (this.#last) this.#last.spikes.heads++;
    if (k.not_finite_f32(b.logits, d.vocab) >= 0) {
      throw new SessionError(
        'NOT_FINITE',
        'the head made a NaN or infinite logit; the weights are damaged or overflow f32',
      );
    }
    return b.logits;
  }

  slide(): void {
    // the window slides by itself, and MAX_POSITIONS bounds what was counted
    throw new SessionError('CONTEXT_OVERFLOW', `this session has read ${MAX_POSITIONS} tokens; begin a new one`);
  }
}
