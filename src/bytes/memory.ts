/**
 * Bytes that are already in memory.
 * @module
 */
import type { ByteSource } from './source.ts';

/**
 * A source over bytes in memory. Nothing is copied: the caller leaves the bytes alone while the source is in use.
 * @param bytes a buffer, or a view that limits it
 * @param name what errors call it
 * @example
 * const source = memorySource(new Uint8Array(await response.arrayBuffer()), 'stories.gguf');
 */
export function memorySource(bytes: ArrayBufferLike | ArrayBufferView, name: string = 'memory'): ByteSource {
  const all = ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes);
  return {
    size: all.length,
    name,
    async read(into, offset) {
      const part = all.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
  };
}
