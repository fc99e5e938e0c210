/**
 * Keeps long calls answerable: lets the host's events in from time to time, so that an abort is seen and a page stays
 * alive, and chooses batches short enough for that. Loading a file from memory needs it as much as reading a text.
 * @module
 */

import { POSITIVE, type Rules, SIGNAL } from '../options.ts';

/** What every long-running call takes. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds of work between two looks at the host's events, default 40: how late an abort may be seen, and how long
   *  a page may stand still. A longer stretch reads a prompt in larger batches, which is faster for large models. */
  readonly stretchMs?: number;
}

/** Which values are right. */
export const CALL_RULES: Rules<CallOptions> = { signal: SIGNAL, stretchMs: POSITIVE };

/** Aim for the longest stretch of work without a look at events. An abort must be seen within 100 ms. */
const MAX_STRETCH_MS = 40;

/** Items of the first batch, before it is known how long one takes. */
const FIRST_BATCH = 4;
/** How much cheaper an item is in a large batch, until that is measured: kernels for batches share what they prepare. */
const CHEAPER = 3;

/** Resolves after the host has handled waiting events. */
export function turn(): Promise<void> {
  const immediate = (globalThis as { setImmediate?: (run: () => void) => unknown }).setImmediate;
  if (immediate) return new Promise((resolve) => void immediate(resolve));
  if (typeof MessageChannel === 'undefined') return new Promise((resolve) => setTimeout(resolve, 0));
  return new Promise((resolve) => {
    // not setTimeout: browsers make nested ones wait four milliseconds
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (): void => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

/** When the host's events were last let in by any call: many short calls are as long as one. */
let lastTurn = 0;

/** One pace per call. */
export class Pace {
  readonly #signal: AbortSignal | undefined;
  readonly #stretch: number;
  #batchStart = 0;
  #perItem = 0;
  #triedLarge = false;

  /** @param stretch milliseconds of work between two looks at events; a longer one reads a prompt in larger batches */
  constructor(signal?: AbortSignal, stretch: number = MAX_STRETCH_MS) {
    this.#signal = signal;
    this.#stretch = stretch;
    signal?.throwIfAborted();
  }

  /** Lets events in when it is time. @throws the signal's reason once aborted */
  async breathe(): Promise<void> {
    if (performance.now() - lastTurn >= this.#stretch / 2) {
      await turn();
      lastTurn = performance.now();
    }
    this.#signal?.throwIfAborted();
  }

  /**
   * How many items to take next so that they last about a stretch at most, between 1 and `most`.
   * @param large items that are taken at a time where there are that many, and cost less each; a batch of more than half of
   *   them takes as long as all. It is tried once when three times as many as seem to fit would make one.
   */
  next(most: number, large: number = Infinity): number {
    this.#batchStart = performance.now();
    if (this.#perItem === 0) return Math.min(most, FIRST_BATCH);
    const fits = Math.floor(this.#stretch / this.#perItem);
    if (most < large) return Math.max(1, Math.min(most, fits));
    const hopeful = !this.#triedLarge && fits * CHEAPER >= large;
    this.#triedLarge ||= hopeful;
    if (fits <= large / 2 && !hopeful) return Math.max(1, fits);
    return fits < 1.7 * large ? large : Math.min(most, fits);
  }

  /** Says that `items` taken by `next` are done. */
  done(items: number): void {
    this.#perItem = Math.max((performance.now() - this.#batchStart) / items, 1e-3);
  }
}
