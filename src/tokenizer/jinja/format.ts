/**
 * `text.format(…)` of Python, with its fields and format specifications.
 * @module
 */
import type { Budget } from './budget.ts';
import { ascii, floatDigits } from './printf.ts';
import { general } from './decimal.ts';
import { escaped } from './html.ts';
import { toFloat } from './numbers.ts';
import { floatRepr, repr, str } from './print.ts';
import { codePoints } from './sequences.ts';
import {
  Dict,
  fail,
  isText,
  Markup,
  type Named,
  present,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

/** How fields read attributes and items: as templates do, so that nothing else is reached. */
export interface Access {
  attribute(value: Value, name: string): Value;
  item(value: Value, key: Value): Value;
}

/** Replacement fields may hold fields, but these no more. */
const MAX_FIELD_DEPTH = 2;

/** @throws {TemplateFailure} for a format that Python refuses, or values that are missing */
export function format(
  source: string,
  args: readonly Value[],
  named: Named | Dict,
  html: boolean,
  access: Access,
  budget: Budget,
): string {
  let automatic = 0;
  let numbered = false;

  const valueOf = (first: string): Value => {
    if (first === '' || /^\d+$/.test(first)) {
      if (first === '' ? numbered : automatic > 0) {
        return fail('cannot switch from manual field specification to automatic field numbering');
      }
      if (first !== '') numbered = true;
      const index = first === '' ? automatic++ : Number(first);
      return present(args[index], () => fail('Replacement index out of range for positional args tuple'));
    }
    return present((named as { get(key: string): Value | undefined }).get(first), () => fail(`'${first}'`));
  };

  const field = (name: string): Value => {
    const [first] = /^[^.[]*/.exec(name) as RegExpExecArray;
    let value = valueOf(first);
    let rest = name.slice(first.length);
    while (rest !== '') {
      const part = /^(?:\.([^.[]+)|\[([^\]]+)\])/.exec(rest);
      if (part === null) return fail('Only "." or "[" may follow "]" in format field specifier');
      value = part[1] !== undefined
        ? access.attribute(value, part[1])
        : access.item(value, /^\d+$/.test(part[2]) ? BigInt(part[2]) : part[2]);
      rest = rest.slice(part[0].length);
    }
    return value;
  };

  const write = (text: string, depth: number): string => {
    if (depth > MAX_FIELD_DEPTH) return fail('Max string recursion exceeded');
    let out = '';
    let at = 0;
    while (at < text.length) {
      const brace = /[{}]/.exec(text.slice(at, at + 4096));
      if (brace === null) {
        out += text.slice(at, at + 4096);
        at += 4096;
        continue;
      }
      out += text.slice(at, at + brace.index);
      at += brace.index;
      if (text[at + 1] === brace[0]) {
        out += brace[0];
        at += 2;
        continue;
      }
      if (brace[0] === '}') return fail("Single '}' encountered in format string");
      const end = closing(text, at);
      out += replace(text.slice(at + 1, end), depth);
      at = end + 1;
      budget.fits(out.length);
    }
    return out;
  };

  const replace = (text: string, depth: number): string => {
    budget.spend(1);
    const [, name, conversion, spec] = /^((?:[^[:!]|\[[^\]]*\])*)(?:!([^:]*))?(?::([\s\S]*))?$/.exec(text) ??
      fail("expected '}' before end of string");
    const value = field(name);
    const filled = spec === undefined ? '' : write(spec, depth + 1);
    if (conversion === undefined) return formatValue(value, filled, html, budget);
    if (!'sra'.includes(conversion) || conversion.length !== 1) {
      return fail(`Unknown conversion specifier ${conversion}`);
    }
    const shown = conversion === 's' ? str(value, budget) : repr(value, budget);
    return formatValue(conversion === 'a' ? ascii(shown) : shown, filled, html, budget);
  };

  return write(source, 0);
}

/** Where the field that opens at `start` ends. */
function closing(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    if (text[i] === '{') depth++;
    if (text[i] === '}' && --depth === 0) return i;
  }
  return fail("expected '}' before end of string");
}

const SPEC = /^(?:([\s\S])?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/u;

/** `format(value, spec)`. @param html whether the result is put into markup, which escapes it */
export function formatValue(value: Value, spec: string, html: boolean, budget: Budget): string {
  if (html && value instanceof Markup) {
    return spec === '' ? value.text : fail('Unsupported format specification for Markup.');
  }
  const text = spec === '' ? str(value, budget) : byKind(value, spec, budget);
  return html ? escaped(text, budget) : text;
}

function byKind(value: Value, spec: string, budget: Budget): string {
  const plain = value === null || Array.isArray(value) || value instanceof Dict || value instanceof Tuple ||
    value instanceof Undefined || value instanceof Range;
  if (plain) return fail(`unsupported format string passed to ${typeName(value)}.__format__`);
  const parts = SPEC.exec(spec);
  if (parts === null) return fail(`Invalid format specifier '${spec}' for object of type '${typeName(value)}'`);
  const [, fillChar, alignment, sign, , alternate, zero, size, group, precision, kind] = parts;
  const width = Number(size ?? 0);
  const places = precision === undefined ? undefined : Number(precision);
  budget.chars(Math.max(width, places ?? 0));
  if (isText(value)) {
    if (sign || alternate || group || alignment === '=' || (kind !== undefined && kind !== 's')) {
      return fail(`Invalid format specifier '${spec}' for object of type 'str'`);
    }
    const all = codePoints(str(value, budget));
    const shown = places === undefined ? all : all.slice(0, places);
    return align(shown.join(''), '', fillChar ?? (zero ? '0' : ' '), alignment ?? '<', width);
  }
  if (typeof value !== 'bigint' && typeof value !== 'number' && typeof value !== 'boolean') {
    return fail(`unsupported format string passed to ${typeName(value)}.__format__`);
  }
  const number = typeof value === 'boolean' ? BigInt(value) : value;
  const negative = number < 0 || Object.is(number, -0);
  const lead = negative ? '-' : sign === '+' || sign === ' ' ? sign : '';
  const { digits, prefix } = typeof number === 'bigint' && (kind === undefined || 'bcdoxXn'.includes(kind))
    ? whole(number, kind, alternate !== undefined, places)
    : { digits: float(toFloat(number), typeof number === 'bigint', kind, places, alternate !== undefined), prefix: '' };
  const fill = fillChar ?? (zero ? '0' : ' ');
  const way = alignment ?? (zero ? '=' : kind === 'c' ? '<' : '>');
  const start = lead + prefix;
  if (group === undefined) return align(digits, start, fill, way, width);
  const every = kind !== undefined && 'boxX'.includes(kind) ? 4 : 3;
  return align(
    grouped(digits, group, every, way === '=' && fill === '0' ? width - start.length : 0),
    start,
    fill,
    way,
    width,
  );
}

function whole(
  value: bigint,
  kind: string | undefined,
  alternate: boolean,
  places: number | undefined,
): { digits: string; prefix: string } {
  if (places !== undefined) return fail('Precision not allowed in integer format specifier');
  if (kind === 'c') {
    return value >= 0n && value <= 0x10ffffn
      ? { digits: String.fromCodePoint(Number(value)), prefix: '' }
      : fail('%c arg not in range(0x110000)');
  }
  const base = kind === 'b' ? 2 : kind === 'o' ? 8 : kind === 'x' || kind === 'X' ? 16 : 10;
  const digits = (value < 0n ? -value : value).toString(base);
  const prefix = alternate && base !== 10 ? `0${kind}` : '';
  return { digits: kind === 'X' ? digits.toUpperCase() : digits, prefix };
}

function float(
  value: number,
  int: boolean,
  kind: string | undefined,
  places: number | undefined,
  alternate: boolean,
): string {
  const magnitude = Math.abs(value);
  if (kind === undefined && !int) {
    if (places === undefined || !Number.isFinite(magnitude)) return floatRepr(magnitude);
    const text = general(magnitude, places, alternate, (places || 1) - 1);
    return text.includes('.') || text.includes('e') ? text : `${text}.0`;
  }
  if (kind === '%') {
    return Number.isFinite(magnitude)
      ? `${floatDigits(magnitude * 100, 'f', places ?? 6, alternate)}%`
      : `${floatRepr(magnitude)}%`;
  }
  if (kind === undefined || !'eEfFgGn'.includes(kind)) {
    return fail(`Unknown format code '${kind}' for object of type 'float'`);
  }
  const text = floatDigits(magnitude, kind === 'n' ? 'g' : kind.toLowerCase(), places ?? 6, alternate);
  return kind === 'E' || kind === 'F' || kind === 'G' ? text.toUpperCase() : text;
}

/** Digits before the point in groups, with zeros up to a width. */
function grouped(digits: string, separator: string, every: number, width: number): string {
  const [, head, tail] = /^([\da-fA-F]*)([\s\S]*)$/.exec(digits) as RegExpExecArray;
  let all = head;
  const size = (count: number): number => count + Math.floor((count - 1) / every) + tail.length;
  while (size(all.length) < width) all = `0${all}`;
  const groups: string[] = [];
  for (let end = all.length; end > 0; end -= every) groups.unshift(all.slice(Math.max(0, end - every), end));
  return groups.join(separator) + tail;
}

function align(text: string, start: string, fill: string, way: string, width: number): string {
  const missing = width - codePoints(start + text).length;
  if (missing <= 0) return start + text;
  if (way === '<') return start + text + fill.repeat(missing);
  if (way === '=') return start + fill.repeat(missing) + text;
  if (way === '>') return fill.repeat(missing) + start + text;
  const left = Math.floor(missing / 2);
  return fill.repeat(left) + start + text + fill.repeat(missing - left);
}
