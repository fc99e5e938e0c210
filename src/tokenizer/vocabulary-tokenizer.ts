/**
 * What all tokenizers here have in common: bounds, special tokens, bos and eos, decoding and streams. A family adds how
 * a run of plain text becomes ids and which bytes a piece stands for.
 * @module
 */
import { checkOptions, FLAG, type Rules } from '../options.ts';
import { Trie } from './pairs.ts';
import {
  checkedId,
  checkedText,
  type DecodeOptions,
  type EncodeOptions,
  type SpecialIds,
  type Tokenizer,
  type TokenStream,
} from './tokenizer.ts';
import { Utf8Stream } from './utf8.ts';
import { CONTROL, UNKNOWN, USER_DEFINED, type Vocabulary } from './vocabulary.ts';

/** The part of a tokenizer that differs from family to family. */
export interface Family {
  /** As `Tokenizer.kind`. */
  readonly kind: string;
  /**
   * Appends the ids of a run of text without special tokens.
   * @param first whether the run stands at the beginning of the text or follows a special token
   * @param start whether the run stands at the beginning of the text
   */
  encodeRun(text: string, out: number[], first: boolean, start: boolean): void;
  /** Bytes of a piece that is no control piece. */
  bytes(id: number): Uint8Array;
  /** Spaces that a decoded text does not begin with: none, one that encoding had put there, or all. */
  readonly leadingSpace: 'keep' | 'drop one' | 'drop all';
  /** The family looks for user-defined pieces itself, after normalising. */
  readonly ownsUserDefined?: boolean;
}

/** Everything that a tokenizer is made of. */
export interface TokenizerParts {
  readonly vocabulary: Vocabulary;
  readonly family: Family;
  readonly specials: SpecialIds;
  /** Ids before and after a text with `special: true`. */
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
  readonly chatTemplate?: string;
  readonly chatTemplates?: Readonly<Record<string, string>>;
  readonly notices?: readonly string[];
  /** Added tokens that take the white space to their left or right with them. */
  readonly strips?: ReadonlyMap<number, { readonly left: boolean; readonly right: boolean }>;
}

const NOTHING = new Uint8Array(0);
const SPACE = 0x20;

/** Options of encoding and decoding. */
export const SPECIAL_RULES: Rules<EncodeOptions> = { special: FLAG };

/** A tokenizer over a checked vocabulary. */
export class VocabularyTokenizer implements Tokenizer {
  readonly kind: string;
  readonly vocabSize: number;
  readonly specials: SpecialIds;
  readonly addBos: boolean;
  readonly chatTemplate?: string;
  readonly chatTemplates?: Readonly<Record<string, string>>;
  readonly notices?: readonly string[];
  readonly #parts: TokenizerParts;
  readonly #plain: Trie;
  readonly #special: Trie;

  constructor(parts: TokenizerParts) {
    const { vocabulary, family, specials, prefix } = parts;
    this.#parts = parts;
    this.kind = family.kind;
    this.vocabSize = vocabulary.pieces.length;
    this.specials = specials;
    this.addBos = specials.bos !== undefined && prefix[0] === specials.bos;
    this.chatTemplate = parts.chatTemplate;
    this.chatTemplates = parts.chatTemplates;
    this.notices = parts.notices ?? [];
    const user: [string, number][] = [];
    const control: [string, number][] = [];
    vocabulary.pieces.forEach((piece, id) => {
      if (piece === '') return;
      const type = vocabulary.types[id];
      if (type === USER_DEFINED && !family.ownsUserDefined) user.push([piece, id]);
      if (type === CONTROL || type === UNKNOWN) control.push([piece, id]);
    });
    this.#plain = new Trie(user);
    this.#special = new Trie([...user, ...control]);
  }

  encode(text: string, options: EncodeOptions = {}): number[] {
    checkOptions('encode', options, SPECIAL_RULES);
    const whole = checkedText(text);
    const special = options.special === true;
    const out: number[] = special ? [...this.#parts.prefix] : [];
    this.#encodeRuns(whole, special ? this.#special : this.#plain, out);
    if (special) { for (const id of this.#parts.suffix) out.push(id); }
    return out;
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    checkOptions('decode', options, SPECIAL_RULES);
    const chunks: Uint8Array[] = [];
    const edge = new LeadingSpace(this.#parts.family.leadingSpace);
    let length = 0;
    for (let i = 0; i < ids.length; i++) {
      const special = options.special === true && this.#hidden(this.#check(ids[i]));
      const bytes = special ? new TextEncoder().encode(this.piece(ids[i])) : edge.strip(this.pieceBytes(ids[i]));
      chunks.push(bytes);
      length += bytes.length;
    }
    const all = new Uint8Array(length);
    let at = 0;
    for (const chunk of chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(all);
  }

  pieceBytes(id: number): Uint8Array {
    return this.#hidden(this.#check(id)) ? NOTHING : this.#parts.family.bytes(id);
  }

  piece(id: number): string {
    return this.#parts.vocabulary.pieces[this.#check(id)];
  }

  stream(options: { readonly continues?: boolean } = {}): TokenStream {
    checkOptions('stream', options, { continues: FLAG });
    const text = new Utf8Stream();
    const edge = new LeadingSpace(options.continues === true ? 'keep' : this.#parts.family.leadingSpace);
    return {
      push: (id: number): string => text.push(edge.strip(this.pieceBytes(id))),
      flush: (): string => text.flush(),
    };
  }

  #encodeRuns(text: string, trie: Trie, out: number[]): void {
    const { family, strips } = this.#parts;
    let from = 0;
    let afterSpecial = true;
    let begun = false;
    const run = (end: number): void => {
      if (end > from) {
        family.encodeRun(from === 0 && end === text.length ? text : text.slice(from, end), out, afterSpecial, !begun);
        begun = true;
        afterSpecial = false;
      }
    };
    if (!trie.empty) {
      for (let at = 0; at < text.length;) {
        const found = trie.longest(text, at);
        if (found === null) {
          at++;
          continue;
        }
        const [id, length] = found;
        const strip = strips?.get(id);
        let end = at;
        if (strip?.left) { while (end > from && isSpace(text, end - 1)) end--; }
        run(end);
        out.push(id);
        at += length;
        if (strip?.right) { while (at < text.length && isSpace(text, at)) at++; }
        from = at;
        afterSpecial = true;
        begun = true;
      }
    }
    run(text.length);
  }

  #hidden(id: number): boolean {
    return this.#parts.vocabulary.types[id] === CONTROL;
  }

  #check(id: number): number {
    return checkedId(id, this.vocabSize);
  }
}

/** Takes the leading space off a decoded text, as the family says. */
class LeadingSpace {
  readonly #rule: Family['leadingSpace'];
  #done: boolean;

  constructor(rule: Family['leadingSpace']) {
    this.#rule = rule;
    this.#done = rule === 'keep';
  }

  strip(bytes: Uint8Array): Uint8Array {
    if (this.#done || bytes.length === 0) return bytes;
    const rest = bytes[0] === SPACE ? bytes.subarray(1) : bytes;
    this.#done = this.#rule === 'drop one' || rest.length > 0;
    return rest;
  }
}

function isSpace(text: string, at: number): boolean {
  return /\s/.test(text[at]);
}
