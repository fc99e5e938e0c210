/**
 * How fast the engine is, seen from the page: tokens are shown at a pace, but computed in bursts ahead of it.
 * @module
 */

/** Arrivals of a burst. */
const BURST = 16;

export class Speed {
  #times: number[] = [];
  /** Tokens a second of the fastest burst so far. */
  best: number | null = null;

  /** A token has arrived. */
  arrive(): void {
    this.#times.push(performance.now());
    if (this.#times.length <= BURST) return;
    const ms = this.#times[this.#times.length - 1] - (this.#times.shift() as number);
    if (ms > 0) this.best = Math.max(this.best ?? 0, (1000 * BURST) / ms);
  }

  reset(): void {
    this.#times = [];
    this.best = null;
  }
}
