/**
 * The merge loop that every BPE here shares: SentencePiece, byte-level, tiktoken and tokenizer.json differ only in
 * where a pair's rank comes from.
 *
 * Always the pair of the lowest rank is merged, the leftmost of equals. Short words scan; long ones keep a heap, so that a
 * million characters without a space cost n log n.
 * @module
 */
import { PairTable } from './pairs.ts';

/** Which pairs of symbols merge. A handle names a merge; its rank orders it and its result replaces the pair. */
export interface MergeRules {
  /** The merge of two neighbouring symbols, or −1. */
  find(left: number, right: number): number;
  /** Rank by handle, lowest first. */
  readonly rank: Int32Array;
  /** Resulting symbol by handle. */
  readonly result: Int32Array;
}

/** Rules given as a list: merge i has rank i. */
export class ListedMerges implements MergeRules {
  readonly rank: Int32Array;
  readonly result: Int32Array;
  readonly #table: PairTable;
  #count = 0;

  constructor(count: number) {
    this.rank = new Int32Array(count);
    this.result = new Int32Array(count);
    this.#table = new PairTable(count);
  }

  /** Appends a merge. @returns false when the pair is already there */
  add(left: number, right: number, result: number): boolean {
    const at = this.#count;
    if (this.#table.add(left, right, at) !== at) return false;
    this.rank[at] = at;
    this.result[at] = result;
    this.#count++;
    return true;
  }

  find(left: number, right: number): number {
    return this.#table.get(left, right);
  }
}

const CACHE_BITS = 15;

/**
 * Rules given by a vocabulary: two symbols merge when their texts together are a piece. Symbols beyond the vocabulary
 * stand for single code points that are no pieces. A small cache of fixed size remembers the pairs that occur.
 */
export class PieceMerges implements MergeRules {
  readonly rank: Int32Array;
  readonly result: Int32Array;
  readonly #pieces: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #longest: number;
  readonly #left: Int32Array = new Int32Array(1 << CACHE_BITS).fill(-1);
  readonly #right: Int32Array = new Int32Array(1 << CACHE_BITS);
  readonly #found: Int32Array = new Int32Array(1 << CACHE_BITS);

  /**
   * @param ids the pieces that a merge may produce
   * @param rank of each id, lowest first
   */
  constructor(pieces: readonly string[], ids: ReadonlyMap<string, number>, rank: Int32Array) {
    this.#pieces = pieces;
    this.#ids = ids;
    this.rank = rank;
    this.result = Int32Array.from(rank, (_, id) => id);
    this.#longest = pieces.reduce((most, piece) => Math.max(most, piece.length), 0);
  }

