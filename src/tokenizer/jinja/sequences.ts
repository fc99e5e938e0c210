/**
 * Iteration, length, entries and slices of values. Text counts in code points, as in Python.
 * @module
 */
import type { Budget } from './budget.ts';
import { integer } from './numbers.ts';
import {
  Dict,
  fail,
  isText,
  isThing,
  Iter,
  Markup,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
  View,
} from './values.ts';

const SURROGATE = /[\ud800-\udfff]/;

/** Code points of a text, each as a string. */
export const codePoints = (text: string): string[] => SURROGATE.test(text) ? Array.from(text) : text.split('');

/** How many code points a text has. */
export function textLength(text: string): number {
  if (!SURROGATE.test(text)) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Whether `iterate` accepts a value. */
export const isIterable = (value: Value): boolean =>
  isText(value) || Array.isArray(value) || value instanceof Tuple || value instanceof Dict || value instanceof View ||
  value instanceof Range || value instanceof Iter || value instanceof Undefined;

/** The items of a value: characters, keys of a dictionary, nothing of an undefined. @throws {TemplateFailure} for others */
export function iterate(value: Value, budget: Budget): Iterable<Value> {
  if (Array.isArray(value)) return value;
  if (isText(value)) {
    const text = typeof value === 'string' ? value : value.text;
    budget.chars(text.length);
    return text[Symbol.iterator]();
  }
  if (value instanceof Tuple) return value.items;
  if (value instanceof Dict) return new View('keys', value).items();
  if (value instanceof View || value instanceof Range || value instanceof Iter) return value.items();
  if (value instanceof Undefined) return [];
  return fail(`'${typeName(value)}' object is not iterable`);
}

/** The items of a value as a new list. */
export function listOf(value: Value, budget: Budget): Value[] {
  const size = sizeOf(value);
  if (size !== undefined) {
    budget.items(size);
    return [...iterate(value, budget)];
  }
  const items: Value[] = [];
  for (const item of iterate(value, budget)) {
    items.push(item);
    budget.spend(1);
    if (items.length % 1024 === 0) budget.items(items.length);
  }
  return items;
}

/** `len(value)`, undefined where it has none. */
export function sizeOf(value: Value): number | undefined {
  if (isText(value)) return textLength(typeof value === 'string' ? value : value.text);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof View) return value.dict.size;
  if (value instanceof Range) return value.length;
  if (value instanceof Undefined) return 0;
  return isThing(value) && value.size ? value.size() : undefined;
}

/** The items backwards. @throws {TemplateFailure} for what cannot be read backwards */
export function reversed(value: Value, budget: Budget): Value[] {
  const readable = isText(value) || Array.isArray(value) || value instanceof Tuple || value instanceof Dict ||
    value instanceof View || value instanceof Range || value instanceof Undefined;
  return readable ? listOf(value, budget).reverse() : fail(`'${typeName(value)}' object is not reversible`);
}

/** Items of a sequence that can be read by number, undefined for other values. */
function sequence(value: Value): string[] | readonly Value[] | Range | undefined {
  if (isText(value)) return codePoints(typeof value === 'string' ? value : value.text);
  if (Array.isArray(value) || value instanceof Range) return value;
  return value instanceof Tuple ? value.items : undefined;
}

/** `value[index]`; undefined where there is no such item, or where the value has none at all. */
export function itemAt(value: Value, index: bigint | boolean, budget: Budget): Value | undefined {
  const at = Number(index);
  if (typeof value === 'string' && !SURROGATE.test(value)) {
    return value[at < 0 ? value.length + at : at];
  }
  if (isText(value)) budget.chars((typeof value === 'string' ? value : value.text).length);
  const items = sequence(value);
  if (items === undefined) return undefined;
  const place = at < 0 ? items.length + at : at;
  if (place < 0 || place >= items.length) return undefined;
  const item = items instanceof Range ? items.at(place) : items[place];
  return value instanceof Markup ? new Markup(item as string) : item;
}

/** `value[start:stop:step]`. @throws {TemplateFailure} */
export function slice(value: Value, start: Value, stop: Value, step: Value, budget: Budget): Value {
  if (value instanceof Undefined) return fail(value.message);
  const by = step === null ? 1 : integer(step, 'slice step');
  if (by === 0) return fail('slice step cannot be zero');
  const plain = typeof value === 'string' && by === 1 && !SURROGATE.test(value);
  const items = plain ? value : sequence(value);
  if (items === undefined) return fail(`'${typeName(value)}' object is not subscriptable`);
  const { length } = items;
  const bound = (given: Value, usual: number): number => {
    if (given === null) return usual;
    const at = integer(given, 'slice index');
    const place = at < 0 ? at + length : at;
    return by > 0 ? Math.min(Math.max(place, 0), length) : Math.min(Math.max(place, -1), length - 1);
  };
  const from = bound(start, by > 0 ? 0 : length - 1);
  const to = bound(stop, by > 0 ? length : -1);
  if (plain) {
    budget.chars(length);
    return value.slice(from, Math.max(from, to));
  }
  if (items instanceof Range) {
    return new Range(items.at(from), items.at(to), items.step * BigInt(by));
  }
  const count = Math.max(0, Math.ceil((to - from) / by));
  if (isText(value)) budget.chars(length);
  else budget.items(count);
  const picked = Array.from({ length: count }, (_, i) => items[from + i * by]);
  if (typeof value === 'string') return picked.join('');
  if (value instanceof Markup) return new Markup(picked.join(''));
  return Array.isArray(value) ? picked : new Tuple(picked);
}
