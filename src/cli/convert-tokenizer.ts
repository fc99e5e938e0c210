/**
 * Vocabularies that `convert` writes into a file.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';
import type { GgufEntry } from '../container/gguf-write.ts';
import { openContainer } from '../container/open.ts';
import type { MetadataValue } from '../container/tensor.ts';
import { TokenizerError } from '../errors.ts';
import { MAX_TOKENIZER_BYTES } from '../limits.ts';
import { openModelContainer } from '../architectures/index.ts';
import { isBert } from '../architectures/bert/recognise.ts';
import { isSpikingBert } from '../architectures/spikingbert/recognise.ts';
import { isSentencePiece, sentencePieceMetadata } from '../tokenizer/sentencepiece.ts';
import { folderTokenizer } from '../tokenizer/folder.ts';
import { isVocabTxt, markedMetadata, wordPieceMetadata } from '../tokenizer/wordpiece-metadata.ts';
import { readBytes, withSource } from './files.ts';

type Entries = Map<string, GgufEntry>;

/** What a GGUF file says of a vocabulary of its own file. @throws {TokenizerError} `TOKENIZER` for any other file */
export async function tokenizerEntries(path: string, signal: AbortSignal): Promise<Entries> {
  return entriesOf(await withSource(path, signal, (source) => readBytes(source, MAX_TOKENIZER_BYTES, signal)), path);
}

/** The vocabulary beside a BERT, spiking or dense; of other models, and without one, nothing. */
export async function besideEntries(source: ByteSource, signal: AbortSignal): Promise<Entries | undefined> {
  const { beside } = source;
  const container = await openContainer(source, { signal });
  if (container.format === 'gguf' || !beside) return undefined;
  if (isSpikingBert(container)) {
    const bytes = await beside('vocab.txt', MAX_TOKENIZER_BYTES, signal);
    return bytes ? entriesOf(bytes, 'vocab.txt') : undefined;
  }
  const model = await openModelContainer(source, { signal });
  if (!isBert(model)) return undefined;
  const tokenizer = await folderTokenizer((name, most) => beside(name, most, signal));
  if (tokenizer?.kind !== 'wordpiece') return undefined;
  return typed(markedMetadata(tokenizer, model.tensors.get('token_types.weight')?.shape[0] ?? 1));
}

function entriesOf(bytes: Uint8Array, name: string): Entries {
  if (isSentencePiece(bytes)) return typed(sentencePieceMetadata(bytes, name));
  const text = new TextDecoder().decode(bytes);
  if (isVocabTxt(text)) return typed(wordPieceMetadata(text, name));
  throw new TokenizerError(
    'TOKENIZER',
    `${name} is no SentencePiece model and no vocab.txt; only these can be written into a file`,
  );
}

/** As llama.cpp stores the entries. */
function typed(metadata: ReadonlyMap<string, MetadataValue>): Entries {
  return new Map([...metadata].map(([key, value]) => [key, { type: typeOf(key, value), value }]));
}

function typeOf(key: string, value: MetadataValue): GgufEntry['type'] {
  if (key.endsWith('.tokens')) return 'string[]';
  if (key.endsWith('.scores')) return 'float32[]';
  if (key.endsWith('.precompiled_charsmap')) return 'uint8[]';
  if (Array.isArray(value)) return 'int32[]';
  return typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'bool' : 'uint32';
}
