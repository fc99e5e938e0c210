/**
 * The threads of one model, as its decoder sees them: it writes down a step, and the executor runs it. This file has the executor of
 * one thread, the caller's own thread; pool.ts has the other.
 * @module
 */
import { PREFILL_BATCH } from '../description/plan.ts';
import { type Program, SOLO } from './context.ts';

/** Words of a step that all threads see: what it is, and the ids, heads and segments of a batch. */
export const STEP_WORDS: number = 32 + 5 * PREFILL_BATCH;

/** Weights for which another thread is worth while unless told: they take about a millisecond a token, and a thread some tens
 *  of milliseconds to start. */
export const BYTES_PER_THREAD: number = 16 << 20;

export interface Executor {
  /** Threads that there are buffers for. */
  readonly size: number;
  /** Threads that the next step runs on: 1 … size. */
  readonly count: number;
  /** (STEP_WORDS) Where a step is written down. */
  readonly words: Int32Array;
  /** A zeroed buffer that all threads see. */
  share(bytes: number): ArrayBufferLike;
  /**
   * Says what a step is, once.
   * @param program for the thread of this thread
   * @param recipe plain data from which every other thread makes its own
   */
  bind(program: Program, recipe: object): void;
  /**
   * Runs one step for every value that `steps` yields. Between two steps no thread works, so `steps` may look at what was
   * written, and throw. Calls do not overlap.
   * @returns a promise where the caller's thread may not wait for other threads
   * @throws {SessionError} `WORKER_DIED` when a thread threw, died or did not answer; fresh ones serve the next call
   */
  run(steps: Iterable<unknown>): void | Promise<void>;
  /** Does something while no thread works: now, or behind the calls that are under way. */
  between(action: () => void): void | Promise<void>;
  /** Runs the next steps on the first `threads` threads, or on all there are. */
  use(threads: number): void;
  /** Ends the other threads. Harmless when called twice. */
  dispose(): void;
}

/** A executor of one thread: every step runs here and now. */
export function solo(): Executor {
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
