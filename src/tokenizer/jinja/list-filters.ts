/**
 * Filters of lists, dictionaries and numbers.
 * @module
 */
import type { Budget } from './budget.ts';
import { equal, less, sorted } from './compare.ts';
import { roundFloat, roundInt } from './decimal.ts';
import type { Filter, Filters, FreeFilter, Host } from './filters.ts';
import { attributeOf } from './access.ts';
import { binary, integer, numeric, toFloat } from './numbers.ts';
import { iterate, listOf, reversed, sizeOf } from './sequences.ts';
import { runTest } from './tests.ts';
import { strip } from './text.ts';
import {
  bind,
  Dict,
  fail,
  isNumber,
  isText,
  Iter,
  present,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Value,
  View,
} from './values.ts';

const flag = (value: Value | undefined): boolean => value !== undefined && truth(value);
const lower = (value: Value): Value =>
  isText(value) ? (typeof value === 'string' ? value : value.text).toLowerCase() : value;
const textOf = (value: Value): string => typeof value === 'string' ? value : (value as { text: string }).text;

/** An item of an iterator, which goes through two generators. */
const ITEM_STEPS = 3;

type Getter = (item: Value) => Value;

/** Reads `a.b.0` of an item. @param usual instead of what is not there */
function getter(attribute: Value, host: Host, usual: Value = null): Getter {
  const parts: Value[] = attribute === null
    ? []
    : isText(attribute)
    ? textOf(attribute).split('.').map((part) => /^\d+$/.test(part) ? BigInt(part) : part)
    : [attribute];
  return (item) =>
    parts.reduce((at: Value, part) => {
      host.budget.spend(1);
      const found = host.access.item(at, part);
      return found instanceof Undefined && usual !== null ? usual : found;
    }, item);
}

/** A key to sort by, without regard to case unless asked. */
function key(attribute: Value | undefined, caseSensitive: Value | undefined, host: Host, usual?: Value): Getter {
  const read = getter(attribute ?? null, host, usual);
  return flag(caseSensitive) ? read : (item) => lower(read(item));
}

function* lazily<T>(values: Iterable<T>, budget: Budget, each: (item: T) => Iterable<Value>): Generator<Value, void> {
  for (const item of values) {
    budget.spend(ITEM_STEPS);
    yield* each(item);
  }
}

const extreme =
  (name: string, wins: (a: Value, b: Value, budget: Budget) => boolean): Filter =>
  ([value, caseSensitive, attribute], host) => {
    const by = key(attribute, caseSensitive, host);
    let best: { item: Value; key: Value } | undefined;
    for (const item of iterate(value as Value, host.budget)) {
      const candidate = { item, key: by(item) };
      if (best === undefined || wins(candidate.key, best.key, host.budget)) best = candidate;
    }
    return present(best?.item, () => new Undefined(`No aggregated item, sequence was empty (${name}).`));
  };

/** `select`, `reject` and their like. */
const choose = (name: string, wanted: boolean, byAttribute: boolean): FreeFilter => (value, args, named, host) => {
  if (byAttribute && args.length === 0) fail('Missing parameter for attribute name');
  const read = byAttribute ? getter(args[0], host) : (item: Value): Value => item;
  const [test, ...rest] = byAttribute ? args.slice(1) : args;
  const passes = (item: Value): boolean =>
    test === undefined ? truth(item) : runTest(nameOf(test, 'test'), item, rest, named, host.budget);
  return new Iter(name, lazy(value, host.budget, (item) => passes(read(item)) === wanted ? [item] : []));
};

/** Nothing is looked at before the first item is asked for. */
function* lazy(value: Value, budget: Budget, each: (item: Value) => Iterable<Value>): Generator<Value, void> {
  if (truth(value)) yield* lazily(iterate(value, budget), budget, each);
}

const nameOf = (value: Value, what: string): string =>
  isText(value) ? textOf(value) : fail(`No ${what} of this name found.`);

