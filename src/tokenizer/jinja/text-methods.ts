/**
 * Methods of text.
 * @module
 */
import type { Budget } from './budget.ts';
import { type Access, format } from './format.ts';
import { escaped } from './html.ts';
import { integer } from './numbers.ts';
import { str, UNPRINTABLE } from './print.ts';
import { codePoints, iterate, textLength } from './sequences.ts';
import { capitalize, isSpace, replaceText, splitBlanks, splitBy, splitLines, strip, title } from './text.ts';
import {
  bind,
  Callable,
  Dict,
  fail,
  isText,
  Markup,
  type Named,
  truth,
  Tuple,
  typeName,
  type Value,
} from './values.ts';

type Bound = (Value | undefined)[];
type Method = readonly [parameters: string, run: (text: string, args: Bound, budget: Budget) => Value];

function textArgument(value: Value | undefined, what: string): string {
  if (isText(value as Value)) return typeof value === 'string' ? value : (value as Markup).text;
  return fail(`${what} must be str, not ${typeName(value as Value)}`);
}

/** Text, or nothing for None. */
const optional = (value: Value | undefined): string | undefined =>
  value === undefined || value === null ? undefined : textArgument(value, 'argument');

const count = (value: Value | undefined, usual: number): number =>
  value === undefined ? usual : integer(value, 'argument');

/** A position in code points as one in UTF-16 units, for texts that have pairs of them. */
const unitAt = (chars: readonly string[], place: number): number => chars.slice(0, place).join('').length;

/** Where `find`, `count` and their like look: a part of the text, in UTF-16 units, and its characters where they are not one each. */
function range(
  text: string,
  start: Value | undefined,
  end: Value | undefined,
): { from: number; to: number; chars?: string[] } {
  const chars = textLength(text) === text.length ? undefined : codePoints(text);
  const length = chars?.length ?? text.length;
  const place = (value: Value | undefined, usual: number): number => {
    if (value === undefined || value === null) return usual;
    const at = integer(value, 'slice index');
    return at < 0 ? Math.max(0, at + length) : at;
  };
  const [from, to] = [place(start, 0), Math.min(place(end, length), length)];
  return chars ? { from: from > length ? Infinity : unitAt(chars, from), to: unitAt(chars, to), chars } : { from, to };
}

function find(text: string, [part, start, end]: Bound, last: boolean): number {
  const { from, to, chars } = range(text, start, end);
  const wanted = textArgument(part, 'must be str, argument');
  if (from > to) return -1;
  const within = text.slice(from, to);
  const at = last ? within.lastIndexOf(wanted) : within.indexOf(wanted);
  if (at < 0) return -1;
  return chars ? textLength(text.slice(0, from + at)) : from + at;
}

const found = (at: number): bigint => at < 0 ? fail('substring not found') : BigInt(at);

function ends(text: string, [part, start, end]: Bound, test: 'startsWith' | 'endsWith'): boolean {
  const { from, to } = range(text, start, end);
  if (from > to) return false;
  const within = text.slice(from, to);
  if (part instanceof Tuple) return part.items.some((one) => within[test](textArgument(one, `${test} argument`)));
  return within[test](textArgument(part, `${test.toLowerCase()} first arg`));
}

/** Whether a text is not empty and all of a class. */
const all = (pattern: RegExp) => (text: string): boolean => text !== '' && pattern.test(text);

function pad(text: string, [width, fill]: Bound, budget: Budget, way: 'left' | 'right' | 'both'): string {
  const char = fill === undefined ? ' ' : textArgument(fill, 'fill character');
  if (textLength(char) !== 1) return fail('The fill character must be exactly one character long');
  const wide = count(width, 0);
  budget.chars(Math.max(wide, text.length));
  const missing = wide - textLength(text);
  if (missing <= 0) return text;
  // an odd character goes to the left where the width is odd
  const left = way === 'left' ? missing : way === 'right' ? 0 : (missing >> 1) + (missing & wide & 1);
  return char.repeat(left) + text + char.repeat(missing - left);
}

function partition(text: string, separator: Value | undefined, last: boolean): Value {
  const by = textArgument(separator, 'separator');
  if (by === '') return fail('empty separator');
  const at = last ? text.lastIndexOf(by) : text.indexOf(by);
  if (at < 0) return new Tuple(last ? ['', '', text] : [text, '', '']);
  return new Tuple([text.slice(0, at), by, text.slice(at + by.length)]);
}

function split(text: string, [separator, most]: Bound, budget: Budget, fromRight: boolean): Value {
  budget.chars(text.length);
  const by = optional(separator);
  if (by === '') return fail('empty separator');
  const limit = count(most, -1);
  const parts = by === undefined ? splitBlanks(text, limit, fromRight) : splitBy(text, by, limit, fromRight);
  budget.items(parts.length);
  return parts;
}

