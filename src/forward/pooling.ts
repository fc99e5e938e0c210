/**
 * How the vectors of a text's tokens become one vector.
 * @module
 */
import { OptionError } from '../errors.ts';

/** The mean of the tokens, the first, the last, or the largest number in each place. */
export type Pooling = 'mean' | 'cls' | 'last' | 'max';

export const POOLINGS: readonly Pooling[] = ['mean', 'cls', 'last', 'max'];

/** @throws {OptionError} for a name that is none */
export function checkPooling(pooling: unknown): void {
  if ((POOLINGS as readonly unknown[]).includes(pooling)) return;
  throw new OptionError('OPTION', `pooling is ${JSON.stringify(pooling)}, expected one of ${POOLINGS.join(', ')}`);
}

/**
 * One vector of those of a text's tokens. Sums are of doubles in the order of the tokens.
 * @param row the numbers of token t
 * @param normalise scale it to length 1; a vector of zeros stays as it is
 */
export function pooled(
  row: (t: number) => Float32Array,
  tokens: number,
  pooling: Pooling,
  normalise: boolean,
): Float32Array {
  const sum = Float64Array.from(row(pooling === 'last' ? tokens - 1 : 0));
  const each = (take: (value: number, i: number) => void): void => {
    for (let t = 1; t < tokens; t++) row(t).forEach(take);
  };
  if (pooling === 'mean') {
    each((value, i) => (sum[i] += value));
    for (let i = 0; i < sum.length; i++) sum[i] /= tokens;
  } else if (pooling === 'max') each((value, i) => (sum[i] = Math.max(sum[i], value)));
  let squares = 0;
  for (const value of sum) squares += value * value;
  const length = normalise ? Math.max(Math.sqrt(squares), 1e-12) : 1;
  return Float32Array.from(sum, (value) => value / length);
}
