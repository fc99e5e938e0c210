/**
 * Texts as windows of ids. What is trained on and what is measured on never meet: the end of every text is kept apart
 * before it is tokenised.
 * @module
 */
import { xxh32 } from '../../../bytes/xxh32.ts';
import { DistillError, OptionError } from '../../../errors.ts';
import { MAX_TEXT_CHARS } from '../../../limits.ts';
import { Rng } from '../../../sample/rng.ts';
import type { Tokenizer } from '../../../tokenizer/tokenizer.ts';
import type { DataState } from '../../checkpoint.ts';

/** How documents are told apart: by `<|endoftext|>`, by single line feeds (see `lineDocuments`), or not at all. */
export type DocumentRule = 'marker' | 'line' | 'whole';

/** Which token ends a document: the bos of the next one, or an eos of its own. */
export type DocumentEndRule = 'bos' | 'eos';

const MARKER = '<|endoftext|>';

/** Characters that are tokenised at a time: an eighth of what the tokenizer takes at most, for a bounded use of memory. */
const PART_CHARS = MAX_TEXT_CHARS / 8;

/** A text in two parts, cut where a line begins. @param share of the characters that are kept for measuring, 0 … 0.9 */
export function splitHeldOut(text: string, share: number): { train: string; held: string } {
  if (share === 0) return { train: text, held: '' };
  const wanted = Math.floor(text.length * (1 - share));
  const line = text.indexOf('\n', wanted);
  const cut = line < 0 || line - wanted > text.length * 0.01 ? wanted : line + 1;
  return { train: text.slice(0, cut), held: text.slice(cut) };
}

/** The documents of a text, without empty ones. */
export function documents(text: string, rule: DocumentRule): string[] {
  const parts = rule === 'marker' ? text.split(MARKER) : rule === 'line' ? lineDocuments(text) : [text];
  const trimmed = rule === 'whole' ? parts : parts.map((part) => part.trim());
  return trimmed.filter((part) => part.trim() !== '');
}

/**
 * Documents between single line feeds. Where a text has blank lines between paragraphs, neighbours without any are paragraphs
 * of one document that was written with single line feeds.
 */
function lineDocuments(text: string): string[] {
  const parts = text.split(/(?<!\n)\n(?!\n)/);
  if (!text.includes('\n\n')) return parts;
  const joined: string[] = [];
  let open = false;
  for (const part of parts) {
    const single = !part.includes('\n\n');
    if (open && single) joined.push(`${joined.pop()}\n${part}`);
    else joined.push(part);
    open = single;
  }
  return joined;
}

/** The rule of a text that comes without one. */
export function documentRule(text: string): DocumentRule {
  return text.includes(MARKER) ? 'marker' : 'whole';
}

/**
 * The id that ends documents, undefined where the next one begins without any.
 * @throws {OptionError} `OPTION` for `eos` where the vocabulary has none
 */
export function documentEnd({ addBos, specials }: Tokenizer, rule: DocumentEndRule = 'bos'): number | undefined {
  if (rule === 'bos') return addBos ? specials.bos : undefined;
  if (specials.eos !== undefined) return specials.eos;
  throw new OptionError('OPTION', 'documents cannot end with eos: the teacher names none; use bos');
}

/** One stream of ids: every document begins with bos, where the tokenizer adds one, and ends with `eos`, where that is given. */
export function encodeDocuments(tokenizer: Tokenizer, texts: readonly string[], eos?: number): Int32Array {
  const { bos } = tokenizer.specials;
  const parts: number[][] = [];
  for (const text of texts) {
    if (tokenizer.addBos && bos !== undefined) parts.push([bos]);
    for (let at = 0; at < text.length;) {
      const end = partEnd(text, at);
      parts.push(tokenizer.encode(text.slice(at, end)));
      at = end;
    }
    if (eos !== undefined) parts.push([eos]);
  }
  return concatenated(parts);
}

/** Where a part that begins at `at` ends: behind a line feed, so that no word is cut, unless there is none. */
function partEnd(text: string, at: number): number {
  if (text.length - at <= PART_CHARS) return text.length;
  const line = text.lastIndexOf('\n', at + PART_CHARS);
  return line > at ? line + 1 : at + PART_CHARS;
}

