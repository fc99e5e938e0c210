/**
 * A chat: messages → prompt, and the generated text → what is said, what is thought, and which tools are called.
 * @module
 */
import { AnswerParser, type Part } from '../chat/parser.ts';
import {
  CALL_TEXTS,
  callId,
  forcedTools,
  opensThinking,
  spelledTokens,
  templateMessages,
  thinkingOf,
  toolStyleOf,
} from '../chat/messages.ts';
import type { ToolCall } from '../chat/types.ts';
import { OptionError } from '../errors.ts';
import { picked } from '../options.ts';
import type { Format } from '../structured/types.ts';
import { type ChatMessage, type ChatOptions, renderChat, templateOf } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { CHAT_RULES, type ChatCallOptions, GENERATE_RULES, type GenerateChunk, type GenerateOptions } from './types.ts';

/** Ids of a text that a template wrote. Templates write bos themselves; it does not come twice. */
function idsOf(tokenizer: Tokenizer, text: string): number[] {
  const ids = tokenizer.encode(text, { special: true });
  const { bos } = tokenizer.specials;
  return bos !== undefined && ids[0] === bos && ids[1] === bos ? ids.slice(1) : ids;
}

/** The text of messages as the model's chat template writes them. */
export function chatText(tokenizer: Tokenizer, messages: readonly ChatMessage[], options: ChatOptions): string {
  return renderChat(tokenizer, templateMessages(messages), options);
}

/** Ids of messages as the model's chat template writes them. */
export function chatIds(tokenizer: Tokenizer, messages: readonly ChatMessage[], options: ChatOptions): number[] {
  return idsOf(tokenizer, chatText(tokenizer, messages, options));
}

/** What a chat becomes. */
export interface PreparedChat {
  readonly ids: readonly number[];
  readonly options: GenerateOptions;
  /** Special tokens whose text belongs to the answer. */
  readonly spelled?: ReadonlyMap<number, string>;
  /** Reads the chunks of the generation. */
  read(chunks: AsyncGenerator<GenerateChunk, void>): AsyncGenerator<GenerateChunk, void>;
}

/** @throws {TemplateError}; {OptionError} for tools that contradict one another; {FormatError} for a schema of theirs */
export async function prepareChat(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatCallOptions,
): Promise<PreparedChat> {
  const { toolChoice = 'auto', tools: given = [], reasoning } = options;
  const tools = toolChoice === 'none' ? [] : given;
  const written: ChatOptions = {
    ...picked<ChatOptions>(options, CHAT_RULES),
    tools: tools.length > 0 ? tools : undefined,
  };
  const template = templateOf(tokenizer, written);
  const style = tools.length > 0 ? options.toolStyle ?? toolStyleOf(template) : null;
  const forced = forcedTools(tools, toolChoice);
  const tags = thinkingOf(template) ?? (reasoning ? { open: '<think>', close: '</think>' } : null);
  const prompt = renderChat(tokenizer, templateMessages(messages), written);
  const opened = tags !== null && opensThinking(prompt, tags);
  if (forced && options.format) {
    throw new OptionError('OPTION', 'format is not for a chat whose toolChoice forces a call', { option: 'format' });
  }
  // an answer that is held to a format has no room for thoughts
  const plain = opened && (forced || options.format) ? `\n${tags.close}\n\n` : '';
  const text = forced ? CALL_TEXTS[style!] : null;
  const before = plain + (text?.before ?? '');
  const ids = idsOf(tokenizer, prompt + before);
  const own: GenerateOptions = { joined: false, ...picked<GenerateOptions>(options, GENERATE_RULES) };
  let format: Format | undefined;
  if (forced && text) {
    const { callFormat } = await import('../structured/format.ts');
    const forms = forced.map(({ name, parameters }) => ({ head: text.head(name), parameters, tail: text.tail }));
    format = callFormat(tokenizer, forms);
  }
  const split = reasoning === false ? null : tags;
  if (!split && !style) return { ids, options: own, read: (chunks) => chunks };
  const parser = (): AnswerParser =>
    new AnswerParser({ reasoning: forced ? null : split, thinking: opened && plain === '', tools: style });
  return {
    ids,
    options: format ? { ...own, format } : own,
    spelled: spelledTokens(tokenizer),
    read: (chunks) => answered(chunks, { ids, parser, before: text?.before ?? '' }),
  };
}

/** One completion that is being read. */
interface Reading {
  readonly parser: AnswerParser;
  calls: number;
  thought: number;
}

async function* answered(
  chunks: AsyncGenerator<GenerateChunk, void>,
  { ids, parser, before }: { ids: readonly number[]; parser: () => AnswerParser; before: string },
): AsyncGenerator<GenerateChunk, void> {
  const readings = new Map<number, Reading>();
  for await (const chunk of chunks) {
    if (chunk.prompt) {
      yield chunk;
      continue;
    }
    const { index = 0, usage, finishReason } = chunk;
    let reading = readings.get(index);
    if (!reading) {
      reading = { parser: parser(), calls: 0, thought: 0 };
      reading.parser.push(before); // the prompt has it already
      readings.set(index, reading);
    }
    const was = reading.parser.thinking;
    const parts = reading.parser.push(chunk.text);
    if (chunk.id !== null && was && reading.parser.thinking) reading.thought++;
    if (finishReason) parts.push(...reading.parser.finish());
    const toolCalls: ToolCall[] = [];
    for (const part of parts) {
      if (part.kind === 'call') toolCalls.push({ id: callId(ids, reading.calls++), ...part.call });
    }
    const thought = textOf(parts, 'reasoning');
    yield {
      ...chunk,
      text: textOf(parts, 'text'),
      ...(thought !== '' && { reasoning: thought }),
      ...(toolCalls.length > 0 && { toolCalls }),
      ...(finishReason === 'stop' && reading.calls > 0 && { finishReason: 'toolCalls' }),
      ...(usage && { usage: { ...usage, reasoningTokens: reading.thought } }),
    };
  }
}

const textOf = (parts: readonly Part[], kind: 'text' | 'reasoning'): string =>
  parts.map((part) => part.kind === kind ? part.text : '').join('');
