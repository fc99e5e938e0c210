/**
 * The BPE of a tokenizer.json: its merges, and how characters without a piece begin.
 * @module
 */
import { MAX_MERGES } from '../../limits.ts';
import { type MergeRules, mergeSymbols } from '../bpe.ts';
import { PairTable } from '../pairs.ts';
import { refuse } from '../vocabulary.ts';
import { missing, type Model, type WordEncoder } from './model.ts';
import { flag, type Json, shown, words } from './steps.ts';
import type { ModelPieces } from './vocabulary.ts';

/** Merges as the file lists them; of a pair that is there twice the last one counts. */
class Merges implements MergeRules {
  readonly rank: Int32Array;
  readonly result: Int32Array;
  readonly #table: PairTable;

  constructor(list: readonly (readonly [number, number, number])[]) {
    this.rank = Int32Array.from(list, (_, i) => i);
    this.result = Int32Array.from(list, ([, , result]) => result);
    this.#table = new PairTable(list.length);
    for (let i = list.length - 1; i >= 0; i--) this.#table.add(list[i][0], list[i][1], i);
  }

  find(left: number, right: number): number {
    return this.#table.get(left, right);
  }
}

/** @throws {TokenizerError} `TOKENIZER` with the index of a merge that is malformed or names what is no piece */
function readMerges(model: Json, { name, ids }: ModelPieces, prefix: string): [number, number, number][] {
  if (!Array.isArray(model.merges)) return refuse(name, 'model.merges is missing');
  if (model.merges.length > MAX_MERGES) {
    refuse(name, `${model.merges.length} merges, at most ${MAX_MERGES} are accepted`);
  }
  const merges: [number, number, number][] = [];
  (model.merges as unknown[]).forEach((merge, i) => {
    if (typeof merge === 'string' && merge.startsWith('#version')) return;
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string' || typeof pair[1] !== 'string') {
      return refuse(name, `merge ${i} is not two pieces with a space between them`);
    }
    const [left, right] = pair as [string, string];
    const both = left + (right.startsWith(prefix) ? right.slice(prefix.length) : right);
    const [a, b, result] = [ids.get(left), ids.get(right), ids.get(both)];
    if (a === undefined || b === undefined || result === undefined) {
      const lacks = a === undefined ? left : b === undefined ? right : both;
      return refuse(name, `merge ${i} needs the piece "${lacks.slice(0, 40)}", which the vocabulary lacks`);
    }
    merges.push([a, b, result]);
  });
  return merges;
}

/** The model of a file. */
export function bpe(model: Json, pieces: ModelPieces): Model {
  const { name, ids } = pieces;
  const optional = (key: string): string => words(model, key, name, '');
  const unk = model.unk_token === undefined || model.unk_token === null ? undefined : words(model, 'unk_token', name);
  const [prefix, suffix] = [optional('continuing_subword_prefix'), optional('end_of_word_suffix')];
  const dropout = model.dropout ?? 0;
  if (typeof dropout !== 'number' || !(dropout >= 0 && dropout <= 1)) {
    refuse(name, `model.dropout is ${shown(dropout)}, expected a number from 0 to 1`);
  }
  const list = readMerges(model, pieces, prefix);
  const rules = new Merges(list);
  const seeds = new Seeds(pieces, {
    prefix,
    suffix,
    unk,
    fuse: flag(model, 'fuse_unk', false, name),
    byteFallback: flag(model, 'byte_fallback', false, name),
  });
  const whole = flag(model, 'ignore_merges', false, name);
  return {
    kind: 'bpe',
    pieces,
    unknown: unk === undefined ? undefined : ids.get(unk),
    notices: dropout === 0 ? [] : [
      `model.dropout ${dropout} is for training: merges are not left out at random, so that a text always has the same ids`,
    ],
    encoder: (isSpecial) => {
      const safeRules = list.some(([, , result]) => isSpecial(result)) ? without(rules, isSpecial) : rules;
      const encode: WordEncoder = (word, out, safe) => {
        if (whole) {
          const id = ids.get(word);
          if (id !== undefined && !(safe && isSpecial(id))) {
            out.push(id);
            return;
          }
        }
        const symbols = seeds.of(word, safe ? isSpecial : undefined);
        const left = mergeSymbols(symbols, seeds.count, safe ? safeRules : rules);
        for (let i = 0; i < left; i++) out.push(symbols[i]);
      };
      return encode;
    },
  };
}

