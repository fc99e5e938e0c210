/**
 * The tokenizer of a folder of transformers: `tokenizer.json` with the configuration beside it, else a SentencePiece model, else
 * a WordPiece vocabulary.
 * @module
 */
import { TokenizerError } from '../errors.ts';
import { MAX_CONFIG_BYTES, MAX_TOKENIZER_BYTES } from '../limits.ts';
import { openTokenizer } from './open.ts';
import type { Tokenizer } from './tokenizer.ts';

/** The bytes of a file of the folder, null where there is none of this name. */
type Beside = (name: string, most: number) => Promise<Uint8Array | null>;

/** Files that hold a vocabulary, the most complete first. */
const FILES: readonly string[] = ['tokenizer.json', 'tokenizer.model', 'vocab.txt'];

/** @returns null where the folder has no tokenizer @throws {TokenizerError} `TOKENIZER` */
export async function folderTokenizer(beside: Beside): Promise<Tokenizer | null> {
  for (const name of FILES) {
    const bytes = await beside(name, MAX_TOKENIZER_BYTES);
    if (bytes) return openTokenizer(bytes, name, { config: JSON.stringify(await tokenizerConfig(beside)) });
  }
  return null;
}

/** What `tokenizer_config.json` says, with the chat template where that has a file of its own. */
async function tokenizerConfig(beside: Beside): Promise<object> {
  const name = 'tokenizer_config.json';
  const bytes = await beside(name, MAX_CONFIG_BYTES);
  const template = await beside('chat_template.jinja', MAX_CONFIG_BYTES);
  let config: unknown = {};
  try {
    if (bytes) config = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new TokenizerError('TOKENIZER', `${name} is not JSON: ${String(cause)}`, { cause });
  }
  if (typeof config !== 'object' || config === null) {
    throw new TokenizerError('TOKENIZER', `${name} is not a JSON object`);
  }
  return template ? { ...config, chat_template: new TextDecoder().decode(template) } : config;
}
