/**
 * Values as Python prints them: `str` and `repr`.
 * @module
 */
import type { Budget } from './budget.ts';
import {
  Callable,
  Dict,
  isThing,
  Iter,
  Markup,
  Namespace,
  Range,
  Tuple,
  Undefined,
  type Value,
  View,
} from './values.ts';

/** `str(value)`. */
export function str(value: Value, budget: Budget): string {
  if (typeof value === 'string') return value;
  if (value instanceof Markup) return value.text;
  if (value instanceof Undefined) return '';
  return repr(value, budget);
}

/** `repr(value)`. */
export function repr(value: Value, budget: Budget, depth: number = 0): string {
  budget.depth(depth);
  const inner = (item: Value): string => repr(item, budget, depth + 1);
  const list = (items: Iterable<Value>): string => joined(items, inner, budget);
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return floatRepr(value);
  if (typeof value === 'string') return quoted(value, budget);
  if (Array.isArray(value)) return `[${list(value)}]`;
  if (value instanceof Tuple) return `(${list(value.items)}${value.items.length === 1 ? ',' : ''})`;
  if (value instanceof Dict) {
    return `{${joined(value.entries(), ([key, item]) => `${inner(key)}: ${inner(item)}`, budget)}}`;
  }
  if (value instanceof View) return `dict_${value.kind}([${list(value.items())}])`;
  if (value instanceof Range) {
    return `range(${value.start}, ${value.stop}${value.step === 1n ? '' : `, ${value.step}`})`;
  }
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Markup) return `Markup(${quoted(value.text, budget)})`;
  if (value instanceof Namespace) {
    const fields = new Dict();
    for (const [name, field] of value.fields) fields.set(name, field);
    return `<Namespace ${inner(fields)}>`;
  }
  if (value instanceof Iter) return `<generator object ${value.name}>`;
  if (value instanceof Callable) return `<function ${value.name}>`;
  return isThing(value) ? value.shown : '<object>';
}

/** Items with commas between, refused while they are written where they get too long. */
function joined<T>(items: Iterable<T>, show: (item: T) => string, budget: Budget): string {
  const parts: string[] = [];
  let chars = 0;
  for (const item of items) {
    const part = show(item);
    chars += part.length + 2;
    budget.chars(part.length);
    budget.fits(chars);
    parts.push(part);
  }
  return parts.join(', ');
}

/** The shortest decimal that is read back as the same number, in Python's spelling. */
export function floatRepr(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (power >= -4 && power < 16) {
    // in this range JavaScript writes digits without an exponent only down to 1e-6 and up to 1e21
    const plain = String(value);
    return plain.includes('.') ? plain : `${plain}.0`;
  }
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([['\\', '\\\\'], ['\n', '\\n'], ['\r', '\\r'], ['\t', '\\t']]);
/** What Python does not print as it is. */
export const UNPRINTABLE: RegExp = /[^ \P{Z}]|\p{C}/u;

function quoted(text: string, budget: Budget): string {
  budget.chars(text.length);
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = quote;
  for (const char of text) {
    const escape = ESCAPES.get(char);
    if (escape !== undefined) out += escape;
    else if (char === quote) out += `\\${char}`;
    else if (char >= ' ' && char <= '~') out += char;
    else out += UNPRINTABLE.test(char) ? escapeCode(char.codePointAt(0) as number) : char;
  }
  return out + quote;
}

/** `\xe9`, `\u20ac`, `\U0001f600`. */
export function escapeCode(code: number): string {
  const hex = code.toString(16);
  return code < 256
    ? `\\x${hex.padStart(2, '0')}`
    : code < 0x10000
    ? `\\u${hex.padStart(4, '0')}`
    : `\\U${hex.padStart(8, '0')}`;
}
