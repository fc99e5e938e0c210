/**
 * Bodies of requests in OpenAI's form → the bodies of their answers. An answer depends on the request and on the model alone: no
 * clock is in it, so `created` is 0, and no figure of speed.
 * @module
 */
import type { ClassifyInput } from '../forward/classifier.ts';
import type { Model } from '../model/model.ts';
import type { Completion, GenerateOptions } from '../model/types.ts';
import { FLAG, oneOf, shown, whole } from '../options.ts';
import type { ChatMessage, ChatOptions } from '../tokenizer/template.ts';
import { field, generateOptions, MAX_CHOICES, MAX_INPUTS, wrongField } from './fields.ts';
import type { Fields, Url } from './line.ts';

/** What an answer is made with. */
export interface Means {
  readonly model: Model;
  /** How the model is called where the body does not say. */
  readonly name: string;
  /** Of the answer. */
  readonly id: string;
  /** For requests without one of their own; a second choice takes the next number. */
  readonly seed: number;
  /** What templates take for today. */
  readonly date: Date;
  /** What the command line asks of every text; the body goes first. */
  readonly defaults: GenerateOptions;
  readonly signal: AbortSignal;
}

/** The answer to a request. @throws {TernspikeError} a refusal, of which `OptionError` names the field */
export function answerRequest(url: Url, body: Fields, means: Means): Promise<object> {
  return ANSWERS[url](body, means);
}

const ANSWERS: Readonly<Record<Url, (body: Fields, means: Means) => Promise<object>>> = {
  '/v1/completions': completions,
  '/v1/chat/completions': chatCompletions,
  '/v1/embeddings': embeddings,
  '/v1/classify': classify,
};

const nameOf = (body: Fields, { name }: Means): string => typeof body.model === 'string' ? body.model : name;

async function completions(body: Fields, means: Means): Promise<object> {
  const { model, id, seed, defaults, signal } = means;
  const options: GenerateOptions = { ...defaults, seed, ...generateOptions(body), signal };
  const n = field<number>(body, 'n', whole(1, MAX_CHOICES)) ?? 1;
  const echo = field<boolean>(body, 'echo', FLAG) ?? false;
  const prompts = promptsOf(body.prompt);
  if (prompts.length * n > MAX_CHOICES) {
    throw wrongField('n', `asks for ${prompts.length * n} answers, at most ${MAX_CHOICES} are given`);
  }
  const all: Completion[] = [];
  const choices: object[] = [];
  for (const prompt of prompts) {
    for (let k = 0; k < n; k++) {
      const said = await model.complete(prompt, { ...options, seed: next(options, k) });
      all.push(said);
      const before = !echo ? '' : typeof prompt === 'string' ? prompt : model.tokenizer.decode(prompt);
      choices.push({
        index: choices.length,
        text: before + said.text,
        logprobs: null,
        finish_reason: said.finishReason,
      });
    }
  }
  return { id, object: 'text_completion', created: 0, model: nameOf(body, means), choices, usage: usageOf(all) };
}

async function chatCompletions(body: Fields, means: Means): Promise<object> {
  const { model, id, seed, date, defaults, signal } = means;
  const options: GenerateOptions = { ...defaults, seed, ...generateOptions(body), signal };
  const n = field<number>(body, 'n', whole(1, MAX_CHOICES)) ?? 1;
  const variables = body.chat_template_kwargs as ChatOptions['variables'] | undefined;
  const ids = await model.chatIds(messagesOf(body.messages), { date, ...(variables && { variables }), signal });
  const all: Completion[] = [];
  for (let k = 0; k < n; k++) {
    all.push(await model.complete(ids, { joined: false, ...options, seed: next(options, k) }));
  }
  const choices = all.map(({ text, finishReason }, index) => ({
    index,
    message: { role: 'assistant', content: text, refusal: null },
    logprobs: null,
    finish_reason: finishReason,
  }));
  return { id, object: 'chat.completion', created: 0, model: nameOf(body, means), choices, usage: usageOf(all) };
}

