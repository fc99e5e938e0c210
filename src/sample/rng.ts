/**
 * The seeded generator behind every draw: xoshiro128** (Blackman and Vigna), seeded by SplitMix64. Integers only, so
 * one seed gives one sequence on every engine; the sequence is part of the interface and does not change.
 * @module
 */
import { OptionError } from '../errors.ts';
import { checkValue, type Rule, whole } from '../options.ts';

/** Four 32-bit words, not all zero. */
export type RngState = readonly [number, number, number, number];

const MASK = (1n << 64n) - 1n;

/** The four words that SplitMix64 gives for a seed: its first two outputs, low half before high half. */
function mix(seed: number): RngState {
  let state = BigInt(seed);
  const next = (): bigint => {
    state = (state + 0x9e3779b97f4a7c15n) & MASK;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    return z ^ (z >> 31n);
  };
  const [a, b] = [next(), next()];
  const low = (z: bigint): number => Number(z & 0xffffffffn);
  return [low(a), low(a >> 32n), low(b), low(b >> 32n)];
}

/** Which numbers are seeds. */
export const SEED: Rule = whole(0, Number.MAX_SAFE_INTEGER);

/**
 * Checks a seed.
 * @throws {OptionError} `OPTION` unless it is an integer from 0 to 2^53 − 1
 */
export function checkSeed(seed: number): number {
  checkValue('seed', seed ?? null, SEED); // undefined is none either
  return seed === 0 ? 0 : seed; // −0 is 0
}

/** A seed that nobody chose, from the host's source of randomness. */
export function randomSeed(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high >>> 11) * 2 ** 32 + low;
}

/**
 * Uniform numbers of one seed.
 * @example
 * const rng = new Rng(1);
 * rng.uniform(); // 0.3946724931250869, on every engine
 */
export class Rng {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @throws {OptionError} `OPTION` for a seed that is not an integer from 0 to 2^53 − 1 */
  constructor(seed: number) {
    [this.#a, this.#b, this.#c, this.#d] = mix(checkSeed(seed));
  }

  /** The next 32 bits, 0 ≤ n < 2^32. */
  next(): number {
    const times5 = Math.imul(this.#b, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** The next number of 0 ≤ u < 1 with 53 random bits: 27 bits of one word above 26 of the next. */
  uniform(): number {
    const high = this.next() >>> 5;
    const low = this.next() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** Where the sequence stands; give it to `restore` to go on from here. */
  state(): RngState {
    return [this.#a >>> 0, this.#b >>> 0, this.#c >>> 0, this.#d >>> 0];
  }

  /** @throws {OptionError} `OPTION` unless the state is four 32-bit words, not all zero */
  restore(state: RngState): void {
    const words = Array.from(state);
    const good = words.length === 4 && words.every((word) => word === word >>> 0) && words.some((word) => word !== 0);
    if (!good) {
      throw new OptionError('OPTION', `generator state is [${words}], must be four 32-bit words, not all zero`);
    }
    [this.#a, this.#b, this.#c, this.#d] = state;
  }
}
