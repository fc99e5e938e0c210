/**
 * Tokenizers from files of their own, told apart by content. A chunk of its own: a GGUF file carries its tokenizer.
 * @module
 */
import type { MetadataValue } from '../container/tensor.ts';
import { TokenizerError } from '../errors.ts';
import { MAX_TOKENIZER_BYTES } from '../limits.ts';
import { checkOptions, type Rules, TEXT } from '../options.ts';
import { configuredTemplates } from './chat-templates.ts';
import { openTokenizerJson } from './json/open.ts';
import { type Json, parseObject } from './json/steps.ts';
import { NAME, tokenizerFromMetadata } from './metadata.ts';
import { isSentencePiece, sentencePieceMetadata } from './sentencepiece.ts';
import { isTiktoken, openTiktoken } from './tiktoken.ts';
import type { Tokenizer } from './tokenizer.ts';
import { refuse } from './vocabulary.ts';
import { isVocabTxt, wordPieceMetadata } from './wordpiece-metadata.ts';

/** What `openTokenizer` may be told besides the file. */
export interface OpenTokenizerOptions {
  /** The text of the `tokenizer_config.json` beside it: special tokens, chat template, and what a vocab.txt does not say. */
  readonly config?: string;
}

const TOKENIZER_RULES: Rules<OpenTokenizerOptions> = { config: TEXT };

/**
 * Opens a tokenizer's own file: `tokenizer.json`, a SentencePiece `.model`, tiktoken ranks of Llama 3, or a
 * `vocab.txt` of BERT.
 * @param bytes the file, or its text
 * @param name what errors call it
 * @throws {TokenizerError} `TOKENIZER` when the content is none of these, or malformed
 * @example openTokenizer(await readFile('tokenizer.json'), 'tokenizer.json').encode('hello')
 */
export function openTokenizer(bytes: Uint8Array | string, name: string, options: OpenTokenizerOptions = {}): Tokenizer {
  checkOptions('openTokenizer', options, TOKENIZER_RULES);
  if (bytes.length > MAX_TOKENIZER_BYTES) {
    refuse(name, `the file has ${bytes.length} bytes, at most ${MAX_TOKENIZER_BYTES} are accepted`);
  }
  const settings = options.config === undefined ? {} : parseObject(options.config, `${name} (config)`);
  if (typeof bytes !== 'string' && isSentencePiece(bytes)) {
    const metadata = configured(sentencePieceMetadata(bytes, name), settings, {
      add_bos_token: 'add_bos_token',
      add_eos_token: 'add_eos_token',
    });
    const tokenizer = renamed(name, () => tokenizerFromMetadata(metadata));
    if (tokenizer !== null) return tokenizer;
  }
  const text = typeof bytes === 'string' ? bytes : decode(bytes, name);
  if (/^\s*\{/.test(text)) return openTokenizerJson(text, name, settings);
  if (isTiktoken(text)) return openTiktoken(text, name);
  if (isVocabTxt(text)) {
    const metadata = configured(wordPieceMetadata(text, name), settings, {
      do_lower_case: 'normalizer.lowercase',
      strip_accents: 'normalizer.strip_accents',
      tokenize_chinese_chars: 'normalizer.handle_chinese_chars',
    });
    const tokenizer = renamed(name, () => tokenizerFromMetadata(metadata));
    if (tokenizer !== null) return tokenizer;
  }
  return refuse(
    name,
    'not a tokenizer.json, SentencePiece .model, Llama 3 tiktoken file or BERT vocab.txt; a GGUF file is opened as a model',
  );
}

/** The metadata of a file with the flags and the chat template that the configuration beside it has. */
function configured(
  metadata: Map<string, MetadataValue>,
  settings: Json,
  flags: Readonly<Record<string, string>>,
): Map<string, MetadataValue> {
  for (const [key, its] of Object.entries(flags)) {
    const value = settings[key];
    if (typeof value === 'boolean') metadata.set(`${NAME}.${its}`, value);
  }
  const { chatTemplate } = configuredTemplates(settings.chat_template);
  if (chatTemplate !== undefined) metadata.set('tokenizer.chat_template', chatTemplate);
  return metadata;
}

function decode(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    return refuse(name, 'the file is neither a SentencePiece model nor UTF-8 text');
  }
}

/** Errors of the shared path name the metadata keys of GGUF; here they name the file. */
function renamed<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof TokenizerError) || !error.message.includes(`${NAME}: `)) throw error;
    throw new TokenizerError(error.code, error.message.replace(`TOKENIZER: ${NAME}: `, `${name}: `), { cause: error });
  }
}
