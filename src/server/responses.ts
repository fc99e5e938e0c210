/**
 * `POST /v1/responses`, without a memory: every request brings its whole conversation.
 * @module
 */
import { MAX_LOGPROBS } from '../limits.ts';
import type { GenerateChunk } from '../model/model.ts';
import { FLAG, OBJECT, shown, TEXT, whole } from '../options.ts';
import type { ChatMessage } from '../tokenizer/template.ts';
import { answers } from './answers.ts';
import type { Call } from './call.ts';
import { chatTask } from './chat-task.ts';
import { badField } from './errors.ts';
import { field, type Fields, readFields, samplerOptions, SAMPLING, type SamplingFields } from './fields.ts';
import { type ResponseFormat, responseFormat } from './format.ts';
import { readMessages } from './messages.ts';
import { ResponseOutput } from './response-output.ts';
import { type FunctionTool, readFunction, readToolChoice } from './tools.ts';
import { UsageSum } from './usage.ts';

interface ResponsesFields extends SamplingFields {
  readonly input?: unknown;
  readonly instructions?: string;
  readonly max_output_tokens?: number;
  readonly tools?: unknown;
  readonly tool_choice?: unknown;
  readonly parallel_tool_calls?: boolean;
  readonly text?: { readonly format?: ResponseFormat; readonly verbosity?: unknown };
  readonly reasoning?: { readonly effort?: unknown };
  readonly top_logprobs?: number;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>>;
}

const ANYTHING = { expected: '', holds: (): boolean => true };

const FIELDS: Fields<ResponsesFields> = {
  ...SAMPLING,
  input: field(ANYTHING), // these three are looked at by themselves
  tools: field(ANYTHING),
  tool_choice: field(ANYTHING),
  instructions: field(TEXT),
  max_output_tokens: field(whole(1)),
  parallel_tool_calls: field(FLAG),
  text: field(OBJECT),
  reasoning: field(OBJECT),
  top_logprobs: field(whole(0, MAX_LOGPROBS)),
  chat_template_kwargs: field(OBJECT),
};

/** Fields that change the answer and are not supported, with what asks for nothing. */
const REFUSED = {
  previous_response_id: (): boolean => false,
  conversation: (): boolean => false,
  prompt: (): boolean => false,
  background: (value: unknown): boolean => value === false,
  max_tool_calls: (): boolean => false,
  truncation: (value: unknown): boolean => value === 'disabled',
  n: (value: unknown): boolean => value === 1,
};