const map: FreeFilter = (value, args, named, host) => {
  let of: Getter;
  if (args.length === 0 && named.has('attribute')) {
    const [attribute, usual] = bind('map', ['attribute', 'default?'], [], named);
    of = getter(attribute as Value, host, usual);
  } else {
    const [name, ...rest] = args;
    of = (item) =>
      host.filter(nameOf(present(name, () => fail('map requires a filter argument')), 'filter'), item, rest, named);
  }
  return new Iter('map', lazy(value, host.budget, (item) => [of(item)]));
};

const groupBy: Filter = ([value, attribute, usual, caseSensitive], host) => {
  const by = key(attribute, caseSensitive, host, usual);
  const real = getter(attribute as Value, host, usual);
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(listOf(value as Value, host.budget), by, false, host.budget)) {
    const found = by(item);
    const last = groups.at(-1);
    if (last !== undefined && equal(last.key, found, host.budget)) last.items.push(item);
    else groups.push({ key: found, items: [item] });
  }
  return groups.map(({ items }) => new Tuple([real(items[0]), items], ['grouper', 'list']));
};

const slices: Filter = ([value, count, fill = null], host) => {
  const parts = integer(count as Value, 'slice');
  if (parts === 0) return fail('integer division or modulo by zero');
  return new Iter(
    'slice',
    (function* (): Generator<Value, void> {
      const items = listOf(value as Value, host.budget);
      const [each, extra] = [Math.floor(items.length / parts), items.length % parts];
      for (let i = 0, at = 0; i < parts; i++) {
        host.budget.spend(1);
        const end = at + each + (i < extra ? 1 : 0);
        const part = items.slice(at, end);
        if (fill !== null && i >= extra) part.push(fill);
        yield part;
        at = end;
      }
    })(),
  );
};

const batch: Filter = ([value, count, fill = null], host) =>
  new Iter(
    'batch',
    (function* (): Generator<Value, void> {
      let part: Value[] = [];
      for (const item of iterate(value as Value, host.budget)) {
        if (equal(BigInt(part.length), count as Value, host.budget)) {
          yield part;
          part = [];
        }
        host.budget.items(1);
        part.push(item);
      }
      if (part.length === 0) return;
      const missing = fill === null ? 0 : integer(count as Value, 'batch') - part.length;
      host.budget.items(Math.max(0, missing));
      yield missing > 0 ? [...part, ...Array.from({ length: missing }, () => fill)] : part;
    })(),
  );

const round: Filter = ([value, precision = 0n, method = 'common']) => {
  const way = isText(method) ? textOf(method) : '';
  if (!['common', 'ceil', 'floor'].includes(way)) return fail('method must be common, ceil or floor');
  if (value instanceof Undefined) return fail(value.message);
  if (!isNumber(value as Value)) return fail(`type ${typeName(value as Value)} doesn't define __round__ method`);
  const number = numeric(value as boolean | bigint | number);
  const places = integer(precision, 'precision');
  if (way === 'common') return typeof number === 'bigint' ? roundInt(number, places) : roundFloat(number, places);
  const unit = 10 ** places;
  const scaled = toFloat(number) * unit;
  if (!Number.isFinite(scaled)) return fail('cannot convert float infinity or NaN to integer');
  return (way === 'ceil' ? Math.ceil(scaled) : Math.floor(scaled)) / unit;
};

/** Python's `int(text, base)`; undefined where it is no integer. */
function parseInteger(text: string, base: number): bigint | undefined {
  const trimmed = strip(text, undefined, true, true).replace(/\p{Nd}/gu, digit);
  const [, sign, body] = /^([-+]?)([\s\S]*)$/.exec(trimmed) as RegExpExecArray;
  const prefix = /^0([box])_?/i.exec(body);
  const named = prefix === null ? undefined : { b: 2, o: 8, x: 16 }[prefix[1].toLowerCase()];
  const used = base === 0 ? named ?? 10 : base;
  const digits = prefix !== null && named === used ? body.slice(prefix[0].length) : body;
  if (!/^[\da-z]+(_[\da-z]+)*$/i.test(digits) || digits.length > 4300) return undefined;
  let value = 0n;
  for (const char of digits.replaceAll('_', '').toLowerCase()) {
    const worth = parseInt(char, 36);
    if (worth >= used) return undefined;
    value = value * BigInt(used) + BigInt(worth);
  }
  return sign === '-' ? -value : value;
}

