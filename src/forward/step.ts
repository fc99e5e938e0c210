/**
 * One step of a decoder, written down in words that all threads see: a pass over a batch of ids, and the heads of some of them;
 * or heads alone. The ids of a batch belong to one session or, segment by segment, to several.
 *
 *   0 ids in the batch, 0 for heads alone │ 1 segments │ 2 blocks │ 3 heads │ 4 record of spikes, or 0 │ 8 ids … │
 *   rows of the heads … │ segments …
 *   a segment: address of its session's memory │ position of its first id │ ids
 * @module
 */
import { PREFILL_BATCH } from '../description/plan.ts';
import type { Ptr } from '../wasm/arena.ts';

const IDS = 8;
const HEADS = IDS + PREFILL_BATCH;
const SEGMENTS = HEADS + PREFILL_BATCH;

/** Words that a step takes. */
export const DECODER_WORDS: number = SEGMENTS + 3 * PREFILL_BATCH;

/** Consecutive tokens of one session in a batch. `S` is how the architecture sees the session's memory. */
export interface Segment<S = Ptr> {
  readonly state: S;
  /** Position of the first. */
  readonly pos: number;
  /** Row of the first in the batch. */
  readonly from: number;
  readonly n: number;
}

export class Step {
  /** Ids of the batch; the first `n` count. */
  readonly ids: Int32Array;
  readonly #words: Int32Array;

  /** @param words of the executor */
  constructor(words: Int32Array) {
    this.#words = words;
    this.ids = words.subarray(IDS, HEADS);
  }

  get n(): number {
    return this.#words[0];
  }
  /** How many blocks of the model the pass runs through. */
  get blocks(): number {
    return this.#words[2];
  }
  /** Where the pass records which neurons fire; 0 where nobody looks. */
  get record(): Ptr {
    return this.#words[4] >>> 0;
  }
  /** Rows of the batch whose heads are wanted. */
  get heads(): Int32Array {
    return this.#words.subarray(HEADS, HEADS + this.#words[3]);
  }

  /** @param stateOf the session's memory at an address */
  segments<S>(stateOf: (base: Ptr) => S): Segment<S>[] {
    const words = this.#words;
    const segments: Segment<S>[] = [];
    for (let i = 0, from = 0; i < words[1]; i++) {
      const at = SEGMENTS + 3 * i;
      const n = words[at + 2];
      segments.push({ state: stateOf(words[at] >>> 0), pos: words[at + 1], from, n });
      from += n;
    }
    return segments;
  }

  /** A pass over no segment yet, through so many blocks, without heads. */
  begin(blocks: number, record: Ptr = 0): this {
    this.#words.set([0, 0, blocks, 0, record]);
    return this;
  }

  /** Appends ids[first] … ids[first + n − 1] of a session. */
  add(state: Ptr, pos: number, ids: ArrayLike<number>, first: number, n: number): void {
    const words = this.#words;
    for (let t = 0; t < n; t++) this.ids[words[0] + t] = ids[first + t];
    words.set([state, pos, n], SEGMENTS + 3 * words[1]);
    words[0] += n;
    words[1]++;
  }

  /** The heads of these rows of the batch, behind the pass. */
  withHeads(rows: ArrayLike<number>): this {
    this.#words.set(rows, HEADS);
    this.#words[3] = rows.length;
    return this;
  }

  /** The heads of these rows of the last pass. */
  headsOf(rows: ArrayLike<number>): this {
    this.#words[0] = this.#words[1] = 0;
    return this.withHeads(rows);
  }
}

/** Makes each session's memory once for its address. There are as many as there were sessions at a time. */
export function statesBy<S>(make: (base: Ptr) => S): (base: Ptr) => S {
  const states = new Map<Ptr, S>();
  return (base) => {
    let state = states.get(base);
    if (!state) states.set(base, state = make(base));
    return state;
  };
}
