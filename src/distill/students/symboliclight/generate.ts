/**
 * More text to learn from, written by the teacher itself: documents drawn from bos on, each once, and each to its end: one that
 * was cut off would teach an end where there is none. They are kept on the disk under a name made of all that they depend on,
 * and go on where they were left.
 * @module
 */
import { xxh32 } from '../../../bytes/xxh32.ts';
import { DistillError, OptionError } from '../../../errors.ts';
import { concatenated } from './data.ts';
import type { RunFolder } from '../../folder.ts';
import { teacherDigest, type TeacherModel } from './teacher.ts';

export interface GenerateTextOptions {
  /** Tokens wanted, bos included; the last document may go beyond. */
  readonly tokens: number;
  readonly temperature: number;
  /** Most tokens of a document; one that has not ended by then is left out. */
  readonly length: number;
  /** Put at the end of each document, for students whose documents end with a token of their own. */
  readonly eos?: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (
    progress: { readonly tokens: number; readonly wanted: number; readonly documents: number },
  ) => void;
}

/** Bytes before the ids of a file: `TSID`, how many documents were tried, how many ids follow, checksum of the ids. */
const HEADER_BYTES = 16;
/** Of what files hold; 1 had documents that were cut off. */
const LAYOUT = 2;
const MAGIC = 0x44495354;

/** Tokens between two savings: some tens of seconds of a small teacher. */
const SAVE_EVERY = 100_000;

/** Documents one after the other that may be repetitions or without an end before the teacher is given up. */
const MOST_USELESS = 1000;

/**
 * A stream of documents of at least `tokens` ids.
 * @throws {OptionError} `OPTION` for a teacher whose vocabulary has no bos to begin with
 * @throws {DistillError} `DISTILL` for a teacher that only repeats itself or never ends; the signal's reason, with all so far kept
 */
export async function generateText(
  model: TeacherModel,
  folder: RunFolder,
  options: GenerateTextOptions,
): Promise<Int32Array> {
  const { tokens, temperature, length, eos, seed, signal, onProgress } = options;
  const { specials } = model.tokenizer;
  const { bos } = specials;
  if (bos === undefined) throw new OptionError('OPTION', 'generate needs a teacher whose vocabulary has a bos token');
  const ends = new Set([bos, ...specials.stop]);
  const name = `generated-${await nameOf(model, options)}.ids`;
  const kept = read(await folder.read(name));
  const all = split(kept.ids, bos);
  const known = new Set(all.map((ids) => key(ids)));
  let { tried } = kept;
  let count = kept.ids.length;
  let saved = count;
  let useless = 0;
  try {
    while (count < tokens) {
      signal?.throwIfAborted();
      const draw = { maxTokens: length, temperature, topK: 0, topP: 1, seed: seed + tried, signal };
      const ids = [bos];
      let ended = false;
      for await (const { id, finishReason } of model.generate([bos], draw)) {
        ended = id === null ? finishReason === 'stop' : ends.has(id);
        if (id === null || ended) break;
        ids.push(id);
      }
      tried++;
      const own = key(ids);
      useless = !ended || known.has(own) || ids.length === 1 ? useless + 1 : 0;
      if (useless === MOST_USELESS) {
        const why = ended
          ? 'only repeats itself; use a higher temperature'
          : `then none that ends within ${length} tokens`;
        throw new DistillError('DISTILL', `the teacher wrote ${all.length} documents and ${why}`);
      }
      if (useless > 0) continue;
      known.add(own);
      all.push(Int32Array.from(ids));
      count += ids.length;
      onProgress?.({ tokens: count, wanted: tokens, documents: all.length });
      if (count - saved < SAVE_EVERY) continue;
      await save(folder, name, tried, all);
      saved = count;
    }
  } finally {
    if (count > saved) await save(folder, name, tried, all);
  }
  return enough(all, tokens, eos);
}

/** As many whole documents as are needed, so that a longer file gives the same stream as a shorter one. */
function enough(all: readonly Int32Array[], tokens: number, eos: number | undefined): Int32Array {
  let count = 0;
  const parts: ArrayLike<number>[] = [];
  for (let n = 0; count < tokens; count += all[n++].length) {
    parts.push(all[n]);
    if (eos !== undefined) parts.push([eos]);
  }
  return concatenated(parts);
}

async function nameOf(model: TeacherModel, { temperature, length, seed }: GenerateTextOptions): Promise<string> {
  const text = JSON.stringify([await teacherDigest(model), temperature, length, seed, LAYOUT]);
  return xxh32(new TextEncoder().encode(text)).toString(16).padStart(8, '0');
}

/** Ids as a key: 16 bits each do for a vocabulary of 65,536, two characters for more. */
function key(ids: ArrayLike<number>): string {
  let text = '';
  for (let i = 0; i < ids.length; i++) text += String.fromCharCode(ids[i] & 0xffff, ids[i] >>> 16);
  return text;
}

function split(ids: Int32Array, bos: number): Int32Array[] {
  const starts = [...ids.keys()].filter((i) => ids[i] === bos);
  return starts.map((start, i) => ids.slice(start, starts[i + 1] ?? ids.length));
}

function save(folder: RunFolder, name: string, tried: number, all: readonly Int32Array[]): Promise<void> {
  const ids = concatenated(all);
  const bytes = new Uint8Array(ids.buffer);
  const header = new Uint32Array([MAGIC, tried, ids.length, xxh32(bytes)]);
  return folder.replace(name, [new Uint8Array(header.buffer), bytes]);
}

/** What a file holds; nothing where it is absent, cut or altered, and is then written anew. */
function read(bytes: Uint8Array | null): { tried: number; ids: Int32Array } {
  const nothing = { tried: 0, ids: new Int32Array(0) };
  if (bytes === null || bytes.length < HEADER_BYTES) return nothing;
  const copy = bytes.slice();
  const [magic, tried, count, sum] = new Uint32Array(copy.buffer, 0, 4);
  const body = copy.subarray(HEADER_BYTES);
  if (magic !== MAGIC || body.length !== 4 * count || xxh32(body) !== sum) return nothing;
  return { tried, ids: new Int32Array(copy.buffer, HEADER_BYTES, count) };
}
