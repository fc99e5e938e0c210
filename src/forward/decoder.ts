/**
 * What every architecture offers to a session: run ids, hand out logits. The contract between forward passes and sessions.
 *
 * A call runs to its end before the next begins: at once where the caller's thread does the work or may wait for it, in turn
 * where other threads do and it may not.
 * @module
 */
import type { KvType } from '../description/plan.ts';
import type { Ptr } from '../wasm/arena.ts';
import type { OnSpikes } from './spike-record.ts';
import type { SpikeCounter, SpikeTrace } from './spike-trace.ts';

/** The part of a session that belongs to the architecture. */
export interface DecoderState {
  /** Positions it can hold. */
  readonly context: number;
  /** Positions it holds. */
  length: number;
  /** What this state's own tokens spiked since it was made; absent where nothing spikes. Resetting the state leaves it. */
  readonly spikes?: SpikeTrace;
}

/** Ids to be read, and who sees the logits. */
export interface Reading {
  readonly ids: ArrayLike<number>;
  /** First of the ids behind which logits are wanted. */
  readonly from: number;
  /** Given the address of the logits behind ids[i], valid during the call. */
  see(logits: Ptr, i: number): void;
  /** Given the residual streams of a batch behind each layer, where the architecture has that: of ids[first + t], t < n, at
   *  `stream + t · stride`. Valid during the call. Where there are several threads, it costs a second pass over the batch. */
  readonly afterLayer?: (layer: number, first: number, n: number, stream: Ptr, stride: number) => void;
  /** Given the address of the state of ids[i] behind the last norm, which the head reads, where `Decoder.states`; `width` floats
   *  that are valid during the call. Called for every id, in order. */
  readonly seeState?: (state: Ptr, i: number) => void;
  /** Given the spikes of ids[at], layer by layer, where `Decoder.spikes`; called for every id, in order. */
  readonly seeSpikes?: OnSpikes;
  /** End every pass behind this many blocks; a state that was read so has nothing for deeper passes to go on from. */
  readonly blocks?: number;
}

export interface Decoder {
  readonly vocab: number;
  /** Positions of each of its states. */
  readonly context: number;
  /** Most ids that one call of `forward` takes. */
  readonly batch: number;
  /** Whether a state can go back to a shorter length; recurrent models cannot. */
  readonly canRewind: boolean;
  /** The largest context whose sessions can, where that depends on it. */
  readonly rewindsUpTo?: number;
  /** What all states together spiked since the model was opened; absent where nothing spikes. */
  readonly spikes?: SpikeCounter;
  /** How many blocks it has, where a pass may end before the last of them; absent where it may not. */
  readonly blocks?: number;
  /** Whether readings can see the residual streams, see `Reading.afterLayer`. */
  readonly streams: boolean;
  /** Whether readings can see what the head reads, see `Reading.seeState`. */
  readonly states: boolean;
  /** How its states keep keys and values. */
  readonly kv: KvType;
  /** @throws {MemoryError} */
  createState(): DecoderState;
  /** Gives the state's memory back for later ones, behind a call that is under way. */
  freeState(state: DecoderState): void;
  /** Back to position 0, as if nothing had been read. */
  resetState(state: DecoderState): void;
  /** An independent copy. @throws {MemoryError} */
  forkState(state: DecoderState): DecoderState;
  /** Bytes of a state of `length` positions when it is written. */
  stateBytes(length: number): number;
  /** Writes all that later steps depend on, and nothing that was forgotten. @param into of `stateBytes(state.length)` bytes */
  writeState(state: DecoderState, into: Uint8Array): void;
  /** Makes `state` the one that was written. @param from of `stateBytes(length)` bytes, length ≤ state.context */
  readState(state: DecoderState, from: Uint8Array, length: number): void;
  /**
   * Appends ids[first] … ids[first + n − 1] of a reading, n ≤ `batch`, and hands out the logits that are wanted. The state
   * grows only if all of the pass succeeds; otherwise it is as it was.
   * @returns a promise where other threads do the work and this one may not wait for them, or where the pass waits for those of
   *   other sessions
   * @throws {SessionError} `NOT_FINITE` naming the layer that made a NaN or infinity; `WORKER_DIED`
   */
  forward(state: DecoderState, reading: Reading, first: number, n: number): void | Promise<void>;
  /**
   * Says that a reader will call `forward` one time after the other until it calls the result: where sessions can run side by side,
   * passes then wait a moment for one another, and become one.
   */
  join(): () => void;
  /** Makes room by dropping half of what lies behind the first `keep` positions. */
  slide(state: DecoderState, keep: number): void | Promise<void>;
  /** A head over whatever lies there, to measure how fast the threads are. */
  trial(): void | Promise<void>;
}
