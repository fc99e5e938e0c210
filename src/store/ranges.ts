/**
 * Which bytes of a file are there: ranges that do not touch, in order.
 * @module
 */
import type { ByteRange } from './store.ts';

export class Ranges {
  #all: [number, number][] = [];

  constructor(ranges: readonly ByteRange[] = []) {
    for (const [start, end] of ranges) this.add(start, end);
  }

  get all(): readonly ByteRange[] {
    return this.#all.map(([start, end]) => [start, end] as const);
  }

  /** Bytes in all. */
  get bytes(): number {
    return this.#all.reduce((sum, [start, end]) => sum + end - start, 0);
  }

  /** End of the run that begins at `at`, which is `at` itself where its byte is missing. */
  runFrom(at: number): number {
    const found = this.#all.find(([start, end]) => start <= at && at < end);
    return found ? found[1] : at;
  }

  add(start: number, end: number): void {
    if (end <= start) return;
    const touching = this.#all.filter(([from, to]) => from <= end && to >= start);
    const from = Math.min(start, ...touching.map(([first]) => first));
    const to = Math.max(end, ...touching.map(([, last]) => last));
    this.#all = [...this.#all.filter((range) => !touching.includes(range)), [from, to] as [number, number]]
      .sort(([a], [b]) => a - b);
  }

  /** What is missing between 0 and `size`, cut where a multiple of `span` is passed. */
  missing(size: number, span: number): ByteRange[] {
    const gaps: ByteRange[] = [];
    let at = 0;
    for (const [start, end] of [...this.#all, [size, size]]) {
      while (at < Math.min(start, size)) {
        const to = Math.min(start, size, (Math.floor(at / span) + 1) * span);
        gaps.push([at, to]);
        at = to;
      }
      at = Math.max(at, end);
    }
    return gaps;
  }
}
