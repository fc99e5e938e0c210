/**
 * What every architecture offers to a session: run ids, hand out logits. The contract between forward passes and sessions.
 *
 * It does not promise that several calls may be under way at once: a step runs to its end before the next begins.
 * @module
 */
import type { KvType } from '../model/plan.ts';
import type { Ptr } from '../wasm/arena.ts';
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

export interface Decoder {
  readonly vocab: number;
  /** Positions of each of its states. */
  readonly context: number;
  /** Most ids that one call of `forward` takes. */
  readonly batch: number;
  /** Whether a state can go back to a shorter length; recurrent models cannot. */
  readonly canRewind: boolean;
  /** What all states together spiked since the model was opened; absent where nothing spikes. */
  readonly spikes?: SpikeCounter;
  /** How many blocks it has, where a pass may end before the last of them; absent where it may not. */
  readonly blocks?: number;
  /** How its states keep keys and values. */
  readonly kv: KvType;
  /** @throws {MemoryError} */
  createState(): DecoderState;
  /** Gives the state's memory back for later ones. */
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
   * Appends up to `batch` ids. The state grows only if all of it succeeds.
   * @param blocks end behind this many blocks; a state that was read so has nothing for deeper passes to go on from
   * @throws {SessionError} `NOT_FINITE` naming the layer that made a NaN or infinity
   */
  forward(state: DecoderState, ids: ArrayLike<number>, blocks?: number): void;
  /** Address of the logits of the t-th id of the last `forward`; valid until the next call. @throws {SessionError} */
  logits(t: number): Ptr;
  /** Makes room by dropping half of what lies behind the first `keep` positions. */
  slide(state: DecoderState, keep: number): void;
}
