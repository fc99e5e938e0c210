/**
 * Messages of a chat, as requests have them, and as templates take them.
 * @module
 */
import type { ChatMessage } from '../tokenizer/template.ts';
import { MAX_MESSAGES } from '../limits.ts';
import { shown } from '../options.ts';
import { badField } from './errors.ts';

const ROLES: readonly string[] = ['system', 'developer', 'user', 'assistant', 'tool'];

/** Checked messages. @throws {ApiError} 400 with the place */
export function readMessages(value: unknown, param: string = 'messages'): ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw badField(param, `${param} is ${shown(value)}, expected a list of at least one message`);
  }
  if (value.length > MAX_MESSAGES) {
    throw badField(param, `${param} has ${value.length} messages, at most ${MAX_MESSAGES} are accepted`);
  }
  return value.map((message: unknown, i) => readMessage(message, `${param}[${i}]`));
}

function readMessage(message: unknown, at: string): ChatMessage {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    throw badField(at, `${at} is ${shown(message)}, expected an object with role and content`);
  }
  const { role, content, tool_calls: calls, ...rest } = message as Readonly<Record<string, unknown>>;
  if (!ROLES.includes(role as string)) {
    throw badField(`${at}.role`, `${at}.role is ${shown(role)}, expected one of ${ROLES.join(', ')}`);
  }
  const text = contentText(content, `${at}.content`, role === 'assistant');
  const known = Object.fromEntries(
    ['name', 'tool_call_id', 'reasoning_content'].filter((key) => typeof rest[key] === 'string')
      .map((key) => [key, rest[key]]),
  );
  return {
    ...known,
    // a developer's message is what a system's was before: templates know the older name
    role: role === 'developer' ? 'system' : role as string,
    content: text,
    ...(calls !== undefined && calls !== null && { tool_calls: toolCalls(calls, `${at}.tool_calls`) }),
  };
}

/** The text of a message: a string, or parts that are texts. */
function contentText(content: unknown, at: string, optional: boolean): string {
  if (typeof content === 'string') return content;
  if (optional && (content === null || content === undefined)) return '';
  if (!Array.isArray(content)) throw badField(at, `${at} is ${shown(content)}, expected a text or a list of parts`);
  return content.map((part: unknown, i) => {
    const { type, text } = (part ?? {}) as { readonly type?: unknown; readonly text?: unknown };
    if (['text', 'input_text', 'output_text'].includes(type as string) && typeof text === 'string') return text;
    throw badField(`${at}[${i}]`, `${at}[${i}] is of type ${shown(type)}; this server takes parts with text only`);
  }).join('');
}

/** Calls of tools that an assistant made. */
function toolCalls(calls: unknown, at: string): object[] {
  if (!Array.isArray(calls)) throw badField(at, `${at} is ${shown(calls)}, expected a list`);
  return calls.map((call: unknown, i) => {
    const { id, function: called } = (call ?? {}) as { readonly id?: unknown; readonly function?: unknown };
    const { name, arguments: given } = (called ?? {}) as { readonly name?: unknown; readonly arguments?: unknown };
    if (typeof name !== 'string' || typeof given !== 'string') {
      throw badField(`${at}[${i}]`, `${at}[${i}] needs function.name and function.arguments, both texts`);
    }
    return { ...(typeof id === 'string' && { id }), type: 'function', function: { name, arguments: given } };
  });
}
