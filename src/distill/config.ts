/**
 * The shape of a student, from JSON or from code: checked once.
 * @module
 */
import { OptionError } from '../errors.ts';
import { MAX_CONTEXT, MAX_HEADS, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH } from '../limits.ts';
import type { StudentConfig } from './types.ts';

/** Ternary blocks have this many columns; nothing is padded in a file. */
const BLOCK = 256;

/** What a student is unless told: about 3.7 M weights behind a vocabulary of 512. */
export const DEFAULT_STUDENT: Omit<StudentConfig, 'vocab'> = {
  width: 256,
  layers: 4,
  heads: 4,
  ffn: 768,
  context: 512,
  window: 256,
  anchors: 4,
  threshold: 1,
  leak: 0.95,
  quantisation: 'ternary',
  tables: 'int8',
  surrogate: 'arctan',
  surrogateWidth: 2,
  truncation: 32,
};

const CHOICES = {
  quantisation: ['none', 'ternary', 'binary'],
  tables: ['none', 'int8', 'ternary'],
  surrogate: ['arctan', 'sigmoid', 'triangle'],
} as const;

/** Least and most of each number; whole numbers but for the last three. */
const WHOLE: Readonly<Record<string, readonly [number, number]>> = {
  vocab: [2, MAX_VOCAB],
  width: [4, MAX_WIDTH],
  layers: [1, MAX_LAYERS],
  heads: [1, MAX_HEADS],
  ffn: [1, MAX_WIDTH],
  context: [2, MAX_CONTEXT],
  window: [1, MAX_CONTEXT],
  anchors: [0, MAX_CONTEXT],
  truncation: [1, MAX_CONTEXT],
};
const REAL: Readonly<Record<string, readonly [number, number]>> = {
  threshold: [1e-6, 1e6],
  leak: [0, 1],
  surrogateWidth: [1e-6, 1e6],
};

/**
 * A whole configuration: what `given` leaves out has its default, and the vocabulary is the teacher's.
 * @param given a parsed JSON object; a name that is not known is refused
 * @throws {OptionError} `OPTION` for a value of the wrong kind, out of range, or that does not go with the others
 */
export function studentConfig(given: unknown, vocab: number): StudentConfig {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new OptionError('OPTION', 'the student is described by a JSON object, such as {"width": 256, "layers": 4}');
  }
  const all: Record<string, unknown> = { ...DEFAULT_STUDENT, vocab, ...given };
  for (const [name, value] of Object.entries(all)) {
    if (name in CHOICES) checkChoice(name, value, CHOICES[name as keyof typeof CHOICES]);
    else if (name in WHOLE) checkNumber(name, value, WHOLE[name], true);
    else if (name in REAL) checkNumber(name, value, REAL[name], false);
    else throw new OptionError('OPTION', `student: ${JSON.stringify(name.slice(0, 60))} is no part of a configuration`);
  }
  const config = all as unknown as StudentConfig;
  const { width, heads, ffn, quantisation } = config;
  if (config.vocab < vocab) {
    throw new OptionError('OPTION', `student: vocab is ${config.vocab}, the teacher has ${vocab}; leave it out`);
  }
  if (width % heads !== 0 || (width / heads) % 4 !== 0) {
    throw new OptionError('OPTION', `student: a width of ${width} is not ${heads} heads of a multiple of 4 each`);
  }
  if (quantisation !== 'none' && (width % BLOCK !== 0 || ffn % BLOCK !== 0)) {
    throw new OptionError('OPTION', `student: width ${width} and ffn ${ffn} must be multiples of ${BLOCK} for ${quantisation}`);
  }
  return Object.freeze(config);
}

function checkChoice(name: string, value: unknown, choices: readonly string[]): void {
  if (typeof value === 'string' && choices.includes(value)) return;
  throw new OptionError('OPTION', `student: ${name} is ${JSON.stringify(value)}, expected one of ${choices.join(', ')}`);
}

function checkNumber(name: string, value: unknown, [min, max]: readonly [number, number], whole: boolean): void {
  if (typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value))) return;
  const what = whole ? 'a whole number' : 'a number';
  throw new OptionError('OPTION', `student: ${name} is ${JSON.stringify(value)}, expected ${what} in ${min} … ${max}`);
}
