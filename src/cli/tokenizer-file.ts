/**
 * Tokenizers for the commands: of a model file, or a file of their own.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ByteSource } from '../bytes/source.ts';
import { openContainer } from '../container/open.ts';
import { TokenizerError } from '../errors.ts';
import { MAX_TOKENIZER_BYTES } from '../limits.ts';
import { folderTokenizer } from '../tokenizer/folder.ts';
import { openTokenizer, tokenizerFromMetadata } from '../tokenizer/open.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { UsageError } from './args.ts';
import type { Context } from './command.ts';
import { readBytes, withSource } from './files.ts';
import { modelPath } from './load.ts';
import { localModel, withModel } from './stored.ts';

/** Options of every command that needs a tokenizer and no weights. */
export const TOKENIZER_OPTIONS = {
  model: {
    kind: 'text',
    short: 'm',
    value: 'FILE',
    help: 'model whose tokenizer is used, not its weights; default as of run',
  },
  tokenizer: {
    kind: 'text',
    value: 'FILE',
    help: 'tokenizer.json, SentencePiece .model, tiktoken ranks, vocab.txt, or a GGUF vocabulary',
  },
  offline: { kind: 'flag', help: 'use models of a hub only as they are stored, without any request' },
} as const;

/** The tokenizer of a GGUF file, or of the folder of a checkpoint. @throws {TokenizerError} `TOKENIZER_MISSING` */
async function tokenizerOfModel(source: ByteSource, signal: AbortSignal): Promise<Tokenizer> {
  const { metadata, format } = await openContainer(source, { signal });
  const { beside } = source;
  const tokenizer = tokenizerFromMetadata(metadata) ??
    (format !== 'gguf' && beside ? await folderTokenizer((name, most) => beside(name, most, signal)) : null);
  if (tokenizer) return tokenizer;
  throw new TokenizerError(
    'TOKENIZER_MISSING',
    `${source.name} contains no vocabulary; give one with --tokenizer FILE, or use --ids`,
  );
}

/** A tokenizer's own file, told apart by content. @throws {TokenizerError} {IoError} */
export async function tokenizerOfFile(name: string, context: Context): Promise<Tokenizer> {
  const { signal } = context;
  const path = await localModel(name, context);
  return await withSource(path, signal, async (source) => {
    const magic = new Uint8Array(4);
    const got = await source.read(magic, 0, signal);
    if (got === 4 && String.fromCharCode(...magic) === 'GGUF') return tokenizerOfModel(source, signal);
    const bytes = await readBytes(source, MAX_TOKENIZER_BYTES, signal);
    const config = bytes[0] === 0x7b ? await configBeside(path) : undefined;
    return openTokenizer(bytes, path, { config });
  });
}

/** bos, eos and chat template of a tokenizer.json stand in another file beside it. */
async function configBeside(path: string): Promise<string | undefined> {
  if (/^(https?|blob|file):/i.test(path)) return undefined;
  try {
    return await readFile(join(dirname(path), 'tokenizer_config.json'), 'utf8');
  } catch {
    return undefined; // it is optional
  }
}

/** The tokenizer that a command line asks for; the default model's when it names none. @throws {UsageError} for two */
export function chosenTokenizer(
  { model, tokenizer }: { readonly model?: string; readonly tokenizer?: string },
  context: Context,
): Promise<Tokenizer> {
  if (model !== undefined && tokenizer !== undefined) {
    throw new UsageError('give -m MODEL or --tokenizer FILE, not both');
  }
  if (tokenizer !== undefined) return tokenizerOfFile(tokenizer, context);
  return withModel(modelPath(model), context, (source) => tokenizerOfModel(source, context.signal));
}