/** Streams one after the other. */
export function concatenated(parts: readonly ArrayLike<number>[]): Int32Array {
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A stream with its checksum. */
export function digestOf(ids: Int32Array): number {
  return xxh32(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
}

/**
 * Windows of a stream in a seeded order: every epoch begins at another offset and takes each window once.
 *
 * In a stream of several documents bos says that one begins here, so that windows amid a document begin with their own id, and
 * an epoch takes windows that begin with a document besides: how the model is used. In a stream of one document the first id of
 * a window gives way to bos; it is read and never to be said.
 * @example
 * const windows = new Windows(ids, 256, 1, bos);
 * windows.take(8); // 8 rows of 257 ids
 */
export class Windows {
  readonly length: number;
  readonly #ids: Int32Array;
  readonly #digest: number;
  readonly #bos: number | undefined;
  /** Where windows begin that begin with a document. */
  readonly #starts: readonly number[];
  readonly #rng: Rng;
  #epoch = 0;
  #taken = 0;
  #generator: DataState['generator'];
  #offset = 0;
  #order: Uint32Array = new Uint32Array(0);

  /**
   * @param length ids that are read; a window has one more
   * @throws {OptionError} `OPTION` for a stream that is shorter than two windows
   */
  constructor(ids: Int32Array, length: number, seed: number, bos?: number) {
    if (ids.length < 2 * length + 1) {
      throw new OptionError(
        'OPTION',
        `the text has ${ids.length} tokens, at least ${2 * length + 1} are needed for windows of ${length}; ` +
          'use a longer text or a smaller --seq',
      );
    }
    this.length = length;
    this.#ids = ids;
    this.#digest = digestOf(ids);
    this.#starts = documentStarts(ids, length, bos);
    this.#bos = this.#starts.length > 0 ? undefined : bos;
    this.#rng = new Rng(seed);
    this.#generator = this.#rng.state();
    this.#shuffle();
  }

  /** Windows of one epoch. */
  get perEpoch(): number {
    return this.#order.length;
  }

  /** The next rows, one after the other: count × (length + 1). */
  take(count: number): Int32Array {
    const row = this.length + 1;
    const rows = new Int32Array(count * row);
    for (let i = 0; i < count; i++) {
      if (this.#taken === this.#order.length) {
        this.#epoch++;
        this.#taken = 0;
        this.#generator = this.#rng.state();
        this.#shuffle();
      }
      const at = this.#at(this.#order[this.#taken++]);
      rows.set(this.#ids.subarray(at, at + row), i * row);
      if (this.#bos !== undefined) rows[i * row] = this.#bos;
    }
    return rows;
  }

  state(): DataState {
    return {
      epoch: this.#epoch,
      taken: this.#taken,
      generator: this.#generator,
      digest: this.#digest,
      length: this.length,
    };
  }

  /** @throws {DistillError} `CHECKPOINT` for the state of another text or another length of windows */
  restore({ epoch, taken, generator, digest, length = this.length }: DataState): void {
    if (digest !== this.#digest) {
      throw new DistillError(
        'CHECKPOINT',
        'the run was begun with another text; give it the same --data and --generate',
      );
    }
    if (length !== this.length) {
      throw new DistillError('CHECKPOINT', `the run was begun with windows of ${length}; give it the same --seq`);
    }
    this.#rng.restore(generator);
    this.#generator = generator;
    this.#shuffle();
    if (!Number.isInteger(taken) || taken < 0 || taken > this.#order.length) {
      throw new DistillError(
        'CHECKPOINT',
        `the run is at window ${taken} of ${this.#order.length}`,
      );
    }
    this.#epoch = epoch;
    this.#taken = taken;
  }

  /** Where a window begins: those that begin with a document come first. */
  #at(window: number): number {
    const { length } = this.#starts;
    return window < length ? this.#starts[window] : this.#offset + (window - length) * this.length;
  }

  #shuffle(): void {
    const { length } = this;
    this.#offset = this.#rng.next() % length;
    const count = this.#starts.length + Math.floor((this.#ids.length - 1 - this.#offset) / length);
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(this.#rng.uniform() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    this.#order = order;
  }
}

/** Begins of documents with room for a window that overlaps no other of these; none in a stream of one document. */
function documentStarts(ids: Int32Array, length: number, bos: number | undefined): number[] {
  if (bos === undefined || ids.indexOf(bos, 1) < 0) return [];
  const starts: number[] = [];
  for (let at = ids.indexOf(bos); at >= 0 && at + length < ids.length;) {
    starts.push(at);
    at = ids.indexOf(bos, at + length);
  }
  return starts;
}

/** The first windows of a stream, in order, for measuring; none overlaps another. They begin as those of `Windows` do. */
export function fixedWindows(ids: Int32Array, length: number, most: number, bos?: number): Int32Array[] {
  const count = Math.min(most, Math.floor((ids.length - 1) / length));
  const single = bos !== undefined && ids.indexOf(bos, 1) < 0;
  return Array.from({ length: count }, (_, i) => {
    const row = ids.slice(i * length, i * length + length + 1);
    if (single) row[0] = bos;
    return row;
  });
}
