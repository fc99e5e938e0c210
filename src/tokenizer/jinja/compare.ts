/**
 * Equality, order and membership as Python has them.
 * @module
 */
import type { Budget } from './budget.ts';
import { numeric } from './numbers.ts';
import { iterate } from './sequences.ts';
import {
  Dict,
  fail,
  isNumber,
  isText,
  Iter,
  Markup,
  Range,
  Tuple,
  typeName,
  Undefined,
  unhashable,
  type Value,
  View,
} from './values.ts';

/** `a == b`. */
export function equal(a: Value, b: Value, budget: Budget, depth: number = 0): boolean {
  budget.depth(depth);
  if (isNumber(a) && isNumber(b)) return numeric(a) == numeric(b);
  if (isText(a) && isText(b)) return textOf(a) === textOf(b);
  if (a instanceof Undefined) return b instanceof Undefined;
  if (Array.isArray(a)) return Array.isArray(b) && same(a, b, budget, depth);
  if (a instanceof Tuple) return b instanceof Tuple && same(a.items, b.items, budget, depth);
  if (a instanceof Range && b instanceof Range) {
    return a.length === b.length && (a.length === 0 || (a.start === b.start && (a.length === 1 || a.step === b.step)));
  }
  if (a instanceof Dict) {
    if (!(b instanceof Dict) || a.size !== b.size) return false;
    for (const [key, value] of a.entries()) {
      const other = b.get(key);
      if (other === undefined || !equal(value, other, budget, depth + 1)) return false;
    }
    return true;
  }
  if (a instanceof View && b instanceof View && a.kind !== 'values' && b.kind !== 'values') {
    if (a.dict.size !== b.dict.size) return false;
    for (const item of a.items()) if (!contains(b, item, budget)) return false;
    return true;
  }
  return a === b;
}

function same(a: readonly Value[], b: readonly Value[], budget: Budget, depth: number): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i] || equal(item, b[i], budget, depth + 1));
}

const textOf = (value: string | Markup): string => typeof value === 'string' ? value : value.text;

/** `a < b` by Python's rules. @throws {TemplateFailure} for values that have no order */
export function less(a: Value, b: Value, budget: Budget): boolean {
  const order = compare(a, b, '<', budget, 0);
  return order !== undefined && order < 0;
}

/** One of the four comparisons by order. */
export function ordered(operator: '<' | '<=' | '>' | '>=', a: Value, b: Value, budget: Budget): boolean {
  const order = compare(a, b, operator, budget, 0);
  if (order === undefined) return false;
  return operator === '<' ? order < 0 : operator === '<=' ? order <= 0 : operator === '>' ? order > 0 : order >= 0;
}

/** @returns below, at or above 0; undefined where one is NaN */
function compare(a: Value, b: Value, operator: string, budget: Budget, depth: number): number | undefined {
  budget.depth(depth);
  for (const side of [a, b]) if (side instanceof Undefined) fail(side.message);
  if (isNumber(a) && isNumber(b)) {
    const [x, y] = [numeric(a), numeric(b)];
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : undefined;
  }
  if (isText(a) && isText(b)) return compareText(textOf(a), textOf(b));
  const [left, right] = Array.isArray(a) && Array.isArray(b)
    ? [a, b]
    : a instanceof Tuple && b instanceof Tuple
    ? [a.items, b.items]
    : [undefined, undefined];
  if (left === undefined) {
    return fail(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
  }
  const end = Math.min(left.length, right.length);
  for (let i = 0; i < end; i++) {
    if (left[i] === right[i] || equal(left[i], right[i], budget, depth + 1)) continue;
    return compare(left[i], right[i], operator, budget, depth + 1);
  }
  return left.length - right.length;
}

/** By code points: UTF-16 puts U+10000 and up before U+E000. */
function compareText(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  let i = 0;
  while (i < end && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === end) return a.length - b.length;
  const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
  const surrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xe000;
  return surrogate(x) !== surrogate(y) ? (surrogate(x) ? 1 : -1) : x - y;
}

/** `item in container`. @throws {TemplateFailure} where the container is none */
export function contains(container: Value, item: Value, budget: Budget): boolean {
  if (isText(container)) {
    if (!isText(item)) return fail(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    const text = textOf(container);
    budget.chars(text.length);
    return text.includes(textOf(item));
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof View && container.kind === 'keys') return container.dict.has(item);
  if (container instanceof View && container.kind === 'items') {
    if (!(item instanceof Tuple) || item.items.length !== 2) return false;
    const found = unhashable(item.items[0]) ? undefined : container.dict.get(item.items[0]);
    return found !== undefined && equal(found, item.items[1], budget);
  }
  if (container instanceof Range && isNumber(item)) {
    const value = numeric(item);
    if (typeof value === 'number' && !Number.isInteger(value)) return false;
    const offset = BigInt(value) - container.start;
    const index = offset / container.step;
    return offset % container.step === 0n && index >= 0n && index < BigInt(container.length);
  }
  if (
    container instanceof Iter || container instanceof Undefined || Array.isArray(container) ||
    container instanceof Tuple ||
    container instanceof Range || container instanceof View
  ) {
    for (const one of iterate(container, budget)) if (one === item || equal(one, item, budget)) return true;
    return false;
  }
  return fail(`argument of type '${typeName(container)}' is not iterable`);
}

/** A list in order: stable, by keys. @throws {TemplateFailure} for keys that have no order */
export function sorted(
  items: readonly Value[],
  key: (item: Value) => Value,
  reverse: boolean,
  budget: Budget,
): Value[] {
  const keyed = items.map((item): [Value, Value] => [key(item), item]);
  const sign = reverse ? -1 : 1;
  keyed.sort(([a], [b]) => sign * (less(a, b, budget) ? -1 : less(b, a, budget) ? 1 : 0));
  return keyed.map(([, item]) => item);
}
