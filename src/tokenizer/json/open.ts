/**
 * `tokenizer.json` (Hugging Face), with what the configuration beside it adds. All of it is done as `tokenizers` of Hugging Face
 * does it.
 * @module
 */
import { configuredTemplates } from '../chat-templates.ts';
import { allowSteps } from '../onig/machine.ts';
import type { SpecialIds, Tokenizer } from '../tokenizer.ts';
import { CONTROL, validId, type Vocabulary, withStops } from '../vocabulary.ts';
import { decoder } from './decoders.ts';
import { type Frame, readFrame } from './frame.ts';
import { readModel } from './models.ts';
import { normalizer } from './normalizers.ts';
import { cutter } from './pre-tokenizers.ts';
import { type Json, parseObject } from './steps.ts';
import { JsonTokenizer } from './tokenizer.ts';
import { addTokens, wholeVocabulary } from './vocabulary.ts';

/**
 * Opens a tokenizer.json.
 * @param settings what the tokenizer_config.json beside it says
 * @throws {TokenizerError} `TOKENIZER` when it is malformed or needs what is not supported
 */
export function openTokenizerJson(text: string, name: string, settings: Json): Tokenizer {
  const file = parseObject(text, name);
  // added tokens are normalised
  allowSteps(text.length);
  const model = readModel(file.model, name);
  const normalise = normalizer(file.normalizer, name);
  const added = addTokens(file.added_tokens, namedTokens(settings), model.pieces, normalise);
  const vocabulary = wholeVocabulary(model.pieces, added);
  const special = Uint8Array.from(vocabulary.types, (type, id) => id !== model.unknown && type === CONTROL ? 1 : 0);
  const isSpecial = (id: number): boolean => special[id] === 1;
  const own = readFrame(file.post_processor, vocabulary);
  const specials = findSpecials(vocabulary, model.unknown, own, settings);
  return new JsonTokenizer({
    kind: model.kind,
    vocabulary,
    added,
    normalise,
    cut: cutter(file.pre_tokenizer, name),
    encode: model.encoder(isSpecial),
    isSpecial,
    decoder: decoder(file.decoder, name),
    frame: configured(own, specials, settings),
    specials,
    ...configuredTemplates(settings.chat_template),
    notices: model.notices,
  });
}

/**
 * `add_bos_token` and `add_eos_token` of a configuration count where the file itself adds nothing to a text, as in the converter of
 * llama.cpp and in transformers before version 5, which leaves them out of account.
 */
function configured(own: Frame, { bos, eos }: SpecialIds, settings: Json): Frame {
  if (own.some((part) => part !== null)) return own;
  const begin = settings.add_bos_token === true && bos !== undefined ? [bos] : [];
  const end = settings.add_eos_token === true && eos !== undefined ? [eos] : [];
  return [...begin, ...own, ...end];
}

const NAMED = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/** The tokens that a configuration names, as entries of `added_tokens`. */
function namedTokens(settings: Json): Json[] {
  const { added_tokens_decoder: decoder, additional_special_tokens: more, extra_special_tokens: extra } = settings;
  const listed = typeof decoder === 'object' && decoder !== null ? Object.values(decoder) as unknown[] : [];
  const named = [
    ...NAMED.map((key) => settings[key]),
    ...[more, extra].flatMap((list) => Array.isArray(list) ? list as unknown[] : []),
  ];
  return [...listed, ...named.map((one) => typeof one === 'string' ? { content: one, special: true } : one)]
    .filter((one): one is Json => typeof (one as Json | null)?.content === 'string')
    .map((one) => listed.includes(one) ? one : { ...one, special: true });
}

function findSpecials(vocabulary: Vocabulary, unknown: number | undefined, frame: Frame, settings: Json): SpecialIds {
  const named = (key: string, ...usual: string[]): number | undefined => {
    const set = settings[key];
    const content = typeof set === 'object' && set !== null ? (set as Json).content : set;
    for (const piece of [content, ...usual]) {
      const id = typeof piece === 'string' ? vocabulary.ids.get(piece) : undefined;
      if (id !== undefined) return id;
    }
    return undefined;
  };
  const bos = named('bos_token') ?? frame[0] ?? named('', '<s>', '<|begin_of_text|>', '<bos>');
  const eos = named('eos_token', '</s>', '<|end_of_text|>', '<|endoftext|>', '<eos>', '[SEP]');
  return withStops(
    vocabulary,
    { bos, eos, unk: named('unk_token') ?? unknown, pad: named('pad_token', '<pad>', '[PAD]') },
    // of a generation_config.json: all that end an answer
    [settings.eos_token_id].flat().map((id) => validId(vocabulary, id)),
  );
}
