/**
 * Python's `pprint.pformat`: what is wider than 80 characters goes on lines of its own, dictionaries in the order of their keys.
 * @module
 */
import type { Budget } from './budget.ts';
import { less } from './compare.ts';
import { repr } from './print.ts';
import { splitLines } from './text.ts';
import { Dict, Tuple, typeName, type Value } from './values.ts';

const WIDTH = 80;

/** @param value printed as `pprint` does */
export function pretty(value: Value, budget: Budget): string {
  return show(value, 0, 0, 0, budget);
}

/** @param allowance characters that follow on the last line */
function show(value: Value, indent: number, allowance: number, level: number, budget: Budget): string {
  const whole = repr(arranged(value, budget, level), budget);
  if (whole.length <= WIDTH - indent - allowance) return whole;
  if (value instanceof Dict && value.size > 0) {
    const entries = sortedEntries(value, budget);
    const parts = entries.map(([key, item], i) => {
      const name = repr(key, budget);
      const last = i === entries.length - 1;
      return `${name}: ${show(item, indent + 1 + name.length + 2, last ? allowance + 1 : 1, level + 1, budget)}`;
    });
    return join('{', parts, '}', indent, budget);
  }
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
  if (items !== undefined && items.length > 0) {
    const close = Array.isArray(value) ? ']' : items.length === 1 ? ',)' : ')';
    const parts = items.map((item, i) =>
      show(item, indent + 1, i === items.length - 1 ? allowance + close.length : 1, level + 1, budget)
    );
    return join(Array.isArray(value) ? '[' : '(', parts, close, indent, budget);
  }
  return typeof value === 'string' ? text(value, indent, allowance, level, budget) : whole;
}

function join(open: string, parts: readonly string[], close: string, indent: number, budget: Budget): string {
  budget.chars(parts.reduce((sum, part) => sum + part.length + indent + 3, 0));
  return open + parts.join(`,\n${' '.repeat(indent + 1)}`) + close;
}

/** Dictionaries within a value in the order of their keys. */
function arranged(value: Value, budget: Budget, depth: number): Value {
  budget.depth(depth);
  if (Array.isArray(value)) return value.map((item) => arranged(item, budget, depth + 1));
  if (value instanceof Tuple) return new Tuple(value.items.map((item) => arranged(item, budget, depth + 1)));
  if (!(value instanceof Dict)) return value;
  const copy = new Dict();
  for (const [key, item] of sortedEntries(value, budget)) copy.set(key, arranged(item, budget, depth + 1));
  return copy;
}

/** By key; keys of kinds that have no order go by the names of their types. */
function sortedEntries(dict: Dict, budget: Budget): (readonly [Value, Value])[] {
  const before = (a: Value, b: Value): boolean => {
    if (typeof a === 'string' && typeof b === 'string') return less(a, b, budget);
    try {
      return less(a, b, budget);
    } catch {
      return typeName(a) < typeName(b);
    }
  };
  return [...dict.entries()].sort(([a], [b]) => before(a, b) ? -1 : before(b, a) ? 1 : 0);
}

/** A text in several literals, cut at its lines and blanks. */
function text(value: string, indent: number, allowance: number, level: number, budget: Budget): string {
  const lines = splitLines(value, true);
  const nested = level > 0 ? 0 : 1;
  const [at, room] = [indent + nested, allowance + nested];
  const chunks: string[] = [];
  lines.forEach((line, i) => {
    const last = i === lines.length - 1;
    const quoted = repr(line, budget);
    if (quoted.length <= WIDTH - at - (last ? room : 0)) {
      chunks.push(quoted);
      return;
    }
    let current = '';
    const words = line.match(/\S*\s*/g)?.filter(Boolean) ?? [];
    words.forEach((word, j) => {
      const candidate = repr(current + word, budget);
      const width = WIDTH - at - (j === words.length - 1 && last ? room : 0);
      if (candidate.length > width) {
        if (current !== '') chunks.push(repr(current, budget));
        current = word;
      } else current += word;
    });
    if (current !== '') chunks.push(repr(current, budget));
  });
  if (chunks.length <= 1) return repr(value, budget);
  const body = chunks.join(`\n${' '.repeat(at)}`);
  return level > 0 ? body : `(${body})`;
}
