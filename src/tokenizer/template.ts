/**
 * Chat templates: messages → the text that a model was trained on, as jinja2's immutable sandbox renders them for transformers. A
 * template comes from the model file and is a program; it gets no host object, and its steps, loops, nesting and output are bounded.
 * @module
 */
import { TemplateError, TernspikeError } from '../errors.ts';
import { MAX_MESSAGES, MAX_TEMPLATE_CHARS, MAX_TEMPLATE_DEPTH } from '../limits.ts';
import { accessOf } from './jinja/access.ts';
import { Budget } from './jinja/budget.ts';
import { hostOf } from './jinja/filters.ts';
import { globals } from './jinja/globals.ts';
import { parseTemplate } from './jinja/parse.ts';
import { Renderer } from './jinja/render.ts';
import { Dict, type Value } from './jinja/values.ts';
import type { Tokenizer } from './tokenizer.ts';

/** One message of a chat. Further fields reach the template as they are. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string | readonly unknown[] | null;
  readonly [field: string]: unknown;
}

export interface ChatOptions {
  /** Used instead of the template that came with the model: its text, or the name of one of the model's. */
  readonly template?: string;
  /** End with the beginning of the assistant's turn. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** Tools as the template expects them, usually JSON schemas. */
  readonly tools?: readonly unknown[];
  /** Documents to answer from, as the template expects them. */
  readonly documents?: readonly unknown[];
  /** Further variables of the template. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** What `strftime_now` says; default: now. */
  readonly date?: Date;
  readonly signal?: AbortSignal;
}

/** What `renderTemplate` needs besides the options of a chat. */
export interface RenderOptions extends Omit<ChatOptions, 'template'> {
  readonly bosToken?: string;
  readonly eosToken?: string;
  readonly unkToken?: string;
  readonly padToken?: string;
}

/**
 * The text of a chat by the template of a tokenizer.
 * @throws {TemplateError} `TEMPLATE` when there is none or it fails; `TEMPLATE_BUDGET`, `TEMPLATE_DEPTH` beyond the limits
 */
export function renderChat(tokenizer: Tokenizer, messages: readonly ChatMessage[], options: ChatOptions = {}): string {
  const template = templateOf(tokenizer, options);
  const piece = (id: number | undefined): string | undefined => id === undefined ? undefined : tokenizer.piece(id);
  const { bos, eos, unk, pad } = tokenizer.specials;
  return renderTemplate(template, messages, {
    ...options,
    bosToken: piece(bos),
    eosToken: piece(eos),
    unkToken: piece(unk),
    padToken: piece(pad),
  });
}

/** The template that `renderChat` takes. As transformers chooses: the one that is named, for tools `tool_use` where there is one, else the default. */
export function templateOf(tokenizer: Tokenizer, { template, tools }: ChatOptions): string {
  const named = (name: string): string | undefined =>
    Object.hasOwn(tokenizer.chatTemplates ?? {}, name) ? tokenizer.chatTemplates?.[name] : undefined;
  const chosen = template === undefined
    ? (tools === undefined ? undefined : named('tool_use')) ?? tokenizer.chatTemplate
    : named(template) ?? template;
  if (chosen !== undefined) return chosen;
  const names = Object.keys(tokenizer.chatTemplates ?? {});
  throw new TemplateError(
    'TEMPLATE',
    names.length > 0
      ? `this model has the chat templates ${
        names.join(', ').slice(0, 200)
      } and no default; name one by the option template`
      : 'the model file contains no chat template: give it a text to continue, or pass the option template',
    { mentions: ['template'] },
  );
}

/**
 * Renders messages by a template.
 * @throws {TemplateError} `TEMPLATE` when it does not parse or raises; `TEMPLATE_BUDGET`, `TEMPLATE_DEPTH` beyond the limits
 * @example renderTemplate('{{ messages[0].content }}!', [{ role: 'user', content: 'hi' }]) // 'hi!'
 */
export function renderTemplate(
  template: string,
  messages: readonly ChatMessage[],
  options: RenderOptions = {},
): string {
  if (template.length > MAX_TEMPLATE_CHARS) {
    throw new TemplateError(
      'TEMPLATE_BUDGET',
      `the template has ${template.length} characters, at most ${MAX_TEMPLATE_CHARS} are accepted`,
    );
  }
  if (messages.length > MAX_MESSAGES) {
    throw new TemplateError(
      'TEMPLATE_BUDGET',
      `the chat has ${messages.length} messages, at most ${MAX_MESSAGES} are accepted`,
    );
  }
  const budget = new Budget(options.signal);
  const renderer = new Renderer(hostOf(budget, accessOf(budget)));
  try {
    const given = globals(options.date ?? new Date(), budget);
    const variables: Record<string, unknown> = {
      ...options.variables,
      messages,
      tools: options.tools ?? null,
      documents: options.documents ?? null,
      add_generation_prompt: options.addGenerationPrompt !== false,
      bos_token: options.bosToken ?? '',
      eos_token: options.eosToken ?? '',
      ...(options.unkToken !== undefined && { unk_token: options.unkToken }),
      ...(options.padToken !== undefined && { pad_token: options.padToken }),
    };
    for (const [name, value] of Object.entries(variables)) {
      if (value !== undefined) given.set(name, plain(value, 0, name));
    }
    return renderer.render(parseTemplate(template), given);
  } catch (cause) {
    if (cause instanceof TernspikeError || options.signal?.aborted) throw cause;
    if (cause instanceof RangeError) {
      const deep = /stack|recursion/i.test(cause.message);
      throw new TemplateError(
        deep ? 'TEMPLATE_DEPTH' : 'TEMPLATE_BUDGET',
        `the template exceeds this host: ${cause.message}`,
        { cause },
      );
    }
    const message = cause instanceof Error ? cause.message : String(cause);
    const where = /^line \d+: /.test(message) ? ' at ' : ` at line ${renderer.line}: `;
    throw new TemplateError('TEMPLATE', `the chat template failed${where}${message}`, { cause });
  }
}

/** Plain data as values of a template; functions, symbols and depth without end do not reach it. */
function plain(value: unknown, depth: number, where: string): Value {
  if (depth > MAX_TEMPLATE_DEPTH / 2) {
    throw new TemplateError('TEMPLATE_DEPTH', `${where} is nested more than ${MAX_TEMPLATE_DEPTH / 2} levels deep`);
  }
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint') return value;
  // JavaScript has one kind of number: those that it counts exactly are integers
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : value;
  if (typeof value !== 'object') {
    throw new TemplateError('TEMPLATE', `${where} holds a ${typeof value}; messages are plain data`);
  }
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1, where));
  const dict = new Dict();
  const entries: Iterable<[unknown, unknown]> = value instanceof Map ? value.entries() : Object.entries(value);
  for (const [key, inner] of entries) {
    if (inner !== undefined) dict.set(plain(key, depth + 1, where), plain(inner, depth + 1, where));
  }
  return dict;
}
