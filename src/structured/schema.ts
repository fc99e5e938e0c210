/**
 * A JSON Schema as the engine takes it: copied, bounded, references as what they lead to, fixed values as schemas of their parts, and what
 * says nothing of a document left out.
 * @module
 */
import { FormatError } from '../errors.ts';
import { MAX_ENUM_VALUES, MAX_FORMAT_CHARS, MAX_SCHEMA_DEPTH, MAX_SCHEMA_NODES } from '../limits.ts';
import { shown } from '../options.ts';
import type { JsonSchema } from './types.ts';

/** Without a prototype: a document may have a property named `__proto__`. */
type Plain = { [key: string]: unknown };
const plain = (entries: Iterable<readonly [string, unknown]> = []): Plain => {
  const made = Object.create(null) as Plain;
  for (const [key, value] of entries) made[key] = value;
  return made;
};

/** Keywords that hold one schema, or a list of them. */
const ONE = new Set([
  'not',
  'if',
  'then',
  'else',
  'contains',
  'propertyNames',
  'additionalProperties',
  'additionalItems',
]);
const LISTED = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);
/** Those that hold plain values. */
const VALUES = new Set([
  'type',
  'required',
  'minProperties',
  'maxProperties',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minContains',
  'maxContains',
  'dependentRequired',
]);
/** Those that say something of a document that no automaton over its bytes can hold it to. */
const REFUSED = new Map([
  [
    'pattern',
    'a string of a document cannot be held to a pattern; use an enum, or the format regex for a whole answer',
  ],
  ['patternProperties', 'names of properties cannot be held to a pattern; list them in properties'],
  ['unevaluatedProperties', 'use additionalProperties'],
  ['unevaluatedItems', 'use items'],
  ['$dynamicRef', 'use $ref'],
  ['$recursiveRef', 'use $ref'],
]);
const FORMATS =
  /^(date|time|date-time|duration|email|hostname|ipv4|ipv6|uuid|uri|uri-reference|regex|json-pointer|relative-json-pointer)$/;
/** What says nothing of a document, but that a schema with a reference or one alternative may have beside it. */
const ASSERTS = (key: string): boolean =>
  ONE.has(key) || LISTED.has(key) || VALUES.has(key) ||
  ['items', 'properties', 'const', 'enum', '$ref'].includes(key) ||
  ['dependentSchemas', 'dependencies', 'format'].includes(key) || REFUSED.has(key);

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isSchema = (value: unknown): value is JsonSchema => typeof value === 'boolean' || isRecord(value);

/**
 * @throws {FormatError} `FORMAT` for what is no schema, or a keyword that an answer cannot be held to; `SCHEMA_LIMIT` for one that
 *   is too deep or too large
 */
export function simplified(schema: JsonSchema): JsonSchema {
  return new Copy(schema).root();
}

class Copy {
  readonly #root: JsonSchema;
  /** What each schema became; null while a reference is looked up. A schema that holds itself becomes a ring. */
  readonly #made = new Map<object, JsonSchema | null>();
  #nodes = 0;

  constructor(root: JsonSchema) {
    this.#root = root;
  }

  root(): JsonSchema {
    return this.#schema(this.#root, '$', 0);
  }

