/**
 * Bytes that travel inside a bundle as text.
 * @module
 */

/** The bytes that a base64 text holds. @param text without white space, as the build writes it */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
