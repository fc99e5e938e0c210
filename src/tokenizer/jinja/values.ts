/**
 * Values of a template, as Python has them: an `int` is a bigint, a `float` a number, `None` null, a list an array; the other kinds
 * are the classes here. No value of the host is among them.
 * @module
 */

/** What a template computes with. */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Value[]
  | Undefined
  | Markup
  | Tuple
  | Dict
  | View
  | Range
  | Iter
  | Callable
  | Namespace
  | Thing;

/** A value that is there, None included, or else another. */
export const present = (value: Value | undefined, other: () => Value): Value => value === undefined ? other() : value;

/** What went wrong within a template; the renderer adds the line. */
export class TemplateFailure extends Error {}

/** Ends the rendering with a message. @throws {TemplateFailure} */
export function fail(message: string): never {
  throw new TemplateFailure(message);
}

/** A name or entry that is not there: prints nothing, loops over nothing, is false; any other use fails with `message`. */
export class Undefined {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** Text that counts as HTML: whatever is added to it is escaped. `escape` and `safe` make it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A tuple; `names` are those of its items, where they have any. */
export class Tuple {
  readonly items: readonly Value[];
  readonly names?: readonly string[];

  constructor(items: readonly Value[], names?: readonly string[]) {
    this.items = items;
    this.names = names;
  }
}

/** A dictionary. Keys that are equal in Python (`1`, `1.0`, `True`) are one. */
export class Dict {
  readonly #entries: Map<unknown, readonly [Value, Value]> = new Map();

  get size(): number {
    return this.#entries.size;
  }

  /** An entry keeps its place, and its key, when it is set anew. @throws {TemplateFailure} for a key that cannot be hashed */
  set(key: Value, value: Value): void {
    const hash = hashOf(key);
    this.#entries.set(hash, [this.#entries.get(hash)?.[0] ?? key, value]);
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(hashOf(key))?.[1];
  }

  has(key: Value): boolean {
    return this.#entries.has(hashOf(key));
  }

  entries(): IterableIterator<readonly [Value, Value]> {
    return this.#entries.values();
  }
}

/** What stands for a key in a JavaScript map; strings of the template cannot collide with the others. */
function hashOf(key: Value): unknown {
  if (typeof key === 'string') return key.startsWith('\0') ? `\0s${key}` : key;
  if (typeof key === 'boolean') return key ? 1n : 0n;
  if (typeof key === 'number') return Number.isInteger(key) ? BigInt(key) : key;
  if (key instanceof Markup) return hashOf(key.text);
  if (key instanceof Undefined) return '\0undefined';
  if (key instanceof Tuple) {
    const parts = key.items.map((item) => {
      const hash = hashOf(item);
      if (typeof hash === 'object' && hash !== null) fail('a tuple with such an item cannot be a key here');
      return `${typeof hash}${String(hash).length}:${String(hash)}`;
    });
    return `\0t${parts.join('')}`;
  }
  if (unhashable(key)) fail(`unhashable type: '${typeName(key)}'`);
  return key;
}

/** Lists and dictionaries are no keys. */
export const unhashable = (value: Value): boolean =>
  Array.isArray(value) || value instanceof Dict || (value instanceof Tuple && value.items.some(unhashable));

/** `keys()`, `values()` or `items()` of a dictionary. */
export class View {
  readonly kind: 'keys' | 'values' | 'items';
  readonly dict: Dict;

  constructor(kind: View['kind'], dict: Dict) {
    this.kind = kind;
    this.dict = dict;
  }

  *items(): Generator<Value, void> {
    for (const [key, value] of this.dict.entries()) {
      yield this.kind === 'keys' ? key : this.kind === 'values' ? value : new Tuple([key, value]);
    }
  }
}

/** A `range`: its numbers are made as they are read. */
export class Range {
  readonly start: bigint;
  readonly stop: bigint;
  readonly step: bigint;
  readonly length: number;

