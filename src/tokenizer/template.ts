/**
 * Chat templates: messages → the text that a model was trained on, by `@huggingface/jinja` under a budget. A template
 * comes from the model file and is a program; it gets no host object, and its steps, loops, nesting and output are bounded.
 * @module
 */
import { TemplateError, TernspikeError } from '../errors.ts';
import { MAX_MESSAGES, MAX_TEMPLATE_CHARS, MAX_TEMPLATE_DEPTH, MAX_TEMPLATE_LOOP } from '../limits.ts';
import { type Environment, jinja, type Node } from './jinja.ts';
import { checkProgram, defineGuards, openInterpreter } from './template-budget.ts';
import type { Tokenizer } from './tokenizer.ts';

/** One message of a chat. Further fields reach the template as they are. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string | readonly unknown[] | null;
  readonly [field: string]: unknown;
}

export interface ChatOptions {
  /** Used instead of the template that came with the model. */
  readonly template?: string;
  /** End with the beginning of the assistant's turn. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** Tools as the template expects them, usually JSON schemas. */
  readonly tools?: readonly unknown[];
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
}

/**
 * The text of a chat by the template of a tokenizer.
 * @throws {TemplateError} `TEMPLATE` when there is none or it fails; `TEMPLATE_BUDGET`, `TEMPLATE_DEPTH` beyond the limits
 */
export function renderChat(tokenizer: Tokenizer, messages: readonly ChatMessage[], options: ChatOptions = {}): string {
  const template = options.template ?? tokenizer.chatTemplate;
  if (template === undefined) {
    throw new TemplateError('TEMPLATE', 'this model came without a chat template; pass the option template');
  }
  const { bos, eos } = tokenizer.specials;
  return renderTemplate(template, messages, {
    ...options,
    bosToken: bos === undefined ? '' : tokenizer.piece(bos),
    eosToken: eos === undefined ? '' : tokenizer.piece(eos),
  });
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
  try {
    const program = parseTemplate(template);
    checkProgram(program);
    const environment = globals(options.date ?? new Date());
    const interpreter = openInterpreter(environment, options.signal);
    defineGuards(environment, interpreter);
    const given: Record<string, unknown> = {
      ...options.variables,
      messages,
      add_generation_prompt: options.addGenerationPrompt !== false,
      bos_token: options.bosToken ?? '',
      eos_token: options.eosToken ?? '',
      ...(options.tools === undefined ? {} : { tools: options.tools }),
    };
    for (const [name, value] of Object.entries(given)) {
      if (environment.variables.has(name)) throw new TemplateError('TEMPLATE', `the variable ${name} is taken`);
      environment.set(name, plain(value, 0, name));
    }
    return interpreter.render(program);
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
    throw new TemplateError(
      'TEMPLATE',
      `the chat template failed: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

const OPENING = ['OpenParen', 'OpenSquareBracket', 'OpenCurlyBracket'];
const CLOSING = ['CloseParen', 'CloseSquareBracket', 'CloseCurlyBracket'];
const BLOCKS = ['if', 'for', 'macro', 'call', 'filter'];
/** The lexer looks ahead over white space at every position of a run of it. */
const MAX_BLANKS = 512;

/** Parses after a scan of the nesting, so that the recursive parser never gets deep. */
function parseTemplate(template: string): Node {
  let blanks = 0;
  for (let i = 0; i < template.length; i++) {
    blanks = /\s/.test(template[i]) ? blanks + 1 : 0;
    if (blanks > MAX_BLANKS) {
      throw new TemplateError(
        'TEMPLATE_BUDGET',
        `the template has more than ${MAX_BLANKS} blanks in a row before character ${i}`,
      );
    }
  }
  const tokens = jinja.tokenize(template, { lstrip_blocks: true, trim_blocks: true });
  let depth = 0;
  let run = 0;
  tokens.forEach(({ type, value }, i) => {
    const statement = i > 0 && tokens[i - 1].type === 'OpenStatement';
    if (OPENING.includes(type) || (statement && BLOCKS.includes(value))) depth++;
    else if (CLOSING.includes(type) || (statement && value.startsWith('end') && value !== 'endset')) depth--;
    // `not not …`, `- - …`: each one is a call of the parser within the one before.
    run = type === 'UnaryOperator' || (type === 'Identifier' && value === 'not') ? run + 1 : 0;
    if (depth + run > MAX_TEMPLATE_DEPTH) {
      throw new TemplateError('TEMPLATE_DEPTH', `the template nests more than ${MAX_TEMPLATE_DEPTH} levels deep`);
    }
  });
  return jinja.parse(tokens);
}

/** The names every template may use; nothing of the host is among them. */
function globals(date: Date): Environment {
  const environment = new jinja.Environment();
  for (
    const [name, value] of Object.entries({
      true: true,
      false: false,
      none: null,
      True: true,
      False: false,
      None: null,
    })
  ) {
    environment.set(name, value);
  }
  environment.set('raise_exception', (message: unknown): never => {
    throw new TemplateError('TEMPLATE', `the chat template refuses: ${String(message).slice(0, 1000)}`);
  });
  environment.set('range', range);
  environment.set('strftime_now', (format: unknown): string => formatDate(date, String(format)));
  return environment;
}

function range(...given: unknown[]): number[] {
  const [a, b, c] = given;
  const [start, stop, step] = b === undefined ? [0, a, 1] : [a, b, c ?? 1];
  if (![start, stop, step].every(Number.isInteger) || step === 0) {
    throw new TemplateError('TEMPLATE', 'range needs integers and a step other than 0');
  }
  const [from, to, by] = [start, stop, step] as [number, number, number];
  const count = Math.max(0, Math.ceil((to - from) / by));
  if (count > MAX_TEMPLATE_LOOP) {
    throw new TemplateError('TEMPLATE_BUDGET', `range has ${count} items, at most ${MAX_TEMPLATE_LOOP} are accepted`);
  }
  return Array.from({ length: count }, (_, i) => from + i * by);
}

/** A copy of plain data; functions, symbols and depth without end do not reach a template. */
function plain(value: unknown, depth: number, where: string): unknown {
  if (depth > MAX_TEMPLATE_DEPTH / 2) {
    throw new TemplateError('TEMPLATE_DEPTH', `${where} is nested more than ${MAX_TEMPLATE_DEPTH / 2} levels deep`);
  }
  if (value === null || value === undefined || typeof value === 'string' || typeof value === 'boolean') {
    return value ?? null;
  }
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object') {
    throw new TemplateError('TEMPLATE', `${where} holds a ${typeof value}; messages are plain data`);
  }
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1, where));
  const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [key, inner] of Object.entries(value)) copy[key] = plain(inner, depth + 1, where);
  return copy;
}

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** The few conversions of strftime that templates use, in English on every host. */
function formatDate(date: Date, format: string): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  return format.replace(/%[YmdbBHMS%]/g, (mark) => {
    switch (mark[1]) {
      case 'Y':
        return String(date.getFullYear());
      case 'm':
        return two(date.getMonth() + 1);
      case 'd':
        return two(date.getDate());
      case 'b':
        return MONTHS[date.getMonth()].slice(0, 3);
      case 'B':
        return MONTHS[date.getMonth()];
      case 'H':
        return two(date.getHours());
      case 'M':
        return two(date.getMinutes());
      case 'S':
        return two(date.getSeconds());
      default:
        return '%';
    }
  });
}