  find(left: number, right: number): number {
    const slot = (Math.imul(left, 0x9e3779b1) + Math.imul(right, 0x85ebca6b)) >>> (32 - CACHE_BITS);
    if (this.#left[slot] === left && this.#right[slot] === right) return this.#found[slot];
    const [a, b] = [this.#text(left), this.#text(right)];
    const found = a.length + b.length > this.#longest ? -1 : (this.#ids.get(a + b) ?? -1);
    this.#left[slot] = left;
    this.#right[slot] = right;
    this.#found[slot] = found;
    return found;
  }

  #text(symbol: number): string {
    return symbol < this.#pieces.length ? this.#pieces[symbol] : String.fromCodePoint(symbol - this.#pieces.length);
  }
}

const SHORT = 32;
/** Positions within one heap key; ranks stand above them. 2^27 · 2^21 stays below 2^53. */
const POSITIONS = 2 ** 27;

/** Merges `symbols[0 … count)` in place as far as the rules go, and returns how many are left. */
export function mergeSymbols(symbols: Int32Array, count: number, rules: MergeRules): number {
  return count <= SHORT ? mergeShort(symbols, count, rules) : mergeLong(symbols, count, rules);
}

function mergeShort(symbols: Int32Array, count: number, rules: MergeRules): number {
  const handles = new Int32Array(count);
  for (let i = 0; i + 1 < count; i++) handles[i] = rules.find(symbols[i], symbols[i + 1]);
  for (;;) {
    let best = -1;
    let rank = 0;
    for (let i = 0; i + 1 < count; i++) {
      if (handles[i] === -1) continue;
      const its = rules.rank[handles[i]];
      if (best === -1 || its < rank) {
        best = i;
        rank = its;
      }
    }
    if (best === -1) return count;
    symbols[best] = rules.result[handles[best]];
    symbols.copyWithin(best + 1, best + 2, count);
    handles.copyWithin(best + 1, best + 2, count);
    count--;
    if (best > 0) handles[best - 1] = rules.find(symbols[best - 1], symbols[best]);
    handles[best] = best + 1 < count ? rules.find(symbols[best], symbols[best + 1]) : -1;
  }
}

function mergeLong(symbols: Int32Array, count: number, rules: MergeRules): number {
  const next = new Int32Array(count);
  const previous = new Int32Array(count);
  const heap = new MinHeap(count);
  for (let i = 0; i < count; i++) {
    next[i] = i + 1 < count ? i + 1 : -1;
    previous[i] = i - 1;
    const handle = i + 1 < count ? rules.find(symbols[i], symbols[i + 1]) : -1;
    if (handle !== -1) heap.append(rules.rank[handle] * POSITIONS + i);
  }
  heap.order();
  while (heap.size > 0) {
    const key = heap.pop();
    const rank = Math.floor(key / POSITIONS);
    const at = key - rank * POSITIONS; // exact, and much faster than %
    const right = next[at];
    if (symbols[at] === -1 || right === -1) continue;
    const handle = rules.find(symbols[at], symbols[right]);
    // The pair that this key stood for may be gone, and a pair of another rank may be in its place.
    if (handle === -1 || rules.rank[handle] !== rank) continue;
    symbols[at] = rules.result[handle];
    symbols[right] = -1;
    const after = next[right];
    next[at] = after;
    if (after !== -1) {
      previous[after] = at;
      const forward = rules.find(symbols[at], symbols[after]);
      if (forward !== -1) heap.push(rules.rank[forward] * POSITIONS + at);
    }
    const before = previous[at];
    if (before !== -1) {
      const back = rules.find(symbols[before], symbols[at]);
      if (back !== -1) heap.push(rules.rank[back] * POSITIONS + before);
    }
  }
  let left = 0;
  for (let i = 0; i < count; i++) if (symbols[i] !== -1) symbols[left++] = symbols[i];
  return left;
}

/** Four children to a node: a third of the cache misses of a binary heap. */
class MinHeap {
  size = 0;
  #keys: Float64Array;

  constructor(room: number) {
    this.#keys = new Float64Array(room);
  }

  /** Adds a key without ordering; `order` follows. */
  append(key: number): void {
    if (this.size === this.#keys.length) {
      const grown = new Float64Array(this.size * 2);
      grown.set(this.#keys);
      this.#keys = grown;
    }
    this.#keys[this.size++] = key;
  }

  order(): void {
    for (let i = (this.size - 2) >> 2; i >= 0; i--) this.#sink(i, this.#keys[i]);
  }

  push(key: number): void {
    this.append(key);
    const keys = this.#keys;
    let at = this.size - 1;
    while (at > 0) {
      const parent = (at - 1) >> 2;
      if (keys[parent] <= key) break;
      keys[at] = keys[parent];
      at = parent;
    }
    keys[at] = key;
  }

  pop(): number {
    const top = this.#keys[0];
    const last = this.#keys[--this.size];
    if (this.size > 0) this.#sink(0, last);
    return top;
  }

  #sink(at: number, key: number): void {
    const keys = this.#keys;
    for (;;) {
      const first = at * 4 + 1;
      if (first >= this.size) break;
      const end = Math.min(first + 4, this.size);
      let child = first;
      for (let i = first + 1; i < end; i++) if (keys[i] < keys[child]) child = i;
      if (keys[child] >= key) break;
      keys[at] = keys[child];
      at = child;
    }
    keys[at] = key;
  }
}
