/**
 * The compiled character map of a SentencePiece model: a double-array trie of UTF-8 prefixes and the texts that replace
 * them. It comes from a file, so that its every unit is checked before use.
 * @module
 */
import type { Trie } from './pairs.ts';
import { refuse } from './vocabulary.ts';

const HAS_LEAF = 0x100;
const LABEL = 0x800000ff;

/** Replaces characters as the model's normaliser does (nmt_nfkc and others). */
export class Charsmap {
  readonly #units: Uint32Array;
  readonly #texts: Uint8Array;
  /** Whether any rule begins with this byte. */
  readonly #starts: Uint8Array = new Uint8Array(256);

  /** @throws {TokenizerError} `TOKENIZER` when the map points outside of itself or lacks an end */
  constructor(blob: Uint8Array, name: string) {
    const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
    const size = blob.length < 4 ? -1 : view.getUint32(0, true);
    if (size < 4 || size % 4 !== 0 || size > blob.length - 4) {
      refuse(name, `the character map has ${blob.length} bytes and states that its trie has ${size}`);
    }
    this.#units = new Uint32Array(size / 4);
    for (let i = 0; i < this.#units.length; i++) this.#units[i] = view.getUint32(4 + 4 * i, true);
    this.#texts = blob.subarray(4 + size);
    if (this.#texts.length > 0 && this.#texts[this.#texts.length - 1] !== 0) {
      refuse(name, 'the last replacement of the character map does not end');
    }
    this.#check(name);
  }

  /** The text with every longest known prefix replaced; strings of `keep` are left as they stand. */
  normalise(text: string, keep: Trie): string {
    const bytes = new TextEncoder().encode(text);
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    let out = '';
    let copied = 0;
    for (let at = 0, byte = 0; at < text.length;) {
      const kept = keep.empty ? null : keep.longest(text, at);
      const match = kept === null && this.#starts[bytes[byte]] === 1 ? this.#longest(bytes, byte) : null;
      if (match === null) {
        const end = at + (kept === null ? characterUnits(bytes[byte]) : kept[1]);
        while (at < end) {
          at += characterUnits(bytes[byte]);
          byte += characterBytes(bytes[byte]);
        }
        continue;
      }
      out += text.slice(copied, at) + decoder.decode(this.#texts.subarray(match[0], this.#texts.indexOf(0, match[0])));
      for (const end = byte + match[1]; byte < end;) {
        at += characterUnits(bytes[byte]);
        byte += characterBytes(bytes[byte]);
      }
      copied = at;
    }
    return out + text.slice(copied);
  }

  /**
   * As `tokenizers` applies the map: to clusters of up to five bytes and to single characters, each replaced as a whole by the text of
   * its shortest known prefix.
   */
  byGraphemes(text: string): string {
    let out = '';
    const single = (character: string): void => {
      out += this.#shortest(character) ?? character;
    };
    if (!MAY_JOIN.test(text)) {
      for (const character of text) single(character);
      return out;
    }
    for (const cluster of clusters(text)) {
      const whole = cluster.length < 6 && utf8Length(cluster) < 6 ? this.#shortest(cluster) : null;
      if (whole !== null) out += whole;
      else for (const character of cluster) single(character);
    }
    return out;
  }

  /** The text of the shortest known prefix, or null. */
  #shortest(chunk: string): string | null {
    const bytes = new TextEncoder().encode(chunk);
    if (this.#starts[bytes[0]] === 0) return null;
    const units = this.#units;
    let node = offset(units[0]);
    for (const byte of bytes) {
      if (byte === 0) return null;
      node ^= byte;
      const unit = units[node];
      if ((unit & LABEL) >>> 0 !== byte) return null;
      node ^= offset(unit);
      if ((unit & HAS_LEAF) === 0) continue;
      const at = units[node] & 0x7fffffff;
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.#texts.subarray(at, this.#texts.indexOf(0, at)));
    }
    return null;
  }

  /** `[position of the replacement, bytes matched]`; only prefixes that end with a character count. */
  #longest(bytes: Uint8Array, from: number): readonly [number, number] | null {
    const units = this.#units;
    let found: readonly [number, number] | null = null;
    let node = offset(units[0]);
    for (let i = from; i < bytes.length && bytes[i] !== 0; i++) {
      node ^= bytes[i];
      const unit = units[node];
      if ((unit & LABEL) >>> 0 !== bytes[i]) break;
      node ^= offset(unit);
      const whole = i + 1 === bytes.length || (bytes[i + 1] & 0xc0) !== 0x80;
      if ((unit & HAS_LEAF) !== 0 && whole) found = [units[node] & 0x7fffffff, i + 1 - from];
    }
    return found;
  }

  /** Walks everything that a text could reach, each unit once. A circle does no harm: a look-up ends with the text. */
  #check(name: string): void {
    const units = this.#units;
    const seen = new Uint8Array(units.length);
    const open: number[] = [offset(units[0])];
    for (let root = true; open.length > 0; root = false) {
      const base = open.pop() as number;
      for (let byte = 1; byte < 256; byte++) {
        const at = base ^ byte;
        if (at >= units.length) refuse(name, `unit ${at} of the character map is out of range, it has ${units.length}`);
        if ((units[at] & LABEL) >>> 0 !== byte) continue;
        if (seen[at] === 1) continue; // shared endings are reached from several sides
        seen[at] = 1;
        if (root) this.#starts[byte] = 1;
        const next = at ^ offset(units[at]);
        if (next >= units.length) {
          refuse(name, `unit ${next} of the character map is out of range, it has ${units.length}`);
        }
        if ((units[at] & HAS_LEAF) !== 0 && (units[next] & 0x7fffffff) >= this.#texts.length) {
          refuse(
            name,
            `unit ${next} of the character map names replacement ${
              units[next] & 0x7fffffff
            } of ${this.#texts.length} bytes`,
          );
        }
        open.push(next);
      }
    }
  }
}

/** Whether a text may have clusters of several characters at all. */
const MAY_JOIN =
  /\r\n|[\p{M}\p{Cf}\p{Grapheme_Extend}\p{Emoji_Modifier}\p{Regional_Indicator}\u0e33\u0eb3\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb]/u;

/** Extended grapheme clusters; on hosts without a segmenter those of a letter and its marks. */
function clusters(text: string): Iterable<string> {
  if (typeof Intl !== 'object' || Intl.Segmenter === undefined) {
    return text.match(/\r\n|[\s\S][\p{Grapheme_Extend}\p{Mc}\u200d]*/gu) ?? [];
  }
  return Array.from(new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text), ({ segment }) => segment);
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

function characterBytes(lead: number): number {
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

function characterUnits(lead: number): number {
  return lead < 0xf0 ? 1 : 2;
}
