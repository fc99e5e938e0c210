/**
 * The post-processors of a tokenizer.json: the special tokens around a text.
 * @module
 */
import { refuse, type Vocabulary } from '../vocabulary.ts';
import { type Json, object, type Part, readSteps, shown } from './steps.ts';

/** Ids in order; null stands for the text. */
export type Frame = readonly (number | null)[];

/**
 * The frame of a single text.
 * @throws {TokenizerError} `TOKENIZER` for a post-processor that is not known or names what is no piece
 */
export function readFrame(config: unknown, vocabulary: Vocabulary): Frame {
  let frame: Frame = [null];
  for (const { made } of readSteps(config, PART, vocabulary.name)) {
    frame = made(vocabulary).flatMap((part) => part === null ? frame : [part]);
    if (frame.length > MAX_FRAME) {
      refuse(vocabulary.name, `post-processors add more than ${MAX_FRAME} tokens to a text`);
    }
  }
  return frame;
}

/** Tokens that stand around a text. Real frames have under 10. */
const MAX_FRAME = 1024;

const PART: Part<(vocabulary: Vocabulary) => Frame> = {
  what: 'post-processor',
  list: 'processors',
  makers: {
    ByteLevel: () => () => [null],
    BertProcessing: ({ cls, sep }) => (vocabulary) => [named(cls, vocabulary), null, named(sep, vocabulary)],
    TemplateProcessing: (step) => (vocabulary) => template(step, vocabulary),
  },
  guesses: [['BertProcessing', 'sep', 'cls'], ['TemplateProcessing', 'single', 'special_tokens']],
};

function template(step: Json, vocabulary: Vocabulary): Frame {
  const { name } = vocabulary;
  if (!Array.isArray(step.single)) return refuse(name, 'single of TemplateProcessing is not a list');
  const tokens = object(step.special_tokens, name, 'special_tokens of TemplateProcessing');
  return (step.single as unknown[]).flatMap((item): Frame => {
    const piece = object(item, name, 'a part of a template');
    if (piece.Sequence !== undefined) return [null];
    const { id } = object(piece.SpecialToken, name, 'a special token of a template');
    const token = typeof id === 'string' && Object.hasOwn(tokens, id) ? tokens[id] as Json : undefined;
    if (!Array.isArray(token?.ids)) {
      return refuse(name, `the post-processor adds ${shown(id)}, which is not one of its special tokens`);
    }
    return token.ids.map((one: unknown) => named([id, one], vocabulary));
  });
}

/** A piece with its id, as `["[CLS]", 101]`. The id counts. */
function named(pair: unknown, { name, pieces }: Vocabulary): number {
  const [piece, id] = Array.isArray(pair) ? pair as unknown[] : [];
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= pieces.length) {
    return refuse(name, `the post-processor adds ${shown(piece)} with the id ${shown(id)}, which is not a piece`);
  }
  return id;
}
