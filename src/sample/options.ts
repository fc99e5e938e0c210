/**
 * The options of a sampler: defaults, ranges, and the refusal of everything else.
 * @module
 */
import { OptionError } from '../errors.ts';
import { checkValue, FLAG, number as numeric, OBJECT, oneOf, type Rule, type Rules, shown, whole } from '../options.ts';
import { MAX_CONTEXT, MAX_LOGIT_BIAS, MAX_VOCAB } from '../limits.ts';
import type { AdaptiveTemperature } from './adaptive.ts';
import { checkSeed, SEED } from './rng.ts';

/**
 * How the next token is chosen. The defaults are llama.cpp's, so that a model speaks here as its readers know it, and
 * its top-k of 40 also keeps the work of a draw independent of the size of the vocabulary. For models whose authors draw
 * otherwise, `generate` fills in theirs: src/sample/defaults.ts.
 */
export interface SamplerOptions {
  /** Divides the logits before the draw; 0 … 100. 0, or less than 1e-6, always takes the largest logit. Default 0.8. */
  readonly temperature?: number;
  /** Lets the temperature follow the entropy of the logits: `cool` when many tokens are likely, `warm` then, or `off`. Of
   *  no effect at temperature 0. Default `off`. */
  readonly adaptiveTemperature?: AdaptiveTemperature;
  /** Whether the temperature is applied before top-p and min-p rather than after them. Default false. */
  readonly temperatureFirst?: boolean;
  /** Only the k largest logits are candidates; an integer, 0 = all. Default 40. */
  readonly topK?: number;
  /** The fewest candidates whose probabilities sum to p; 0 … 1, 1 = off, 0 leaves one. Default 0.95. */
  readonly topP?: number;
  /** Drops candidates less probable than m times the most probable one; 0 … 1, 0 = off. Default 0.05. */
  readonly minP?: number;
  /** Divides positive and multiplies negative logits of recent tokens; 0.01 … 100, 1 = off. Default 1. */
  readonly repeatPenalty?: number;
  /** How many tokens are recent for the three penalties; 0 = none, −1 = all since the start. Default 64. */
  readonly repeatLastN?: number;
  /** Subtracted from a logit once for every time the token is among the recent; −100 … 100. Default 0. */
  readonly frequencyPenalty?: number;
  /** Subtracted once from the logits of recent tokens; −100 … 100. Default 0. */
  readonly presencePenalty?: number;
  /** Added to the logits of single tokens, by id; −10000 … 10000, or −Infinity, which bans the token. */
  readonly logitBias?: Readonly<Record<number, number>> | ReadonlyMap<number, number>;
  /** Tokens from this id on are never drawn; an integer from 1 to the vocabulary. Default: all may be, and `generate` stops
   *  at the tokenizer's vocabulary, for models with more rows than that. */
  readonly vocabLimit?: number;
  /** Starts the sequence of draws; an integer, 0 … 2^53 − 1. Drawn at random when it is left out. */
  readonly seed?: number;
}

/** Options with every default filled in; `seed` is undefined where none was given. */
export interface CheckedSamplerOptions {
  readonly temperature: number;
  readonly adaptiveTemperature: AdaptiveTemperature;
  readonly temperatureFirst: boolean;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repeatPenalty: number;
  readonly repeatLastN: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  readonly logitBias: ReadonlyMap<number, number>;
  readonly vocabLimit: number;
  readonly seed: number | undefined;
}

/** Below it a temperature is taken as 0: the quotient of two close logits would leave the range of f32. */
export const LEAST_TEMPERATURE = 1e-6;
const MAX_BIAS = 10_000;
const BIAS = { option: 'logitBias' };

type Numeric = Exclude<
  keyof CheckedSamplerOptions,
  'adaptiveTemperature' | 'temperatureFirst' | 'logitBias' | 'vocabLimit' | 'seed'
>;

/** Defaults of the numbers, and which are right. */
const NUMBERS: Readonly<Record<Numeric, readonly [fallback: number, rule: Rule]>> = {
  temperature: [0.8, numeric(0, 100)],
  topK: [40, whole(0, 2 ** 31 - 1)],
  topP: [0.95, numeric(0, 1)],
  minP: [0.05, numeric(0, 1)],
  repeatPenalty: [1, numeric(0.01, 100)],
  repeatLastN: [64, whole(-1, MAX_CONTEXT)],
  frequencyPenalty: [0, numeric(-100, 100)],
  presencePenalty: [0, numeric(-100, 100)],
};

