/**
 * Tokenizers from the metadata of a GGUF file.
 * @module
 */
import type { MetadataValue } from '../container/tensor.ts';
import { ByteLevelFamily, listedMerges } from './bytelevel.ts';
import { Charsmap } from './charsmap.ts';
import { metadataTemplates } from './chat-templates.ts';
import { type PreTokenizer, preTokenizer } from './pretokenize.ts';
import { SENTENCEPIECE_KEY, SpmFamily } from './spm.ts';
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
import { cleanBert, UNCASED, WordPieceFamily } from './wordpiece.ts';

export type Metadata = ReadonlyMap<string, MetadataValue>;

/** What errors call the vocabulary. */
export const NAME = 'tokenizer.ggml';
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
      const handleChinese = flag('normalizer.handle_chinese_chars', true);
      return new WordPieceFamily(
        words,
        ids.unk,
        (text) => cleanBert(text, { ...UNCASED, handleChinese, lowercase, stripAccents }),
      );
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

function firstUnknown(vocabulary: Vocabulary): number | undefined {
  const at = vocabulary.types.indexOf(UNKNOWN);
  return at === -1 ? vocabulary.ids.get('[UNK]') : at;
}

function numbers(value: MetadataValue, key: string): number[] {
  if (!Array.isArray(value)) refuse(NAME, `tokenizer.ggml.${key} is not an array`);
  return value.map(Number);
}
