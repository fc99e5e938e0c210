/**
 * Fields of requests: which values are right, and the refusal of others by their names. The ranges are those of the engine, so
 * that nothing passes that it would refuse later.
 * @module
 */
import * as v from 'valibot';
import { MAX_LOGIT_BIAS, MAX_STOP_CHARS, MAX_STOP_STRINGS } from '../limits.ts';
import { FLAG, type Rule, shown, TEXT, whole } from '../options.ts';
import { SAMPLER_RULES, type SamplerOptions } from '../sample/options.ts';
import { badField } from './errors.ts';

/** A field by a rule; it may be left out or null, as in OpenAI's own schema. */
export const field = ({ holds, expected }: Rule): v.GenericSchema =>
  v.pipe(v.nullish(v.custom<unknown>(holds, expected)), v.transform((value) => value ?? undefined));

/** A schema for every field. */
export type Fields<T> = { readonly [K in keyof Required<T>]: v.GenericSchema };

/** What may stand in `stop`. */
const STOP: Rule = {
  expected: `a text or up to ${MAX_STOP_STRINGS} texts of 1 to ${MAX_STOP_CHARS} characters`,
  holds: (value) =>
    typeof value === 'string' ? isStop(value) : Array.isArray(value) && value.length <= MAX_STOP_STRINGS &&
      value.every(isStop),
};
const isStop = (value: unknown): boolean =>
  typeof value === 'string' && value.length > 0 && value.length <= MAX_STOP_CHARS;

/** OpenAI's bound; at its lower end a token is banned. */
const MAX_BIAS = 100;

const BIAS: Rule = {
  expected: `an object of at most ${MAX_LOGIT_BIAS} token ids with numbers in −${MAX_BIAS} … ${MAX_BIAS}`,
  holds: (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const entries = Object.entries(value);
    return entries.length <= MAX_LOGIT_BIAS &&
      entries.every(([id, bias]) => /^\d{1,9}$/.test(id) && typeof bias === 'number' && Math.abs(bias) <= MAX_BIAS);
  },
};

/** What requests of all endpoints that generate have in common. */
export interface SamplingFields {
  readonly model?: string;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly temperature?: number;
  readonly top_p?: number;
  readonly top_k?: number;
  readonly min_p?: number;
  readonly repeat_penalty?: number;
  readonly repetition_penalty?: number;
  readonly repeat_last_n?: number;
  readonly frequency_penalty?: number;
  readonly presence_penalty?: number;
  readonly logit_bias?: Readonly<Record<string, number>>;
  readonly seed?: number;
  readonly stop?: string | readonly string[];
  readonly cache_prompt?: boolean;
}

/** Which values are right. */
export const SAMPLING: Fields<SamplingFields> = {
  model: field(TEXT),
  stream: field(FLAG),
  stream_options: field({
    expected: 'an object with include_usage',
    holds: (value) =>
      typeof value === 'object' && value !== null &&
      ['boolean', 'undefined'].includes(typeof (value as { include_usage?: unknown }).include_usage),
  }),
  temperature: field(SAMPLER_RULES.temperature),
  top_p: field(SAMPLER_RULES.topP),
  top_k: field(SAMPLER_RULES.topK),
  min_p: field(SAMPLER_RULES.minP),
  repeat_penalty: field(SAMPLER_RULES.repeatPenalty),
  repetition_penalty: field(SAMPLER_RULES.repeatPenalty),
  repeat_last_n: field(SAMPLER_RULES.repeatLastN),
  frequency_penalty: field(SAMPLER_RULES.frequencyPenalty),
  presence_penalty: field(SAMPLER_RULES.presencePenalty),
  logit_bias: field(BIAS),
  seed: field(whole(0, Number.MAX_SAFE_INTEGER)),
  stop: field(STOP),
  cache_prompt: field(FLAG),
};

/** Fields that say nothing about an answer, or that ask for what is done anyway. */
const HARMLESS: ReadonlySet<string> = new Set([
  'user',
  'metadata',
  'store',
  'service_tier',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'prediction',
  'id_slot',
  'timings_per_token',
  'return_progress',
  'sse_ping_interval',
  'return_tokens',
  'reasoning_format',
]);

/**
 * Reads a request.
 * @param fields the schema of every field that is known
 * @param refused fields that change the answer and are not supported, with the values that ask for nothing
 * @returns its fields, and the names of those that were ignored
 * @throws {ApiError} 400 with the field
 */
export function readFields<T>(
  body: Readonly<Record<string, unknown>>,
  fields: Fields<T>,
  refused: Readonly<Record<string, (value: unknown) => boolean>> = {},
): { readonly fields: T; readonly ignored: readonly string[] } {
  const ignored: string[] = [];
  for (const [name, value] of Object.entries(body)) {
    if (Object.hasOwn(fields, name) || HARMLESS.has(name)) continue;
    if (Object.hasOwn(refused, name)) {
      if (value === null || refused[name](value)) continue;
      throw badField(name, `${name} is not supported; leave it out`, 'unsupported_parameter');
    }
    if (/^\w{1,40}$/.test(name)) ignored.push(name);
  }
  const result = v.safeParse(v.object(fields as v.ObjectEntries), body);
  if (result.success) return { fields: result.output as T, ignored };
  const [issue] = result.issues;
  const path = v.getDotPath(issue) ?? '';
  throw badField(path, `${path} is ${shown(issue.input)}, expected ${issue.message}`);
}

/** What the engine is told. */
export function samplerOptions(fields: SamplingFields): SamplerOptions {
  const { logit_bias: bias } = fields;
  return {
    temperature: fields.temperature,
    topP: fields.top_p,
    topK: fields.top_k,
    minP: fields.min_p,
    repeatPenalty: fields.repeat_penalty ?? fields.repetition_penalty,
    repeatLastN: fields.repeat_last_n,
    frequencyPenalty: fields.frequency_penalty,
    presencePenalty: fields.presence_penalty,
    logitBias: bias && new Map(
      Object.entries(bias).map(([id, value]) => [Number(id), value === -MAX_BIAS ? -Infinity : value]),
    ),
    seed: fields.seed,
  };
}

export const stopTexts = ({ stop }: SamplingFields): readonly string[] | undefined =>
  typeof stop === 'string' ? [stop] : stop;
