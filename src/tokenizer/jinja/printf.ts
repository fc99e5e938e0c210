/**
 * `text % values` of Python.
 * @module
 */
import type { Budget } from './budget.ts';
import { exponential, fixed, general } from './decimal.ts';
import { escaped } from './html.ts';
import { numeric, toFloat } from './numbers.ts';
import { escapeCode, repr, str } from './print.ts';
import { codePoints } from './sequences.ts';
import {
  Dict,
  fail,
  isNumber,
  isText,
  Markup,
  present,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

const DIRECTIVE = /%(?:\(([^()]*)\))?([-+ #0]*)(\*|\d*)(?:\.(\*|\d*))?[hlL]?([\s\S]?)/g;

/** @throws {TemplateFailure} for a directive that Python refuses, or values that do not fit */
export function printf(format: string | Markup, given: Value, budget: Budget): string | Markup {
  const source = typeof format === 'string' ? format : format.text;
  const html = format instanceof Markup;
  const values = given instanceof Tuple ? given.items : [given];
  let next = 0;
  let byName = false;
  const take = (): Value => next < values.length ? values[next++] : fail('not enough arguments for format string');
  const width = (text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    if (text !== '*') return Number(text || 0);
    const value = take();
    return typeof value === 'bigint' ? Number(value) : fail('* wants int');
  };
  const out = source.replace(DIRECTIVE, (
    all,
    key: string | undefined,
    flags: string,
    size: string,
    precision: string | undefined,
    kind: string,
  ) => {
    if (kind === '%') return all === '%%' ? '%' : '%';
    if (kind === '') return fail('incomplete format');
    let named: Value | undefined;
    if (key !== undefined) {
      if (given instanceof Undefined) return fail(given.message);
      if (!(given instanceof Dict)) return fail('format requires a mapping');
      byName = true;
      named = present(given.get(key), () => fail(`'${key}'`));
    }
    const wide = width(size) ?? 0;
    const places = width(precision);
    const value = present(named, take);
    budget.chars(Math.max(Math.abs(wide), places ?? 0));
    const text = convert(kind, value, flags, places, html, budget);
    return pad(text, flags.includes('-') || wide < 0, flags.includes('0') && !'sra'.includes(kind), Math.abs(wide));
  });
  const mapping = given instanceof Dict || Array.isArray(given) || given instanceof Undefined || given instanceof Range;
  const spare = next < values.length && !byName && !mapping;
  if (spare) fail('not all arguments converted during string formatting');
  budget.chars(out.length);
  return html ? new Markup(out) : out;
}

function convert(
  kind: string,
  value: Value,
  flags: string,
  places: number | undefined,
  html: boolean,
  budget: Budget,
): string {
  if ('sra'.includes(kind)) {
    let text = kind === 's' ? str(value, budget) : repr(value, budget);
    if (kind === 'a') text = ascii(text);
    if (html) text = kind === 's' ? escaped(value, budget) : escaped(text, budget);
    return places === undefined ? text : codePoints(text).slice(0, places).join('');
  }
  if (kind === 'c') {
    if (isText(value) && codePoints(str(value, budget)).length === 1) return str(value, budget);
    const code = isNumber(value) ? numeric(value) : undefined;
    return typeof code === 'bigint' && code >= 0n && code <= 0x10ffffn
      ? String.fromCodePoint(Number(code))
      : fail('%c requires int or char');
  }
  if (value instanceof Undefined) return fail(value.message);
  if (!isNumber(value)) return fail(`%${kind} format: a real number is required, not ${typeName(value)}`);
  const number = numeric(value);
  const sign = (negative: boolean): string =>
    negative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  if ('diuoxX'.includes(kind)) {
    if (typeof number === 'number' && ('oxX'.includes(kind) || !Number.isFinite(number))) {
      return fail(`%${kind} format: an integer is required, not float`);
    }
    const whole = typeof number === 'number' ? BigInt(Math.trunc(number)) : number;
    const base = kind === 'o' ? 8 : kind === 'x' || kind === 'X' ? 16 : 10;
    const prefix = flags.includes('#') && base !== 10 ? (base === 8 ? '0o' : '0x') : '';
    const digits = (whole < 0n ? -whole : whole).toString(base).padStart(places ?? 0, '0');
    const text = sign(whole < 0n) + prefix + digits;
    return kind === 'X' ? text.toUpperCase() : text;
  }
  if (!'eEfFgG'.includes(kind)) return fail(`unsupported format character '${kind}'`);
  const float = toFloat(number);
  const text = sign(float < 0 || Object.is(float, -0)) +
    floatDigits(float, kind.toLowerCase(), places ?? 6, flags.includes('#'));
  return kind === kind.toUpperCase() ? text.toUpperCase() : text;
}

/** Digits of a float by the kind `e`, `f` or `g`, without its sign. */
export function floatDigits(value: number, kind: string, places: number, alternate: boolean): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return 'inf';
  const text = kind === 'f'
    ? fixed(value, places)
    : kind === 'e'
    ? exponential(value, places)
    : general(value, places, alternate);
  if (!alternate || text.includes('.')) return text;
  return text.includes('e') ? text.replace('e', '.e') : `${text}.`;
}

/** `ascii`: everything else is escaped. */
export const ascii = (text: string): string =>
  text.replace(/[^\0-\x7f]/gu, (char) => escapeCode(char.codePointAt(0) as number));

function pad(text: string, left: boolean, zeros: boolean, width: number): string {
  const missing = width - codePoints(text).length;
  if (missing <= 0) return text;
  if (left) return text + ' '.repeat(missing);
  if (!zeros || /inf|nan/i.test(text)) return ' '.repeat(missing) + text;
  const [start] = /^[-+ ]?(?:0[xXo])?/.exec(text) as RegExpExecArray;
  return start + '0'.repeat(missing) + text.slice(start.length);
}
