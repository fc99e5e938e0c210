/**
 * A tokenizer.json at work: added tokens, normaliser, pre-tokenizer, model and decoder in the order of the original.
 * @module
 */
import { checkOptions, FLAG } from '../../options.ts';
import { allowSteps } from '../onig/machine.ts';
import {
  checkedId,
  checkedText,
  type DecodeOptions,
  type EncodeOptions,
  type SpecialIds,
  type Tokenizer,
  type TokenStream,
} from '../tokenizer.ts';
import type { Vocabulary } from '../vocabulary.ts';
import { SPECIAL_RULES } from '../vocabulary-tokenizer.ts';
import { TokenFinder } from './added.ts';
import type { Decoder } from './decoders.ts';
import type { Frame } from './frame.ts';
import type { WordEncoder } from './model.ts';
import type { Normal } from './normalizers.ts';
import type { Added } from './vocabulary.ts';

/** Everything that a tokenizer of a tokenizer.json is made of. */
export interface JsonParts {
  readonly kind: string;
  readonly vocabulary: Vocabulary;
  readonly added: Added;
  readonly normalise: (before: Normal) => Normal;
  readonly cut: (text: Normal) => readonly string[];
  readonly encode: WordEncoder;
  /** Whether an id is that of a special token; the unknown piece is no instruction, a text may spell it. */
  readonly isSpecial: (id: number) => boolean;
  readonly decoder: Decoder;
  readonly frame: Frame;
  readonly specials: SpecialIds;
  readonly chatTemplate?: string;
  readonly chatTemplates?: Readonly<Record<string, string>>;
  readonly notices: readonly string[];
}

const NOTHING = new Uint8Array(0);

/** The tokenizer of a tokenizer.json. */
export class JsonTokenizer implements Tokenizer {
  readonly kind: string;
  readonly vocabSize: number;
  readonly specials: SpecialIds;
  readonly addBos: boolean;
  readonly chatTemplate?: string;
  readonly chatTemplates?: Readonly<Record<string, string>>;
  readonly notices: readonly string[];
  readonly #parts: JsonParts;
  readonly #raw: TokenFinder;
  readonly #normal: TokenFinder;

  constructor(parts: JsonParts) {
    const { vocabulary, added, specials, frame } = parts;
    this.#parts = parts;
    this.kind = parts.kind;
    this.vocabSize = vocabulary.pieces.length;
    this.specials = specials;
    this.addBos = specials.bos !== undefined && frame[0] === specials.bos;
    this.chatTemplate = parts.chatTemplate;
    this.chatTemplates = parts.chatTemplates;
    this.notices = parts.notices;
    this.#raw = new TokenFinder(added, false, vocabulary.name);
    this.#normal = new TokenFinder(added, true, vocabulary.name);
  }

  encode(text: string, options: EncodeOptions = {}): number[] {
    checkOptions('encode', options, SPECIAL_RULES);
    const whole = checkedText(text);
    allowSteps(text.length);
    const special = options.special === true;
    const ids: number[] = [];
    this.#encode(whole, special, ids);
    if (!special) return ids;
    const { frame } = this.#parts;
    const out: number[] = [];
    for (const part of frame) {
      if (part !== null) out.push(part);
      else for (const id of ids) out.push(id);
    }
    return out;
  }

  #encode(text: string, special: boolean, out: number[]): void {
    const { normalise, cut, encode } = this.#parts;
    this.#raw.find(text, special, (id, from, to) => {
      if (id !== -1) {
        out.push(id);
        return;
      }
      const origin = from === 0 ? ((text.codePointAt(0) as number) > 0xffff ? 2 : 1) : 0;
      const normal = normalise({ text: text.slice(from, to), origin });
      this.#normal.find(normal.text, special, (token, start, end) => {
        if (token !== -1) {
          out.push(token);
          return;
        }
        const its = Math.max(0, Math.min(normal.origin, end) - start);
        for (const word of cut({ text: normal.text.slice(start, end), origin: its })) {
          const before = out.length;
          encode(word, out, false);
          if (!special && this.#someHidden(out, before)) {
            // what spells a special token is text for all that: as if the vocabulary lacked it
            out.length = before;
            encode(word, out, true);
          }
        }
      });
    });
  }

  #someHidden(ids: readonly number[], from: number): boolean {
    const { isSpecial } = this.#parts;
    for (let i = from; i < ids.length; i++) if (isSpecial(ids[i])) return true;
    return false;
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    checkOptions('decode', options, SPECIAL_RULES);
    const decoding = this.#parts.decoder.start(false);
    let text = '';
    for (let i = 0; i < ids.length; i++) text += this.#push(decoding, ids[i], options.special === true);
    return text + decoding.end();
  }

  pieceBytes(id: number): Uint8Array {
    const token = this.piece(id);
    if (token === '' || this.#hidden(token)) return NOTHING;
    const bytes = this.#parts.decoder.bytes(token);
    if (bytes) return bytes;
    const decoding = this.#parts.decoder.start(true);
    const text = decoding.push(token);
    return new TextEncoder().encode(text + decoding.end());
  }

  piece(id: number): string {
    return this.#parts.vocabulary.pieces[checkedId(id, this.vocabSize)];
  }

  stream(options: { readonly continues?: boolean } = {}): TokenStream {
    checkOptions('stream', options, { continues: FLAG });
    const decoding = this.#parts.decoder.start(options.continues === true);
    return {
      push: (id: number): string => this.#push(decoding, id, false),
      flush: (): string => decoding.end(),
    };
  }

  #push(decoding: { push(token: string): string }, id: number, special: boolean): string {
    const token = this.piece(id);
    return token === '' || (!special && this.#hidden(token)) ? '' : decoding.push(token);
  }

  /** As in the original, the text of a token tells whether it is special. */
  #hidden(token: string): boolean {
    return this.#parts.added.specials.has(token);
  }
}
