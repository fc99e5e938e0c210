/**
 * Changes of bytes, of JSON and of texts, from slight to wild.
 * @module
 */
import type { Chance } from './chance.ts';

/** Whole numbers at which programs break. */
export const WHOLE: readonly number[] = [
  ...[0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 127, 128, 255, 256, 257, 1023, 1024, 4096],
  ...[65_535, 65_536, 1 << 20, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1],
];
/** Numbers that JSON can say, or that a program may make of them. */
const NUMBERS: readonly number[] = [...WHOLE, -1, -0, 0.5, 1.5, 1e-45, 1e38, 1e308, 2 ** 53, 2 ** 63, -(2 ** 31)];
const TEXTS: readonly string[] = [
  ...['', ' ', '\0', 'a', '__proto__', 'constructor', '../x', '\ufeff', '\ud800', '\u0130', '中'],
  ...['▁', '<s>', '<0x41>', '(a+)+$', '\\p{L}+', '[', 'a'.repeat(3000), '\r\n\u0085\u2028'],
];

/** `String` of it throws. */
const UNPRINTABLE = { toString: 1, valueOf: null };

/** Up to `most` changes anywhere between two places. */
export function bytesChanged(c: Chance, bytes: Uint8Array, from = 0, to: number = bytes.length, most = 6): Uint8Array {
  let out: Uint8Array = bytes.slice();
  for (let n = 1 + c.below(most); n > 0 && out.length > 0; n--) {
    const at = from + c.below(Math.max(1, Math.min(to, out.length) - from));
    if (at >= out.length) continue;
    const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
    const length = Math.min(c.below(16) + 1, out.length - at);
    switch (c.below(9)) {
      case 0:
        out[at] ^= 1 << c.below(8);
        break;
      case 1:
        out[at] = c.below(256);
        break;
      case 2:
        if (at + 4 <= out.length) view.setUint32(at, c.pick(WHOLE), true);
        break;
      case 3:
        if (at + 8 <= out.length) {
          view.setBigUint64(at, BigInt(c.pick(WHOLE)) << BigInt(c.pick([0, 0, 16, 32, 40])), true);
        }
        break;
      case 4:
        out.copyWithin(at, c.below(out.length), c.below(out.length));
        break;
      case 5:
        out = joined(out.subarray(0, at), c.bytes(length), out.subarray(at));
        break;
      case 6:
        out = joined(out.subarray(0, at), out.subarray(at + length));
        break;
      case 7:
        out = joined(out.subarray(0, at + length), out.subarray(at));
        break;
      default:
        if (c.once(4)) out = out.slice(0, at);
    }
  }
  return out;
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function textChanged(c: Chance, text: string, words: readonly string[] = TEXTS): string {
  let out = text;
  for (let n = 1 + c.below(3); n > 0; n--) {
    const at = c.below(out.length + 1);
    const end = Math.min(out.length, at + c.below(8));
    out = out.slice(0, at) + c.pick([c.pick(words), c.pick(words), '', out.slice(at, end).repeat(2)]) + out.slice(end);
  }
  return out;
}

/** A value like it, or of another kind. */
export function valueChanged(c: Chance, value: unknown): unknown {
  if (c.once(6)) {
    return c.pick<unknown>([null, true, false, [], {}, c.pick(NUMBERS), c.pick(TEXTS), [[]], undefined, UNPRINTABLE]);
  }
  if (typeof value === 'number') return c.pick(NUMBERS);
  if (typeof value === 'string') return textChanged(c, value);
  if (typeof value === 'boolean') return !value;
  return c.pick(NUMBERS);
}

/** JSON with one to four values changed, left out, renamed or doubled, anywhere in it. */
export function jsonChanged<T>(c: Chance, json: T): T {
  const root = structuredClone({ json }) as { json: T };
  for (let n = 1 + c.below(4); n > 0; n--) change(c, root as Record<string, unknown>);
  return root.json;
}

/** One change at some depth. */
function change(c: Chance, at: Record<string, unknown> | unknown[]): void {
  const keys = Object.keys(at);
  if (keys.length === 0) return;
  const key = c.pick(keys) as keyof typeof at;
  const value = at[key] as unknown;
  // lists of a vocabulary are long: the way leads down more often than not
  if (typeof value === 'object' && value !== null && (key === 'json' as never || !c.once(5))) {
    return change(c, value as Record<string, unknown>);
  }
  if (Array.isArray(at)) {
    const index = Number(key);
    const which = c.below(16);
    if (which < 4) at.splice(index, 1);
    else if (which < 7) at.splice(index, 0, structuredClone(value));
    else at[index] = valueChanged(c, value);
    return;
  }
  if (c.once(5)) delete at[key];
  else if (c.once(6)) {
    delete at[key];
    Object.defineProperty(at, textChanged(c, String(key)), {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else (at as Record<string, unknown>)[key as string] = valueChanged(c, value);
}
