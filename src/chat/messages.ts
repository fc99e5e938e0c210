/**
 * Messages as chat templates expect them, and what a template says of how a model answers.
 * @module
 */
import { FormatError, OptionError } from '../errors.ts';
import type { ChatMessage } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Tags } from './parser.ts';
import type { ToolChoice, ToolStyle } from './types.ts';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Tags of thinking, the commonest first. */
const THINKING: readonly Tags[] = [
  { open: '<think>', close: '</think>' },
  { open: '[THINK]', close: '[/THINK]' },
  { open: '<thinking>', close: '</thinking>' },
];

/** Special tokens that say how an answer is built; the text of others is never shown. */
const SPELLED = [
  '<tool_call>',
  '</tool_call>',
  '<|python_tag|>',
  '[TOOL_CALLS]',
  '[ARGS]',
  '[CALL_ID]',
  ...THINKING.flatMap(({ open, close }) => [open, close]),
];

/** How the template writes calls of tools; `hermes` where it does not say. */
export function toolStyleOf(template: string): ToolStyle {
  if (template.includes('<tool_call>')) return 'hermes';
  if (template.includes('[TOOL_CALLS]')) return 'mistral';
  return /python_tag|<\|start_header_id\|>|"parameters":/.test(template) ? 'llama3' : 'hermes';
}

/** The tags of thinking that a template mentions; null where it mentions none. */
export const thinkingOf = (template: string): Tags | null =>
  THINKING.find(({ open, close }) => template.includes(open) || template.includes(close)) ?? null;

/** Whether a prompt ends inside of thinking. */
export function opensThinking(prompt: string, { open, close }: Tags): boolean {
  const at = prompt.lastIndexOf(open);
  return at >= 0 && prompt.indexOf(close, at) < 0 && prompt.slice(at + open.length).trim() === '';
}

/** Ids of special tokens that are part of how an answer is built, and their text. */
export function spelledTokens(tokenizer: Tokenizer): Map<number, string> {
  const found = new Map<number, string>();
  for (const text of SPELLED) {
    const ids = tokenizer.encode(text, { special: true }).filter((id) => id !== tokenizer.specials.bos);
    const [id] = ids.filter((id) => tokenizer.piece(id) === text);
    if (id !== undefined && tokenizer.pieceBytes(id).length === 0) found.set(id, text);
  }
  return found;
}

/**
 * Messages as templates read them: `toolCalls` of an answer become `tool_calls`, and arguments that are JSON text become objects, as
 * templates write them out by themselves.
 */
export function templateMessages(messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.map((message) => {
    if (!isRecord(message)) return message;
    const { toolCalls, toolCallId, ...rest } = message as ChatMessage;
    const named = toolCallId === undefined ? rest : { ...rest, tool_call_id: toolCallId };
    const calls = named.tool_calls ?? toolCalls;
    return (Array.isArray(calls) && calls.length > 0
      ? { ...named, tool_calls: calls.map(templateCall) }
      : named) as ChatMessage;
  });
}

function templateCall(call: unknown): unknown {
  if (!isRecord(call)) return call;
  const { function: inner, name, arguments: own, ...rest } = call;
  const made = isRecord(inner) ? inner : { name, arguments: own };
  return { type: 'function', ...rest, function: { ...made, arguments: objectOf(made.arguments) } };
}

function objectOf(given: unknown): unknown {
  if (typeof given !== 'string') return given ?? {};
  try {
    const value: unknown = JSON.parse(given);
    return isRecord(value) ? value : given;
  } catch {
    return given;
  }
}

/** A tool by its name, and the schema of its arguments. */
export interface Tool {
  readonly name: string;
  readonly parameters: unknown;
}

/**
 * Tools in OpenAI's form, `{ type: 'function', function: { name, parameters } }`, or the inner object alone.
 * @throws {FormatError} `FORMAT` for one without a name
 */
export function toolsOf(tools: readonly unknown[]): Tool[] {
  return tools.map((tool, i) => {
    const inner = isRecord(tool) && isRecord(tool.function) ? tool.function : tool;
    if (!isRecord(inner) || typeof inner.name !== 'string' || inner.name === '') {
      throw new FormatError('FORMAT', `tools: tool ${i} has no name`, { mentions: ['tools'] });
    }
    return { name: inner.name, parameters: inner.parameters ?? { type: 'object' } };
  });
}

/** The tools that a call is held to; null where the model decides. @throws {OptionError} for a choice that no tool fits */
export function forcedTools(tools: readonly unknown[], choice: ToolChoice): Tool[] | null {
  if (choice === 'auto' || choice === 'none') return null;
  const all = toolsOf(tools);
  const chosen = choice === 'required' ? all : all.filter(({ name }) => name === choice.name);
  if (chosen.length > 0) return chosen;
  const named = choice === 'required' ? 'required' : JSON.stringify(choice.name.slice(0, 60));
  throw new OptionError(
    'OPTION',
    `toolChoice is ${named}, and tools has ${all.length === 0 ? 'none' : 'no such tool'}`,
    {
      option: 'toolChoice',
    },
  );
}

/** What is written before, between and after the parts of a call. */
export interface CallText {
  /** Put at the end of the prompt. */
  readonly before: string;
  head(name: string): string;
  readonly tail: string;
}

/** How a call that is forced is written. */
export const CALL_TEXTS: Readonly<Record<ToolStyle, CallText>> = {
  hermes: {
    before: '<tool_call>\n',
    head: (name) => `{"name": ${JSON.stringify(name)}, "arguments": `,
    tail: '}',
  },
  llama3: { before: '', head: (name) => `{"name": ${JSON.stringify(name)}, "parameters": `, tail: '}' },
  mistral: { before: '[TOOL_CALLS]', head: (name) => `[{"name": ${JSON.stringify(name)}, "arguments": `, tail: '}]' },
};

/** Nine letters and digits for the i-th call after a prompt: Mistral's templates take no other ids. */
export function callId(prompt: readonly number[], i: number): string {
  let [a, b] = [0x811c9dc5, 0x01000193 + i];
  for (const id of [...prompt, i]) {
    a = Math.imul(a ^ id, 0x01000193);
    b = Math.imul(b ^ (id + (a >>> 15)), 0x85ebca6b);
  }
  const text = (a >>> 0).toString(36).padStart(7, '0') + (b >>> 0).toString(36).padStart(7, '0');
  return text.slice(-9);
}
