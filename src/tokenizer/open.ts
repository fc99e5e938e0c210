/**
 * Tokenizers from what carries them: the metadata of a GGUF file, or a tokenizer's own file, told apart by content.
 * @module
 */
import type { MetadataValue } from '../container/tensor.ts';
import { TokenizerError } from '../errors.ts';
import { MAX_TOKENIZER_BYTES } from '../limits.ts';
import { checkOptions, type Rules, TEXT } from '../options.ts';
import { ByteLevelFamily, listedMerges } from './bytelevel.ts';
import { Charsmap } from './charsmap.ts';
import { metadataTemplates } from './chat-templates.ts';
import { openTokenizerJson } from './json.ts';
import { type PreTokenizer, preTokenizer } from './pretokenize.ts';
import { isSentencePiece, SENTENCEPIECE_KEY, sentencePieceMetadata } from './sentencepiece.ts';
import { SpmFamily } from './spm.ts';
import { isTiktoken, openTiktoken } from './tiktoken.ts';
import type { SpecialIds, Tokenizer } from './tokenizer.ts';
import {
  checkVocabulary,
  refuse,
  UNKNOWN,
  validId,
  type Vocabulary,
  withControlEnds,
  withStops,
} from './vocabulary.ts';
import { type Family, VocabularyTokenizer } from './vocabulary-tokenizer.ts';
import { isVocabTxt, wordPieceMetadata } from './wordpiece-metadata.ts';
import { cleanBert, UNCASED, WordPieceFamily } from './wordpiece.ts';

export type Metadata = ReadonlyMap<string, MetadataValue>;

const NAME = 'tokenizer.ggml';
const MODELS = ['llama', 'gpt2', 'bert', 't5'];

/**
 * The tokenizer that a GGUF file carries.
 * @returns null when it carries none
 * @throws {TokenizerError} `TOKENIZER` when the vocabulary is malformed or of an unknown kind
 */
