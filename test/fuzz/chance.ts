/**
 * Choices that a seed makes: the same seed, the same input.
 * @module
 */
import { random } from '../kernels/harness.ts';

export class Chance {
  readonly #next: () => number;

  /** @param seed of the run @param index of the input: each can be made again alone */
  constructor(seed: number, index: number) {
    this.#next = random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  }

  /** A number from 0 up to and without 1. */
  unit(): number {
    return this.#next();
  }

  /** A whole number from 0 up to and without `below`. */
  below(below: number): number {
    return Math.floor(this.#next() * below);
  }

  /** Whether something happens that does so once in `n` times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}
