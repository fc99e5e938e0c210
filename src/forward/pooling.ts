/**
 * How the vectors of a text's tokens become one vector.
 * @module
 */
import type { Container } from '../container/tensor.ts';
import { DescriptionError, OptionError } from '../errors.ts';

/** The mean of the tokens, the first, the last, or the largest number in each place. */
export type Pooling = 'mean' | 'cls' | 'last' | 'max';

export const POOLINGS: readonly Pooling[] = ['mean', 'cls', 'last', 'max'];

/** Key of a pooling that llama.cpp has no number for, and of whether vectors are scaled to length 1; both are ours. */
export const POOLING_KEY = 'ternspike.pooling';
export const NORMALISE_KEY = 'ternspike.normalise';

/** `pooling_type` of llama.cpp: none, mean, cls, last, rank. Of a model that ranks, the vector is that of its classifier's input. */
const NUMBERS: readonly (Pooling | undefined)[] = [undefined, 'mean', 'cls', 'last', 'cls'];

/** What a model's files say of its vectors. */
export interface StatedPooling {
  readonly pooling?: Pooling;
  readonly normalise?: boolean;
}

/** @throws {DescriptionError} `DESCRIPTION` for a value that is none */
export function statedPooling({ metadata }: Pick<Container, 'metadata'>): StatedPooling {
  const key = `${String(metadata.get('general.architecture'))}.pooling_type`;
  const wrong = (name: string, value: unknown, expected: string): never => {
    throw new DescriptionError('DESCRIPTION', `metadata "${name}" is ${String(value)}, expected ${expected}`);
  };
  const number = metadata.get(key);
  const name = metadata.get(POOLING_KEY);
  const normalise = metadata.get(NORMALISE_KEY);
  if (number !== undefined && !(typeof number === 'number' && Number.isInteger(number) && number in NUMBERS)) {
    wrong(key, number, `a whole number in 0 … ${NUMBERS.length - 1}`);
  }
  if (name !== undefined && !(POOLINGS as readonly unknown[]).includes(name)) {
    wrong(POOLING_KEY, name, `one of ${POOLINGS.join(', ')}`);
  }
  if (normalise !== undefined && typeof normalise !== 'boolean') wrong(NORMALISE_KEY, normalise, 'true or false');
  return {
    pooling: (name as Pooling | undefined) ?? NUMBERS[(number ?? 0) as number],
    normalise: normalise as boolean | undefined,
  };
}

/** @throws {OptionError} for a name that is none */
export function checkPooling(pooling: unknown): void {
  if ((POOLINGS as readonly unknown[]).includes(pooling)) return;
  throw new OptionError('OPTION', `pooling is ${JSON.stringify(pooling)}, expected one of ${POOLINGS.join(', ')}`);
}

/** Makes one vector of those of a text's tokens, which come in their order. Sums are of doubles. */
export class Pooler {
  readonly #pooling: Pooling;
  readonly #sum: Float64Array;
  #tokens = 0;

  constructor(pooling: Pooling, width: number) {
    this.#pooling = pooling;
    this.#sum = new Float64Array(width);
  }

  /** Takes the next token's numbers. */
  add(row: Float32Array): void {
    const sum = this.#sum;
    const first = this.#tokens++ === 0;
    if (first || this.#pooling === 'last') sum.set(row);
    else if (this.#pooling === 'mean') { for (let i = 0; i < sum.length; i++) sum[i] += row[i]; }
    else if (this.#pooling === 'max') { for (let i = 0; i < sum.length; i++) sum[i] = Math.max(sum[i], row[i]); }
  }

  /** @param normalise scale it to length 1; a vector of zeros stays as it is */
  vector(normalise: boolean): Float32Array {
    const share = this.#pooling === 'mean' ? this.#tokens : 1;
    const pooled = this.#sum.map((value) => value / share);
    let squares = 0;
    for (const value of pooled) squares += value * value;
    const length = normalise ? Math.max(Math.sqrt(squares), 1e-12) : 1;
    return Float32Array.from(pooled, (value) => value / length);
  }
}
