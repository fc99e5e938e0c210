/**
 * The contract of every tokenizer: text ⇄ ids.
 * @module
 */
import { TokenizerError } from '../errors.ts';
import { MAX_TEXT_CHARS } from '../limits.ts';
import { wellFormed } from './utf8.ts';

/** Special ids of a vocabulary; absent ones are undefined. */
export interface SpecialIds {
  readonly bos?: number;
  readonly eos?: number;
  readonly unk?: number;
  readonly pad?: number;
  /** Every id that ends a generation: eos, end of turn, end of message. */
  readonly stop: readonly number[];
}

export interface EncodeOptions {
  /** Add bos / eos (or [CLS] … [SEP]) as the model was trained, and read special tokens in the text. Default false. */
  readonly special?: boolean;
}

export interface DecodeOptions {
  /** Write special tokens as their text instead of leaving them out. Default false. */
  readonly special?: boolean;
}

/** Text ⇄ ids. Immutable after construction; safe to share. */
export interface Tokenizer {
  /** Family: `spm`, `bpe`, `wordpiece`, or as `tokenizer.json` says. */
  readonly kind: string;
  readonly vocabSize: number;
  readonly specials: SpecialIds;
  /** Whether a prompt begins with bos when the model is used as trained. */
  readonly addBos: boolean;
  /** The chat template that came with the vocabulary, as it was written; see `renderChat`. */
  readonly chatTemplate?: string;
  /** Where the vocabulary came with several chat templates, those by their names. */
  readonly chatTemplates?: Readonly<Record<string, string>>;
  /** What a user should know of how the vocabulary was read. */
  readonly notices?: readonly string[];
  /** @throws {TokenizerError} `TEXT_TOO_LONG` beyond MAX_TEXT_CHARS */
  encode(text: string, options?: EncodeOptions): number[];
  /** @throws {TokenizerError} `TOKEN` for an id outside the vocabulary */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** Bytes that this id adds to a text that already has begun; special tokens add none. */
  pieceBytes(id: number): Uint8Array;
  /** The id's piece as the vocabulary spells it. */
  piece(id: number): string;
  /**
   * A decoder of a growing text that never splits a character.
   * @param options.continues the ids go on from a text before them: a leading space is part of what they say
   */
  stream(options?: { readonly continues?: boolean }): TokenStream;
}

/** Decodes ids one by one. Without `continues`, the concatenation of everything returned equals `decode(all ids)`. */
export interface TokenStream {
  /** Text that became complete with this id; '' while a character is unfinished. */
  push(id: number): string;
  /** What is left at the end; an unfinished character becomes one U+FFFD. */
  flush(): string;
}

/** A text that is short enough, well-formed. @throws {TokenizerError} `TEXT_TOO_LONG` */
export function checkedText(text: string): string {
  if (text.length <= MAX_TEXT_CHARS) return wellFormed(text);
  throw new TokenizerError(
    'TEXT_TOO_LONG',
    `the text has ${text.length} characters, one call takes at most ${MAX_TEXT_CHARS}; encode it in parts`,
  );
}

/** An id of a vocabulary of this size. @throws {TokenizerError} `TOKEN` */
export function checkedId(id: number, size: number): number {
  if (Number.isInteger(id) && id >= 0 && id < size) return id;
  throw new TokenizerError('TOKEN', `token ${id} is not in the vocabulary, its ids are 0 to ${size - 1}`);
}