async function embeddings(body: Fields, means: Means): Promise<object> {
  const { model, signal } = means;
  const format = field<string>(body, 'encoding_format', oneOf('float', 'base64')) ?? 'float';
  if ((body.dimensions ?? undefined) !== undefined) throw wrongField('dimensions', 'is not supported; leave it out');
  const texts = textsOf(body.input);
  const vectors = await model.embed(texts, { signal });
  const data = vectors.map((vector, index) => ({
    object: 'embedding',
    index,
    embedding: format === 'base64' ? base64(vector) : Array.from(vector),
  }));
  const tokens = texts.reduce((sum, text) => sum + model.tokenizer.encode(text, { special: true }).length, 0);
  return { object: 'list', data, model: nameOf(body, means), usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

async function classify(body: Fields, means: Means): Promise<object> {
  const { model, id, signal } = means;
  const inputs = inputsOf(body.input);
  const data: object[] = [];
  let tokens = 0;
  for await (const said of model.classifyAll(inputs, { signal })) {
    data.push({
      index: data.length,
      label: said.label,
      probs: Array.from(said.scores),
      num_classes: said.scores.length,
    });
    tokens += said.tokens;
  }
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  return { id, object: 'list', created: 0, model: nameOf(body, means), data, usage };
}

/** The seed of the k-th of several answers. */
const next = ({ seed = 0 }: GenerateOptions, k: number): number => (seed + k) % Number.MAX_SAFE_INTEGER;

function usageOf(all: readonly Completion[]): object {
  const prompt = all.length > 0 ? all[0].usage.promptTokens : 0;
  const completion = all.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

const isIds = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every(Number.isInteger);
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');

/** A text, ids, or a list of either. */
function promptsOf(value: unknown): (string | number[])[] {
  if (typeof value === 'string' || isIds(value)) return [value];
  const list = isTexts(value) || (Array.isArray(value) && value.length > 0 && value.every(isIds)) ? value : undefined;
  if (list && list.length <= MAX_CHOICES) return [...list] as (string | number[])[];
  if (list) throw wrongField('prompt', `has ${list.length} prompts, at most ${MAX_CHOICES} are taken`);
  throw wrongField('prompt', `is ${shown(value)}, expected a text, an array of ids, or an array of either`);
}

function textsOf(value: unknown): string[] {
  const list = typeof value === 'string' ? [value] : value;
  if (!isTexts(list)) throw wrongField('input', `is ${shown(value)}, expected a text or an array of texts`);
  if (list.length > MAX_INPUTS) throw wrongField('input', `has ${list.length} texts, at most ${MAX_INPUTS} are taken`);
  return list;
}

/** Texts; a pair is an array of two texts within an array. */
function inputsOf(value: unknown): ClassifyInput[] {
  const list = typeof value === 'string' ? [value] : value;
  const right = (item: unknown): boolean => typeof item === 'string' || (isTexts(item) && item.length === 2);
  if (!Array.isArray(list) || list.length === 0 || !list.every(right)) {
    throw wrongField('input', `is ${shown(value)}, expected a text, or an array of texts and pairs of texts`);
  }
  if (list.length > MAX_INPUTS) throw wrongField('input', `has ${list.length} texts, at most ${MAX_INPUTS} are taken`);
  return list as ClassifyInput[];
}

/** Messages as templates take them: text parts are joined, and other parts are refused. */
export function messagesOf(value: unknown): ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw wrongField('messages', `is ${shown(value)}, expected an array of messages`);
  }
  return value.map((message: unknown, i) => {
    const { role, content = null, ...rest } = (message ?? {}) as { role?: unknown; content?: unknown };
    if (typeof role !== 'string') throw wrongField('messages', `[${i}].role is ${shown(role)}, expected a string`);
    const said = role === 'developer' ? 'system' : role;
    if (content === null || typeof content === 'string') return { ...rest, role: said, content };
    if (!Array.isArray(content)) throw wrongField('messages', `[${i}].content is ${shown(content)}, expected a text`);
    const texts = content.map((part: unknown) => {
      const { type, text } = (part ?? {}) as { type?: unknown; text?: unknown };
      if (type === 'text' && typeof text === 'string') return text;
      throw wrongField('messages', `[${i}].content has a part of type ${shown(type)}; text alone is understood`);
    });
    return { ...rest, role: said, content: texts.join('') };
  });
}

/** Little-endian floats. */
function base64(vector: Float32Array): string {
  const view = new DataView(new ArrayBuffer(4 * vector.length));
  vector.forEach((value, i) => view.setFloat32(4 * i, value, true));
  let text = '';
  for (const byte of new Uint8Array(view.buffer)) text += String.fromCharCode(byte);
  return btoa(text);
}
