/**
 * Metadata of a GGUF file on disk, for tests of vocabularies.
 * @module
 */
import { readFileSync } from 'node:fs';
import { memorySource } from '../../src/bytes/memory.ts';
import { readGguf } from '../../src/container/gguf.ts';
import type { MetadataValue } from '../../src/container/tensor.ts';

/** The metadata of the GGUF file at `path`. */
export async function ggufMetadata(path: string): Promise<ReadonlyMap<string, MetadataValue>> {
  return (await readGguf(memorySource(readFileSync(path), path))).metadata;
}
