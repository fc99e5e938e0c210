/**
 * Vocabularies that `convert` writes into a file.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';
import type { GgufEntry } from '../container/gguf-write.ts';
import type { MetadataValue } from '../container/tensor.ts';
import { TokenizerError } from '../errors.ts';
import { MAX_TOKENIZER_BYTES } from '../limits.ts';
import { openModelContainer } from '../architectures/index.ts';
import { isBert } from '../architectures/bert/recognise.ts';
import { isSpikingBert } from '../architectures/spikingbert/recognise.ts';
import { folderTokenizer, tokenizerConfig, VOCABULARY_FILES } from '../tokenizer/folder.ts';
import { tokenizerJsonMetadata } from '../tokenizer/json-metadata.ts';
import { isSentencePiece, sentencePieceMetadata } from '../tokenizer/sentencepiece.ts';
import { isVocabTxt, markedMetadata, wordPieceMetadata } from '../tokenizer/wordpiece-metadata.ts';
import type { Context } from './command.ts';
import { readBytes } from './files.ts';
import { withModel } from './stored.ts';

type Entries = Map<string, GgufEntry>;

/** What a GGUF file says of a vocabulary of its own file. @throws {TokenizerError} `TOKENIZER` for any other file */
export async function tokenizerEntries(path: string, context: Context): Promise<Entries> {
  const entries = entriesOf(
    await withModel(path, context, (source) => readBytes(source, MAX_TOKENIZER_BYTES, context.signal)),
    path,
  );
  if (typeof entries !== 'string') return entries;
  throw new TokenizerError('TOKENIZER', `${path} cannot be written into a GGUF file: ${entries}`);
}

/**
 * The vocabulary beside the model: of a Hugging Face folder, and the vocab.txt beside the checkpoint of a spiking BERT. Of other
 * models, and without one, nothing.
 * @returns why there is none, where GGUF cannot say what the folder says
 */
export async function besideEntries(source: ByteSource, signal: AbortSignal): Promise<Entries | string | undefined> {
  const { beside } = source;
  if (!beside) return undefined;
  const container = await openModelContainer(source, { signal });
  await container.source?.close?.();
  const folder = container.format === 'huggingface';
  if (!folder && (container.format === 'gguf' || !isSpikingBert(container))) return undefined;
  const read = (name: string, most: number): Promise<Uint8Array | null> => beside.call(source, name, most, signal);
  const tokenizer = folder && isBert(container) ? await folderTokenizer(read) : null;
  if (tokenizer?.kind === 'wordpiece') {
    return typed(markedMetadata(tokenizer, container.tensors.get('token_types.weight')?.shape[0] ?? 1));
  }
  for (const name of folder ? VOCABULARY_FILES : ['vocab.txt']) {
    const bytes = await read(name, MAX_TOKENIZER_BYTES);
    if (bytes) return entriesOf(bytes, name, folder ? await tokenizerConfig(read) : {});
  }
  return undefined;
}

function entriesOf(bytes: Uint8Array, name: string, config: object = {}): Entries | string {
  if (isSentencePiece(bytes)) return typed(sentencePieceMetadata(bytes, name));
  const text = new TextDecoder().decode(bytes);
  if (/^\s*\{/.test(text)) {
    const entries = tokenizerJsonMetadata(text, name, config as Readonly<Record<string, unknown>>);
    return typeof entries === 'string' ? entries : typed(entries);
  }
  if (isVocabTxt(text)) return typed(wordPieceMetadata(text, name));
  throw new TokenizerError(
    'TOKENIZER',
    `${name} is not a tokenizer.json, a SentencePiece model or a vocab.txt; only these can be written into a file`,
  );
}

/** As llama.cpp stores the entries. */
function typed(metadata: ReadonlyMap<string, MetadataValue>): Entries {
  return new Map([...metadata].map(([key, value]) => [key, { type: typeOf(key, value), value }]));
}

function typeOf(key: string, value: MetadataValue): GgufEntry['type'] {
  if (/\.(tokens|merges|chat_templates)$/.test(key)) return 'string[]';
  if (key.endsWith('.scores')) return 'float32[]';
  if (key.endsWith('.precompiled_charsmap')) return 'uint8[]';
  if (Array.isArray(value)) return 'int32[]';
  return typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'bool' : 'uint32';
}
