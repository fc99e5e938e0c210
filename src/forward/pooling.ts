/**
 * How a model's files say that the vectors of a text's tokens become one vector; pooler.ts does it.
 * @module
 */
import type { Container } from '../container/tensor.ts';
import { DescriptionError } from '../errors.ts';

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
