/**
 * `POST /v1/chat/completions`: a conversation goes on.
 * @module
 */
import { MAX_LOGPROBS } from '../limits.ts';
import type { GenerateChunk } from '../model/model.ts';
import { FLAG, OBJECT, oneOf, whole } from '../options.ts';
import { answers } from './answers.ts';
import { type AnswerFields, readAnswerRules, seeded } from './asked.ts';
import type { Call } from './call.ts';
import { type ChatTask, chatTask } from './chat-task.ts';
import { badField } from './errors.ts';
import { field, type Fields, readFields, samplerOptions, SAMPLING, type SamplingFields, stopTexts } from './fields.ts';
import { responseFormat } from './format.ts';
import { readMessages } from './messages.ts';
import { chatLogprobs } from './scores.ts';
import type { Served } from './served.ts';
import { dataEvent, DONE } from './sse.ts';
import { readToolChoice, readTools } from './tools.ts';
import { UsageSum } from './usage.ts';

interface ChatFields extends SamplingFields, AnswerFields {
  readonly messages?: unknown;
  readonly max_completion_tokens?: number;
  readonly logprobs?: boolean;
  readonly top_logprobs?: number;
  readonly tools?: unknown;
  readonly tool_choice?: unknown;
  readonly parallel_tool_calls?: boolean;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>>;
  readonly reasoning_effort?: string;
}

const ANYTHING = { expected: '', holds: (): boolean => true };