/** The same rules but for those that make a special token. */
function without(rules: Merges, isSpecial: (id: number) => boolean): MergeRules {
  const { rank, result } = rules;
  return {
    rank,
    result,
    find: (left, right) => {
      const merge = rules.find(left, right);
      return merge !== -1 && isSpecial(result[merge]) ? -1 : merge;
    },
  };
}

interface SeedOptions {
  readonly prefix: string;
  readonly suffix: string;
  readonly unk: string | undefined;
  readonly fuse: boolean;
  readonly byteFallback: boolean;
}

const UNSEEN = -2;
const NONE = -1;

/** The symbols that a word has before merging. */
class Seeds {
  count = 0;
  readonly #pieces: ModelPieces;
  readonly #options: SeedOptions;
  readonly #bare: boolean;
  readonly #units: Int32Array = new Int32Array(0x10000).fill(UNSEEN);
  readonly #bytes: readonly (number | undefined)[];
  #symbols: Int32Array = new Int32Array(256);
  #waiting = false;

  constructor(pieces: ModelPieces, options: SeedOptions) {
    this.#pieces = pieces;
    this.#options = options;
    this.#bare = options.prefix === '' && options.suffix === '';
    this.#bytes = Array.from({ length: 256 }, (_, byte) => pieces.ids.get(bytePiece(byte)));
  }

  /** The symbols, `count` of them. @param hidden ids that no text has */
  of(word: string, hidden: ((id: number) => boolean) | undefined): Int32Array {
    // a long word must not keep its memory for the life of the tokenizer
    if (this.#symbols.length > 0x10000) this.#symbols = new Int32Array(256);
    this.count = 0;
    this.#waiting = false;
    const { prefix, suffix } = this.#options;
    for (let at = 0; at < word.length;) {
      const unit = word.charCodeAt(at);
      const next = at + (unit >= 0xd800 && unit < 0xdc00 ? 2 : 1);
      if (this.#bare && next === at + 1) {
        const id = this.#units[unit] === UNSEEN ? this.#see(unit) : this.#units[unit];
        if (id !== NONE && !hidden?.(id)) this.#known(id);
        else this.#strange(String.fromCharCode(unit));
      } else {
        const text = (at > 0 ? prefix : '') + word.slice(at, next) + (next === word.length ? suffix : '');
        const id = this.#pieces.ids.get(text);
        if (id !== undefined && !hidden?.(id)) this.#known(id);
        else this.#strange(text);
      }
      at = next;
    }
    this.#settle();
    return this.#symbols;
  }

  #see(unit: number): number {
    return (this.#units[unit] = this.#pieces.ids.get(String.fromCharCode(unit)) ?? NONE);
  }

  #known(id: number): void {
    this.#settle();
    this.#add(id);
  }

  /** What has no piece: its bytes if all have one, else unknown. As in the original, an unknown piece waits, also for bytes. */
  #strange(text: string): void {
    const { unk, fuse, byteFallback } = this.#options;
    if (byteFallback) {
      const ids = Array.from(new TextEncoder().encode(text), (byte) => this.#bytes[byte]);
      if (ids.every((id) => id !== undefined)) {
        for (const id of ids) this.#add(id as number);
        return;
      }
    }
    if (unk === undefined) return;
    if (!this.#pieces.ids.has(unk)) missing(this.#pieces.name, unk);
    if (this.#waiting && !fuse) this.#settle();
    this.#waiting = true;
  }

  #settle(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#add(this.#pieces.ids.get(this.#options.unk as string) as number);
  }

  #add(id: number): void {
    if (this.count === this.#symbols.length) {
      const grown = new Int32Array(2 * this.count);
      grown.set(this.#symbols);
      this.#symbols = grown;
    }
    this.#symbols[this.count++] = id;
  }
}

/** How the piece of a byte is written. */
export function bytePiece(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}
