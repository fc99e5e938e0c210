/**
 * SentencePiece vocabularies: BPE by scores and unigram, with the white-space rules of SentencePiece or of ggml.
 * @module
 */
import { PieceMerges } from './bpe.ts';
import type { Charsmap } from './charsmap.ts';
import { Trie } from './pairs.ts';
import {
  BYTE,
  byteOf,
  bytePieces,
  CONTROL,
  NORMAL,
  refuse,
  UNKNOWN,
  UNUSED,
  USER_DEFINED,
  type Vocabulary,
} from './vocabulary.ts';
import type { Family } from './vocabulary-tokenizer.ts';
import { spell, textPieces, WordMerger } from './words.ts';

/** The metadata key that says: white space and user-defined pieces are treated as SentencePiece does. */
export const SENTENCEPIECE_KEY = 'ternspike.tokenizer.sentencepiece';

const MARK = '\u2581';
const UNKNOWN_TEXT = ' \u2047 ';

/** How a SentencePiece vocabulary treats text. */
export interface SpmOptions {
  readonly scores: ArrayLike<number>;
  readonly unknown: number | undefined;
  readonly algorithm: 'bpe' | 'unigram';
  readonly charsmap: Charsmap | null;
  readonly addSpacePrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  /** User-defined pieces are found in the normalised text, and only the text's beginning gets a space (SentencePiece);
   *  else they cut the text first, and every run after one gets a space (ggml). */
  readonly asSentencePiece: boolean;
}

/** SentencePiece: normalise, mark spaces, cut out user-defined pieces, merge. */
export class SpmFamily implements Family {
  readonly kind = 'spm';
  readonly leadingSpace: Family['leadingSpace'];
  readonly ownsUserDefined: boolean;
  readonly #vocabulary: Vocabulary;
  readonly #options: SpmOptions;
  readonly #user: Trie;
  readonly #encode: (text: string, out: number[]) => void;

  constructor(vocabulary: Vocabulary, options: SpmOptions) {
    this.#vocabulary = vocabulary;
    this.#options = options;
    this.ownsUserDefined = options.asSentencePiece;
    this.leadingSpace = options.removeExtraWhitespaces ? 'drop all' : options.addSpacePrefix ? 'drop one' : 'keep';
    const user = vocabulary.pieces.map((piece, id): [string, number] => [piece, id]);
    this.#user = new Trie(
      options.asSentencePiece ? user.filter(([, id]) => vocabulary.types[id] === USER_DEFINED) : [],
    );
    checkScores(vocabulary, options.scores);
    this.#encode = options.algorithm === 'bpe'
      ? mergeByScore(vocabulary, options)
      : segmenter(vocabulary, options.scores, options.unknown);
  }

  encodeRun(text: string, out: number[], first: boolean, start: boolean): void {
    const { addSpacePrefix, asSentencePiece } = this.#options;
    const normal = this.#normalise(text, addSpacePrefix && (asSentencePiece ? start : first));
    if (this.#user.empty) {
      this.#encode(normal, out);
      return;
    }
    let from = 0;
    for (let at = 0; at < normal.length;) {
      const found = this.#user.longest(normal, at);
      if (found === null) {
        at++;
        continue;
      }
      if (at > from) this.#encode(normal.slice(from, at), out);
      out.push(found[0]);
      at += found[1];
      from = at;
    }
    if (from < normal.length) this.#encode(normal.slice(from), out);
  }

  bytes(id: number): Uint8Array {
    const piece = this.#vocabulary.pieces[id];
    const type = this.#vocabulary.types[id];
    if (type === BYTE) return Uint8Array.of(byteOf(piece));
    return new TextEncoder().encode(type === UNKNOWN ? UNKNOWN_TEXT : piece.replaceAll(MARK, ' '));
  }

  /** The text with characters mapped, spaces marked, and, where the vocabulary wants it, extra ones removed. */
  #normalise(text: string, prefix: boolean): string {
    const { charsmap, removeExtraWhitespaces } = this.#options;
    let mapped = charsmap === null ? text : charsmap.normalise(text, this.#user);
    if (removeExtraWhitespaces) mapped = mapped.replace(/ {2,}/g, ' ').replace(/^ | $/g, '');
    return mapped === '' ? '' : (prefix ? MARK : '') + mapped.replaceAll(' ', MARK);
  }
}

