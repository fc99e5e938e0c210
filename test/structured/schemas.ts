/**
 * A tiny model that speaks JSON by pieces, and random schemas for it.
 * @module
 */
import { type JsonSchema, type Model, open } from '../../src/entries/index.ts';
import { type LlamaChoices, llamaFile } from '../llama-files.ts';

const WORDS = [
  'true',
  'false',
  'null',
  '":',
  '",',
  '{"',
  '"}',
  '},',
  '": ',
  'ab',
  'é',
  '日',
  '\\"',
  '\\u00',
  '[]',
  '{}',
  '10',
  '0.5',
];
const LETTERS = [...'{}[]:,"-.0123456789abcdefghijklmnopqrstuvwxyzE+\\_'];
/** Pieces as SentencePiece writes them, with every byte beside them. */
export const PIECES: readonly string[] = [
  '<unk>',
  '<s>',
  '</s>',
  ...Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`),
  ...LETTERS,
  ...WORDS,
  '▁',
  '▁yes',
  '▁{',
  '▁"',
];

/** A model of random weights over these pieces. */
export function jsonModel(
  choices: LlamaChoices & { context?: number; template?: string; special?: readonly string[] } = {},
): Promise<Model> {
  const pieces = [...PIECES, ...(choices.special ?? [])];
  const file = llamaFile({ ...choices, shape: { vocab: pieces.length, ...choices.shape } });
  const type = (i: number): number => (i === 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : i < PIECES.length ? 1 : 3);
  file.metadata.push(
    ['tokenizer.ggml.model', 'string', 'llama'],
    ['tokenizer.ggml.tokens', 'string[]', pieces],
    ['tokenizer.ggml.scores', 'float32[]', pieces.map((_, i) => -i)],
    ['tokenizer.ggml.token_type', 'int32[]', pieces.map((_, i) => type(i))],
    ['tokenizer.ggml.bos_token_id', 'uint32', 1],
    ['tokenizer.ggml.eos_token_id', 'uint32', 2],
  );
  if (choices.template !== undefined) file.metadata.push(['tokenizer.chat_template', 'string', choices.template]);
  return open(file.bytes(), { contextLength: choices.context ?? 512 });
}

/** Whole numbers below n, from a seed. */
export type Draw = (n: number) => number;

export function drawing(seed: number): Draw {
  let state = seed * 2654435761 >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

type Made = Record<string, unknown>;

/** A schema, of every kind that is supported. */
export function randomSchema(draw: Draw, depth: number = 0): JsonSchema {
  const leaf = depth > 2;
  const kinds = leaf ? 6 : 12;
  const name = (): string => ['a', 'b', 'id', 'name', 'é', 'ab', 'x y'][draw(7)];
  switch (draw(kinds)) {
    case 0:
      return { type: 'boolean' };
    case 1:
      return { type: 'integer', ...(draw(2) && { minimum: draw(50) - 25, maximum: 25 + draw(100) }) };
    case 2:
      return { type: 'string', maxLength: 1 + draw(6), ...(draw(2) && { minLength: 1 }) };
    case 3:
      return { enum: [['a', 'ab', 'é'], [1, 2.5, -3], [null, true, 'x'], [10, 100]][draw(4)] };
    case 4:
      return { const: ['k', 7, null, false, 1e21, '"q"'][draw(6)] };
    case 5:
      return { type: ['null', 'number'][draw(2)], ...(draw(2) && { multipleOf: 0.5 }) };
    case 6:
      return {
        type: 'array',
        items: randomSchema(draw, depth + 1),
        maxItems: draw(3),
        ...(draw(4) === 0 && { uniqueItems: true }),
      };
    case 7:
      return { anyOf: [randomSchema(draw, depth + 1), { type: 'null' }] };
    case 8:
      return {
        type: 'array',
        prefixItems: [randomSchema(draw, depth + 1), randomSchema(draw, depth + 1)],
        items: false,
        minItems: draw(3),
      };
    case 9:
      return { const: [{ a: 1, b: ['x', true] }, [1, [2]], {}, []][draw(4)] };
    default: {
      const properties: Made = Object.create(null) as Made;
      for (let i = draw(4); i >= 0; i--) properties[name()] = randomSchema(draw, depth + 1);
      const required = Object.keys(properties).filter(() => draw(3) > 0);
      const additional = [false, false, { type: 'integer' }][draw(3)];
      return {
        type: 'object',
        properties,
        required,
        additionalProperties: additional,
        ...(additional !== false && { maxProperties: Object.keys(properties).length + 1 }),
      };
    }
  }
}
