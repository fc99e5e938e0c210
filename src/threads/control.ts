/**
 * What the threads of a pool agree by: a few words that all of them see, each on a cache line of its own.
 *
 *   COMMAND   sequence · 512 + threads that take part; every change of it is a step
 *   ARRIVED   threads at the barrier                    PHASE   changes when the last one is there
 *   FAILED    0 while all is well                     REASON   why it is not, as characters
 *
 * Who waits looks at a word for some microseconds, because steps between barriers are short, and then sleeps until it is
 * woken: an idle pool takes no time. Nobody waits for a thread without end: it may have died.
 * @module
 */
import type { ThreadContext } from './context.ts';

const LINE = 32;
const COMMAND = 0;
const ARRIVED = LINE;
const PHASE = 2 * LINE;
const FAILED = 3 * LINE;
const REASON = 4 * LINE;
const REASON_CHARS = 200;
/** Words of one pool. */
export const CONTROL_WORDS: number = REASON + REASON_CHARS;

/** The threads of a command take its lower bits; more than MAX_THREADS. */
const MAX_COUNT = 512;

/** How long a word is looked at before sleeping. */
const SPIN_MS = 0.05;
/** Looks between two looks at the clock. */
const SPIN_LOOKS = 32;
/** Sleeps end by themselves after this: a process that was stopped for an hour then finds one of them over, not all. */
const SLEEP_MS = 100;
/** So many sleeps are waited for a thread at least, under a second; longer ones by how long this thread itself took. */
const SLEEPS = 8;
const OWN_TIMES = 10;

/** Tells the processor that this is a loop of waiting; of hosts since 2025. */
const pause: () => void = (Atomics as { pause?: () => void }).pause ?? (() => {});

/** A thread threw or stays away. */
export class ThreadFault extends Error {}

/** Starts a step on the first `threads` threads. */
export function command(words: Int32Array, threads: number): void {
  const sequence = (Atomics.load(words, COMMAND) >>> 9) + 1;
  Atomics.store(words, COMMAND, (sequence * MAX_COUNT + threads) | 0);
  Atomics.notify(words, COMMAND);
}

/** Ends every thread that waits or will wait, with a reason. The first reason stays. */
export function fail(words: Int32Array, reason: string): void {
  if (Atomics.load(words, FAILED) === 0) {
    for (let i = 0; i < REASON_CHARS; i++) words[REASON + i] = i < reason.length ? reason.charCodeAt(i) : 0;
  }
  Atomics.store(words, FAILED, 1);
  for (const word of [PHASE, COMMAND]) {
    Atomics.add(words, word, MAX_COUNT);
    Atomics.notify(words, word);
  }
}

/** Why the pool failed; null while it has not. */
export function faultOf(words: Int32Array): string | null {
  if (Atomics.load(words, FAILED) === 0) return null;
  const chars = Array.from(words.subarray(REASON, REASON + REASON_CHARS));
  return String.fromCharCode(...chars.filter((char) => char !== 0));
}

/** One thread of a pool, on the thread that runs it. */
export class PoolThread implements ThreadContext {
  readonly index: number;
  /** Threads of the present step. */
  count = 1;
  readonly #words: Int32Array;
  readonly #spins: boolean;
  #command: number;
  /** When this thread last began to work. */
  #since = 0;

  /** @param spins look at a word before sleeping; not where there are more threads than processors */
  constructor(words: Int32Array, index: number, spins: boolean) {
    this.#words = words;
    this.index = index;
    this.#spins = spins;
    this.#command = 0;
  }

  /** Leads a step of `count` threads: starts the others. */
  lead(count: number): void {
    this.count = count;
    this.#since = performance.now();
    command(this.#words, count);
  }

  /** Follows: waits for a step that this thread takes part in. False when there will be none. */
  follow(): boolean {
    for (;;) {
      if (!this.#spun(COMMAND, this.#command)) Atomics.wait(this.#words, COMMAND, this.#command);
      if (Atomics.load(this.#words, FAILED) !== 0) return false;
      const now = Atomics.load(this.#words, COMMAND);
      if (now === this.#command) continue;
      this.#command = now;
      this.count = now & (MAX_COUNT - 1);
      this.#since = performance.now();
      if (this.index < this.count) return true;
    }
  }

  /** @throws {ThreadFault} when another thread failed, or is not here after about a second */
  barrier(): void {
    if (this.count === 1) return;
    const words = this.#words;
    const phase = Atomics.load(words, PHASE);
    if (Atomics.add(words, ARRIVED, 1) === this.count - 1) {
      Atomics.store(words, ARRIVED, 0);
      Atomics.add(words, PHASE, 1);
      Atomics.notify(words, PHASE);
    } else if (!this.#spun(PHASE, phase)) this.#sleep(phase);
    if (Atomics.load(words, FAILED) !== 0) throw new ThreadFault(faultOf(words) ?? '');
    this.#since = performance.now();
  }

  #sleep(phase: number): void {
    const words = this.#words;
    let left = SLEEPS + Math.ceil(((performance.now() - this.#since) * OWN_TIMES) / SLEEP_MS);
    // a thread that failed changes the phase too, but may have done so before this one came
    while (Atomics.load(words, FAILED) === 0 && Atomics.load(words, PHASE) === phase) {
      if (Atomics.wait(words, PHASE, phase, SLEEP_MS) !== 'timed-out' || --left > 0) continue;
      fail(words, `thread ${this.index} waited in vain for the others`);
    }
  }

  /** Looks at a word for a while; whether it changed. */
  #spun(word: number, value: number): boolean {
    const words = this.#words;
    if (Atomics.load(words, word) !== value) return true;
    if (!this.#spins) return false;
    const end = performance.now() + SPIN_MS;
    do {
      for (let i = 0; i < SPIN_LOOKS; i++) {
        if (Atomics.load(words, word) !== value) return true;
        pause();
      }
    } while (performance.now() < end);
    return false;
  }
}
