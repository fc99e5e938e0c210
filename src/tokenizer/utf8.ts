/**
 * Bytes → text as they come, in whole characters.
 * @module
 */

/**
 * Decodes a growing run of UTF-8. What it returns, joined, equals one decoding of all bytes: valid characters are never
 * split, and bytes that are no UTF-8 become U+FFFD as the WHATWG rule says. A byte order mark is kept.
 */
export class Utf8Stream {
  readonly #decoder: TextDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #held: Uint8Array = new Uint8Array(0);

  /** Text that is complete with these bytes. */
  push(bytes: Uint8Array): string {
    let all = bytes;
    if (this.#held.length > 0) {
      all = new Uint8Array(this.#held.length + bytes.length);
      all.set(this.#held);
      all.set(bytes, this.#held.length);
    }
    const end = all.length - unfinished(all);
    this.#held = all.slice(end);
    return end === 0 ? '' : this.#decoder.decode(all.subarray(0, end));
  }

  /** What is left: an unfinished character becomes one U+FFFD. */
  flush(): string {
    const held = this.#held;
    this.#held = new Uint8Array(0);
    return this.#decoder.decode(held);
  }
}

/** How many bytes at the end are the beginning of a character that may yet be completed: 0 to 3. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const lead = bytes[bytes.length - back];
    if (lead < 0x80) return 0;
    if (lead < 0xc0) continue;
    const needs = lead >= 0xf0 && lead <= 0xf4
      ? 4
      : lead >= 0xe0 && lead < 0xf0
      ? 3
      : lead >= 0xc2 && lead < 0xe0
      ? 2
      : 0;
    if (needs <= back) return 0;
    if (back > 1) {
      // The second byte of some characters has a narrower range; outside of it the sequence is invalid already.
      const second = bytes[bytes.length - back + 1];
      const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
      const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
      if (second < low || second > high) return 0;
    }
    return back;
  }
  return 0;
}

/** Lone surrogates become U+FFFD here, once, so that every engine sees the same text. */
export function wellFormed(text: string): string {
  return /\p{Surrogate}/u.test(text) ? text.replace(/\p{Surrogate}/gu, '\ufffd') : text;
}
