/**
 * Lines of a text of any length, one at a time: bounded in memory, with the number of each.
 * @module
 */
import { type ByteSource, readFully } from '../bytes/source.ts';
import { MAX_DATA_LINE_BYTES } from '../limits.ts';

/** Bytes that are read at a time. */
const CHUNK_BYTES = 1 << 16;
const LF = 0x0a;
const CR = 0x0d;

/** A line without its end, or why it cannot be told. */
export interface Line {
  /** From 1 on, as editors count. */
  readonly number: number;
  /** Null where `problem` says why. */
  readonly text: string | null;
  readonly problem?: string;
  /** Bytes of the source up to the end of this line and its line feed. */
  readonly end: number;
  /** Whether a line feed ends it; only the last line may have none. */
  readonly whole: boolean;
}

/**
 * Lines end with LF; a CR before it goes with it, and so does a byte order mark at the very beginning. Other separators of
 * Unicode stand within lines. A line that is no UTF-8 or longer than `MAX_DATA_LINE_BYTES` is handed out as a problem.
 * @param most bytes of a line
 * @throws {IoError} what the source throws; the signal's reason
 */
export async function* readLines(
  source: ByteSource,
  signal?: AbortSignal,
  most: number = MAX_DATA_LINE_BYTES,
): AsyncGenerator<Line, void> {
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, source.size));
  let parts: Uint8Array[] = [];
  let length = 0;
  let number = 1;
  const take = (end: number, whole: boolean): Line => {
    const line = { number, end, whole, ...decoded(parts, length, number === 1, most) };
    number++;
    parts = [];
    length = 0;
    return line;
  };
  const add = (bytes: Uint8Array): void => {
    // of a line that is too long only the length is kept, and one part to show that it began
    if (length + bytes.length <= most) parts.push(bytes.slice());
    length += bytes.length;
  };
  for (let at = 0; at < source.size;) {
    const bytes = chunk.subarray(0, Math.min(chunk.length, source.size - at));
    await readFully(source, bytes, at, 'the text', signal);
    let from = 0;
    for (let lf = bytes.indexOf(LF); lf >= 0; lf = bytes.indexOf(LF, from)) {
      add(bytes.subarray(from, lf));
      from = lf + 1;
      yield take(at + from, true);
    }
    add(bytes.subarray(from));
    at += bytes.length;
  }
  if (length > 0) yield take(source.size, false);
}

function decoded(
  parts: readonly Uint8Array[],
  length: number,
  first: boolean,
  most: number,
): Pick<Line, 'text' | 'problem'> {
  if (length > most) {
    return { text: null, problem: `has ${length} bytes, at most ${most} are read` };
  }
  let bytes = parts.length === 1 ? parts[0] : joined(parts, length);
  if (bytes[bytes.length - 1] === CR) bytes = bytes.subarray(0, -1);
  if (first && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = bytes.subarray(3);
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { text: null, problem: 'is not UTF-8' };
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