export function tokenizerFromMetadata(metadata: Metadata): Tokenizer | null {
  const model = metadata.get(`${NAME}.model`);
  const tokens = metadata.get(`${NAME}.tokens`);
  if (model === undefined || model === 'none' || model === 'no_vocab') return null;
  if (typeof model !== 'string' || !MODELS.includes(model)) {
    refuse(NAME, `the model "${String(model).slice(0, 40)}" is not supported; ${MODELS.join(', ')} are`);
  }
  if (!Array.isArray(tokens)) refuse(NAME, 'tokenizer.ggml.tokens is missing');
  const types = metadata.get(`${NAME}.token_type`);
  const given = types === undefined ? null : numbers(types, 'token_type');
  const spelled = model === 'llama' || model === 't5';
  const vocabulary = checkVocabulary(
    NAME,
    tokens as string[],
    given ? withControlEnds(tokens, given) : spelled ? null : new Uint8Array(tokens.length),
  );
  const id = (key: string): number | undefined => validId(vocabulary, metadata.get(`${NAME}.${key}_token_id`));
  const specials = withStops(
    vocabulary,
    { bos: id('bos') ?? id('cls'), eos: id('eos'), unk: id('unknown') ?? firstUnknown(vocabulary), pad: id('padding') },
    [id('eot'), id('eom')],
  );
  const flag = (key: string, usual: boolean): boolean => {
    const value = metadata.get(`${NAME}.${key}`);
    return typeof value === 'boolean' ? value : usual;
  };
  const pre = metadata.get(`${NAME}.pre`);
  const architecture = metadata.get('general.architecture');
  const chosen = model === 'gpt2'
    ? preTokenizer(typeof pre === 'string' ? pre : undefined, {
      architecture: typeof architecture === 'string' ? architecture : undefined,
      pieces: tokens.length,
    })
    : undefined;
  const way = chosen?.way;
  const separator = id('seperator') ?? id('separator');
  const addBos = flag(
    'add_bos_token',
    model === 'llama' || model === 'bert' || way?.addBos === true || way?.addSep === true,
  );
  const addSep = flag('add_sep_token', model === 'bert' || way?.addSep === true);
  const addEos = flag('add_eos_token', model === 't5');
  const begin = specials.bos;
  const end = addSep ? (separator ?? specials.eos) : addEos ? specials.eos : undefined;
  return new VocabularyTokenizer({
    vocabulary,
    family: family(model, metadata, vocabulary, specials, way),
    specials,
    prefix: addBos && begin !== undefined ? [begin] : [],
    suffix: end === undefined ? [] : [end],
    ...metadataTemplates(metadata),
    notices: chosen?.notice === undefined ? [] : [chosen.notice],
  });

  function family(
    kind: string,
    from: Metadata,
    words: Vocabulary,
    ids: SpecialIds,
    cut: PreTokenizer | undefined,
  ): Family {
    if (kind === 'bert') {
      const lowercase = flag('normalizer.lowercase', true);
      const stripAccents = flag('normalizer.strip_accents', lowercase);
      return new WordPieceFamily(words, ids.unk, (text) => cleanBert(text, { ...UNCASED, lowercase, stripAccents }));
    }
    if (cut !== undefined) {
      const merges = from.get(`${NAME}.merges`);
      if (!Array.isArray(merges)) refuse(NAME, 'tokenizer.ggml.merges is missing');
      return new ByteLevelFamily(words, listedMerges(words, merges), cut.patterns, cut.wholeWords === true, ids.unk);
    }
    const charsmap = from.get(`${NAME}.precompiled_charsmap`);
    const scores = from.get(`${NAME}.scores`);
    return new SpmFamily(words, {
      // a file without them merges from left to right, as in llama.cpp
      scores: scores === undefined ? new Array<number>(words.pieces.length).fill(0) : numbers(scores, 'scores'),
      unknown: ids.unk,
      algorithm: kind === 't5' ? 'unigram' : 'bpe',
      charsmap: charsmap === undefined
        ? null
        : new Charsmap(Uint8Array.from(numbers(charsmap, 'precompiled_charsmap')), NAME),
      addSpacePrefix: flag('add_space_prefix', true),
      removeExtraWhitespaces: flag('remove_extra_whitespaces', false),
      asSentencePiece: kind === 't5' || from.get(SENTENCEPIECE_KEY) === true,
    });
  }
}

/** What `openTokenizer` may be told besides the file. */
export interface OpenTokenizerOptions {
  /** The text of the `tokenizer_config.json` beside a `tokenizer.json`: bos, eos and chat template. */
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
  if (typeof bytes !== 'string' && isSentencePiece(bytes)) {
    const tokenizer = renamed(name, () => tokenizerFromMetadata(sentencePieceMetadata(bytes, name)));
    if (tokenizer !== null) return tokenizer;
  }
  const text = typeof bytes === 'string' ? bytes : decode(bytes, name);
  if (/^\s*\{/.test(text)) return openTokenizerJson(text, name, options.config);
  if (isTiktoken(text)) return openTiktoken(text, name);
  if (isVocabTxt(text)) {
    const tokenizer = renamed(name, () => tokenizerFromMetadata(wordPieceMetadata(text, name)));
    if (tokenizer !== null) return tokenizer;
  }
  return refuse(
    name,
    'not a tokenizer.json, SentencePiece .model, Llama 3 tiktoken file or BERT vocab.txt; a GGUF file is opened as a model',
  );
}

function firstUnknown(vocabulary: Vocabulary): number | undefined {
  const at = vocabulary.types.indexOf(UNKNOWN);
  return at === -1 ? vocabulary.ids.get('[UNK]') : at;
}

function numbers(value: MetadataValue, key: string): number[] {
  if (!Array.isArray(value)) refuse(NAME, `tokenizer.ggml.${key} is not an array`);
  return value.map(Number);
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
