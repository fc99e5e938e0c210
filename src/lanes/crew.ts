/**
 * The lanes of one model, as its decoder sees them: it writes down a step, and the crew runs it. This file has the crew of
 * one lane, the caller's own thread; team.ts has the other.
 * @module
 */
import { PREFILL_BATCH } from '../model/plan.ts';
import { type Program, SOLO } from './lane.ts';

/** Words of a step that all lanes see: what it is, and the ids of a batch. */
export const STEP_WORDS: number = 32 + PREFILL_BATCH;

/** Weights for which another lane is worth while unless told: they take about a millisecond a token, and a thread some tens
 *  of milliseconds to start. */
export const BYTES_PER_LANE: number = 16 << 20;

export interface Crew {
  /** Lanes that there are buffers for. */
  readonly size: number;
  /** Lanes that the next step runs on: 1 … size. */
  readonly count: number;
  /** (STEP_WORDS) Where a step is written down. */
  readonly words: Int32Array;
  /** A zeroed buffer that all lanes see. */
  share(bytes: number): ArrayBufferLike;
  /**
   * Says what a step is, once.
   * @param program for the lane of this thread
   * @param recipe plain data from which every other lane makes its own
   */
  bind(program: Program, recipe: object): void;
  /**
   * Runs one step for every value that `steps` yields. Between two steps no lane works, so `steps` may look at what was
   * written, and throw. Calls do not overlap.
   * @returns a promise where the caller's thread may not wait for other lanes
   * @throws {SessionError} `WORKER_DIED` when a lane threw, died or did not answer; fresh ones serve the next call
   */
  run(steps: Iterable<void>): void | Promise<void>;
  /** Does something while no lane works: now, or behind the calls that are under way. */
  between(action: () => void): void | Promise<void>;
  /** Runs the next steps on the first `lanes` lanes, or on all there are. */
  use(lanes: number): void;
  /** Ends the other lanes. Harmless when called twice. */
  dispose(): void;
}

/** A crew of one lane: every step runs here and now. */
export function solo(): Crew {
  let program: Program = () => {};
  return {
    size: 1,
    count: 1,
    words: new Int32Array(STEP_WORDS),
    share: (bytes) => new ArrayBuffer(bytes),
    bind: (own) => void (program = own),
    run(steps) {
      for (const _ of steps) program(SOLO);
    },
    between: (action) => action(),
    use() {},
    dispose() {},
  };
}
