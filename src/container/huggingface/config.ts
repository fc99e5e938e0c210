/**
 * A `config.json`, read with types and bounds: every number is checked before it is used.
 * @module
 */
import { DescriptionError, type ErrorCode } from '../../errors.ts';
import { quote } from '../gguf-types.ts';

/** One object of a configuration. Keys that say null count as missing. */
export class Config {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #name: string;

  /** @param name what errors call it */
  constructor(object: Readonly<Record<string, unknown>>, name: string) {
    this.#object = object;
    this.#name = name;
  }

  /** @throws {DescriptionError} `DESCRIPTION` for bytes that are no JSON object */
  static parse(bytes: Uint8Array, name: string): Config {
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch (cause) {
      throw new DescriptionError('DESCRIPTION', `${name} is not JSON: ${String(cause)}`, { cause });
    }
    if (isObject(value)) return new Config(value, name);
    throw new DescriptionError('DESCRIPTION', `${name} is not a JSON object`);
  }

  has(key: string): boolean {
    return this.#value(key) !== undefined;
  }

  string(key: string, absent?: string): string {
    const value = this.#value(key) ?? absent;
    return typeof value === 'string' ? value : this.#wrong(key, value, 'a string');
  }

  boolean(key: string, absent?: boolean): boolean {
    const value = this.#value(key) ?? absent;
    return typeof value === 'boolean' ? value : this.#wrong(key, value, 'true or false');
  }

  number(key: string, least: number, most: number, absent?: number): number {
    const value = this.#value(key) ?? absent;
    if (typeof value === 'number' && value >= least && value <= most) return value;
    return this.#wrong(key, value, `a number in ${least} … ${most}`);
  }

  integer(key: string, least: number, most: number, absent?: number): number {
    const value = this.#value(key) ?? absent;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    return this.#wrong(key, value, `a whole number in ${least} … ${most}`);
  }

  /** Exactly `count` finite numbers within bounds. */
  numbers(key: string, count: number, least: number, most: number): number[] {
    const value = this.#value(key);
    const fits = (item: unknown): boolean => typeof item === 'number' && item >= least && item <= most;
    if (Array.isArray(value) && value.length === count && value.every(fits)) return value;
    return this.#wrong(key, value, `${count} numbers in ${least} … ${most}`);
  }

  /** Strings of an array, at most `most`; none where the key is missing. */
  strings(key: string, most: number): string[] {
    const value = this.#value(key) ?? [];
    if (Array.isArray(value) && value.length <= most && value.every((item) => typeof item === 'string')) return value;
    return this.#wrong(key, value, `up to ${most} strings`);
  }

  /** An object within; null where the key is missing. */
  object(key: string): Config | null {
    const value = this.#value(key);
    if (value === undefined) return null;
    return isObject(value) ? new Config(value, `${this.#name}, ${key}`) : this.#wrong(key, value, 'an object');
  }

  /** Objects of an array, at most `most`; none where the key is missing. */
  objects(key: string, most: number): Config[] {
    const value = this.#value(key) ?? [];
    if (Array.isArray(value) && value.length <= most && value.every(isObject)) {
      return value.map((item, i) => new Config(item, `${this.#name}, ${key} ${i}`));
    }
    return this.#wrong(key, value, `up to ${most} objects`);
  }

  /** Keys of this object. */
  keys(): string[] {
    return Object.keys(this.#object);
  }

  /** @throws {DescriptionError} unless a key is missing or has this value, the only one that is computed */
  only(key: string, value: string | number | boolean, code: ErrorCode = 'DESCRIPTION'): void {
    const found = this.#value(key);
    if (found === undefined || found === value) return;
    throw new DescriptionError(code, `${this.#name}: ${key} is ${show(found)}; only ${show(value)} is computed here`);
  }

  refuse(why: string, code: ErrorCode = 'DESCRIPTION'): never {
    throw new DescriptionError(code, `${this.#name}: ${why}`);
  }

  #value(key: string): unknown {
    return Object.hasOwn(this.#object, key) ? (this.#object[key] ?? undefined) : undefined;
  }

  #wrong(key: string, value: unknown, expected: string): never {
    return this.refuse(`${key} is ${value === undefined ? 'missing' : show(value)}, expected ${expected}`);
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return Array.isArray(value) ? `an array of ${value.length}` : isObject(value) ? 'an object' : quote(String(value));
}
