/**
 * Options as a table: one description of each makes the parser, the types of the values, and the help.
 * @module
 */
import { parseArgs } from 'node:util';
import { nearest } from '../options.ts';
import { terminalWidth } from './output.ts';

/** Wrong usage: the command line itself, before anything was opened. Ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** One option. */
export interface OptionSpec {
  readonly short?: string;
  /** What its value is; `flag` takes none, nor does `switch`, which `--no-NAME` turns off; `ids` is a list of whole numbers. */
  readonly kind: 'flag' | 'switch' | 'text' | 'number' | 'integer' | 'ids' | 'choice';
  /** How the help calls the value. */
  readonly value?: string;
  readonly choices?: readonly string[];
  /** Least value of a number. */
  readonly least?: number;
  /** May be given several times; the value is an array then. */
  readonly repeatable?: boolean;
  readonly help: string;
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

type Value<S extends OptionSpec> = S['kind'] extends 'flag' | 'switch' ? boolean
  : S['kind'] extends 'number' | 'integer' ? number
  : S['kind'] extends 'ids' ? number[]
  : S['kind'] extends 'choice' ? (S['choices'] extends readonly (infer C)[] ? C : string)
  : string;

/** The values of a table: undefined where an option was not given. */
export type Values<T extends OptionTable> = {
  readonly [K in keyof T]: (T[K]['repeatable'] extends true ? Value<T[K]>[] : Value<T[K]>) | undefined;
};

/** An argument that is not an option. */
export interface PositionalSpec {
  readonly name: string;
  readonly optional?: boolean;
  /** Whether there may be several; of the last one only. */
  readonly repeated?: boolean;
}

/** What a command is, for the parser and the help. */
export interface CommandSpec<T extends OptionTable = OptionTable> {
  readonly name: string;
  readonly summary: string;
  readonly positionals: readonly PositionalSpec[];
  readonly options: T;
  /** Printed behind the options, a paragraph each. */
  readonly notes?: readonly string[];
  /** Whole command lines. */
  readonly examples: readonly string[];
  /** Whether interrupts are the command's own affair; otherwise the first one aborts the signal of its context. */
  readonly ownInterrupts?: boolean;
}

/** What was on the command line. */
export interface Parsed<T extends OptionTable> {
  readonly values: Values<T>;
  readonly positionals: readonly string[];
  readonly json: boolean;
  readonly help: boolean;
}

/** Options of every command. */
const COMMON = {
  json: { kind: 'flag', help: 'print exactly one JSON object on stdout' },
  help: { kind: 'flag', short: 'h', help: 'print this help' },
} as const;

/** Before the name of a switch that is turned off. */
const OFF = 'no-';

/**
 * Reads the arguments behind the command's name.
 * @throws {UsageError} for an unknown option, a missing or malformed value, or too few or many arguments
 */
export function parse<T extends OptionTable>(spec: CommandSpec<T>, args: readonly string[]): Parsed<T> {
  const table: OptionTable = { ...spec.options, ...COMMON };
  const options = Object.fromEntries(
    Object.entries(table).flatMap(([name, { kind, short }]) => {
      const bare = kind === 'flag' || kind === 'switch';
      // all are taken as repeatable: an option given twice is refused below rather than silently overridden
      const option = { type: bare ? 'boolean' as const : 'string' as const, multiple: true };
      return [
        [name, { ...option, ...(short ? { short } : {}) }] as const,
        ...(kind === 'switch' ? [[OFF + name, option] as const] : []),
      ];
    }),
  );
  let found: { values: Record<string, unknown>; positionals: string[] };
  try {
    found = parseArgs({ args: joined([...args], table), options, allowPositionals: true, strict: true });
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new UsageError(unknown(cause, Object.keys(options)) ?? cause.message.split('. ')[0], { cause });
  }
  const values: Record<string, unknown> = {};
  for (const [key, given] of Object.entries(found.values) as [string, (string | boolean)[]][]) {
    const name = Object.hasOwn(table, key) ? key : key.slice(OFF.length);
    const option = table[name];
    if (option.kind === 'switch' && name in values) throw new UsageError(`give --${name} or --${OFF}${name}, not both`);
    if (option.kind === 'flag') values[name] = true;
    else if (option.kind === 'switch') values[name] = key === name;
    else if (option.repeatable) values[name] = given.map((text) => convert(name, option, String(text)));
    else if (given.length > 1) throw new UsageError(`--${name} is given ${given.length} times, expected once`);
    else values[name] = convert(name, option, String(given[0]));
  }
  const help = values.help === true;
  if (!help) checkPositionals(spec, found.positionals);
  return { values: values as Values<T>, positionals: found.positionals, json: values.json === true, help };
}

/** What is said of an option that the command does not have; undefined for other errors. */
function unknown(cause: TypeError, names: readonly string[]): string | undefined {
  if ((cause as NodeJS.ErrnoException).code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return undefined;
  const given = /'(-[^']{1,60})/.exec(cause.message)?.[1] ?? '';
  const near = given.startsWith('--') ? nearest(given, names) : undefined;
  const dashed = given.startsWith('--') ? '' : '; text that begins with a dash goes after --';
  return `unknown option ${given}${near === undefined ? dashed : `; did you mean --${near}?`}`;
}