/** Which values are right; those that depend on the vocabulary are looked at in `checkSamplerOptions`. */
export const SAMPLER_RULES: Rules<SamplerOptions> = {
  ...(Object.fromEntries(Object.entries(NUMBERS).map(([name, [, rule]]) => [name, rule])) as Record<Numeric, Rule>),
  adaptiveTemperature: oneOf('off', 'cool', 'warm'),
  temperatureFirst: FLAG,
  logitBias: OBJECT,
  vocabLimit: whole(1),
  seed: SEED,
};

function number(options: SamplerOptions, name: Numeric): number {
  const [fallback, rule] = NUMBERS[name];
  checkValue(name, options[name], rule);
  return options[name] ?? fallback;
}

function one<K extends 'adaptiveTemperature' | 'temperatureFirst'>(
  options: SamplerOptions,
  name: K,
): SamplerOptions[K] {
  checkValue(name, options[name], SAMPLER_RULES[name]);
  return options[name];
}

function limit(value: unknown, vocab: number): number {
  if (value === undefined) return vocab;
  checkValue('vocabLimit', value, whole(1, vocab));
  return value as number;
}

function bias(given: SamplerOptions['logitBias'], vocab: number): ReadonlyMap<number, number> {
  if (given === undefined) return new Map();
  checkValue('logitBias', given, { ...OBJECT, expected: 'an object or a Map from token id to number' });
  const entries: [unknown, unknown][] = given instanceof Map ? [...given] : Object.entries(given);
  if (entries.length > MAX_LOGIT_BIAS) {
    throw new OptionError('OPTION', `logitBias has ${entries.length} entries, at most ${MAX_LOGIT_BIAS}`, BIAS);
  }
  const checked = new Map<number, number>();
  for (const [key, value] of entries) {
    const id = typeof key === 'string' && /^\d{1,10}$/.test(key) ? Number(key) : key;
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= vocab) {
      const range = `must be an integer from 0 to ${vocab - 1}`;
      throw new OptionError('OPTION', `logitBias names token ${shown(key)}, ${range}`, BIAS);
    }
    if (!(typeof value === 'number' && ((value >= -MAX_BIAS && value <= MAX_BIAS) || value === -Infinity))) {
      throw new OptionError(
        'OPTION',
        `logitBias of token ${id} is ${shown(value)}, must be from ${-MAX_BIAS} to ${MAX_BIAS}, or -Infinity to ban it`,
        BIAS,
      );
    }
    checked.set(id, value);
  }
  return checked;
}

/**
 * Fills in the defaults and checks every value; other properties are ignored.
 * @param vocab bound of the ids in `logitBias`, and of `vocabLimit`
 * @throws {OptionError} `OPTION` naming the option, its value and the bound
 * @example checkSamplerOptions({ temperature: 0 }).topK // 40
 */
export function checkSamplerOptions(options: SamplerOptions = {}, vocab: number = MAX_VOCAB): CheckedSamplerOptions {
  if (typeof options !== 'object' || options === null) {
    throw new OptionError('OPTION', `sampler options are ${shown(options)}, must be an object`);
  }
  return Object.freeze({
    temperature: number(options, 'temperature'),
    adaptiveTemperature: one(options, 'adaptiveTemperature') ?? 'off',
    temperatureFirst: one(options, 'temperatureFirst') ?? false,
    topK: number(options, 'topK'),
    topP: number(options, 'topP'),
    minP: number(options, 'minP'),
    repeatPenalty: number(options, 'repeatPenalty'),
    repeatLastN: number(options, 'repeatLastN'),
    frequencyPenalty: number(options, 'frequencyPenalty'),
    presencePenalty: number(options, 'presencePenalty'),
    logitBias: bias(options.logitBias, vocab),
    vocabLimit: limit(options.vocabLimit, vocab),
    seed: options.seed === undefined ? undefined : checkSeed(options.seed),
  });
}
