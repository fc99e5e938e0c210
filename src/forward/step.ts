/**
 * One step of a decoder, written down in words that all threads see: a pass over a batch of ids, and behind it the head of
 * one of them; or a head alone.
 *
 *   0 state │ 1 position │ 2 ids in the batch, 0 for a head alone │ 3 blocks │ 4 id whose head is wanted, −1 for none │ 8 ids …
 * @module
 */
import type { Ptr } from '../wasm/arena.ts';

const IDS = 8;

export class Step {
  /** Ids of the batch; the first `n` count. */
  readonly ids: Int32Array;
  readonly #words: Int32Array;

  /** @param words of the executor */
  constructor(words: Int32Array) {
    this.#words = words;
    this.ids = words.subarray(IDS);
  }

  /** Address of the session's memory. */
  get state(): Ptr {
    return this.#words[0] >>> 0;
  }
  /** Position of the first id. */
  get pos(): number {
    return this.#words[1];
  }
  get n(): number {
    return this.#words[2];
  }
  /** How many blocks of the model the pass runs through. */
  get blocks(): number {
    return this.#words[3];
  }
  get head(): number {
    return this.#words[4];
  }

  /** A pass over ids[first] … ids[first + n − 1], and the head of one of them, counted from `first`; −1 for none. */
  pass(state: Ptr, pos: number, ids: ArrayLike<number>, first: number, n: number, blocks: number, head: number): this {
    for (let t = 0; t < n; t++) this.ids[t] = ids[first + t];
    const words = this.#words;
    words[0] = state;
    words[1] = pos;
    words[2] = n;
    words[3] = blocks;
    words[4] = head;
    return this;
  }

  /** The head of id t of the last pass. */
  headOf(t: number): this {
    this.#words[2] = 0;
    this.#words[4] = t;
    return this;
  }
}
