/**
 * `tokenizer.json` (Hugging Face): normalisers and pre-tokenizers are those of `@huggingface/tokenizers`; merging,
 * special tokens and decoding are the same code as for every other format here, since they must stand any text.
 * @module
 */
import { MAX_VOCAB } from '../limits.ts';
import { listedMerges, spelledBytes } from './bytelevel.ts';
import { configuredTemplates } from './chat-templates.ts';
import { cutter, frame, normalizer } from './json-pipeline.ts';
import { segmenter } from './spm.ts';
import type { SpecialIds, Tokenizer } from './tokenizer.ts';
import {
  BYTE,
  byteOf,
  checkVocabulary,
  CONTROL,
  NORMAL,
  refuse,
  UNKNOWN,
  UNUSED,
  USER_DEFINED,
  validId,
  type Vocabulary,
  withStops,
} from './vocabulary.ts';
import { type Family, VocabularyTokenizer } from './vocabulary-tokenizer.ts';
import { WordPieceFamily } from './wordpiece.ts';
import { textPieces, WordMerger } from './words.ts';

/** A JSON object whose fields have not been looked at. */
export type Json = { readonly [key: string]: unknown };

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly left: boolean;
  readonly right: boolean;
}

const MARK = '\u2581';
const MODELS = ['BPE', 'Unigram', 'WordPiece'];

/**
 * Opens a tokenizer.json.
 * @param config text of the tokenizer_config.json beside it, if there is one
 * @throws {TokenizerError} `TOKENIZER` when it is malformed or needs what is not supported
 */
export function openTokenizerJson(text: string, name: string, config?: string): Tokenizer {
  const file = parse(text, name);
  const settings = config === undefined ? {} : parse(config, `${name} (config)`);
  const model = object(file.model, name, 'model');
  const kind = model.type ?? (Array.isArray(model.merges) ? 'BPE' : undefined);
  if (typeof kind !== 'string' || !MODELS.includes(kind)) {
    refuse(name, `the model type ${JSON.stringify(kind)?.slice(0, 40)} is not supported; ${MODELS.join(', ')} are`);
  }
  const added = addedTokens(file.added_tokens, name);
  const vocabulary = readVocabulary(model, added, name);
  const family = openFamily(kind, model, vocabulary, file);
  const [prefix, suffix] = frame(file.post_processor, name).map((pieces) =>
    pieces.map(
      (piece) =>
        vocabulary.ids.get(piece) ?? refuse(name, `the post-processor adds "${piece.slice(0, 40)}", which is no piece`),
    )
  );
  const specials = findSpecials(vocabulary, model, prefix, settings);
  return new VocabularyTokenizer({
    vocabulary,
    family,
    specials,
    prefix: prefix.length === 0 && settings.add_bos_token === true && specials.bos !== undefined
      ? [specials.bos]
      : prefix,
    suffix,
    strips: new Map(
      added.filter(({ left, right }) => left || right).map(({ id, left, right }) => [id, { left, right }]),
    ),
    ...configuredTemplates(settings.chat_template),
  });
}

function readVocabulary(model: Json, added: readonly AddedToken[], name: string): Vocabulary {
  const listed: [unknown, unknown][] = Array.isArray(model.vocab)
    ? model.vocab.map((entry: unknown, id) => [Array.isArray(entry) ? entry[0] : undefined, id])
    : Object.entries(object(model.vocab, name, 'model.vocab'));
  const pieces: string[] = [];
  for (const [piece, id] of [...listed, ...added.map((token): [string, number] => [token.content, token.id])]) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= MAX_VOCAB) {
      refuse(
        name,
        `the piece ${JSON.stringify(piece)?.slice(0, 40)} has the id ${String(id)}; ids are 0 to ${MAX_VOCAB - 1}`,
      );
    }
    if (typeof piece !== 'string') refuse(name, `piece ${id} is not a string`);
    if (pieces[id] !== undefined && pieces[id] !== piece) {
      refuse(name, `the id ${id} belongs to "${pieces[id]}" and to "${piece}"`);
    }
    pieces[id] = piece;
  }
  const types = new Uint8Array(pieces.length).fill(NORMAL);
  for (let id = 0; id < pieces.length; id++) {
    if (pieces[id] === undefined) pieces[id] = '';
    if (pieces[id] === '') types[id] = UNUSED;
    else if (model.byte_fallback === true && byteOf(pieces[id]) !== -1) types[id] = BYTE;
    else if (pieces[id] === model.unk_token || (Array.isArray(model.vocab) && id === model.unk_id)) types[id] = UNKNOWN;
  }
  for (const token of added) {
    if (token.content !== '' && types[token.id] !== UNKNOWN) types[token.id] = token.special ? CONTROL : USER_DEFINED;
  }
  return checkVocabulary(name, pieces, types);
}

function addedTokens(list: unknown, name: string): AddedToken[] {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) refuse(name, 'added_tokens is not a list');
  return list.map((entry: unknown, i) => {
    const token = object(entry, name, `added token ${i}`);
    if (typeof token.content !== 'string' || typeof token.id !== 'number') {
      refuse(name, `added token ${i} lacks its id or content`);
    }
    if (token.single_word === true) refuse(name, `added token ${i} asks for single_word, which is not supported`);
    return {
      id: token.id,
      content: token.content,
      special: token.special === true,
      left: token.lstrip === true,
      right: token.rstrip === true,
    };
  });
}