function translate(text: string, table: Value | undefined): Value {
  if (!(table instanceof Dict)) return fail('translate needs a table of characters');
  return codePoints(text).map((char) => {
    const to = table.get(BigInt(char.codePointAt(0) as number));
    if (to === undefined) return char;
    return to === null
      ? ''
      : typeof to === 'bigint'
      ? String.fromCodePoint(Number(to))
      : textArgument(to, 'replacement');
  }).join('');
}

function table([from, to, gone]: Bound): Value {
  const result = new Dict();
  const code = (char: string): bigint => BigInt(char.codePointAt(0) as number);
  if (to === undefined) {
    if (!(from instanceof Dict)) return fail('if you give only one argument to maketrans it must be a dict');
    for (const [key, value] of from.entries()) result.set(typeof key === 'string' ? code(key) : key, value);
    return result;
  }
  const [sources, targets] = [
    codePoints(textArgument(from, 'first argument')),
    codePoints(textArgument(to, 'second argument')),
  ];
  if (sources.length !== targets.length) return fail('the first two maketrans arguments must have equal length');
  sources.forEach((char, i) => result.set(code(char), code(targets[i])));
  for (const char of codePoints(optional(gone) ?? '')) result.set(code(char), null);
  return result;
}

function expandTabs(text: string, size: number, budget: Budget): string {
  budget.chars(text.length + Math.max(0, size) * (text.split('\t').length - 1));
  let column = 0;
  return codePoints(text).map((char) => {
    if (char === '\t') {
      const blanks = size > 0 ? size - column % size : 0;
      column += blanks;
      return ' '.repeat(blanks);
    }
    column = char === '\n' || char === '\r' ? 0 : column + 1;
    return char;
  }).join('');
}

const CASED = /[\p{Lowercase}\p{Uppercase}\p{Lt}]/u;
/** Digits that are no decimals: superscripts, subscripts, circled ones … */
const DIGIT =
  /^[\p{Nd}\u00b2\u00b3\u00b9\u1369-\u1371\u19da\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c\u2488-\u2490\u24ea\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792]+$/u;

const METHODS: Readonly<Record<string, Method>> = {
  capitalize: ['', capitalize],
  casefold: [
    '',
    (text) => text.replaceAll('ẞ', 'ss').replaceAll('ß', 'ss').toUpperCase().toLowerCase().replaceAll('ς', 'σ'),
  ],
  center: ['width fill?', (text, args, budget) => pad(text, args, budget, 'both')],
  count: ['part start? end?', (text, [part, start, end]) => {
    const { from, to } = range(text, start, end);
    const wanted = textArgument(part, 'argument');
    if (from > to) return 0n;
    const within = text.slice(from, to);
    return BigInt(wanted === '' ? textLength(within) + 1 : within.split(wanted).length - 1);
  }],
  endswith: ['suffix start? end?', (text, args) => ends(text, args, 'endsWith')],
  expandtabs: ['tabsize?', (text, [size], budget) => expandTabs(text, count(size, 8), budget)],
  find: ['part start? end?', (text, args) => BigInt(find(text, args, false))],
  index: ['part start? end?', (text, args) => found(find(text, args, false))],
  isalnum: ['', all(/^[\p{L}\p{N}]+$/u)],
  isalpha: ['', all(/^\p{L}+$/u)],
  isascii: ['', (text) => /^[\0-\x7f]*$/.test(text)],
  isdecimal: ['', all(/^\p{Nd}+$/u)],
  isdigit: ['', all(DIGIT)],
  isidentifier: ['', (text) => /^[\p{XID_Start}_]\p{XID_Continue}*$/u.test(text)],
  islower: ['', (text) => CASED.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text)],
  isnumeric: [
    '',
    all(
      /^[\p{N}㐅㒃㠪㭍一七万三九二五亖亿什仟仨伍佰億兆兩八六十千卄卅卌叁参參叄四壱壹幺廾廿弌弍弎弐拾捌柒漆玖百肆貮貳贰阡陆陌陸零]+$/u,
    ),
  ],
  isprintable: ['', (text) => !UNPRINTABLE.test(text)],
  isspace: ['', (text) => text !== '' && codePoints(text).every(isSpace)],
  istitle: ['', (text) => CASED.test(text) && title(text) === text],
  isupper: ['', (text) => CASED.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text)],
  join: ['items', (text, [items], budget) => {
    const parts: string[] = [];
    let chars = 0;
    for (const item of iterate(items as Value, budget)) {
      parts.push(textArgument(item, `sequence item ${parts.length}:`));
      chars += text.length + (parts.at(-1) as string).length;
      budget.chars(text.length + (parts.at(-1) as string).length);
      budget.fits(chars);
    }
    return parts.join(text);
  }],
  ljust: ['width fill?', (text, args, budget) => pad(text, args, budget, 'right')],
  lower: ['', (text) => text.toLowerCase()],
  lstrip: ['chars?', (text, [chars]) => strip(text, optional(chars), true, false)],
  maketrans: ['from to? gone?', (_, args) => table(args)],
  partition: ['separator', (text, [separator]) => partition(text, separator, false)],
  removeprefix: ['prefix', (text, [prefix]) => {
    const start = textArgument(prefix, 'prefix');
    return text.startsWith(start) ? text.slice(start.length) : text;
  }],
  removesuffix: ['suffix', (text, [suffix]) => {
    const end = textArgument(suffix, 'suffix');
    return end !== '' && text.endsWith(end) ? text.slice(0, -end.length) : text;
  }],
  replace: [
    'old new count?',
    (text, [old, by, most], budget) =>
      replaceText(
        text,
        textArgument(old, 'replace argument 1'),
        textArgument(by, 'replace argument 2'),
        count(most, -1),
        budget,
      ),
  ],
  rfind: ['part start? end?', (text, args) => BigInt(find(text, args, true))],
  rindex: ['part start? end?', (text, args) => found(find(text, args, true))],
  rjust: ['width fill?', (text, args, budget) => pad(text, args, budget, 'left')],
  rpartition: ['separator', (text, [separator]) => partition(text, separator, true)],
  rsplit: ['sep? maxsplit?', (text, args, budget) => split(text, args, budget, true)],
  rstrip: ['chars?', (text, [chars]) => strip(text, optional(chars), false, true)],
  split: ['sep? maxsplit?', (text, args, budget) => split(text, args, budget, false)],
  splitlines: ['keepends?', (text, [keep], budget) => {
    const lines = splitLines(text, keep !== undefined && truth(keep));
    budget.items(lines.length);
    return lines;
  }],
  startswith: ['prefix start? end?', (text, args) => ends(text, args, 'startsWith')],
  strip: ['chars?', (text, [chars]) => strip(text, optional(chars), true, true)],
  swapcase: [
    '',
    (text) =>
      codePoints(text).map((char) => /\p{Uppercase}/u.test(char) ? char.toLowerCase() : char.toUpperCase()).join(''),
  ],
  title: ['', title],
  translate: ['table', (text, [map]) => translate(text, map)],
  upper: ['', (text) => text.toUpperCase()],
  zfill: ['width', (text, [width], budget) => {
    const wide = count(width, 0);
    budget.chars(Math.max(wide, text.length));
    const sign = /^[-+]/.test(text) ? text[0] : '';
    return sign + '0'.repeat(Math.max(0, wide - textLength(text))) + text.slice(sign.length);
  }],
};