function checkScores(vocabulary: Vocabulary, scores: ArrayLike<number>): void {
  const { name, pieces } = vocabulary;
  if (scores.length !== pieces.length) {
    refuse(name, `${scores.length} scores for ${pieces.length} pieces; there must be one for each`);
  }
  for (let id = 0; id < scores.length; id++) {
    if (!Number.isFinite(scores[id])) {
      refuse(name, `piece ${id} has the score ${scores[id]}; scores are finite numbers`);
    }
  }
}

/** BPE: of the neighbours that together are a piece, those whose piece scores highest are merged first. */
function mergeByScore(vocabulary: Vocabulary, options: SpmOptions): (text: string, out: number[]) => void {
  const { pieces } = vocabulary;
  const scores = Float32Array.from(options.scores);
  const ids = textPieces(vocabulary, [CONTROL, UNKNOWN, BYTE, UNUSED]);
  const descending = Uint32Array.from(pieces, (_, id) => id).sort((a, b) => scores[b] - scores[a]);
  const rank = new Int32Array(pieces.length);
  for (let i = 1; i < descending.length; i++) {
    const equal = scores[descending[i]] === scores[descending[i - 1]];
    rank[descending[i]] = rank[descending[i - 1]] + (equal ? 0 : 1);
  }
  const merger = new WordMerger(vocabulary, ids, new PieceMerges(pieces, ids, rank), options.unknown);
  // Where no piece has a mark after another character, no merge crosses the beginning of a word.
  const crosses = pieces.some((piece, id) => vocabulary.types[id] === NORMAL && /[^\u2581]\u2581/.test(piece));
  if (crosses) return (text, out) => merger.encode(text, out);
  return (text, out) => {
    for (let from = 0; from < text.length;) {
      let end = from;
      while (end < text.length && text[end] === MARK) end++;
      while (end < text.length && text[end] !== MARK) end++;
      merger.encode(text.slice(from, end), out);
      from = end;
    }
  };
}

/** What an unknown character costs beside the rarest piece, as in SentencePiece. */
const UNKNOWN_PENALTY = 10;

/** Unigram: a function that finds the segmentation with the greatest sum of scores, in 32-bit floats as SentencePiece. */
export function segmenter(
  vocabulary: Vocabulary,
  given: ArrayLike<number>,
  unknown: number | undefined,
): (text: string, out: number[]) => void {
  const scores = Float32Array.from(given);
  const ids = textPieces(vocabulary, [CONTROL, UNKNOWN, BYTE, UNUSED]);
  const trie = new Trie(ids, vocabulary.pieces.length * 4);
  const bytes = bytePieces(vocabulary);
  let lowest = Infinity;
  let highest = -Infinity;
  vocabulary.pieces.forEach((_, id) => {
    if (vocabulary.types[id] !== NORMAL) return;
    lowest = Math.min(lowest, scores[id]);
    highest = Math.max(highest, scores[id]);
  });
  if (lowest === Infinity) lowest = highest = 0;
  return (text, out) => {
    const best = new Float32Array(text.length + 1);
    const from = new Int32Array(text.length + 1).fill(-1);
    const piece = new Int32Array(text.length + 1).fill(-1);
    const offer = (start: number, end: number, id: number, score: number): void => {
      const sum = Math.fround(best[start] + score);
      if (from[end] !== -1 && sum <= best[end]) return;
      best[end] = sum;
      from[end] = start;
      piece[end] = id;
    };
    for (let start = 0; start < text.length;) {
      const width = (text.codePointAt(start) as number) > 0xffff ? 2 : 1;
      let single = false;
      for (let node = 0, end = start; end < text.length;) {
        node = trie.next(node, text.charCodeAt(end++));
        if (node === -1) break;
        const id = trie.id(node);
        if (id === -1) continue;
        const user = vocabulary.types[id] === USER_DEFINED;
        offer(start, end, id, user ? (end - start) * highest - 0.1 : scores[id]);
        single ||= end - start === width;
      }
      if (!single) offer(start, start + width, -1, lowest - UNKNOWN_PENALTY);
      start += width;
    }
    const path: number[] = [];
    for (let end = text.length; end > 0; end = from[end]) path.push(end);
    for (const end of path.reverse()) {
      if (piece[end] !== -1) out.push(piece[end]);
      else spell(text.codePointAt(from[end]) as number, bytes, unknown, true, out);
    }
  };
}