function openFamily(kind: string, model: Json, vocabulary: Vocabulary, file: Json): Family {
  const { name } = vocabulary;
  const normalise = normalizer(file.normalizer, name);
  const cut = cutter(file.pre_tokenizer, name);
  const unknown = vocabulary.types.indexOf(UNKNOWN);
  const unk = unknown === -1 ? undefined : unknown;
  if (kind === 'WordPiece') {
    return new WordPieceFamily(vocabulary, unk, normalise, {
      words: (text) => cut(text, true),
      longestWord: typeof model.max_input_chars_per_word === 'number' ? model.max_input_chars_per_word : undefined,
      prefix: typeof model.continuing_subword_prefix === 'string' ? model.continuing_subword_prefix : undefined,
    });
  }
  const encode = kind === 'Unigram' ? unigram(model, vocabulary, unk) : bpe(model, vocabulary, unk);
  const byteLevel = uses(file.pre_tokenizer, 'ByteLevel') || uses(file.decoder, 'ByteLevel');
  const dropsSpace = !byteLevel && (uses(file.decoder, 'Strip') || uses(file.decoder, 'Metaspace'));
  return {
    kind: 'bpe',
    leadingSpace: dropsSpace ? 'drop one' : 'keep',
    encodeRun: (text, out, _first, start) => {
      const normal = normalise(text);
      if (normal === '') return;
      for (const word of cut(normal, start)) encode(word, out);
    },
    bytes: (id) => {
      const piece = vocabulary.pieces[id];
      const type = vocabulary.types[id];
      if (type === BYTE) return Uint8Array.of(byteOf(piece));
      if (byteLevel) return type === USER_DEFINED ? new TextEncoder().encode(piece) : spelledBytes(piece);
      return new TextEncoder().encode(type === USER_DEFINED ? piece : piece.replaceAll(MARK, ' '));
    },
  };
}

function bpe(model: Json, vocabulary: Vocabulary, unknown: number | undefined): (word: string, out: number[]) => void {
  const { name } = vocabulary;
  for (const key of ['continuing_subword_prefix', 'end_of_word_suffix', 'dropout']) {
    if (model[key]) refuse(name, `model.${key} is not supported`);
  }
  if (!Array.isArray(model.merges)) refuse(name, 'model.merges is missing');
  const merger = new WordMerger(
    vocabulary,
    textPieces(vocabulary),
    listedMerges(vocabulary, model.merges),
    unknown,
    model.fuse_unk === true,
  );
  if (model.ignore_merges !== true) return (word, out) => merger.encode(word, out);
  return (word, out) => {
    const whole = merger.ids.get(word);
    if (whole !== undefined) out.push(whole);
    else merger.encode(word, out);
  };
}

function unigram(
  model: Json,
  vocabulary: Vocabulary,
  unknown: number | undefined,
): (word: string, out: number[]) => void {
  const scores = new Float64Array(vocabulary.pieces.length);
  (model.vocab as unknown[]).forEach((entry, id) => {
    const score = Array.isArray(entry) ? entry[1] : undefined;
    if (typeof score !== 'number' || !Number.isFinite(score)) {
      refuse(vocabulary.name, `piece ${id} has no finite score`);
    }
    scores[id] = score;
  });
  return segmenter(vocabulary, scores, unknown);
}

function findSpecials(vocabulary: Vocabulary, model: Json, prefix: readonly number[], settings: Json): SpecialIds {
  const named = (key: string, ...usual: unknown[]): number | undefined => {
    const set = settings[key];
    const content = typeof set === 'object' && set !== null ? (set as Json).content : set;
    for (const piece of [content, ...usual]) {
      const id = typeof piece === 'string' ? vocabulary.ids.get(piece) : undefined;
      if (id !== undefined) return id;
    }
    return undefined;
  };
  const bos = named('bos_token') ?? prefix[0] ?? named('', '<s>', '<|begin_of_text|>', '<bos>');
  const eos = named('eos_token', '</s>', '<|end_of_text|>', '<|endoftext|>', '<eos>', '[SEP]');
  return withStops(
    vocabulary,
    { bos, eos, unk: named('unk_token', model.unk_token), pad: named('pad_token', '<pad>', '[PAD]') },
    // of a generation_config.json: all that end an answer
    [settings.eos_token_id].flat().map((id) => validId(vocabulary, id)),
  );
}

/** Whether a pipeline step, or one within a sequence, is of this type. */
function uses(step: unknown, type: string): boolean {
  if (typeof step !== 'object' || step === null) return false;
  const { type: its, pretokenizers, decoders } = step as Json;
  return (
    its === type ||
    [pretokenizers, decoders].some((list) => Array.isArray(list) && list.some((inner) => uses(inner, type)))
  );
}

function parse(text: string, name: string): Json {
  try {
    return object(JSON.parse(text), name, 'the file');
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    return refuse(name, `not JSON: ${cause.message}`);
  }
}

function object(value: unknown, name: string, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(name, `${what} is not an object`);
  return value as Json;
}
