/**
 * Several sources as one: a model in several files keeps one address for every byte, so that nothing behind the container
 * knows how many files there are.
 * @module
 */
import type { ByteSource } from './source.ts';

/** A run of bytes of a joined source. */
export interface Piece {
  /** Its first byte in the joined source; pieces follow one another without a gap. */
  readonly start: number;
  readonly size: number;
  /** As `ByteSource.read`, with offsets of its own. */
  read(into: Uint8Array, offset: number, signal?: AbortSignal): Promise<number>;
}

/** Bytes that are made when they are first read, and held until another such piece is. */
export interface Made {
  readonly size: number;
  make(signal?: AbortSignal): Promise<Uint8Array>;
}

/** A joined source in the making. */
export class Joiner {
  readonly #pieces: Piece[] = [];
  #size = 0;
  #held: { of: Made; bytes: Uint8Array } | null = null;

  /** Bytes so far: where the next piece begins. */
  get size(): number {
    return this.#size;
  }

  /** @returns where the source begins */
  add(source: ByteSource): number {
    return this.#push(source.size, (into, offset, signal) => source.read(into, offset, signal));
  }

  /** @returns where the bytes begin */
  addMade(made: Made): number {
    return this.#push(made.size, async (into, offset, signal) => {
      let held = this.#held;
      if (held?.of !== made) this.#held = held = { of: made, bytes: await made.make(signal) };
      const part = held.bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    });
  }

  /** The pieces as one source. It has nothing to close: what was opened for it belongs to who opened it. */
  source(name: string): ByteSource {
    const pieces = this.#pieces;
    return {
      size: this.#size,
      name,
      async read(into, offset, signal) {
        const piece = find(pieces, offset);
        if (piece === null) return 0;
        const at = offset - piece.start;
        return await piece.read(into.subarray(0, Math.min(into.length, piece.size - at)), at, signal);
      },
    };
  }

  #push(size: number, read: Piece['read']): number {
    const start = this.#size;
    this.#pieces.push({ start, size, read });
    this.#size += size;
    return start;
  }
}

/** The piece that holds a byte, by halving. */
function find(pieces: readonly Piece[], offset: number): Piece | null {
  let low = 0;
  let high = pieces.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pieces[middle].start + pieces[middle].size <= offset) low = middle + 1;
    else high = middle;
  }
  return pieces[low] ?? null;
}
