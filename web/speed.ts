/**
 * Tokens a second: as they are shown, and as the engine computed them, which is known when an answer has ended.
 * @module
 */
import type { GenerateUsage } from '../src/entries/index.ts';

/** Tokens that the shown speed is taken over. */
const RECENT = 12;

export class Speed {
  #times: number[] = [];
  /** Tokens a second of the engine; null while an answer is under way. */
  computed: number | null = null;

  /** A token is shown. */
  tick(): void {
    this.#times.push(performance.now());
    if (this.#times.length > RECENT) this.#times.shift();
  }

  /** Tokens a second as they are shown; null before there are two. */
  get shown(): number | null {
    const ms = (this.#times[this.#times.length - 1] ?? 0) - (this.#times[0] ?? 0);
    return ms > 0 ? (1000 * (this.#times.length - 1)) / ms : null;
  }

  /** An answer has ended. */
  end({ completionTokens, decodeMs }: GenerateUsage): void {
    this.computed = decodeMs > 0 ? (1000 * completionTokens) / decodeMs : null;
  }

  reset(): void {
    this.#times = [];
    this.computed = null;
  }

  /** In words: a figure, and which it is. @param paced tokens wait for their turn, and the engine with them */
  words(paced: boolean): readonly [rate: number | null, note: string] {
    if (paced) return [this.shown, 'tokens a second, at this pace'];
    return [this.computed ?? this.shown, 'tokens a second, computed on this device'];
  }
}