const FIELDS: Fields<ChatFields> = {
  ...SAMPLING,
  ...readAnswerRules,
  max_tokens: field(whole(1)),
  max_completion_tokens: field(whole(1)),
  messages: field(ANYTHING), // these four are looked at by themselves
  tools: field(ANYTHING),
  tool_choice: field(ANYTHING),
  parallel_tool_calls: field(FLAG),
  logprobs: field(FLAG),
  top_logprobs: field(whole(0, MAX_LOGPROBS)),
  chat_template_kwargs: field(OBJECT),
  reasoning_effort: field(oneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh')),
};

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** Fields that change the answer and are not supported, with what asks for nothing. */
const REFUSED = {
  functions: isEmpty,
  function_call: (value: unknown): boolean => value === 'none',
  audio: (): boolean => false,
  modalities: (value: unknown): boolean => Array.isArray(value) && value.every((one) => one === 'text'),
  web_search_options: (): boolean => false,
};

export async function chatCompletions(call: Call): Promise<Response> {
  const { fields, ignored } = readFields(await call.body(), FIELDS, REFUSED);
  call.ignore(ignored);
  const served = call.model(fields.model);
  const { n = 1, stream } = fields;
  const { task, scored } = await asked(served, fields, call.signal);
  const tasks = Array.from({ length: n }, (_, i) => task.answer({ seed: seeded(fields.seed, i) }, n));
  const place = await served.place(call.signal);
  const sum = new UsageSum(n);
  const head = {
    id: `chatcmpl-${crypto.randomUUID().replaceAll('-', '')}`,
    created: Math.floor(Date.now() / 1000),
    model: served.name,
    system_fingerprint: served.fingerprint,
  };
  const { tokenizer } = served.model;
  const pieces = answers(served, tasks, place, call, (index, figures) => sum.answer(index, figures));
  const single = fields.parallel_tool_calls === false;
  if (stream) {
    const usage = fields.stream_options?.include_usage === true;
    return call.stream(async function* (): AsyncGenerator<string, void> {
      const event = (choices: readonly object[], more: object = usage ? { usage: null } : {}): string =>
        dataEvent({ ...head, object: 'chat.completion.chunk', choices, ...more });
      const begun = new Set<number>();
      const calls = new Map<number, number>();
      for await (const { index, chunk } of pieces) {
        if (chunk.usage) sum.engine(chunk.usage);
        if (!begun.has(index)) {
          begun.add(index);
          yield event([{ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }]);
        }
        const before = calls.get(index) ?? 0;
        const called = single && before > 0 ? [] : (chunk.toolCalls ?? []).slice(0, single ? 1 : undefined);
        calls.set(index, before + called.length);
        const logprobs = scored ? { content: chatLogprobs(tokenizer, chunk), refusal: null } : null;
        const delta = {
          ...(chunk.text !== '' && { content: chunk.text }),
          ...(chunk.reasoning && { reasoning_content: chunk.reasoning }),
          ...(called.length > 0 && { tool_calls: called.map((one, i) => ({ index: before + i, ...callOf(one) })) }),
        };
        if (Object.keys(delta).length > 0 || (logprobs && logprobs.content.length > 0)) {
          yield event([{ index, delta, logprobs, finish_reason: null }]);
        }
        if (chunk.finishReason === null) continue;
        yield event([{ index, delta: {}, logprobs: null, finish_reason: finishReason(chunk) }]);
      }
      if (usage) yield event([], { usage: sum.usage(), ...sum.extras() });
      yield DONE;
    }());
  }
  const said: GenerateChunk[][] = tasks.map(() => []);
  for await (const { index, chunk } of pieces) {
    if (chunk.usage) sum.engine(chunk.usage);
    said[index].push(chunk);
  }
  const choices = said.map((chunks, index) => {
    const called = chunks.flatMap(({ toolCalls }) => toolCalls ?? []).slice(0, single ? 1 : undefined);
    const text = chunks.map((chunk) => chunk.text).join('');
    const reasoning = chunks.map((chunk) => chunk.reasoning ?? '').join('');
    return {
      index,
      message: {
        role: 'assistant',
        content: text === '' && called.length > 0 ? null : text,
        refusal: null,
        ...(reasoning !== '' && { reasoning_content: reasoning }),
        ...(called.length > 0 && { tool_calls: called.map(callOf) }),
      },
      logprobs: scored ? { content: chunks.flatMap((chunk) => chatLogprobs(tokenizer, chunk)), refusal: null } : null,
      finish_reason: finishReason(chunks.at(-1)),
    };
  });
  return call.json({ ...head, object: 'chat.completion', choices, usage: sum.usage(), ...sum.extras() });
}

/** What a request asks of the engine. */
async function asked(
  served: Served,
  fields: ChatFields,
  signal: AbortSignal,
): Promise<{ readonly task: ChatTask; readonly scored: boolean }> {
  const messages = readMessages(fields.messages);
  const { logprobs = false, top_logprobs: top, reasoning_effort: effort, response_format: format } = fields;
  if (top !== undefined && !logprobs) {
    throw badField('top_logprobs', 'top_logprobs needs logprobs: true');
  }
  const tools = readTools(fields.tools);
  const toolChoice = readToolChoice(fields.tool_choice, tools);
  const variables = {
    ...(effort !== undefined && { reasoning_effort: effort, ...(effort === 'none' && { enable_thinking: false }) }),
    ...fields.chat_template_kwargs,
  };
  const task = await chatTask(served, messages, {
    ...samplerOptions(fields),
    stop: stopTexts(fields),
    minTokens: fields.min_tokens,
    ...(logprobs && { logprobs: top ?? 0 }),
    ...(format && { format: responseFormat(format) }),
    ...(tools.length > 0 && { tools, toolChoice }),
    ...(Object.keys(variables).length > 0 && { variables }),
  }, { maxTokens: fields.max_completion_tokens ?? fields.max_tokens, cached: fields.cache_prompt !== false, signal });
  return { task, scored: logprobs };
}

const callOf = ({ id, name, arguments: given }: { id: string; name: string; arguments: string }): object => ({
  id,
  type: 'function',
  function: { name, arguments: given },
});

/** In OpenAI's words. */
const finishReason = (chunk: GenerateChunk | undefined): string | null =>
  chunk?.finishReason === 'toolCalls' ? 'tool_calls' : chunk?.finishReason ?? null;
