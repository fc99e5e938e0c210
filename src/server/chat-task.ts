/**
 * A conversation as work for a model: its ids, the positions at which others may go on from it, and how it is answered.
 * @module
 */
import type { ChatCallOptions } from '../model/types.ts';
import type { ChatMessage, ChatOptions } from '../tokenizer/template.ts';
import { room } from './asked.ts';
import { commonLength } from './prefix-cache.ts';
import type { Served, Task } from './served.ts';

/** Tokens of an answer that states no number. */
const DEFAULT_TOKENS = 512;

/** Options of a template. */
const WRITTEN = ['tools', 'variables'] as const;

export interface ChatTask {
  /** One answer. @param n how many there will be */
  answer(more: ChatCallOptions, n: number): Task;
}

/**
 * Renders a conversation.
 * @throws {TemplateError} where the model has no template, or it refuses the messages
 * @throws {ApiError} 400 where it is too long
 */
export async function chatTask(
  served: Served,
  messages: readonly ChatMessage[],
  options: ChatCallOptions,
  { maxTokens: wanted, cached, signal }: { maxTokens?: number; cached: boolean; signal: AbortSignal },
): Promise<ChatTask> {
  const { model } = served;
  // the text must not depend on how long a request waits
  const written: ChatOptions = {
    ...Object.fromEntries(WRITTEN.filter((key) => options[key] !== undefined).map((key) => [key, options[key]])),
    ...(options.toolChoice === 'none' && { tools: undefined }),
    date: new Date(),
    signal,
  };
  const ids = await model.chatIds(messages, written);
  const maxTokens = room(served, ids, wanted ?? DEFAULT_TOKENS, 'messages');
  const inner = cached && served.cache.enabled && !served.rewinds
    ? await boundaries(served, messages, written, ids)
    : [];
  return {
    answer: (more, n) => ({
      ids,
      boundaries: n > 1 && served.rewinds ? [ids.length - 1] : inner,
      whole: !cached,
      start: (session, read, signal) =>
        model.chat(messages, { ...options, ...more, date: written.date, maxTokens, session, read, signal }),
    }),
  };
}

/** Where other conversations may go on from this one: after the system's message, before the last message, at the end. */
async function boundaries(
  { model }: Served,
  messages: readonly ChatMessage[],
  options: ChatOptions,
  ids: readonly number[],
): Promise<number[]> {
  const system = messages[0].role === 'system' ? 1 : 0;
  const found = new Set([ids.length - 1]);
  for (const count of new Set([system, messages.length - 1])) {
    if (count === 0 || count >= messages.length) continue;
    try {
      const begun = await model.chatIds(messages.slice(0, count), { ...options, addGenerationPrompt: false });
      found.add(commonLength(begun, ids, ids.length - 1));
    } catch {
      // a template that refuses a part of a conversation has no boundary there
    }
  }
  return [...found].filter((at) => at > 0).sort((a, b) => a - b);
}