/** Decimal digits of any script as ASCII. */
function digit(char: string): string {
  const code = char.codePointAt(0) as number;
  if (code < 0x80) return char;
  // blocks of ten digits in a row: count down to the zero
  let worth = 0;
  while (worth < 9 && /\p{Nd}/u.test(String.fromCodePoint(code - worth - 1))) worth++;
  return String(worth % 10);
}

/** Python's `float(text)`; undefined where it is none. */
export function parseFloating(text: string): number | undefined {
  const trimmed = strip(text, undefined, true, true).replace(/\p{Nd}/gu, digit);
  const special = /^([-+]?)(inf(?:inity)?|nan)$/i.exec(trimmed);
  if (special !== null) return special[2][0].toLowerCase() === 'n' ? NaN : special[1] === '-' ? -Infinity : Infinity;
  const digits = '\\d+(?:_\\d+)*';
  const pattern = new RegExp(`^[-+]?(?:${digits}\\.?(?:${digits})?|\\.${digits})(?:e[-+]?${digits})?$`, 'i');
  return pattern.test(trimmed) ? Number(trimmed.replaceAll('_', '')) : undefined;
}

const toInt: Filter = ([value, usual = 0n, base = 10n], { budget }) => {
  const whole = (float: number): Value => Number.isFinite(float) ? BigInt(Math.trunc(float)) : usual;
  if (value instanceof Undefined) return fail(value.message);
  if (isNumber(value as Value)) {
    const number = numeric(value as number);
    return typeof number === 'bigint' ? number : whole(number);
  }
  if (!isText(value as Value)) return usual;
  const text = textOf(value as Value);
  budget.chars(text.length);
  if (text.length > 4300) budget.spend(text.length);
  const parsed = parseInteger(text, integer(base, 'base'));
  if (parsed !== undefined) return parsed;
  const float = parseFloating(text);
  return float === undefined ? usual : whole(float);
};

const toFloating: Filter = ([value, usual = 0]) => {
  if (value instanceof Undefined) return fail(value.message);
  if (isNumber(value as Value)) return toFloat(numeric(value as number));
  return present(isText(value as Value) ? parseFloating(textOf(value as Value)) : undefined, () => usual);
};

const length: Filter = ([value]) => {
  const size = sizeOf(value as Value);
  return size === undefined ? fail(`object of type '${typeName(value as Value)}' has no len()`) : BigInt(size);
};

const usually: Filter = ([value, usual = '', boolean]) =>
  value instanceof Undefined || (flag(boolean) && !truth(value as Value)) ? usual : value as Value;

