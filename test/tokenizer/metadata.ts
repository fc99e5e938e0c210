/**
 * Metadata of a GGUF file on disk, for tests of vocabularies.
 * @module
 */
import { readFileSync } from 'node:fs';
import { memorySource } from '../../src/bytes/memory.ts';
import { readGguf } from '../../src/container/parts.ts';
import type { MetadataValue } from '../../src/container/tensor.ts';

/** The metadata of the GGUF file at `path`. */
export async function ggufMetadata(path: string): Promise<ReadonlyMap<string, MetadataValue>> {
  return (await readGguf(memorySource(readFileSync(path), path))).metadata;
}

/** The strings and ids beside a vocabulary of llama.cpp's tests. */
export function vocabularyCases(path: string): { text: string; ids: number[] }[] {
  const texts = readFileSync(`${path}.inp`, 'utf8').split('\n__ggml_vocab_test__\n');
  const lines = readFileSync(`${path}.out`, 'utf8').split('\n');
  return texts
    .slice(0, -1)
    .map((text, i) => ({ text, ids: lines[i].trim() === '' ? [] : lines[i].trim().split(/ +/).map(Number) }));
}