/** Methods of markup that escape what they are given. */
const ESCAPING: ReadonlyMap<string, number> = new Map([['replace', 1], ['ljust', 1], ['rjust', 1], ['center', 1]]);

/** A method of a text by its name; undefined where it has none. */
export function textMethod(of: string | Markup, name: string, access: Access, budget: Budget): Callable | undefined {
  const text = typeof of === 'string' ? of : of.text;
  const html = of instanceof Markup;
  const wrap = (value: Value): Value => {
    if (!html) return value;
    if (typeof value === 'string') return new Markup(value);
    if (Array.isArray(value)) return value.map(wrap);
    return value instanceof Tuple ? new Tuple(value.items.map(wrap)) : value;
  };
  if (name === 'format' || name === 'format_map') {
    return new Callable(name, (args, named) => {
      const [values, fields] = name === 'format' ? [args, named] : [[], mapOf(args, named)];
      return wrap(format(text, values, fields, html, access, budget));
    });
  }
  if (name === 'encode') return new Callable(name, () => fail('bytes are not supported by templates here'));
  if (html && name === 'striptags') return new Callable(name, () => fail('use the filter striptags'));
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (method === undefined) return undefined;
  const [parameters, run] = method;
  return new Callable(name, (args, named) => {
    const bound = bind(name, parameters === '' ? [] : parameters.split(' '), args, named);
    const at = html ? ESCAPING.get(name) : undefined;
    if (at !== undefined && bound[at] !== undefined) bound[at] = escaped(bound[at] as Value, budget);
    if (html && name === 'join') {
      return wrap(run(text, [[...iterate(bound[0] as Value, budget)].map((item) => escaped(item, budget))], budget));
    }
    budget.chars(text.length);
    return wrap(run(text, bound, budget));
  });
}

function mapOf(args: readonly Value[], named: Named): Dict {
  const [map] = args;
  if (named.size > 0 || args.length !== 1 || !(map instanceof Dict)) {
    return fail('format_map() takes exactly one mapping');
  }
  return map;
}

/** `soft_str`: text stays what it is, anything else is printed. */
export const softText = (value: Value, budget: Budget): string | Markup => isText(value) ? value : str(value, budget);
