/**
 * Finds added tokens in a text: the leftmost, and of these the longest, with the white space that they take along.
 * @module
 */
import { Trie } from '../pairs.ts';
import { isSpace, isWord } from '../unicode.ts';
import { refuse } from '../vocabulary.ts';
import type { Added, AddedToken } from './vocabulary.ts';

/** Receives a stretch of text: the id of the token that it is, or −1 for text between tokens. */
export type Stretch = (id: number, from: number, to: number) => void;

/** A set of added tokens to look for. */
export class TokenFinder {
  readonly #trie: Trie;
  /** Which code units a token begins with. */
  readonly #begins: Uint8Array | null;
  readonly #tokens: ReadonlyMap<number, AddedToken>;
  readonly #specials: ReadonlySet<string>;

  /** @param normalized those that are looked for in normalised text, else the others */
  constructor(added: Added, normalized: boolean, name: string) {
    const spelled = new Map<string, number>();
    for (const [id, token] of added.byId) {
      if (token.normalized !== normalized) continue;
      if (token.piece === '') {
        refuse(name, `normalising leaves nothing of the added token "${token.content.slice(0, 40)}"`);
      }
      // of two that become the same the original takes either; here the one that the file names first
      if (!spelled.has(token.piece)) spelled.set(token.piece, id);
    }
    this.#trie = new Trie(spelled, 4 * spelled.size);
    this.#begins = spelled.size > 0 ? new Uint8Array(0x10000) : null;
    for (const piece of spelled.keys()) (this.#begins as Uint8Array)[piece.charCodeAt(0)] = 1;
    this.#tokens = added.byId;
    this.#specials = added.specials;
  }

  /** @param special take special tokens for what they are; else they are text */
  find(text: string, special: boolean, found: Stretch): void {
    let from = 0;
    const begins = this.#begins;
    for (let at = 0; begins && at < text.length;) {
      const match = begins[text.charCodeAt(at)] === 1 ? this.#trie.longest(text, at) : null;
      if (match === null) {
        at++;
        continue;
      }
      const [id, length] = match;
      const token = this.#tokens.get(id) as AddedToken;
      let start = at;
      let end = at += length;
      if (!special && this.#specials.has(token.content)) continue;
      if (token.singleWord && (isWordBefore(text, start) || isWordAt(text, end))) continue;
      if (token.left) {
        while (start > from && isSpace(text.charCodeAt(start - 1))) start--;
        start = Math.max(start, from);
      }
      if (token.right) { while (end < text.length && isSpace(text.charCodeAt(end))) end++; }
      if (start > from) found(-1, from, start);
      if (end > start) found(id, start, end);
      // a token may begin in the white space that the one before has taken
      from = end;
    }
    if (from < text.length) found(-1, from, text.length);
  }
}

function isWordAt(text: string, at: number): boolean {
  return at < text.length && isWord(text.codePointAt(at) as number);
}

function isWordBefore(text: string, at: number): boolean {
  if (at === 0) return false;
  const unit = text.charCodeAt(at - 1);
  return isWordAt(text, unit >= 0xdc00 && unit < 0xe000 && at > 1 ? at - 2 : at - 1);
}
