/**
 * WordPiece (BERT): clean and split a text into words and marks, then take the longest piece from the left.
 * @module
 */
import { Trie } from './pairs.ts';
import { isNonspacing, isOther, isSpace, lowercase, normalForm, without } from './unicode.ts';
import { CONTROL, refuse, UNKNOWN, type Vocabulary } from './vocabulary.ts';
import type { Family } from './vocabulary-tokenizer.ts';

/** Longer words are unknown, as in the original. */
const MAX_WORD_CHARS = 100;
const MARK = '\u2581';

/** What happens to a text before it is cut into words. */
export interface BertCleaning {
  readonly cleanText: boolean;
  readonly handleChinese: boolean;
  readonly stripAccents: boolean;
  readonly lowercase: boolean;
}

/** Uncased BERT. */
export const UNCASED: BertCleaning = { cleanText: true, handleChinese: true, stripAccents: true, lowercase: true };

/** The text without control characters, with single characters of Chinese apart, lower-cased and without accents. */
export function cleanBert(text: string, how: BertCleaning): string {
  let clean = text;
  if (how.cleanText && NOT_PRINTABLE.test(clean)) {
    let kept = '';
    for (const character of clean) {
      const point = character.codePointAt(0) as number;
      if (point === 9 || point === 10 || point === 13) kept += ' ';
      else if (!isOther(point)) kept += isSpace(point) ? ' ' : character;
    }
    clean = kept;
  }
  if (how.handleChinese) clean = clean.replace(CHINESE, ' $& ');
  if (how.stripAccents) clean = without(normalForm(clean, 'NFD'), isNonspacing);
  return how.lowercase ? lowercase(clean) : clean;
}

const NOT_PRINTABLE = /[^ -~]/;
/** Ideographs that BERT takes apart. */
const CHINESE =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;
const WORDS = /[!-/:-@[-`{-~\p{P}]|[^\p{White_Space}!-/:-@[-`{-~\p{P}]+/gu;

/** WordPiece over pieces in either spelling: `##ing` for what continues a word, or `▁the` for what begins one. */
export class WordPieceFamily implements Family {
  readonly kind = 'wordpiece';
  readonly leadingSpace = 'drop one';
  readonly #vocabulary: Vocabulary;
  readonly #unknown: number;
  readonly #clean: (text: string) => string;
  readonly #words: (text: string) => Iterable<string>;
  readonly #longestWord: number;
  readonly #begin: Trie;
  readonly #continue: Trie;
  readonly #marked: boolean;
  readonly #prefix: string;

  constructor(
    vocabulary: Vocabulary,
    unknown: number | undefined,
    clean: (text: string) => string,
    options: { words?: (text: string) => Iterable<string>; longestWord?: number; prefix?: string } = {},
  ) {
    this.#vocabulary = vocabulary;
    if (unknown === undefined) refuse(vocabulary.name, 'a WordPiece vocabulary needs an unknown piece, [UNK]');
    this.#unknown = unknown;
    this.#clean = clean;
    this.#words = options.words ?? ((text) => text.match(WORDS) ?? []);
    this.#longestWord = options.longestWord ?? MAX_WORD_CHARS;
    const prefix = options.prefix ?? '##';
    this.#prefix = prefix;
    const plain = vocabulary.pieces
      .map((piece, id): [string, number] => [piece, id])
      .filter(([piece, id]) => piece !== '' && vocabulary.types[id] !== CONTROL && vocabulary.types[id] !== UNKNOWN);
    this.#marked = !plain.some(([piece]) => piece.startsWith(prefix)) &&
      plain.some(([piece]) => piece.startsWith(MARK));
    const begins = (piece: string): boolean => (this.#marked ? piece.startsWith(MARK) : !piece.startsWith(prefix));
    const bare = ([piece, id]: [string, number]): [string, number] => [this.#bare(piece), id];
    this.#begin = new Trie(plain.filter(([piece]) => begins(piece)).map(bare), plain.length * 4);
    this.#continue = new Trie(plain.filter(([piece]) => !begins(piece)).map(bare), plain.length * 4);
  }

  encodeRun(text: string, out: number[]): void {
    for (const word of this.#words(this.#clean(text))) {
      const before = out.length;
      let whole = word.length <= 2 * this.#longestWord && [...word].length <= this.#longestWord;
      for (let at = 0; whole && at < word.length;) {
        const found = (at === 0 ? this.#begin : this.#continue).longest(word, at);
        if (found !== null) out.push(found[0]);
        whole = found !== null;
        at += found?.[1] ?? 0;
      }
      if (whole) continue;
      out.length = before;
      out.push(this.#unknown);
    }
  }

  bytes(id: number): Uint8Array {
    const piece = this.#vocabulary.pieces[id];
    const continues = this.#vocabulary.types[id] !== UNKNOWN &&
      (this.#marked ? !piece.startsWith(MARK) : piece.startsWith(this.#prefix));
    return new TextEncoder().encode((continues ? '' : ' ') + this.#bare(piece));
  }

  #bare(piece: string): string {
    if (this.#marked) return piece.startsWith(MARK) ? piece.slice(MARK.length) : piece;
    return piece.startsWith(this.#prefix) ? piece.slice(this.#prefix.length) : piece;
  }
}
