/**
 * A conversation as work for a model: its ids, the positions at which others may go on from it, and how it is answered.
 * @module
 */
import type { ChatCallOptions, GenerateOptions } from '../model/types.ts';
import type { ChatMessage, ChatOptions } from '../tokenizer/template.ts';
import { room } from './asked.ts';
import { commonLength } from './prefix-cache.ts';
import type { Served, Task } from './served.ts';

/** Tokens of an answer that states no number. */
const DEFAULT_TOKENS = 512;

export interface ChatTask {
  /** One answer. @param n how many there will be */
  answer(more: GenerateOptions, n: number): Task;
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
  const date = served.date && { date: served.date };
  const { ids, answer } = await served.model.prepareChat(messages, { ...date, ...options, signal });
  const maxTokens = room(served, ids, wanted ?? DEFAULT_TOKENS, 'messages');
  const keeps = cached && served.cache.enabled && !served.rewinds;
  const inner = keeps ? await boundaries(served, messages, options, ids) : [];
  return {
    answer: (more, n) => ({
      ids,
      boundaries: n > 1 && served.rewinds ? [ids.length - 1] : inner,
      whole: !cached,
      start: (session, read, signal) => answer({ ...more, maxTokens, session, read, signal }),
    }),
  };
}

/** Where other conversations may go on from this one: after the system's message, before the last message, at the end. */
async function boundaries(
  { model }: Served,
  messages: readonly ChatMessage[],
  { tools, toolChoice, variables }: ChatCallOptions,
  ids: readonly number[],
): Promise<number[]> {
  const written: ChatOptions = { variables, ...(toolChoice !== 'none' && { tools }), addGenerationPrompt: false };
  const system = messages[0].role === 'system' ? 1 : 0;
  const found = new Set([ids.length - 1]);
  for (const count of new Set([system, messages.length - 1])) {
    if (count === 0 || count >= messages.length) continue;
    try {
      const begun = await model.chatIds(messages.slice(0, count), written);
      found.add(commonLength(begun, ids, ids.length - 1));
    } catch {
      // a template that refuses a part of a conversation has no boundary there
    }
  }
  return [...found].filter((at) => at > 0).sort((a, b) => a - b);
}
