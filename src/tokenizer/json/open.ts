/**
 * `tokenizer.json` (Hugging Face), with what the configuration beside it adds. All of it is done as `tokenizers` of Hugging Face
 * does it.
 * @module
 */
import { MAX_TEMPLATE_CHARS } from '../../limits.ts';
import { allowSteps } from '../onig/machine.ts';
import type { SpecialIds, Tokenizer } from '../tokenizer.ts';
import { refuse, validId, type Vocabulary, withStops } from '../vocabulary.ts';
import { decoder } from './decoders.ts';
import { type Frame, readFrame } from './frame.ts';
import { readModel } from './models.ts';
import { normalizer } from './normalizers.ts';
import { cutter } from './pre-tokenizers.ts';
import { type Json, object } from './steps.ts';
import { JsonTokenizer } from './tokenizer.ts';
import { addTokens, wholeVocabulary } from './vocabulary.ts';

/**
 * Opens a tokenizer.json.
 * @param config text of the tokenizer_config.json beside it, if there is one
 * @throws {TokenizerError} `TOKENIZER` when it is malformed or needs what is not supported
 */
export function openTokenizerJson(text: string, name: string, config?: string): Tokenizer {
  const file = parse(text, name);
  const settings = config === undefined ? {} : parse(config, `${name} (config)`);
  // added tokens are normalised
  allowSteps(text.length);
  const model = readModel(file.model, name);
  const normalise = normalizer(file.normalizer, name);
  const added = addTokens(file.added_tokens, model.pieces, normalise);
  const vocabulary = wholeVocabulary(model.pieces, added);
  const own = readFrame(file.post_processor, vocabulary);
  const specials = findSpecials(vocabulary, model.unknown, own, settings);
  const template = settings.chat_template;
  return new JsonTokenizer({
    kind: model.kind,
    vocabulary,
    added,
    normalise,
    cut: cutter(file.pre_tokenizer, name),
    // the unknown piece is no instruction: a text may spell it
    encode: model.encoder((id) => id !== model.unknown && added.byId.get(id)?.special === true),
    decoder: decoder(file.decoder, name),
    frame: configured(own, specials, settings, file.post_processor),
    specials,
    chatTemplate: typeof template === 'string' && template.length <= MAX_TEMPLATE_CHARS ? template : undefined,
    notices: model.notices,
  });
}

/**
 * `add_bos_token` and `add_eos_token` of a configuration count where the file has no post-processor, as in transformers; of a file
 * with one only bos is added that it lacks.
 */
function configured(own: Frame, { bos, eos }: SpecialIds, settings: Json, processor: unknown): Frame {
  const alone = processor === null || processor === undefined;
  const begin = settings.add_bos_token === true && bos !== undefined && own[0] === null ? [bos] : [];
  const end = alone && settings.add_eos_token === true && eos !== undefined ? [eos] : [];
  return [...begin, ...own, ...end];
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

function parse(text: string, name: string): Json {
  try {
    return object(JSON.parse(text.replace(/^\ufeff/, '')), name, 'the file');
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    return refuse(name, `not JSON: ${cause.message}`);
  }
}
