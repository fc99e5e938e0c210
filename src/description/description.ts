/**
 * What a model is: numbers, checked once and frozen. Everything behind this file trusts them.
 * @module
 */
import type { Container, MetadataValue } from '../container/tensor.ts';
import { DescriptionError } from '../errors.ts';

/** How the two halves of a rotated pair lie in a head: neighbours, or half a head apart. */
export type RopePairing = 'adjacent' | 'halved';

/** YaRN (arXiv 2309.00071): slow pairs are divided by `linear`, fast ones are kept. */
export interface YarnDescription {
  /** Positions the model was trained for before it was extended. */
  readonly original: number;
  /** Turns within `original` from which a pair counts as fast, and below which as slow. */
  readonly betaFast: number;
  readonly betaSlow: number;
  /** What cosines and sines are multiplied by; default 1 + 0.1 · ln of the extension. */
  readonly magnitude?: number;
}

export interface RopeDescription {
  readonly theta: number;
  /** Rotated dimensions of a head; the rest pass unchanged. */
  readonly dims: number;
  readonly pairing: RopePairing;
  /** Positions are divided by this (context extension, linear or by YaRN); 1 for none. */
  readonly linear: number;
  readonly yarn?: YarnDescription;
  /** Of Llama 3.1 and later: slow pairs are divided by `factor`, fast ones are kept, by how often they turn within `original`. */
  readonly llama3?: { readonly factor: number; readonly low: number; readonly high: number; readonly original: number };
  /** Positions up to which a session takes the factors for short contexts (longrope). */
  readonly original?: number;
  /** Cosines and sines are multiplied by this; absent for 1. */
  readonly attnFactor?: number;
}

/** The numbers that every kind of model has. Each architecture adds its own; see its `description.ts`. */
export interface ModelDescription {
  /** Name of the architecture in the list of `architectures/index.ts`. */
  readonly kind: string;
  /** As the file names it: `llama`, `qwen2`, `bitnet-b1.58`, … */
  readonly architecture: string;
  readonly name: string;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  /** Heads of keys and values, where several heads of queries share one. */
  readonly kvHeads?: number;
  /** Of models that classify: names of the classes in their order; none for a regression. */
  readonly labels?: readonly string[];
  readonly vocab: number;
  /** Positions the model was trained for; a session may hold more or fewer. */
  readonly trainedContext: number;
  /** Weights in all, counted from the tensors. */
  readonly parameters: number;
  /** What a user should know of how the file was read; absent where there is nothing. */
  readonly notices?: readonly string[];
}

/** Typed access to metadata: a wrong type or a missing key is refused with the key's name. */
export class Metadata {
  readonly #map: ReadonlyMap<string, MetadataValue>;
  readonly #asked: Set<string> = new Set();

  constructor(container: Container) {
    this.#map = container.metadata;
  }

  string(key: string, absent?: string): string {
    const value = this.get(key) ?? absent;
    if (typeof value === 'string') return value;
    throw wrong(key, value, 'a string');
  }

  /** A finite number within [min, max]; `absent` where the key is missing. */
  number(key: string, min: number, max: number, absent?: number): number {
    const value = this.get(key) ?? absent;
    if (typeof value === 'number' && value >= min && value <= max) return value;
    throw wrong(key, value, `a number in ${min} … ${max}`);
  }

  integer(key: string, min: number, max: number, absent?: number): number {
    return within(key, this.get(key) ?? absent, min, max);
  }

  boolean(key: string, absent?: boolean): boolean {
    const value = this.get(key) ?? absent;
    if (typeof value === 'boolean') return value;
    throw wrong(key, value, 'true or false');
  }

  /** As `integer`, for a number that files may state once for each of `layers` layers: all must be equal. */
  perLayer(key: string, min: number, max: number, layers: number, absent?: number): number {
    const value = this.get(key);
    if (!Array.isArray(value)) return within(key, value ?? absent, min, max);
    if (value.length === layers && value.every((item) => item === value[0])) return within(key, value[0], min, max);
    const why = value.length === layers
      ? 'whose values are not equal'
      : `of ${value.length} values for ${layers} layers`;
    throw new DescriptionError(
      'DESCRIPTION',
      `metadata "${key}" is an array ${why}; layers of different sizes are not supported`,
    );
  }

  has(key: string): boolean {
    this.#asked.add(key);
    return this.#map.has(key);
  }

  /** A value as it is. */
  get(key: string): MetadataValue | undefined {
    this.#asked.add(key);
    return this.#map.get(key);
  }

  /** Entries whose keys begin with `prefix` and have not been asked for. */
  unread(prefix: string): [string, MetadataValue][] {
    return [...this.#map].filter(([key]) => key.startsWith(prefix) && !this.#asked.has(key));
  }
}

/** A whole number within [min, max]. */
function within(key: string, value: MetadataValue | undefined, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw wrong(key, value, `a whole number in ${min} … ${max}`);
}

function wrong(key: string, value: MetadataValue | undefined, expected: string): DescriptionError {
  const found = value === undefined ? 'missing' : Array.isArray(value) ? 'an array' : String(value);
  return new DescriptionError('DESCRIPTION', `metadata "${key}" is ${found}, expected ${expected}`);
}
