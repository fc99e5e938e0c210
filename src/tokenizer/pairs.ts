/**
 * A hash table from pairs of small integers to an integer, in flat memory. It holds the merges of a BPE
 * (left piece, right piece → merge) and the edges of a trie (node, code unit → node).
 * @module
 */

const MAX_LOAD = 0.6;

/** (a, b) → value, all ≥ 0. The multipliers are drawn at random, so that no file can be made to collide on purpose. */
export class PairTable {
  #first: Int32Array;
  #second: Int32Array;
  #values: Int32Array;
  #shift: number;
  #size = 0;
  readonly #m1: number = randomOdd();
  readonly #m2: number = randomOdd();

  /** @param expected entries to make room for; the table grows beyond it */
  constructor(expected: number) {
    const bits = Math.max(4, Math.ceil(Math.log2(Math.max(1, expected) / MAX_LOAD)));
    this.#shift = 32 - bits;
    this.#first = new Int32Array(1 << bits).fill(-1);
    this.#second = new Int32Array(1 << bits);
    this.#values = new Int32Array(1 << bits);
  }

  /** The value of (a, b), or −1. */
  get(a: number, b: number): number {
    const [first, second] = [this.#first, this.#second];
    const mask = first.length - 1;
    let at = (Math.imul(a + 1, this.#m1) + Math.imul(b + 1, this.#m2)) >>> this.#shift;
    for (; first[at] !== -1; at = (at + 1) & mask) if (first[at] === a && second[at] === b) return this.#values[at];
    return -1;
  }

  /** Stores a value unless the pair has one; returns the value that the pair now has. */
  add(a: number, b: number, value: number): number {
    let at = this.#find(a, b);
    if (this.#first[at] !== -1) return this.#values[at];
    if (this.#size >= this.#first.length * MAX_LOAD) {
      this.#grow();
      at = this.#find(a, b);
    }
    this.#first[at] = a;
    this.#second[at] = b;
    this.#values[at] = value;
    this.#size++;
    return value;
  }

  #find(a: number, b: number): number {
    const mask = this.#first.length - 1;
    let at = (Math.imul(a + 1, this.#m1) + Math.imul(b + 1, this.#m2)) >>> this.#shift;
    while (this.#first[at] !== -1 && (this.#first[at] !== a || this.#second[at] !== b)) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const [first, second, values] = [this.#first, this.#second, this.#values];
    const room = first.length * 2;
    this.#shift--;
    this.#first = new Int32Array(room).fill(-1);
    this.#second = new Int32Array(room);
    this.#values = new Int32Array(room);
    for (let i = 0; i < first.length; i++) {
      if (first[i] === -1) continue;
      const at = this.#find(first[i], second[i]);
      this.#first[at] = first[i];
      this.#second[at] = second[i];
      this.#values[at] = values[i];
    }
  }
}

function randomOdd(): number {
  return (Math.floor(Math.random() * 2 ** 31) << 1) | 1;
}

/** A set of strings, each with an id, searched one UTF-16 code unit at a time. */
export class Trie {
  readonly #edges: PairTable;
  readonly #ids: number[] = [-1];

  constructor(entries: Iterable<readonly [string, number]>, expected = 16) {
    this.#edges = new PairTable(expected);
    for (const [text, id] of entries) {
      let node = 0;
      for (let i = 0; i < text.length; i++) {
        const next = this.#edges.add(node, text.charCodeAt(i), this.#ids.length);
        if (next === this.#ids.length) this.#ids.push(-1);
        node = next;
      }
      if (this.#ids[node] === -1) this.#ids[node] = id;
    }
  }

  /** Whether it holds no string. */
  get empty(): boolean {
    return this.#ids.length === 1;
  }

  /** The node that `node` (0 is the root) reaches with one code unit, or −1. */
  next(node: number, unit: number): number {
    return this.#edges.get(node, unit);
  }

  /** The id of the string that ends in this node, or −1. */
  id(node: number): number {
    return this.#ids[node];
  }

  /** The longest string that stands at `at`: `[id, length]`, or null. */
  longest(text: string, at: number, end: number = text.length): readonly [number, number] | null {
    let found = -1;
    let length = 0;
    for (let node = 0, i = at; i < end; i++) {
      node = this.#edges.get(node, text.charCodeAt(i));
      if (node === -1) break;
      if (this.#ids[node] !== -1) {
        found = this.#ids[node];
        length = i + 1 - at;
      }
    }
    return found === -1 ? null : [found, length];
  }
}
