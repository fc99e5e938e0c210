/**
 * What sessions have read, kept so that a prompt that begins alike is not read again: a conversation that goes on, a system prompt
 * that many share. Snapshots are exact, so an answer has the same bits with and without.
 * @module
 */

interface Entry {
  readonly ids: readonly number[];
  readonly snapshot: Uint8Array;
}

/** What was found: a state, and how many of its positions a prompt shares. */
export interface Found {
  readonly snapshot: Uint8Array;
  readonly shared: number;
}

/** Fewer positions are read as fast as a snapshot is looked for. */
const LEAST_TOKENS = 8;

/** What an id takes in a list of JavaScript. */
const ID_BYTES = 8;

export class PrefixCache {
  readonly #budget: number;
  readonly #rewinds: boolean;
  /** The one used longest ago first. */
  #entries: Entry[] = [];
  #bytes = 0;

  /**
   * @param budget bytes of all snapshots together; 0 keeps none
   * @param rewinds whether a session can go back, so that a part of what it has read is of use
   */
  constructor(budget: number, rewinds: boolean) {
    this.#budget = budget;
    this.#rewinds = rewinds;
  }

  get enabled(): boolean {
    return this.#budget > 0;
  }

  get size(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The state that shares most with `ids`, whose last id is still to be read; null where none shares enough. */
  find(ids: readonly number[]): Found | null {
    let best: Entry | undefined;
    let most = LEAST_TOKENS - 1;
    for (const entry of this.#entries) {
      const shared = commonLength(entry.ids, ids, ids.length - 1);
      if (shared <= most || (!this.#rewinds && shared < entry.ids.length)) continue;
      [best, most] = [entry, shared];
    }
    if (!best) return null;
    this.#remove(best);
    this.#append(best);
    return { snapshot: best.snapshot, shared: most };
  }

  /** Whether a state of exactly these ids is there, or one that serves as well. */
  has(ids: readonly number[]): boolean {
    return this.#entries.some((entry) => {
      const longEnough = this.#rewinds ? entry.ids.length >= ids.length : entry.ids.length === ids.length;
      return longEnough && commonLength(entry.ids, ids, ids.length) === ids.length;
    });
  }

  /** Keeps the state of a session that has read `ids`. `snapshot` is called where it is worth it. */
  add(ids: readonly number[], snapshot: () => Uint8Array): void {
    if (!this.enabled || ids.length < LEAST_TOKENS || this.has(ids)) return;
    const entry = { ids: [...ids], snapshot: snapshot() };
    if (cost(entry) > this.#budget) return;
    // a longer state of the same text serves wherever a shorter one does, if sessions can go back
    if (this.#rewinds) {
      for (const old of this.#entries) {
        if (old.ids.length <= ids.length && commonLength(old.ids, ids, old.ids.length) === old.ids.length) {
          this.#remove(old);
        }
      }
    }
    this.#append(entry);
    while (this.#bytes > this.#budget) this.#remove(this.#entries[0]);
  }

  clear(): void {
    this.#entries = [];
    this.#bytes = 0;
  }

  #append(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += cost(entry);
  }

  #remove(entry: Entry): void {
    this.#entries = this.#entries.filter((other) => other !== entry);
    this.#bytes -= cost(entry);
  }
}

const cost = ({ ids, snapshot }: Entry): number => snapshot.byteLength + ID_BYTES * ids.length;

/** How many ids two lists begin with alike, at most `most`. */
export function commonLength(a: readonly number[], b: readonly number[], most: number): number {
  const end = Math.min(a.length, b.length, most);
  let n = 0;
  while (n < end && a[n] === b[n]) n++;
  return n;
}