  #schema(schema: unknown, at: string, depth: number): JsonSchema {
    if (typeof schema === 'boolean') return schema;
    if (!isRecord(schema)) throw bad(at, `is ${shown(schema)}, expected an object, true or false`);
    const known = this.#made.get(schema);
    if (known === null) throw bad(at, 'refers to itself and says nothing else');
    if (known !== undefined) return known;
    this.#count(at, depth);
    const asserted = Object.keys(schema).filter(ASSERTS);
    const all = asserted.length === 1 && Array.isArray(schema.allOf) && schema.allOf.length === 1 ? schema.allOf : [];
    const same = asserted.length === 1 && '$ref' in schema ? this.#resolved(schema.$ref, at) : all[0];
    if (same !== undefined) {
      this.#made.set(schema, null);
      const target = this.#schema(same, at, depth + 1);
      this.#made.set(schema, target);
      return target;
    }
    const made = plain();
    this.#made.set(schema, made);
    for (const [key, value] of Object.entries(schema)) {
      if (value !== undefined) this.#keyword(made, key, value, `${at}.${key.slice(0, 60)}`, depth);
    }
    // names that objects inherit are no properties
    if (made.additionalProperties !== undefined) made.properties ??= plain();
    return made;
  }

  #keyword(made: Plain, key: string, value: unknown, at: string, depth: number): void {
    const reason = REFUSED.get(key);
    if (reason !== undefined) throw bad(at, `is not supported: ${reason}`);
    const inner = (child: unknown, name: string | number): JsonSchema =>
      this.#schema(child, `${at}.${String(name).slice(0, 60)}`, depth + 1);
    if (ONE.has(key) || (key === 'items' && !Array.isArray(value))) made[key] = this.#schema(value, at, depth + 1);
    else if (key === '$ref') add(made, { allOf: [this.#schema(this.#resolved(value, at), at, depth + 1)] });
    else if (LISTED.has(key) || key === 'items') {
      const children = list(value, at).map(inner);
      if (key === 'allOf') add(made, { allOf: children });
      else made[key] = children;
    } else if (key === 'properties' || key === 'dependentSchemas') {
      made[key] = plain(entries(value, at).map(([name, child]) => [name, inner(child, name)]));
    } else if (key === 'dependencies') {
      const one = (child: unknown, name: string): unknown =>
        Array.isArray(child) ? child.map(String) : inner(child, name);
      made[key] = plain(entries(value, at).map(([name, child]) => [name, one(child, name)]));
    } else if (key === 'const') add(made, this.#fixed(value, at, depth + 1));
    else if (key === 'enum') add(made, this.#enum(value, at, depth));
    else if (key === 'format' && typeof value === 'string' && FORMATS.test(value)) {
      throw bad(at, `${value} is not supported: a string of a document cannot be held to it; leave it out`);
    } else if (VALUES.has(key)) made[key] = this.#value(value, at, depth + 1);
  }

  #resolved(reference: unknown, at: string): unknown {
    if (typeof reference !== 'string' || !(reference === '#' || reference.startsWith('#/'))) {
      throw bad(at, `is ${shown(reference)}, expected a path within the schema, as #/$defs/name`);
    }
    let found: unknown = this.#root;
    for (const part of reference.slice(2).split('/')) {
      if (reference === '#') break;
      const key = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
      const held = isRecord(found) || Array.isArray(found);
      if (!held || !Object.hasOwn(found as object, key)) throw bad(at, `${shown(reference)} leads nowhere`);
      found = (found as Record<string, unknown>)[key];
    }
    if (!isSchema(found)) throw bad(at, `${shown(reference)} leads to no schema`);
    return found;
  }

  /** A value that is the only one: lists and objects as schemas, so that each of their parts holds while it is written. */
  #fixed(value: unknown, at: string, depth: number): Plain {
    this.#count(at, depth);
    if (Array.isArray(value)) {
      const prefixItems = value.map((item, i) => this.#fixed(item, `${at}[${i}]`, depth + 1));
      return plain(
        Object.entries({ type: 'array', prefixItems, items: false, minItems: value.length, maxItems: value.length }),
      );
    }
    if (isRecord(value)) {
      const properties = plain(
        Object.entries(value).map(([key, inner]) => [key, this.#fixed(inner, `${at}.${key.slice(0, 60)}`, depth + 1)]),
      );
      const required = Object.keys(value);
      return plain(Object.entries({ type: 'object', properties, required, additionalProperties: false }));
    }
    return plain([['const', this.#value(value, at, depth)]]);
  }

  #enum(value: unknown, at: string, depth: number): Plain {
    const values = list(value, at);
    if (values.length === 0) throw bad(at, 'is empty: nothing would be valid');
    if (values.length > MAX_ENUM_VALUES) throw tooMuch(at, `has ${values.length} values`, MAX_ENUM_VALUES);
    const simple = values.filter((one) => typeof one !== 'object' || one === null);
    const deep = values.filter((one) => typeof one === 'object' && one !== null);
    const own = simple.length > 0
      ? [plain([['enum', simple.map((one, i) => this.#value(one, `${at}[${i}]`, depth))]])]
      : [];
    const all = [...own, ...deep.map((one, i) => this.#fixed(one, `${at}[${i}]`, depth + 1))];
    return all.length === 1 ? all[0] : plain([['anyOf', all]]);
  }

  /** A copy of plain data. */
  #value(value: unknown, at: string, depth: number): unknown {
    this.#count(at, depth);
    if (typeof value === 'string' && value.length > MAX_FORMAT_CHARS) {
      throw tooMuch(at, `has ${value.length} characters`, MAX_FORMAT_CHARS);
    }
    if (value === null || ['string', 'boolean'].includes(typeof value)) return value;
    if (typeof value === 'number' && Number.isFinite(value)) return Object.is(value, -0) ? 0 : value;
    if (Array.isArray(value)) return value.map((item, i) => this.#value(item, `${at}[${i}]`, depth + 1));
    if (isRecord(value)) {
      return plain(Object.entries(value).map(([key, inner]) => [key, this.#value(inner, `${at}.${key}`, depth + 1)]));
    }
    throw bad(at, `is ${shown(value)}, expected JSON`);
  }

  #count(at: string, depth: number): void {
    if (depth > MAX_SCHEMA_DEPTH) throw tooMuch(at, 'is deeper', `${MAX_SCHEMA_DEPTH} levels`);
    if (++this.#nodes > MAX_SCHEMA_NODES) throw tooMuch('$', 'holds more', `${MAX_SCHEMA_NODES} schemas and values`);
  }
}

/** Puts keywords beside others; where both speak of the same, both hold. */
function add(made: Plain, more: Plain): void {
  const { allOf = [], ...others } = more;
  const both = Object.keys(others).some((key) => key in made);
  const all = [...(made.allOf as unknown[] | undefined ?? []), ...(allOf as unknown[]), ...(both ? [others] : [])];
  if (!both) Object.assign(made, others);
  if (all.length > 0) made.allOf = all;
}

function list(value: unknown, at: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw bad(at, `is ${shown(value)}, expected an array`);
}

function entries(value: unknown, at: string): [string, unknown][] {
  if (isRecord(value)) return Object.entries(value);
  throw bad(at, `is ${shown(value)}, expected an object`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const bad = (at: string, what: string): FormatError =>
  new FormatError('FORMAT', `schema: ${at.slice(0, 200)} ${what}`, { mentions: ['schema'] });
const tooMuch = (at: string, what: string, most: number | string): FormatError =>
  new FormatError('SCHEMA_LIMIT', `schema: ${at.slice(0, 200)} ${what}, at most ${most} are accepted`, {
    mentions: ['schema'],
  });
