/**
 * Words → ids by merging, with what happens to characters that are no pieces.
 * @module
 */
import { type MergeRules, mergeSymbols } from './bpe.ts';
import { bytePieces, CONTROL, UNKNOWN, type Vocabulary } from './vocabulary.ts';

const UNSEEN = -2;

/** A BPE over the characters of a word. */
export class WordMerger {
  /** Pieces that plain text may become: all but control and unknown ones. */
  readonly ids: ReadonlyMap<string, number>;
  readonly #vocabulary: Vocabulary;
  readonly #rules: MergeRules;
  readonly #unknown: number | undefined;
  readonly #bytes: Int32Array;
  readonly #units: Int32Array = new Int32Array(0x10000).fill(UNSEEN);
  #symbols: Int32Array = new Int32Array(64);
  readonly #fuse: boolean;

  /**
   * @param unknown the piece for characters that are neither pieces nor bytes; undefined: they are left out
   * @param fuse one unknown piece for a run of unknown characters, as in SentencePiece
   */
  constructor(
    vocabulary: Vocabulary,
    ids: ReadonlyMap<string, number>,
    rules: MergeRules,
    unknown: number | undefined,
    fuse: boolean = true,
  ) {
    this.#fuse = fuse;
    this.#vocabulary = vocabulary;
    this.ids = ids;
    this.#rules = rules;
    this.#unknown = unknown;
    this.#bytes = bytePieces(vocabulary);
  }

  /** Appends the ids of one word. */
  encode(word: string, out: number[]): void {
    if (this.#symbols.length < word.length) {
      this.#symbols = new Int32Array(Math.max(word.length, 2 * this.#symbols.length));
    }
    const symbols = this.#symbols;
    let count = 0;
    for (let i = 0; i < word.length; i++) {
      const unit = word.charCodeAt(i);
      if (unit >= 0xd800 && unit < 0xdc00) {
        const pair = word.slice(i, i + 2);
        symbols[count++] = this.ids.get(pair) ?? this.#vocabulary.pieces.length + (pair.codePointAt(0) as number);
        i++;
      } else {
        const known = this.#units[unit];
        symbols[count++] = known !== UNSEEN ? known : this.#seeUnit(unit);
      }
    }
    count = mergeSymbols(symbols, count, this.#rules);
    for (let i = 0; i < count; i++) {
      if (symbols[i] < this.#vocabulary.pieces.length) out.push(symbols[i]);
      else spell(symbols[i] - this.#vocabulary.pieces.length, this.#bytes, this.#unknown, this.#fuse, out);
    }
    // A long text must not keep its memory for the life of the tokenizer.
    if (this.#symbols.length > 0x10000) this.#symbols = new Int32Array(64);
  }

  #seeUnit(unit: number): number {
    const symbol = this.ids.get(String.fromCharCode(unit)) ?? this.#vocabulary.pieces.length + unit;
    this.#units[unit] = symbol;
    return symbol;
  }
}

/** Appends a code point that is no piece: as its bytes where all have pieces, else as unknown. */
export function spell(
  point: number,
  bytes: Int32Array,
  unknown: number | undefined,
  fuse: boolean,
  out: number[],
): void {
  const length = out.length;
  const tail = (shift: number): number => bytes[0x80 | ((point >> shift) & 0x3f)];
  if (point < 0x80) out.push(bytes[point]);
  else if (point < 0x800) out.push(bytes[0xc0 | (point >> 6)], tail(0));
  else if (point < 0x10000) out.push(bytes[0xe0 | (point >> 12)], tail(6), tail(0));
  else out.push(bytes[0xf0 | (point >> 18)], tail(12), tail(6), tail(0));
  for (let i = length; i < out.length; i++) {
    if (out[i] !== -1) continue;
    out.length = length;
    if (unknown !== undefined && !(fuse && out[length - 1] === unknown)) out.push(unknown);
    return;
  }
}

/** The pieces that plain text may become. Control pieces never come of merging, whatever a text spells. */
export function textPieces(
  vocabulary: Vocabulary,
  without: readonly number[] = [CONTROL, UNKNOWN],
): Map<string, number> {
  const ids = new Map<string, number>();
  vocabulary.pieces.forEach((piece, id) => {
    if (piece !== '' && !without.includes(vocabulary.types[id])) ids.set(piece, id);
  });
  return ids;
}
