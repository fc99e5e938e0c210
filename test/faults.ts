/**
 * Byte sources that fail, stutter or count, around a source that does not.
 * @module
 */
import type { ByteSource } from '../src/bytes/source.ts';

/**
 * Fails at the n-th read: `throw` a foreign error, `short` deliver half of what was asked (once), `shrink` end the data
 * there, as when another program cuts the file.
 */
export function faultySource(
  source: ByteSource,
  { failAt, kind }: { failAt: number; kind: 'throw' | 'short' | 'shrink' },
): ByteSource {
  let reads = 0;
  let end = Infinity;
  return {
    ...source,
    async read(into, offset, signal) {
      if (++reads === failAt) {
        if (kind === 'throw') throw new Error(`read ${failAt} failed on purpose`);
        if (kind === 'shrink') end = offset;
        else return source.read(into.subarray(0, Math.max(1, into.length >> 1)), offset, signal);
      }
      return offset >= end ? 0 : source.read(into, offset, signal);
    },
  };
}

/** Delivers at most `bytes` at a time. */
export function trickle(source: ByteSource, bytes: number = 1): ByteSource {
  return { ...source, read: (into, offset, signal) => source.read(into.subarray(0, bytes), offset, signal) };
}

/** What a counting source has seen. */
export interface ReadCounts {
  reads: number;
  /** Bytes delivered. */
  bytes: number;
  /** Longest view that was handed in: how much a caller set aside. */
  largest: number;
  /** End of the last byte that was delivered. */
  end: number;
  closed: number;
}

/** Counts reads; `counts` grows as the source is used. */
export function countingSource(source: ByteSource): ByteSource & { readonly counts: ReadCounts } {
  const counts: ReadCounts = { reads: 0, bytes: 0, largest: 0, end: 0, closed: 0 };
  return {
    size: source.size,
    name: source.name,
    counts,
    async read(into, offset, signal) {
      counts.reads++;
      counts.largest = Math.max(counts.largest, into.length);
      const got = await source.read(into, offset, signal);
      counts.bytes += got;
      counts.end = Math.max(counts.end, offset + got);
      return got;
    },
    async close() {
      counts.closed++;
      await source.close?.();
    },
  };
}

/**
 * A large file that exists only where something is said about it: `parts` at their offsets, zeros elsewhere.
 */
export function sparseSource(
  size: number,
  parts: ReadonlyArray<readonly [offset: number, bytes: Uint8Array]>,
): ByteSource {
  return {
    size,
    name: 'sparse',
    async read(into, offset) {
      const length = Math.max(0, Math.min(into.length, size - offset));
      into.fill(0, 0, length);
      for (const [at, bytes] of parts) {
        const from = Math.max(at, offset);
        const to = Math.min(at + bytes.length, offset + length);
        if (from < to) into.set(bytes.subarray(from - at, to - at), from - offset);
      }
      return length;
    },
  };
}
