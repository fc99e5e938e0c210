/**
 * A thread is one of several threads that run the same forward pass over the same memory. Rows are split between threads,
 * reductions never, so that results do not depend on their number.
 * @module
 */

/** What a forward pass sees of the thread it runs on. */
export interface ThreadContext {
  readonly index: number;
  readonly count: number;
  /** Waits until every thread is here. Everything written before is then visible to all. */
  barrier(): void;
}

/** One step of a model on one thread. What the step is stands in words that all threads see. */
export type Program = (thread: ThreadContext) => void;

/** The only thread of a single-threaded run: nothing to wait for. */
export const SOLO: ThreadContext = Object.freeze({ index: 0, count: 1, barrier() {} });

/** First of `n` units that belong to thread `index` of `count`; thread `index + 1` begins where this one ends. */
export function firstUnit(n: number, index: number, count: number): number {
  return Math.floor((n * index) / count);
}

/** First row of a thread, a multiple of four. @param rows a multiple of four */
export function firstRow(rows: number, index: number, count: number): number {
  return 4 * firstUnit(rows / 4, index, count);
}