  constructor(start: bigint, stop: bigint, step: bigint) {
    [this.start, this.stop, this.step] = [start, stop, step];
    const span = step > 0n ? stop - start : start - stop;
    const size = step > 0n ? step : -step;
    this.length = span <= 0n ? 0 : Number((span + size - 1n) / size);
  }

  at(index: number): bigint {
    return this.start + BigInt(index) * this.step;
  }

  *items(): Generator<Value, void> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
}

/** What `map`, `select` and their like give: read once, as it is needed. */
export class Iter {
  readonly name: string;
  readonly #source: Iterator<Value, unknown>;

  constructor(name: string, source: Iterator<Value, unknown>) {
    this.name = name;
    this.#source = source;
  }

  /** @returns undefined at the end */
  next(): Value | undefined {
    const { done, value } = this.#source.next();
    return done ? undefined : (value as Value);
  }

  *items(): Generator<Value, void> {
    for (let item = this.next(); item !== undefined; item = this.next()) yield item;
  }
}

/** Arguments by name. */
export type Named = ReadonlyMap<string, Value>;

/** A function that a template may call, or a method with its object. */
export class Callable {
  readonly name: string;
  readonly call: (args: readonly Value[], named: Named) => Value;

  constructor(name: string, call: Callable['call']) {
    this.name = name;
    this.call = call;
  }
}

/** What `namespace()` makes: the only value that changes. */
export class Namespace {
  readonly fields: Map<string, Value> = new Map();
}

/** An object of the interpreter: `loop`, a macro, a cycler, the `dict` function … */
export interface Thing {
  /** As Python prints it. */
  readonly shown: string;
  /** @returns undefined where there is none of that name */
  attribute(name: string): Value | undefined;
  readonly call?: Callable['call'];
  readonly size?: () => number;
}

/** Whether a value is one of the interpreter's own objects. */
export function isThing(value: Value): value is Thing {
  return typeof value === 'object' && value !== null && 'shown' in value && 'attribute' in value;
}

/** Whether a value is text, marked as HTML or not. */
export const isText = (value: Value): value is string | Markup => typeof value === 'string' || value instanceof Markup;

/** Whether a value counts as a number: booleans do. */
export const isNumber = (value: Value): value is boolean | bigint | number =>
  typeof value === 'boolean' || typeof value === 'bigint' || typeof value === 'number';

/** The name of a value's type in Python, for messages. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float';
  if (typeof value === 'string') return 'str';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Dict) return 'dict';
  if (value instanceof View) return `dict_${value.kind}`;
  if (value instanceof Range) return 'range';
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Markup) return 'Markup';
  if (value instanceof Iter) return 'generator';
  if (value instanceof Namespace) return 'Namespace';
  return value instanceof Callable ? 'function' : 'object';
}

/** Whether a value is true. */
export function truth(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (typeof value !== 'object') return Boolean(value);
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Markup) return value.text !== '';
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof View) return value.dict.size > 0;
  if (value instanceof Range) return value.length > 0;
  if (isThing(value) && value.size) return value.size() > 0;
  return true;
}

/** Arguments of a call by the names of its parameters; those with `?` may be missing. */
export function bind(
  what: string,
  parameters: readonly string[],
  args: readonly Value[],
  named: Named,
): (Value | undefined)[] {
  const most = parameters.length;
  if (args.length > most) {
    fail(`${what}() takes at most ${most} argument${most === 1 ? '' : 's'} (${args.length} given)`);
  }
  const bound: (Value | undefined)[] = [...args];
  for (const [name, value] of named) {
    const at = parameters.findIndex((parameter) => parameter.replace('?', '') === name);
    if (at < 0) fail(`${what}() got an unexpected keyword argument '${name}'`);
    if (at < args.length) fail(`${what}() got multiple values for argument '${name}'`);
    bound[at] = value;
  }
  parameters.forEach((parameter, i) => {
    if (bound[i] === undefined && !parameter.endsWith('?')) fail(`${what}() misses its argument '${parameter}'`);
  });
  return bound;
}
