/**
 * `tojson` as transformers defines it: `json.dumps` of Python, without escaping of HTML or of what is not ASCII.
 * @module
 */
import type { Budget } from './budget.ts';
import { sorted } from './compare.ts';
import { integer } from './numbers.ts';
import { floatRepr } from './print.ts';
import { Dict, fail, isText, truth, Tuple, typeName, type Value } from './values.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

/** Indentation of one level at most; published templates use four. */
const MAX_INDENT = 64;

/** @param given ensure_ascii, indent, separators, sort_keys @throws {TemplateFailure} for what JSON cannot hold */
export function dumps(value: Value, given: readonly (Value | undefined)[], budget: Budget): string {
  const [ensure, indent = null, separators = null, sort] = given;
  const ascii = ensure !== undefined && truth(ensure);
  const sortKeys = sort !== undefined && truth(sort);
  const step = indent === null
    ? undefined
    : isText(indent)
    ? textOf(indent)
    : ' '.repeat(bounded(integer(indent, 'indent'), budget));
  if (step !== undefined) bounded(step.length, budget);
  const [comma, colon] = separators === null ? [step === undefined ? ', ' : ',', ': '] : pair(separators);
  for (const text of [comma, colon]) bounded(text.length, budget);
  let chars = 0;
  const write = (text: string): string => {
    chars += text.length;
    budget.chars(text.length);
    budget.fits(chars);
    return text;
  };

  const show = (item: Value, depth: number): string => {
    budget.depth(depth);
    if (item === null) return 'null';
    if (typeof item === 'boolean') return String(item);
    if (typeof item === 'bigint') return String(item);
    if (typeof item === 'number') return number(item);
    if (isText(item)) return write(quote(textOf(item), ascii));
    const inner = step === undefined ? '' : `\n${step.repeat(depth + 1)}`;
    const end = step === undefined ? '' : `\n${step.repeat(depth)}`;
    const wrap = (open: string, parts: readonly string[], close: string): string => {
      if (parts.length === 0) return open + close;
      budget.chars(parts.reduce((sum, part) => sum + part.length + comma.length + inner.length, 0));
      return `${open}${inner}${parts.join(comma + inner)}${end}${close}`;
    };
    if (Array.isArray(item) || item instanceof Tuple) {
      return wrap('[', (Array.isArray(item) ? item : item.items).map((one) => show(one, depth + 1)), ']');
    }
    if (item instanceof Dict) {
      const entries = [...item.entries()].map((one): Value => new Tuple(one));
      const ordered = sortKeys ? sorted(entries, (one) => (one as Tuple).items[0], false, budget) : entries;
      const parts = ordered.map((one) => {
        const [key, value] = (one as Tuple).items;
        return write(quote(keyText(key), ascii)) + colon + show(value, depth + 1);
      });
      return wrap('{', parts, '}');
    }
    return fail(`Object of type ${typeName(item)} is not JSON serializable`);
  };
  return show(value, 0);
}

function bounded(size: number, budget: Budget): number {
  if (size > MAX_INDENT) {
    budget.refuse(
      `calls tojson with an indentation or separator of ${size} characters, at most ${MAX_INDENT} are accepted`,
    );
  }
  return Math.max(0, size);
}

const textOf = (value: Value): string => typeof value === 'string' ? value : (value as { text: string }).text;

function pair(separators: Value): [string, string] {
  const items = Array.isArray(separators) ? separators : separators instanceof Tuple ? separators.items : [];
  if (items.length !== 2 || !items.every(isText)) return fail('separators must be two texts');
  return [textOf(items[0]), textOf(items[1])];
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? floatRepr(value) : value > 0 ? 'Infinity' : '-Infinity';
}

function keyText(key: Value): string {
  if (isText(key)) return textOf(key);
  if (key === null) return 'null';
  if (typeof key === 'boolean' || typeof key === 'bigint') return String(key);
  return typeof key === 'number'
    ? number(key)
    : fail(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

function quote(text: string, ascii: boolean): string {
  const unit = (char: string): string => ESCAPES[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `"${text.replace(ascii ? /[^ -~]|["\\]/g : /[^ -\uffff]|["\\]/g, unit)}"`;
}
