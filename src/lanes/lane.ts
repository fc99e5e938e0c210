/**
 * A lane is one of several threads that run the same forward pass over the same memory. Rows are split between lanes,
 * reductions never, so that results do not depend on their number.
 * @module
 */

/** What a forward pass sees of the thread it runs on. */
export interface Lane {
  readonly index: number;
  readonly count: number;
  /** Waits until every lane is here. Everything written before is then visible to all. */
  barrier(): void;
}

/** One step of a model on one lane. What the step is stands in words that all lanes see. */
export type Program = (lane: Lane) => void;

/** The only lane of a single-threaded run: nothing to wait for. */
export const SOLO: Lane = Object.freeze({ index: 0, count: 1, barrier() {} });

/** First of `n` units that belong to lane `index` of `count`; lane `index + 1` begins where this one ends. */
export function firstUnit(n: number, index: number, count: number): number {
  return Math.floor((n * index) / count);
}

/** First row of a lane, a multiple of four. @param rows a multiple of four */
export function firstRow(rows: number, index: number, count: number): number {
  return 4 * firstUnit(rows / 4, index, count);
}
