/**
 * The budget of a rendering: steps, sizes and depths. Every evaluation costs a step, and every operation on a long value more, so that
 * no template, however it multiplies what it has, takes more than about a tenth of a second or some hundred megabytes.
 * @module
 */
import { TemplateError } from '../../errors.ts';
import { MAX_TEMPLATE_DEPTH, MAX_TEMPLATE_LOOP, MAX_TEMPLATE_OUTPUT_CHARS, MAX_TEMPLATE_STEPS } from '../../limits.ts';

/** Characters that cost as much as a step. */
const CHARS_PER_STEP = 128;
/** Items of a list that cost as much as a step. */
const ITEMS_PER_STEP = 8;
/** Bits of an integer: far beyond any id, and small enough for a product in microseconds. */
const MAX_INT_BITS = 8192;
/** Evaluations within evaluations, which end recursion through macros. The stack of every host holds four times as many. */
const MAX_NESTED = 500;
const SIGNAL_STEPS = 1024;

/** What a rendering has left. */
export class Budget {
  readonly #signal?: AbortSignal;
  #steps = 0;
  #checked = 0;
  #nested = 0;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** @throws {TemplateError} `TEMPLATE_BUDGET` */
  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > MAX_TEMPLATE_STEPS) this.refuse(`takes more than ${MAX_TEMPLATE_STEPS} steps`);
    if (this.#steps - this.#checked < SIGNAL_STEPS) return;
    this.#checked = this.#steps;
    this.#signal?.throwIfAborted();
  }

  /** Called before characters are made or read. @throws {TemplateError} `TEMPLATE_BUDGET` */
  chars(count: number): void {
    this.fits(count);
    this.spend(count / CHARS_PER_STEP);
  }

  /** For texts that grow by parts which have been paid. @throws {TemplateError} `TEMPLATE_BUDGET` */
  fits(count: number): void {
    if (count > MAX_TEMPLATE_OUTPUT_CHARS) {
      this.refuse(`makes a text of ${count} characters, at most ${MAX_TEMPLATE_OUTPUT_CHARS} are accepted`);
    }
  }

  /** Called before a list is made. @throws {TemplateError} `TEMPLATE_BUDGET` */
  items(count: number): void {
    if (count > MAX_TEMPLATE_LOOP) {
      this.refuse(`makes a list of ${count} items, at most ${MAX_TEMPLATE_LOOP} are accepted`);
    }
    this.spend(count / ITEMS_PER_STEP);
  }

  /** Called before an integer is made. @throws {TemplateError} `TEMPLATE_BUDGET` */
  bits(count: number): void {
    if (count > MAX_INT_BITS) this.refuse(`makes an integer of ${count} bits, at most ${MAX_INT_BITS} are accepted`);
  }

  /** Goes one evaluation deeper; `leave` comes back. @throws {TemplateError} `TEMPLATE_DEPTH` */
  enter(): void {
    this.spend(1);
    if (++this.#nested > MAX_NESTED) {
      throw new TemplateError(
        'TEMPLATE_DEPTH',
        `the chat template nests more than ${MAX_NESTED} evaluations deep; does a macro call itself?`,
      );
    }
  }

  leave(): void {
    this.#nested--;
  }

  /** For walks through a value. @throws {TemplateError} `TEMPLATE_DEPTH` */
  depth(depth: number): void {
    this.spend(1);
    if (depth > MAX_TEMPLATE_DEPTH) {
      throw new TemplateError('TEMPLATE_DEPTH', `the chat template nests values more than ${MAX_TEMPLATE_DEPTH} deep`);
    }
  }

  /** @throws {TemplateError} `TEMPLATE_BUDGET` */
  refuse(message: string): never {
    throw new TemplateError('TEMPLATE_BUDGET', `the chat template ${message}`);
  }
}

/** The bits of an integer, to within four. */
export const bitsOf = (value: bigint): number =>
  (value < 1n << 64n && value > -(1n << 64n)) ? 64 : value.toString(16).length * 4;
