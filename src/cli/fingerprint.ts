/**
 * What tells the inputs of an evaluation from others, so that a log is only continued over the same.
 * @module
 */
import { type ByteSource, readFully } from '../bytes/source.ts';
import { xxh32 } from '../bytes/xxh32.ts';
import type { Model } from '../model/model.ts';

/** Bytes that are read at a time. */
const CHUNK_BYTES = 1 << 20;
/** Of files larger than so many chunks, these are looked at, from the first bytes to the last. Training changes them all. */
const CHUNKS = 16;

const LF = 0x0a;
const hex = (sum: number): string => sum.toString(16).padStart(8, '0');

/** The whole of a text: its checksum and how many lines it has. @throws {IoError} */
export async function surveyText(
  source: ByteSource,
  signal: AbortSignal,
): Promise<{ readonly sum: string; readonly lines: number }> {
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, source.size));
  let sum = 0;
  let lines = 0;
  for (let at = 0; at < source.size;) {
    const bytes = chunk.subarray(0, Math.min(chunk.length, source.size - at));
    await readFully(source, bytes, at, 'the text', signal);
    sum = xxh32(bytes, sum);
    for (let lf = bytes.indexOf(LF); lf >= 0; lf = bytes.indexOf(LF, lf + 1)) lines++;
    at += bytes.length;
    if (at === source.size && bytes[bytes.length - 1] !== LF) lines++;
  }
  return { sum: `${source.size}-${hex(sum)}`, lines };
}

/** A file of weights, of which large ones are looked at in places. @throws {IoError} */
export async function sampleFile(source: ByteSource, signal: AbortSignal): Promise<string> {
  const { size } = source;
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, size));
  const whole = size <= CHUNKS * CHUNK_BYTES;
  const count = whole ? Math.ceil(size / CHUNK_BYTES) : CHUNKS;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const at = whole ? i * CHUNK_BYTES : Math.floor((i * (size - CHUNK_BYTES)) / (CHUNKS - 1));
    const bytes = chunk.subarray(0, Math.min(chunk.length, size - at));
    await readFully(source, bytes, at, 'the weights', signal);
    sum = xxh32(bytes, sum);
  }
  return `${size}-${hex(sum)}`;
}

/** The numbers of a model and its vocabulary, which may come from other files than its weights. */
export function modelSum(model: Model): string {
  const { name: _, notices: __, ...numbers } = model.describe();
  const { tokenizer } = model;
  const pieces = Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.piece(id));
  return hex(xxh32(new TextEncoder().encode(JSON.stringify([numbers, tokenizer.kind, pieces]))));
}
