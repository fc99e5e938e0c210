/**
 * Filters of text.
 * @module
 */
import type { Budget } from './budget.ts';
import type { Filters, FreeFilter } from './filters.ts';
import { escaped, stripTags } from './html.ts';
import { dumps } from './json.ts';
import { parseFloating } from './list-filters.ts';
import { integer, numeric, toFloat } from './numbers.ts';
import { pretty } from './pretty.ts';
import { printf } from './printf.ts';
import { str } from './print.ts';
import { codePoints, isIterable, iterate, listOf, sizeOf, textLength } from './sequences.ts';
import { capitalize, replaceText, SPACE, splitLines, strip } from './text.ts';
import { softText } from './text-methods.ts';
import { Dict, fail, isNumber, isText, Markup, truth, Tuple, typeName, Undefined, type Value } from './values.ts';
import { wrapText } from './wrap.ts';

const flag = (value: Value | undefined, usual: boolean = false): boolean => value === undefined ? usual : truth(value);
const textOf = (value: string | Markup): string => typeof value === 'string' ? value : value.text;
/** The result of a text operation, markup where the text was. */
const like = (value: string | Markup, text: string): string | Markup =>
  typeof value === 'string' ? text : new Markup(text);

/** Filters that change a text, whatever it was printed from. */
const change = (run: (text: string) => string) =>
  [
    '',
    ([value]: (Value | undefined)[], { budget }: { budget: Budget }): Value => {
      const text = softText(value as Value, budget);
      budget.chars(textOf(text).length);
      return like(text, run(textOf(text)));
    },
  ] as const;

/** Characters before a word of the filter `title`. */
const WORD_START: RegExp = new RegExp(`([-${SPACE}({\\[<]+)`);

const titled = (text: string): string =>
  text.split(WORD_START).map((word) => {
    const first = word === '' ? '' : String.fromCodePoint(word.codePointAt(0) as number);
    return first.toUpperCase() + word.slice(first.length).toLowerCase();
  }).join('');

function needsText(value: Value | undefined, what: string): string | Markup {
  if (value instanceof Undefined) return fail(value.message);
  return isText(value as Value)
    ? value as string | Markup
    : fail(`${what} needs text, not ${typeName(value as Value)}`);
}