/** Filters by name, with their parameters after the value. */
export const LIST_FILTERS: Filters = {
  abs: ['', ([value]) => {
    if (!isNumber(value as Value)) return fail(`bad operand type for abs(): '${typeName(value as Value)}'`);
    const number = numeric(value as number);
    return number < 0 || Object.is(number, -0) ? -number : number;
  }],
  attr: ['name', ([value, name], { access, budget }) => {
    if (!isText(name as Value)) return fail('attribute name must be string');
    return present(
      attributeOf(value as Value, textOf(name as Value), access, budget),
      () => new Undefined(`'${typeName(value as Value)} object' has no attribute '${textOf(name as Value)}'`),
    );
  }],
  batch: ['linecount fill_with?', batch],
  count: ['', length],
  d: ['default_value? boolean?', usually],
  default: ['default_value? boolean?', usually],
  dictsort: ['case_sensitive? by? reverse?', ([value, caseSensitive, by = 'key', reverse], host) => {
    const at = by === 'key' ? 0 : by === 'value' ? 1 : fail('You can only sort by either "key" or "value"');
    if (value instanceof Undefined) return fail(value.message);
    if (!(value instanceof Dict)) return fail(`'${typeName(value as Value)}' object has no attribute 'items'`);
    return sorted(
      listOf(new View('items', value), host.budget),
      (item) => {
        const found = (item as Tuple).items[at];
        return flag(caseSensitive) ? found : lower(found);
      },
      flag(reverse),
      host.budget,
    );
  }],
  first: ['', ([value], { budget }) => {
    for (const item of iterate(value as Value, budget)) return item;
    return new Undefined('No first item, sequence was empty.');
  }],
  float: ['default?', toFloating],
  groupby: ['attribute default? case_sensitive?', groupBy],
  int: ['default? base?', toInt],
  items: ['', ([value], { budget }) =>
    new Iter(
      'do_items',
      (function* (): Generator<Value, void> {
        if (value instanceof Undefined) return;
        if (!(value instanceof Dict)) fail('Can only get item pairs from a mapping.');
        else yield* iterate(new View('items', value), budget);
      })(),
    )],
  last: [
    '',
    ([value], { budget }) =>
      present(reversed(value as Value, budget)[0], () => new Undefined('No last item, sequence was empty.')),
  ],
  length: ['', length],
  list: ['', ([value], { budget }) => listOf(value as Value, budget)],
  map,
  max: ['case_sensitive? attribute?', extreme('max', (a, b, budget) => less(b, a, budget))],
  min: ['case_sensitive? attribute?', extreme('min', less)],
  random: ['', () => fail('the filter random is refused: the same chat must give the same text')],
  reject: choose('select_or_reject', false, false),
  rejectattr: choose('select_or_reject', false, true),
  reverse: ['', ([value], { budget }) => {
    if (isText(value as Value)) return (reversed(value as Value, budget) as string[]).join('');
    return new Iter(
      'reversed',
      (value instanceof Iter ? listOf(value, budget).reverse() : reversed(value as Value, budget))[Symbol.iterator](),
    );
  }],
  round: ['precision? method?', round],
  select: choose('select_or_reject', true, false),
  selectattr: choose('select_or_reject', true, true),
  slice: ['slices fill_with?', slices],
  sort: ['reverse? case_sensitive? attribute?', ([value, reverse, caseSensitive, attribute = null], host) => {
    const parts = isText(attribute) ? textOf(attribute).split(',') : [attribute];
    const keys = parts.map((part) => key(part, caseSensitive, host));
    return sorted(
      listOf(value as Value, host.budget),
      (item) => keys.map((by) => by(item)),
      flag(reverse),
      host.budget,
    );
  }],
  sum: ['attribute? start?', ([value, attribute = null, start = 0n], host) => {
    if (isText(start)) return fail("sum() can't sum strings [use ''.join(seq) instead]");
    const read = getter(attribute, host);
    let sum: Value = start as Value;
    for (const item of iterate(value as Value, host.budget)) sum = binary('+', sum, read(item), host.budget);
    return sum;
  }],
  unique: [
    'case_sensitive? attribute?',
    ([value, caseSensitive, attribute], host) =>
      new Iter(
        'do_unique',
        (function* (): Generator<Value, void> {
          const by = key(attribute, caseSensitive, host);
          const seen = new Dict();
          for (const item of iterate(value as Value, host.budget)) {
            const found = by(item);
            if (seen.has(found)) continue;
            host.budget.items(1);
            seen.set(found, null);
            yield item;
          }
        })(),
      ),
  ],
};

/** `dict(…)`, with the keys and values of pairs or of another dictionary. */
export function makeDict(args: readonly Value[], named: ReadonlyMap<string, Value>, budget: Budget): Dict {
  if (args.length > 1) return fail(`dict expected at most 1 argument, got ${args.length}`);
  const made = new Dict();
  const [from] = args;
  if (from instanceof Dict) {
    for (const [key, value] of from.entries()) made.set(key, value);
  } else if (from !== undefined) {
    for (const pair of iterate(from, budget)) {
      const items = listOf(pair, budget);
      if (items.length !== 2) fail('dictionary update sequence element has the wrong length; 2 is required');
      budget.items(1);
      made.set(items[0], items[1]);
    }
  }
  for (const [name, value] of named) made.set(name, value);
  return made;
}
