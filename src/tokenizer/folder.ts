/**
 * The tokenizer of a folder of transformers: `tokenizer.json` with the configuration beside it, else a SentencePiece model, else
 * a WordPiece vocabulary.
 * @module
 */
import { TokenizerError } from '../errors.ts';
import { MAX_CONFIG_BYTES, MAX_TOKENIZER_BYTES } from '../limits.ts';
import type { Tokenizer } from './tokenizer.ts';

/** The bytes of a file of the folder, null where there is none of this name. */
type Beside = (name: string, most: number) => Promise<Uint8Array | null>;

/** Files that hold a vocabulary, the most complete first. */
export const VOCABULARY_FILES: readonly string[] = ['tokenizer.json', 'tokenizer.model', 'vocab.txt'];

/** @returns null where the folder has no tokenizer @throws {TokenizerError} `TOKENIZER` */
export async function folderTokenizer(beside: Beside): Promise<Tokenizer | null> {
  for (const name of VOCABULARY_FILES) {
    const bytes = await beside(name, MAX_TOKENIZER_BYTES);
    if (!bytes) continue;
    const { openTokenizer } = await import('./tokenizer-file.ts');
    return openTokenizer(bytes, name, { config: JSON.stringify(await tokenizerConfig(beside)) });
  }
  return null;
}

/**
 * What `tokenizer_config.json` and `special_tokens_map.json` say, with the chat template where that has a file of its own, and the ids of
 * `generation_config.json` that end an answer.
 */
export async function tokenizerConfig(beside: Beside): Promise<object> {
  const own = await jsonBeside(beside, 'tokenizer_config.json');
  // as in transformers: older folders name special tokens in a file of their own
  const config = 'added_tokens_decoder' in own
    ? own
    : { ...own, ...await jsonBeside(beside, 'special_tokens_map.json') };
  const { eos_token_id: ends } = await jsonBeside(beside, 'generation_config.json');
  const file = await beside('chat_template.jinja', MAX_CONFIG_BYTES);
  const template = file ? new TextDecoder().decode(file) : config.chat_template;
  return { ...config, chat_template: template, ...(ends !== undefined && { eos_token_id: ends }) };
}

/** A file of the folder as an object; an empty one where it is not there. @throws {TokenizerError} `TOKENIZER` */
async function jsonBeside(beside: Beside, name: string): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await beside(name, MAX_CONFIG_BYTES);
  if (!bytes) return {};
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new TokenizerError('TOKENIZER', `${name} is not JSON: ${String(cause)}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new TokenizerError('TOKENIZER', `${name} is not a JSON object`);
}
