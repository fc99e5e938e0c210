/**
 * Blobs: files chosen in a page, files of the origin-private file system (`await handle.getFile()`), cached responses.
 * @module
 */
import type { ByteSource } from './source.ts';

/** A read goes through a copy of its slice; larger reads come in several pieces, so the copy stays small. */
const MAX_SLICE_BYTES = 4 << 20;

/**
 * A source over a Blob or File. The blob's bytes stay where the host keeps them, usually on disk.
 * @param name what errors call it; the name of a File unless told
 * @example
 * const source = blobSource(input.files[0]);
 */
export function blobSource(blob: Blob, name: string = nameOf(blob)): ByteSource {
  return {
    size: blob.size,
    name,
    async read(into, offset) {
      const end = Math.min(offset + Math.min(into.length, MAX_SLICE_BYTES), blob.size);
      if (offset >= end) return 0;
      const part = new Uint8Array(await blob.slice(offset, end).arrayBuffer());
      into.set(part);
      return part.length;
    },
  };
}

function nameOf(blob: Blob): string {
  const name: unknown = 'name' in blob ? blob.name : undefined;
  return typeof name === 'string' && name !== '' ? name : 'blob';
}
