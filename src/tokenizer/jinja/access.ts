/**
 * Attributes and items as jinja2's immutable sandbox gives them: `.name` is a method before an entry, `[name]` an entry before a
 * method, methods that change their object are not safe, and whatever is not there is undefined.
 * @module
 */
import type { Budget } from './budget.ts';
import { equal } from './compare.ts';
import type { Access } from './format.ts';
import { integer } from './numbers.ts';
import { repr } from './print.ts';
import { itemAt, iterate } from './sequences.ts';
import { textMethod } from './text-methods.ts';
import {
  bind,
  Callable,
  Dict,
  fail,
  isNumber,
  isText,
  isThing,
  Markup,
  Namespace,
  present,
  Range,
  Tuple,
  typeName,
  Undefined,
  unhashable,
  type Value,
  View,
} from './values.ts';

/** Methods that the immutable sandbox keeps from templates. */
const CHANGING: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['list', new Set(['append', 'clear', 'pop', 'reverse', 'insert', 'sort', 'extend', 'remove'])],
  ['dict', new Set(['clear', 'pop', 'popitem', 'setdefault', 'update'])],
]);

/** What every object of Python has; the sandbox keeps all of it from templates. */
const PRIVATE: ReadonlySet<string> = new Set(
  ('class delattr dir doc eq format ge getattribute getstate gt hash init init_subclass le lt ne new reduce reduce_ex repr ' +
    'setattr sizeof str subclasshook contains class_getitem delitem getitem ior iter len or reversed ror setitem add iadd imul ' +
    'mul rmul mod rmod getnewargs').split(' ').map((name) => `__${name}__`),
);

/** Builds how a rendering reads attributes and items. */
export function accessOf(budget: Budget): Access {
  const access: Access = {
    attribute: (value, name) =>
      present(
        attributeOf(value, name, access, budget),
        () => present(entry(value, name), () => missing(value, name, budget)),
      ),
    item: (value, key) => {
      if (value instanceof Undefined) return fail(value.message);
      const found = typeof key === 'bigint' || typeof key === 'boolean'
        ? value instanceof Dict ? value.get(key) : itemAt(value, key, budget)
        : entry(value, key);
      if (found !== undefined) return found;
      const name = isText(key) ? (key instanceof Markup ? key.text : key) : undefined;
      return present(
        name === undefined ? undefined : attributeOf(value, name, access, budget),
        () => missing(value, key, budget),
      );
    },
  };
  return access;
}

/** `value[key]` of what has entries. */
function entry(value: Value, key: Value): Value | undefined {
  if (value instanceof Dict) return unhashable(key) ? undefined : value.get(key);
  return isThing(value) && 'entry' in value && typeof key === 'string'
    ? (value as { entry(name: string): Value | undefined }).entry(key)
    : undefined;
}

function missing(value: Value, name: Value, budget: Budget): Undefined {
  const type = value === null ? 'None' : `${typeName(value)} object`;
  return new Undefined(
    typeof name === 'string' ? `'${type}' has no attribute '${name}'` : `${type} has no element ${repr(name, budget)}`,
  );
}

/** An attribute proper, an undefined for an unsafe one, or undefined where there is none. */
export function attributeOf(value: Value, name: string, access: Access, budget: Budget): Value | undefined {
  const unsafe = (PRIVATE.has(name) && !(value instanceof Namespace)) || CHANGING.get(typeName(value))?.has(name);
  if (unsafe) return new Undefined(`access to attribute '${name}' of '${typeName(value)}' object is unsafe.`);
  if (value instanceof Undefined) return fail(value.message);
  if (isText(value)) return textMethod(value, name, access, budget);
  if (value instanceof Namespace) return value.fields.get(name);
  if (value instanceof Dict) return dictMethod(value, name, budget);
  if (Array.isArray(value) || value instanceof Tuple || value instanceof Range) return listMethod(value, name, budget);
  if (isNumber(value)) return numberAttribute(value, name);
  if (value instanceof View) return name === 'mapping' ? value.dict : undefined;
  if (value instanceof Callable) return undefined;
  return isThing(value) ? value.attribute(name) : undefined;
}

function dictMethod(dict: Dict, name: string, budget: Budget): Value | undefined {
  const method = (parameters: readonly string[], run: (args: (Value | undefined)[]) => Value): Callable =>
    new Callable(name, (args, named) => run(bind(name, parameters, args, named)));
  switch (name) {
    case 'get':
      return method(['key', 'default?'], ([key, usual]) => present(dict.get(key as Value), () => usual ?? null));
    case 'keys':
    case 'values':
    case 'items':
      return method([], () => new View(name, dict));
    case 'copy':
      return method([], () => {
        budget.items(dict.size);
        const copy = new Dict();
        for (const [key, value] of dict.entries()) copy.set(key, value);
        return copy;
      });
    case 'fromkeys':
      return method(['keys', 'value?'], ([keys, value]) => fromKeys(keys as Value, value ?? null, budget));
    default:
      return undefined;
  }
}

/** `dict.fromkeys`. */
export function fromKeys(keys: Value, value: Value, budget: Budget): Dict {
  const made = new Dict();
  for (const key of iterate(keys, budget)) {
    budget.items(1);
    made.set(key, value);
  }
  return made;
}

function listMethod(list: Value[] | Tuple | Range, name: string, budget: Budget): Value | undefined {
  if (list instanceof Range && (name === 'start' || name === 'stop' || name === 'step')) return list[name];
  if (list instanceof Tuple && list.names?.includes(name)) return list.items[list.names.indexOf(name)];
  const places = (item: Value): number[] => {
    const found: number[] = [];
    let i = 0;
    for (const one of iterate(list, budget)) {
      if (one === item || equal(one, item, budget)) found.push(i);
      i++;
    }
    return found;
  };
  if (name === 'count') {
    return new Callable(name, (args, named) => BigInt(places(bind(name, ['value'], args, named)[0] as Value).length));
  }
  if (name === 'index') {
    return new Callable(name, (args, named) => {
      const [item, start, stop] = bind(name, ['value', 'start?', 'stop?'], args, named);
      const length = Array.isArray(list) ? list.length : list instanceof Tuple ? list.items.length : list.length;
      const bound = (given: Value | undefined, usual: number): number => {
        const at = given === undefined ? usual : integer(given, 'slice index');
        return at < 0 ? Math.max(0, at + length) : at;
      };
      const at = places(item as Value).find((place) => place >= bound(start, 0) && place < bound(stop, length));
      return at === undefined ? fail(`${repr(item as Value, budget)} is not in list`) : BigInt(at);
    });
  }
  return name === 'copy' && Array.isArray(list) ? new Callable(name, () => [...list]) : undefined;
}

function numberAttribute(value: boolean | bigint | number, name: string): Value | undefined {
  const constant = (result: Value): Callable => new Callable(name, () => result);
  if (name === 'real') return typeof value === 'boolean' ? BigInt(value) : value;
  if (name === 'imag') return typeof value === 'number' ? 0 : 0n;
  if (name === 'conjugate') return constant(typeof value === 'boolean' ? BigInt(value) : value);
  if (typeof value === 'number') return name === 'is_integer' ? constant(Number.isInteger(value)) : undefined;
  const whole = BigInt(value);
  const magnitude = whole < 0n ? -whole : whole;
  if (name === 'numerator') return whole;
  if (name === 'denominator') return 1n;
  if (name === 'bit_length') return constant(magnitude === 0n ? 0n : BigInt(magnitude.toString(2).length));
  if (name === 'bit_count') return constant(BigInt(magnitude.toString(2).replaceAll('0', '').length));
  return undefined;
}
