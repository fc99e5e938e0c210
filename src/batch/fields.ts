/**
 * Fields of a request's body, checked as they are read.
 * @module
 */
import { OptionError } from '../errors.ts';
import { checkValue, number, OBJECT, type Rule, shown, whole } from '../options.ts';
import type { GenerateOptions } from '../model/types.ts';
import type { Fields } from './line.ts';

/** Answers to one request. Each takes as long as a request of its own. */
export const MAX_CHOICES: number = 128;
/** Inputs of one request, as OpenAI bounds them. */
export const MAX_INPUTS: number = 2048;

/** A field of the body; null counts as left out, as clients send it. @throws {OptionError} `OPTION` naming the field */
export function field<T>(body: Fields, name: string, rule: Rule): T | undefined {
  const value = body[name] ?? undefined;
  checkValue(name, value, rule);
  return value as T | undefined;
}

/** The refusal of a field. */
export function wrongField(name: string, reason: string): OptionError {
  return new OptionError('OPTION', `${name} ${reason}`, { option: name });
}

/** Fields that change the answer and that a batch does not know: a request with one of them is refused. */
const UNSUPPORTED = ['tools', 'functions', 'response_format', 'logprobs', 'top_logprobs', 'suffix', 'best_of'];

const NUMBERS: readonly (readonly [name: string, option: keyof GenerateOptions, rule: Rule])[] = [
  ['temperature', 'temperature', number(0, 100)],
  ['top_p', 'topP', number(0, 1)],
  ['top_k', 'topK', whole(0, 2 ** 31 - 1)],
  ['min_p', 'minP', number(0, 1)],
  ['repeat_penalty', 'repeatPenalty', number(0.01, 100)],
  ['repetition_penalty', 'repeatPenalty', number(0.01, 100)],
  ['frequency_penalty', 'frequencyPenalty', number(-100, 100)],
  ['presence_penalty', 'presencePenalty', number(-100, 100)],
  ['seed', 'seed', whole(0, Number.MAX_SAFE_INTEGER)],
  ['max_tokens', 'maxTokens', whole(0)],
  ['max_completion_tokens', 'maxTokens', whole(0)],
];

/** How a body wants its text drawn. @throws {OptionError} `OPTION` naming the field */
export function generateOptions(body: Fields): GenerateOptions {
  if (body.stream) throw wrongField('stream', 'is for servers; a batch has whole answers');
  for (const name of UNSUPPORTED) {
    const value = body[name] ?? undefined;
    const plain = name === 'response_format' && (value as { type?: unknown } | undefined)?.type === 'text';
    const empty = value === false || value === 0 || (Array.isArray(value) && value.length === 0);
    if (value === undefined || plain || empty) continue;
    throw wrongField(name, 'is not supported in batches; leave it out');
  }
  const options: Record<string, unknown> = {};
  for (const [name, option, rule] of NUMBERS) {
    const value = field<number>(body, name, rule);
    if (value !== undefined) options[option] = value;
  }
  const stop = body.stop ?? undefined;
  if (stop !== undefined) {
    const list = typeof stop === 'string' ? [stop] : stop;
    if (!Array.isArray(list) || !list.every((text) => typeof text === 'string')) {
      throw wrongField('stop', `is ${shown(stop)}, expected a string or an array of strings`);
    }
    if (list.length > 0) options.stop = list;
  }
  const bias = field<Record<number, number>>(body, 'logit_bias', OBJECT);
  if (bias) options.logitBias = bias;
  return options as GenerateOptions;
}
