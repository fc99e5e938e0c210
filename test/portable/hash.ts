/**
 * A hash for comparing bits between runtimes: 64-bit FNV-1a. Not for secrets; every runtime gets the same one, also
 * where there is no `crypto` (an insecure origin) and without waiting.
 * @module
 */

// The prime is 2^40 + 435; the state is kept as two 32-bit halves and every product below is exact in a double.
const PRIME_LOW = 435;
const WORD = 2 ** 32;

/** 64-bit FNV-1a of bytes as 16 hexadecimal digits. */
export function fnv1a(bytes: Uint8Array): string {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0;
    const product = low * PRIME_LOW;
    high = (high * PRIME_LOW + Math.floor(product / WORD) + low * 256) % WORD;
    low = product % WORD;
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}

/** The hash of the exact bits of floats, as they lie in memory. */
export function fnv1aFloats(values: Float32Array): string {
  return fnv1a(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/** The hash of a text's UTF-8. */
export function fnv1aText(text: string): string {
  return fnv1a(new TextEncoder().encode(text));
}