/** Bytes of a text as a URL writes them. */
function urlQuote(value: Value, query: boolean, budget: Budget): string {
  const text = str(value, budget);
  budget.chars(text.length * 9);
  const safe = query ? /[A-Za-z0-9_.~-]/ : /[A-Za-z0-9_.~/-]/;
  let out = '';
  for (const byte of new TextEncoder().encode(text)) {
    const char = String.fromCharCode(byte);
    out += byte < 0x80 && safe.test(char)
      ? char
      : query && char === ' '
      ? '+'
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

function fileSize(value: Value, binaryUnits: boolean): string {
  const bytes = isNumber(value) ? toFloat(numeric(value)) : isText(value) ? parseFloating(textOf(value)) ?? NaN : NaN;
  if (Number.isNaN(bytes)) return fail('filesizeformat needs a number');
  const base = binaryUnits ? 1024 : 1000;
  if (bytes === 1) return '1 Byte';
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const units = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
  const at = Math.max(0, units.findIndex((_, i) => bytes < base ** (i + 2)));
  const step = bytes < base ** 9 ? at : units.length - 1;
  const unit = binaryUnits ? `${units[step].toUpperCase()}iB` : `${units[step]}B`;
  return `${((base * bytes) / base ** (step + 2)).toFixed(1)} ${unit}`;
}

const format: FreeFilter = (value, args, named, { budget }) => {
  if (args.length > 0 && named.size > 0) return fail("can't handle positional and keyword arguments at the same time");
  const values = new Dict();
  for (const [name, item] of named) values.set(name, item);
  return printf(softText(value, budget), named.size > 0 ? values : new Tuple(args), budget);
};

/** Filters by name, with their parameters after the value. */
export const TEXT_FILTERS: Filters = {
  capitalize: change(capitalize),
  center: ['width?', ([value, width = 80n], { budget }) => {
    const text = softText(value as Value, budget);
    const wide = integer(width, 'width');
    budget.chars(Math.max(wide, 0));
    const missing = Math.max(0, wide - textLength(textOf(text)));
    const left = (missing >> 1) + (missing & wide & 1);
    return like(text, ' '.repeat(left) + textOf(text) + ' '.repeat(missing - left));
  }],
  e: ['', ([value], { budget }) => new Markup(escaped(value as Value, budget))],
  escape: ['', ([value], { budget }) => new Markup(escaped(value as Value, budget))],
  filesizeformat: ['binary?', ([value, binary]) => fileSize(value as Value, flag(binary))],
  forceescape: ['', ([value], { budget }) => new Markup(escaped(str(value as Value, budget), budget))],
  format,
  indent: ['width? first? blank?', ([value, width = 4n, first, blank], { budget }) => {
    const text = needsText(value, 'indent');
    const by = isText(width) ? textOf(width) : ' '.repeat(Math.max(0, checkedWidth(integer(width, 'width'), budget)));
    const lines = splitLines(`${textOf(text)}\n`, false);
    budget.chars(textOf(text).length + by.length * lines.length);
    const body = flag(blank)
      ? lines.join(`\n${by}`)
      : lines.map((line, i) => i > 0 && line !== '' ? by + line : line).join('\n');
    return like(text, (flag(first) ? by : '') + body);
  }],
  join: ['d? attribute?', ([value, separator = '', attribute = null], host) => {
    const { budget, access } = host;
    const by = str(separator, budget);
    const path = attribute === null ? [] : isText(attribute) ? textOf(attribute).split('.') : [attribute];
    const parts: string[] = [];
    let chars = 0;
    for (const item of iterate(value as Value, budget)) {
      const found = path.reduce(
        (at: Value, part) => access.item(at, typeof part === 'string' && /^\d+$/.test(part) ? BigInt(part) : part),
        item,
      );
      parts.push(str(found, budget));
      chars += by.length + (parts.at(-1) as string).length;
      budget.chars(by.length + (parts.at(-1) as string).length);
      budget.fits(chars);
    }
    return parts.join(by);
  }],
  lower: change((text) => text.toLowerCase()),
  pprint: ['', ([value], { budget }) => pretty(value as Value, budget)],
  replace: ['old new count?', ([value, old, by, count = null], { budget }) =>
    replaceText(
      str(value as Value, budget),
      str(old as Value, budget),
      str(by as Value, budget),
      count === null ? -1 : integer(count, 'count'),
      budget,
    )],
  safe: ['', ([value], { budget }) => new Markup(str(value as Value, budget))],
  string: ['', ([value], { budget }) => softText(value as Value, budget)],
  striptags: ['', ([value], { budget }) => {
    const text = str(value as Value, budget);
    budget.chars(text.length);
    return stripTags(text);
  }],
  title: change(titled),
  tojson: [
    'ensure_ascii? indent? separators? sort_keys?',
    ([value, ...given], { budget }) => dumps(value as Value, given, budget),
  ],
  trim: ['chars?', ([value, chars = null], { budget }) => {
    const text = softText(value as Value, budget);
    budget.chars(textOf(text).length);
    return like(text, strip(textOf(text), chars === null ? undefined : textOf(needsText(chars, 'trim')), true, true));
  }],
  truncate: [
    'length? killwords? end? leeway?',
    ([value, length = 255n, kill, end = '...', leeway = null], { budget }) => {
      const ending = textOf(needsText(end, 'truncate'));
      const [most, room] = [integer(length, 'length'), leeway === null ? 5 : integer(leeway, 'leeway')];
      if (most < textLength(ending)) return fail(`expected length >= ${textLength(ending)}, got ${most}`);
      if (room < 0) return fail(`expected leeway >= 0, got ${room}`);
      if (value instanceof Undefined) return value;
      const size = sizeOf(value as Value);
      if (!isText(value as Value)) {
        if (size !== undefined && size <= most + room) return value as Value;
        return fail(`truncate needs text, not ${typeName(value as Value)}`);
      }
      const text = textOf(value as string | Markup);
      budget.chars(text.length);
      const chars = codePoints(text);
      if (chars.length <= most + room) return value as Value;
      const cut = chars.slice(0, most - textLength(ending)).join('');
      const space = cut.lastIndexOf(' ');
      return (flag(kill) || space < 0 ? cut : cut.slice(0, space)) + ending;
    },
  ],
  upper: change((text) => text.toUpperCase()),
  urlencode: ['', ([value], { budget }) => {
    if (isText(value as Value) || !isIterable(value as Value)) return urlQuote(value as Value, false, budget);
    const pairs = value instanceof Dict
      ? [...value.entries()]
      : listOf(value as Value, budget).map((pair) => listOf(pair, budget));
    return pairs.map((pair) => {
      if (pair.length !== 2) return fail('urlencode needs pairs of a key and a value');
      return `${urlQuote(pair[0], true, budget)}=${urlQuote(pair[1], true, budget)}`;
    }).join('&');
  }],
  urlize: () => fail('the filter urlize, which makes HTML links, is not supported'),
  wordcount: ['', ([value], { budget }) => {
    const text = str(value as Value, budget);
    budget.chars(text.length);
    return BigInt(text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0);
  }],
  wordwrap: [
    'width? break_long_words? wrapstring? break_on_hyphens?',
    ([value, width = 79n, long, by = null, hyphens], { budget }) => {
      const text = textOf(needsText(value, 'wordwrap'));
      budget.chars(text.length);
      const newline = by === null ? '\n' : textOf(needsText(by, 'wordwrap'));
      const lines = splitLines(text, false).map((line) =>
        wrapText(line, integer(width, 'width'), flag(long, true), flag(hyphens, true)).join(newline)
      );
      budget.chars(lines.reduce((sum, line) => sum + line.length + newline.length, 0));
      return lines.join(newline);
    },
  ],
  xmlattr: ['autospace?', ([value, space], { budget }) => {
    if (value instanceof Undefined) return fail(value.message);
    if (!(value instanceof Dict)) return fail('xmlattr needs a mapping');
    const parts: string[] = [];
    for (const [key, item] of value.entries()) {
      if (item === null || item instanceof Undefined) continue;
      const name = textOf(needsText(key, 'xmlattr'));
      if (/[\t-\r />=]/.test(name)) return fail(`Invalid character in attribute name: '${name}'`);
      parts.push(`${escaped(name, budget)}="${escaped(item, budget)}"`);
    }
    return (flag(space, true) && parts.length > 0 ? ' ' : '') + parts.join(' ');
  }],
};

function checkedWidth(width: number, budget: Budget): number {
  budget.chars(Math.max(0, width));
  return width;
}
