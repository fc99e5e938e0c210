/**
 * Plain rows: a text and what is to be done with it.
 * @module
 */
import { negativeLogLikelihood } from '../eval/perplexity.ts';
import type { ClassifyInput } from '../forward/classifier.ts';
import { OptionError } from '../errors.ts';
import { GENERATE_RULES, type GenerateOptions } from '../model/types.ts';
import { checkValue, LIST, type Rule, shown, TEXT } from '../options.ts';
import type { Model } from '../model/model.ts';
import { SAMPLER_RULES } from '../sample/options.ts';
import type { ChatMessage } from '../tokenizer/template.ts';
import type { Fields, Task } from './line.ts';

/** What a row is answered with. */
export interface Means {
  readonly model: Model;
  /** For a row without one of its own. */
  readonly seed: number;
  /** What templates take for today. */
  readonly date: Date;
  /** What the command line asks of every text; the row goes first. */
  readonly defaults: GenerateOptions;
  readonly signal: AbortSignal;
}

/** Options that a row may state beside its text, in the spelling of the library or with underscores. */
const ROW_OPTIONS = [...Object.keys(SAMPLER_RULES), 'maxTokens', 'stop'];

/** What a row is answered with, besides its id. @throws {TernspikeError} a refusal */
export function answerPlain(task: Task, row: Fields, means: Means): Promise<object> {
  return TASK[task](row, means);
}

const TASK: Readonly<Record<Task, (row: Fields, means: Means) => Promise<object>>> = {
  generate,
  classify,
  embed,
  score,
};

async function generate(row: Fields, { model, seed, date, defaults, signal }: Means): Promise<object> {
  const options: GenerateOptions = { ...defaults, seed, ...rowOptions(row), signal };
  const messages = field<ChatMessage[]>(row, 'messages', LIST);
  const prompt = messages ? await model.chatIds(messages, { date, signal }) : promptOf(row);
  const { text, finishReason, usage } = await model.complete(prompt, {
    ...options,
    ...(messages && { joined: false }),
  });
  const { promptTokens, completionTokens } = usage;
  return { text, finishReason, promptTokens, completionTokens, seed: options.seed };
}

async function classify(row: Fields, { model, signal }: Means): Promise<object> {
  const text = textOf(row);
  const pair = field<string>(row, 'pair', TEXT);
  const input: ClassifyInput = pair === undefined ? text : [text, pair];
  const { label, labelId, scores, logits, tokens, steps, spikes } = await model.classify(input, { signal });
  return {
    label,
    labelId,
    scores: Array.from(scores),
    logits: Array.from(logits),
    tokens,
    steps,
    spikes: spikes?.spikes,
  };
}

async function embed(row: Fields, { model, signal }: Means): Promise<object> {
  return { embedding: Array.from(await model.embed(textOf(row), { signal })) };
}

/** How likely a text is, or a completion after a prompt. */
async function score(row: Fields, { model, signal }: Means): Promise<object> {
  const completion = field<string>(row, 'completion', TEXT);
  const before = completion === undefined ? '' : textOf(row);
  const { tokenizer } = model;
  const ids = tokenizer.encode(before + (completion ?? textOf(row)), { special: true });
  // of a text alone, the first token that has one before it; of a completion, what is not the prompt's
  const from = completion === undefined ? 1 : Math.max(1, common(ids, tokenizer.encode(before, { special: true })));
  if (ids.length <= from) throw wrongField('text', 'has no token that can be scored; give a longer one');
  const rows = await model.logits(ids.slice(0, -1), { from: from - 1, signal });
  const logprobs = rows.map((logits, i) => -negativeLogLikelihood(logits, ids[from + i]));
  const logprob = logprobs.reduce((sum, value) => sum + value, 0);
  return { logprob, tokens: logprobs.length, perplexity: Math.exp(-logprob / logprobs.length), logprobs };
}

/** How many ids two texts begin with together. */
function common(a: readonly number[], b: readonly number[]): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
}

function textOf({ prompt, text = prompt }: Fields): string {
  if (typeof text === 'string') return text;
  throw wrongField('text', `is ${shown(text)}, expected a string, as "prompt" or as "text"`);
}

function promptOf(row: Fields): string | readonly number[] {
  const { ids } = row;
  if (Array.isArray(ids) && row.prompt === undefined && row.text === undefined) return ids as number[];
  return textOf(row);
}

function rowOptions(row: Fields): GenerateOptions {
  const options: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(row)) {
    const name = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    if (!ROW_OPTIONS.includes(name) || value === null) continue;
    const given = name === 'stop' && typeof value === 'string' ? [value] : value;
    const { expected, holds } = GENERATE_RULES[name as keyof typeof GENERATE_RULES];
    if (!holds(given)) {
      throw new OptionError('OPTION', `${key} is ${shown(value)}, expected ${expected}`, { option: key });
    }
    options[name] = given;
  }
  return options as GenerateOptions;
}

/** A field of a row; null counts as left out. @throws {OptionError} `OPTION` */
function field<T>(row: Fields, name: string, rule: Rule): T | undefined {
  const value = row[name] ?? undefined;
  checkValue(name, value, rule);
  return value as T | undefined;
}

const wrongField = (name: string, reason: string): OptionError =>
  new OptionError('OPTION', `${name} ${reason}`, { option: name });
