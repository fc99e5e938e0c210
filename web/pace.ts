/**
 * How fast tokens are shown. The model waits for who reads it, so a pause here is a pause there.
 * @module
 */

/** Milliseconds of work after which the browser may draw. */
const STRETCH_MS = 8;

/** Lets the browser draw, and go on in a tab that it does not draw. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    if (document.visibilityState === 'visible') requestAnimationFrame(() => resolve());
    else setTimeout(resolve, 0);
  });
}

export class Pace {
  /** Tokens a second; Infinity: as fast as they come. */
  rate: number = Infinity;
  /** It was paused, or goes on. */
  onChange: () => void = () => {};
  #paused = false;
  #steps = 0;
  #due = 0;
  #rested = 0;
  #wake: () => void = () => {};

  get paused(): boolean {
    return this.#paused;
  }

  pause(): void {
    this.#paused = true;
    this.onChange();
  }

  resume(): void {
    this.#paused = false;
    this.onChange();
    this.#wake();
  }

  /** Lets one token through, and pauses. */
  step(): void {
    this.#paused = true;
    this.#steps++;
    this.onChange();
    this.#wake();
  }

  /** Begins a new text. */
  reset(): void {
    this.#steps = 0;
    this.#due = this.#rested = performance.now();
    this.resume();
  }

  /** Settles when the next token may be shown. @throws the signal's reason */
  async turn(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (this.#paused && this.#steps === 0 && !signal.aborted) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#due = performance.now();
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
    signal.throwIfAborted();
    if (this.#steps > 0) this.#steps--;
    const now = performance.now();
    if (this.rate === Infinity) this.#due = now;
    const wait = this.#due - now;
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
    this.#due = Math.max(this.#due + 1000 / this.rate, now - 100);
    if (performance.now() - this.#rested > STRETCH_MS) {
      await breathe();
      this.#rested = performance.now();
    }
    signal.throwIfAborted();
  }
}