/** Ties a number with a minus sign to the option before it: `--repeat-last-n -1` is no mistake. */
function joined(args: string[], table: OptionTable): string[] {
  const names = new Map<string, string>(
    Object.entries(table).flatMap(([name, spec]) => {
      if (spec.kind !== 'number' && spec.kind !== 'integer') return [];
      return [[`--${name}`, name] as const, ...(spec.short ? [[`-${spec.short}`, name] as const] : [])];
    }),
  );
  const end = args.indexOf('--');
  const out: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const name = end === -1 || i < end ? names.get(args[i]) : undefined;
    if (name !== undefined && /^-[\d.]/.test(args[i + 1] ?? '')) out.push(`--${name}=${args[++i]}`);
    else out.push(args[i]);
  }
  return out;
}

function convert(name: string, { kind, choices, least = -Infinity }: OptionSpec, text: string): unknown {
  const wrong = (expected: string): UsageError =>
    new UsageError(`--${name} is ${JSON.stringify(text.slice(0, 60))}, expected ${expected}`);
  switch (kind) {
    case 'number':
    case 'integer': {
      const value = text.trim() === '' ? NaN : Number(text);
      const whole = kind === 'integer';
      if (value >= least && Number.isFinite(value) && (!whole || Number.isSafeInteger(value))) return value;
      const from = least === -Infinity ? '' : ` from ${least} on`;
      throw wrong(`${whole ? 'a whole number' : 'a number'}${from}`);
    }
    case 'choice':
      if (choices?.includes(text)) return text;
      throw wrong(`one of ${choices?.join(', ')}`);
    case 'ids':
      return parseIds(`--${name}`, text);
    default:
      return text;
  }
}

/** `1,2,3` or `1 2 3`. @throws {UsageError} */
export function parseIds(name: string, text: string): number[] {
  const parts = text.split(/[\s,]+/).filter((part) => part !== '');
  return parts.map((part, i) => {
    const id = /^\d{1,15}$/.test(part) ? Number(part) : NaN;
    if (Number.isSafeInteger(id)) return id;
    throw new UsageError(`${name}: element ${i} is ${JSON.stringify(part.slice(0, 60))}, expected ids such as 1,2,3`);
  });
}

function checkPositionals({ name, positionals }: CommandSpec, given: readonly string[]): void {
  const needed = positionals.filter(({ optional }) => !optional);
  if (given.length < needed.length) throw new UsageError(`${name}: ${needed[given.length].name} is missing`);
  if (given.length > positionals.length && !positionals.at(-1)?.repeated) {
    const extra = JSON.stringify(given[positionals.length].slice(0, 60));
    throw new UsageError(`${name}: ${extra} is one argument too many; put text with spaces in quotes`);
  }
}

/** The help of one command. @param width characters of a line */
export function commandHelp(spec: CommandSpec, width: number = helpWidth()): string {
  const words = spec.positionals.map(({ name, optional, repeated }) =>
    (optional ? `[${name}]` : name) + (repeated ? ' …' : '')
  );
  const rows = Object.entries({ ...spec.options, ...COMMON } as OptionTable).map(([name, option]): [string, string] => {
    const short = option.short ? `-${option.short}, ` : '    ';
    const value = option.kind === 'flag' || option.kind === 'switch'
      ? ''
      : ` ${option.value ?? option.choices?.join('|') ?? defaultPlaceholder(option)}`;
    const off = option.kind === 'switch' ? `[${OFF}]` : '';
    return [`${short}--${off}${name}${value}`, option.help + (option.repeatable ? ' (repeatable)' : '')];
  });
  return [
    `ternspike ${[spec.name, ...words].join(' ')} [OPTIONS]`,
    '',
    ...wrapped(spec.summary, width),
    '',
    'Options:',
    ...columns(rows, width),
    ...(spec.notes ?? []).flatMap((note) => ['', ...wrapped(note, width)]),
    '',
    'Examples:',
    ...spec.examples.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

function defaultPlaceholder({ kind }: OptionSpec): string {
  return kind === 'number' ? 'X' : kind === 'integer' ? 'N' : kind === 'ids' ? 'IDS' : 'TEXT';
}

/** Longer lines are hard to read, however wide the terminal is. */
const MOST_WIDTH = 120;

const helpWidth = (): number => Math.min(terminalWidth(1), MOST_WIDTH);

/** Two columns; a row whose first is too wide begins with a line of its own. */
export function columns(rows: readonly (readonly [string, string])[], most: number = helpWidth()): string[] {
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)));
  return rows.flatMap(([left, right]) => {
    const lines = wrapped(right, most - width - 4);
    const beside = left.length <= width ? lines.shift() : '';
    const rest = lines.map((line) => `  ${' '.repeat(width)}  ${line}`);
    return [`  ${left.padEnd(width)}  ${beside}`.trimEnd(), ...rest];
  });
}

/** Lines of at most so many characters, broken between words. */
function wrapped(text: string, most: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= most) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}
