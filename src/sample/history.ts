/**
 * How often each token occurs among the last N: what the penalties look at.
 * @module
 */
export class History {
  /** Oldest at `#oldest` once it is full. */
  #ids: number[] = [];
  #oldest = 0;
  readonly #limit: number;
  readonly #counts = new Map<number, number>();

  /** @param limit tokens that are remembered */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Token → times, in no particular order. */
  get counts(): ReadonlyMap<number, number> {
    return this.#counts;
  }

  add(id: number): void {
    if (this.#limit === 0) return;
    if (this.#ids.length < this.#limit) {
      this.#ids.push(id);
    } else {
      this.#forget(this.#ids[this.#oldest]);
      this.#ids[this.#oldest] = id;
      this.#oldest = (this.#oldest + 1) % this.#limit;
    }
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  #forget(id: number): void {
    const left = (this.#counts.get(id) ?? 1) - 1;
    if (left === 0) this.#counts.delete(id);
    else this.#counts.set(id, left);
  }

  clear(): void {
    this.#ids = [];
    this.#oldest = 0;
    this.#counts.clear();
  }

  /** The remembered ids, oldest first. */
  ids(): number[] {
    return [...this.#ids.slice(this.#oldest), ...this.#ids.slice(0, this.#oldest)];
  }
}
