/**
 * The pieces of a vocabulary, checked. A vocabulary is untrusted input: every id, type and byte piece that later code
 * indexes with has been compared with its range here.
 * @module
 */
import { TokenizerError } from '../errors.ts';
import { MAX_PIECE_BYTES, MAX_VOCAB, MAX_VOCAB_CHARS } from '../limits.ts';
import type { SpecialIds } from './tokenizer.ts';

/** What a piece is; the numbers of SentencePiece and of `tokenizer.ggml.token_type`. */
export const NORMAL = 1;
export const UNKNOWN = 2;
export const CONTROL = 3;
export const USER_DEFINED = 4;
export const UNUSED = 5;
export const BYTE = 6;

/** A checked vocabulary. */
export interface Vocabulary {
  /** What errors call it. */
  readonly name: string;
  readonly pieces: readonly string[];
  /** Type by id. */
  readonly types: Uint8Array;
  /** Id by piece; empty pieces have none. */
  readonly ids: ReadonlyMap<string, number>;
}

/** A refusal of a vocabulary, worded alike everywhere. */
export function refuse(name: string, message: string): never {
  throw new TokenizerError('TOKENIZER', `${name}: ${message}`);
}

/**
 * Checks pieces and types.
 * @param types one for each piece; null where the file has none: then byte and `<unk>`-like pieces go by their names
 * @throws {TokenizerError} `TOKENIZER` with the index of the first piece that is wrong
 */
export function checkVocabulary(name: string, pieces: readonly string[], types: ArrayLike<number> | null): Vocabulary {
  if (pieces.length === 0 || pieces.length > MAX_VOCAB) {
    refuse(name, `the vocabulary has ${pieces.length} pieces, from 1 to ${MAX_VOCAB} are accepted`);
  }
  if (types !== null && types.length !== pieces.length) {
    refuse(name, `${types.length} token types for ${pieces.length} pieces; there must be one for each`);
  }
  const checked = new Uint8Array(pieces.length);
  const ids = new Map<string, number>();
  let characters = 0;
  for (let id = 0; id < pieces.length; id++) {
    const piece = pieces[id];
    if (typeof piece !== 'string') refuse(name, `piece ${id} is not a string`);
    const type = types === null ? (byteOf(piece) === -1 ? NORMAL : BYTE) : Number(types[id]);
    if (!(type >= 0 && type <= BYTE) || !Number.isInteger(type)) {
      refuse(name, `piece ${id} has type ${types?.[id]}, known are 0 to 6`);
    }
    checked[id] = type === 0 ? NORMAL : type;
    characters += piece.length;
    if (characters > MAX_VOCAB_CHARS) {
      refuse(name, `pieces 0 to ${id} have over ${MAX_VOCAB_CHARS} characters together`);
    }
    if (piece.length * 3 > MAX_PIECE_BYTES && utf8Length(piece) > MAX_PIECE_BYTES) {
      refuse(name, `piece ${id} has ${utf8Length(piece)} bytes, at most ${MAX_PIECE_BYTES} are accepted`);
    }
    if (type === BYTE && byteOf(piece) === -1) {
      refuse(name, `piece ${id} "${piece}" is a byte piece, but not of the form <0x00> to <0xFF>`);
    }
    if (piece === '') {
      continue; // some files have one, of any type: no text ever becomes it
    }
    const before = ids.get(piece);
    if (before !== undefined) refuse(name, `pieces ${before} and ${id} are both "${piece.slice(0, 40)}"`);
    ids.set(piece, id);
  }
  return { name, pieces, types: checked, ids };
}

/** The byte that a piece such as `<0x0A>` stands for, or −1. Exactly this form: two upper-case hexadecimal digits. */
export function byteOf(piece: string): number {
  return /^<0x[0-9A-F]{2}>$/.test(piece) ? Number.parseInt(piece.slice(3, 5), 16) : -1;
}

/** The id of each of the 256 byte pieces; −1 where there is none. */
export function bytePieces(vocabulary: Vocabulary): Int32Array {
  const ids = new Int32Array(256).fill(-1);
  vocabulary.pieces.forEach((piece, id) => {
    if (vocabulary.types[id] === BYTE) ids[byteOf(piece)] = id;
  });
  return ids;
}

/** `id` if it is one of the vocabulary, else undefined: metadata of real files says −1 where there is no such token. */
export function validId(vocabulary: Vocabulary, id: unknown): number | undefined {
  const value = typeof id === 'bigint' ? Number(id) : id;
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < vocabulary.pieces.length
    ? value
    : undefined;
}

/** Pieces that end a generation in published models, by their text, as llama.cpp has them. */
const ENDS: readonly string[] = [
  '<|eot_id|>',
  '<|eom_id|>',
  '<|im_end|>',
  '<|end|>',
  '<|return|>',
  '<|call|>',
  '<|calls|>',
  '<|flush|>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<|endofassistant|>',
  '<end_of_turn>',
  '<end_of_utterance>',
  '<EOT>',
  '_<EOT>',
  '[EOT]',
  '[EOS]',
  '<｜end▁of▁sentence｜>',
  '<|fim_pad|>',
  '<fim-pad>',
  '<fim_pad>',
  '<|fim_repo|>',
  '<|repo_name|>',
  '<fim-repo>',
  '<|file_sep|>',
];

/**
 * The types of a GGUF vocabulary, where pieces that end a generation are control pieces whatever the file says: converters have
 * written them as normal or user-defined ones, and llama.cpp overrides that too.
 */
export function withControlEnds(pieces: readonly unknown[], types: ArrayLike<number>): number[] {
  const ends = new Set<unknown>(ENDS);
  return Array.from(types, (type, id) => (ends.has(pieces[id]) ? CONTROL : type));
}

/** Completes the special ids with everything that ends a generation: eos, the given ends, and the well-known pieces. */
export function withStops(
  vocabulary: Vocabulary,
  ids: Omit<SpecialIds, 'stop'>,
  ends: readonly (number | undefined)[],
): SpecialIds {
  const stop = new Set<number>();
  for (const id of [ids.eos, ...ends, ...ENDS.map((piece) => vocabulary.ids.get(piece))]) {
    if (id === undefined) continue;
    const named = id === ids.eos || ends.includes(id);
    if (named || vocabulary.types[id] === CONTROL || vocabulary.types[id] === USER_DEFINED) stop.add(id);
  }
  return Object.freeze({ ...ids, stop: Object.freeze([...stop]) });
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