export async function responses(call: Call): Promise<Response> {
  const { fields, ignored } = readFields(await call.body(), FIELDS, REFUSED);
  call.ignore(ignored.filter((name) => name !== 'include'));
  const served = call.model(fields.model);
  const tools = readTools(fields.tools);
  const toolChoice = readToolChoice(fields.tool_choice, tools);
  const { text, reasoning, max_output_tokens: maxTokens } = fields;
  const { effort } = reasoning ?? {};
  const variables = {
    ...(typeof effort === 'string' && {
      reasoning_effort: effort,
      ...(effort === 'none' && { enable_thinking: false }),
    }),
    ...fields.chat_template_kwargs,
  };
  const task = await chatTask(served, conversation(fields), {
    ...samplerOptions(fields),
    ...(text?.format && { format: responseFormat(text.format, 'text.format') }),
    ...(tools.length > 0 && { tools, toolChoice }),
    ...(Object.keys(variables).length > 0 && { variables }),
  }, { maxTokens, cached: fields.cache_prompt !== false, signal: call.signal });
  const answer = task.answer({}, 1);
  const place = await served.place(call.signal);
  const sum = new UsageSum(1);
  const pieces = answers(served, [answer], place, call, (index, figures) => sum.answer(index, figures));
  const output = new ResponseOutput(fields.parallel_tool_calls === false);
  const head = {
    id: `resp_${crypto.randomUUID().replaceAll('-', '')}`,
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    model: served.name,
    instructions: fields.instructions ?? null,
    max_output_tokens: maxTokens ?? null,
    parallel_tool_calls: fields.parallel_tool_calls ?? true,
    previous_response_id: null,
    temperature: fields.temperature ?? null,
    top_p: fields.top_p ?? null,
    text: { format: text?.format ?? { type: 'text' } },
    tool_choice: fields.tool_choice ?? 'auto',
    tools: fields.tools ?? [],
    metadata: {},
    store: false,
  };
  const whole = (last: GenerateChunk | undefined): object => {
    const cut = last?.finishReason === 'length';
    const { prompt_tokens, completion_tokens, total_tokens, ...details } = sum.usage();
    return {
      ...head,
      status: cut ? 'incomplete' : 'completed',
      error: null,
      incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
      output: output.items(),
      usage: {
        input_tokens: prompt_tokens,
        input_tokens_details: details.prompt_tokens_details,
        output_tokens: completion_tokens,
        output_tokens_details: details.completion_tokens_details,
        total_tokens,
      },
    };
  };
  if (fields.stream) {
    let number = 0;
    const event = (type: string, data: object): string =>
      `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number++, ...data })}\n\n`;
    const begun = { ...head, status: 'in_progress', error: null, incomplete_details: null, output: [], usage: null };
    const events = async function* (): AsyncGenerator<string, void> {
      yield event('response.created', { response: begun });
      yield event('response.in_progress', { response: begun });
      let last: GenerateChunk | undefined;
      for await (const { chunk } of pieces) {
        if (chunk.usage) sum.engine(chunk.usage);
        for (const { type, ...data } of output.take(chunk)) yield event(type, data);
        last = chunk;
      }
      for (const { type, ...data } of output.end()) yield event(type, data);
      const cut = last?.finishReason === 'length';
      yield event(cut ? 'response.incomplete' : 'response.completed', { response: whole(last) });
    };
    return call.stream(events(), (error) => {
      const { code, message } = error;
      const response = {
        ...begun,
        status: 'failed',
        error: { code: code ?? error.type, message },
        output: output.items(),
      };
      return event('response.failed', { response });
    });
  }
  let last: GenerateChunk | undefined;
  for await (const { chunk } of pieces) {
    if (chunk.usage) sum.engine(chunk.usage);
    output.take(chunk);
    last = chunk;
  }
  output.end();
  return call.json(whole(last));
}

/** Tools as this endpoint has them: flat. @throws {ApiError} 400 */
function readTools(value: unknown): FunctionTool[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw badField('tools', `tools is ${shown(value)}, expected a list`);
  return value.map((tool: unknown, i) => {
    const { type } = (tool ?? {}) as { readonly type?: unknown };
    if (type === 'function') return { type, function: readFunction(tool, `tools[${i}]`) };
    throw badField(`tools[${i}].type`, `tools[${i}].type is ${shown(type)}; this server has no tools of its own`);
  });
}

/** The conversation: instructions, and a text or items. @throws {ApiError} 400 */
function conversation({ input, instructions }: ResponsesFields): ChatMessage[] {
  const begin: ChatMessage[] = instructions === undefined ? [] : [{ role: 'system', content: instructions }];
  if (typeof input === 'string') return [...begin, { role: 'user', content: input }];
  if (!Array.isArray(input)) throw badField('input', `input is ${shown(input)}, expected a text or a list of items`);
  const messages: object[] = [];
  for (const [i, item] of (input as readonly unknown[]).entries()) {
    const { type = 'message', ...rest } = (item ?? {}) as Readonly<Record<string, unknown>>;
    if (type === 'message') messages.push(rest);
    else if (type === 'reasoning') continue; // thoughts of before are not read again
    else if (type === 'function_call') {
      const called = { id: rest.call_id, function: { name: rest.name, arguments: rest.arguments } };
      const last = messages.at(-1) as { role?: unknown; tool_calls?: unknown[] } | undefined;
      if (last?.role === 'assistant' && last.tool_calls) last.tool_calls.push(called);
      else messages.push({ role: 'assistant', content: '', tool_calls: [called] });
    } else if (type === 'function_call_output') {
      messages.push({ role: 'tool', tool_call_id: rest.call_id, content: rest.output });
    } else {
      throw badField(
        `input[${i}].type`,
        `input[${i}].type is ${shown(type)}; this server takes messages and function calls`,
      );
    }
  }
  return [...begin, ...readMessages(messages, 'input')];
}
