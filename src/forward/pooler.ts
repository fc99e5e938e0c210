/**
 * Makes one vector of those of a text's tokens.
 * @module
 */
import { OptionError } from '../errors.ts';
import { type Pooling, POOLINGS } from './pooling.ts';

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
