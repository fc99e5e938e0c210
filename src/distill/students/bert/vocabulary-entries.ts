/**
 * The vocabulary of a BERT as entries of a GGUF file.
 * @module
 */
import type { GgufEntry } from '../../../container/gguf-write.ts';
import type { GgufContainer } from '../../../container/gguf.ts';
import type { Container, MetadataValue } from '../../../container/tensor.ts';
import { TokenizerError } from '../../../errors.ts';
import type { Tokenizer } from '../../../tokenizer/tokenizer.ts';
import { markedMetadata } from '../../../tokenizer/wordpiece-metadata.ts';

/** The teacher's vocabulary as entries of a GGUF file. @throws {TokenizerError} `TOKENIZER` for one that is not of word pieces */
export function vocabularyEntries(container: Container, tokenizer: Tokenizer): Map<string, GgufEntry> {
  const entries = new Map<string, GgufEntry>();
  if (container.format === 'gguf') {
    const { metadataTypes } = container as GgufContainer;
    for (const [key, value] of container.metadata) {
      const type = metadataTypes.get(key);
      if (key.startsWith('tokenizer.') && type !== undefined) entries.set(key, { type, value });
    }
  }
  if (entries.has('tokenizer.ggml.tokens')) return entries;
  if (!tokenizer.kind.includes('wordpiece') && !tokenizer.piece(0).includes('[')) {
    throw new TokenizerError('TOKENIZER', `the teacher's vocabulary (${tokenizer.kind}) is not of word pieces`);
  }
  for (const [key, value] of markedMetadata(tokenizer, container.tensors.get('token_types.weight')?.shape[0] ?? 1)) {
    entries.set(key, { type: typeOf(key, value), value });
  }
  return entries;
}

function typeOf(key: string, value: MetadataValue): GgufEntry['type'] {
  if (key.endsWith('.tokens')) return 'string[]';
  if (Array.isArray(value)) return 'int32[]';
  return typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'bool' : 'uint32';
}
