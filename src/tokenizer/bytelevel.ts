/**
 * Byte-level BPE (GPT-2, Llama 3, Qwen, Falcon …): pieces are spelled in an alphabet of 256 visible characters, one for
 * each byte, so that any text is a run of known symbols.
 * @module
 */
import { MAX_MERGES } from '../limits.ts';
import { ListedMerges, type MergeRules } from './bpe.ts';
import { splitter } from './pretokenize.ts';
import { NORMAL, refuse, USER_DEFINED, type Vocabulary } from './vocabulary.ts';
import type { Family } from './vocabulary-tokenizer.ts';
import { textPieces, WordMerger } from './words.ts';

/** The character that stands for each byte. */
export const BYTE_CHARACTERS: readonly string[] = alphabet();
const CHARACTER_BYTES: ReadonlyMap<string, number> = new Map(
  BYTE_CHARACTERS.map((character, byte) => [character, byte]),
);

function alphabet(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const visible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(visible ? byte : next++);
  });
}

/** The bytes that a piece in the byte alphabet stands for; characters outside of it stand for themselves. */
export function spelledBytes(piece: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of piece) {
    const byte = CHARACTER_BYTES.get(character);
    if (byte !== undefined) bytes.push(byte);
    else bytes.push(...new TextEncoder().encode(character));
  }
  return Uint8Array.from(bytes);
}

/** The bytes of a piece all of whose characters are of the byte alphabet; of any other its own. */
export function characterBytes(piece: string): Uint8Array {
  const bytes = new Uint8Array(piece.length);
  for (let i = 0; i < piece.length; i++) {
    const byte = CHARACTER_BYTES.get(piece[i]);
    if (byte === undefined) return new TextEncoder().encode(piece);
    bytes[i] = byte;
  }
  return bytes;
}

/** A text, or any bytes, spelled in the byte alphabet. */
export function spellBytes(bytes: Uint8Array): string {
  let spelled = '';
  for (let i = 0; i < bytes.length; i++) spelled += BYTE_CHARACTERS[bytes[i]];
  return spelled;
}

/** Byte-level BPE with a list of words' patterns. */
export class ByteLevelFamily implements Family {
  readonly kind = 'bpe';
  readonly leadingSpace = 'keep';
  readonly #vocabulary: Vocabulary;
  readonly #split: (text: string) => string[];
  readonly #merger: WordMerger;
  readonly #whole: ReadonlyMap<string, number> | null;

  /** @param wholeWords take a word that is a piece as it stands, without merging */
  constructor(
    vocabulary: Vocabulary,
    rules: MergeRules,
    patterns: readonly string[],
    wholeWords: boolean,
    unknown: number | undefined,
  ) {
    this.#vocabulary = vocabulary;
    this.#split = splitter(patterns);
    this.#merger = new WordMerger(vocabulary, textPieces(vocabulary), rules, unknown);
    this.#whole = wholeWords ? this.#merger.ids : null;
  }

  encodeRun(text: string, out: number[]): void {
    const encoder = new TextEncoder();
    for (const word of this.#split(text)) {
      const spelled = spellWord(word, encoder);
      const whole = this.#whole?.get(spelled);
      if (whole !== undefined) out.push(whole);
      else this.#merger.encode(spelled, out);
    }
  }

  bytes(id: number): Uint8Array {
    const piece = this.#vocabulary.pieces[id];
    // Pieces that were added to the vocabulary by hand are plain text, not spelled in the byte alphabet.
    return this.#vocabulary.types[id] === USER_DEFINED ? new TextEncoder().encode(piece) : spelledBytes(piece);
  }
}

/** A word spelled in the byte alphabet. */
export function spellWord(word: string, encoder: TextEncoder): string {
  for (let i = 0; i < word.length; i++) {
    const unit = word.charCodeAt(i);
    if (unit < 0x20 || unit > 0x7e) return spellBytes(encoder.encode(word));
  }
  return word.includes(' ') ? word.replaceAll(' ', BYTE_CHARACTERS[0x20]) : word;
}

/**
 * Merges as a file lists them, `left right` or a pair.
 * @throws {TokenizerError} `TOKENIZER` with the index of a merge that is malformed, doubled, or names what is no piece
 */
export function listedMerges(vocabulary: Vocabulary, merges: readonly unknown[]): ListedMerges {
  const { name, ids, types } = vocabulary;
  if (merges.length > MAX_MERGES) refuse(name, `${merges.length} merges, at most ${MAX_MERGES} are accepted`);
  const rules = new ListedMerges(merges.length);
  merges.forEach((merge, i) => {
    const space = typeof merge === 'string' ? merge.indexOf(' ', 1) : -1;
    const [left, right] = typeof merge === 'string'
      ? [merge.slice(0, space), merge.slice(space + 1)]
      : Array.isArray(merge)
      ? merge
      : [];
    if (
      (typeof merge === 'string' && space === -1) ||
      typeof left !== 'string' ||
      typeof right !== 'string' ||
      right === ''
    ) {
      refuse(name, `merge ${i} is not two pieces with a space between them`);
    }
    const [a, b, both] = [ids.get(left), ids.get(right), ids.get(left + right)];
    if (a === undefined || b === undefined || both === undefined) {
      const missing = a === undefined ? left : b === undefined ? right : left + right;
      refuse(name, `merge ${i} needs the piece "${missing.slice(0, 40)}", which the vocabulary lacks`);
    }
    if (types[both] !== NORMAL && types[both] !== USER_DEFINED) {
      refuse(name, `merge ${i} makes piece ${both}, which is not text`);
    }
    if (!rules.add(a, b, both)) refuse(name, `merge ${i} occurs twice`);
  });
  return rules;
}
