/**
 * Sessions of one model side by side: passes that are wanted at the same time become one pass over all their tokens, so that the
 * weights are read once for all of them. Prompts fill the places that single tokens leave, so nobody waits for a whole prompt.
 * @module
 */
import { turn } from '../bytes/pace.ts';
import type { DecoderState, Reading } from './decoder.ts';

/** Ids of a reading that a session waits for. */
export interface Pass<S extends DecoderState = DecoderState> {
  readonly state: S;
  readonly reading: Reading;
  /** The next id, and how many are left. */
  first: number;
  left: number;
  /** Why it cannot be read. */
  fault?: { readonly error: unknown };
}

interface Waiting<S extends DecoderState> extends Pass<S> {
  readonly settled: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** Batches that had no place for it. */
  passedOver: number;
}

/** A part of a pass that is run now. */
export interface Share<S extends DecoderState = DecoderState> {
  readonly pass: Pass<S>;
  readonly n: number;
}

/** A pass that was left out so often goes before single tokens. */
const PATIENCE = 3;

export class PassQueue<S extends DecoderState> {
  readonly #run: (shares: readonly Share<S>[]) => void | Promise<void>;
  readonly #rows: number;
  readonly #slots: number;
  #waiting: Waiting<S>[] = [];
  /** Readers that will come again and again. */
  #readers = 0;
  #running = false;
  #scheduled = false;

  /**
   * @param run runs shares of different sessions as one batch and takes what it read off `left`; a fault of one is noted in its
   *   pass, one of all is thrown
   * @param rows ids of a batch @param slots sessions in a batch
   */
  constructor(run: (shares: readonly Share<S>[]) => void | Promise<void>, rows: number, slots: number) {
    this.#run = run;
    this.#rows = rows;
    this.#slots = slots;
  }

  /** Says that a reader will ask for one pass after the other until it calls the result: passes wait for it a moment. */
  join(): () => void {
    let joined = true;
    this.#readers++;
    return () => {
      if (joined) this.#readers--;
      joined = false;
    };
  }

  /** Runs a pass, at once if every reader waits, else together with those that come before the host's next turn. */
  add(pass: Pass<S>): void | Promise<void> {
    let resolve = (): void => {};
    let reject = (_: unknown): void => {};
    const settled = new Promise<void>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    const waiting = Object.assign(pass, { settled, resolve, reject, passedOver: 0 });
    this.#waiting.push(waiting);
    if (this.#running || this.#waiting.length < this.#readers) {
      this.#schedule();
      return settled;
    }
    this.#next();
    if (!pass.fault && pass.left > 0) return settled;
    settled.catch(() => {}); // the caller learns of it here
    if (pass.fault) throw pass.fault.error;
  }

  /** Takes a session's pass out, whose caller finds out by itself. */
  drop(state: S): void {
    const [gone] = this.#take((pass) => pass.state === state);
    gone?.resolve();
  }

  #take(which: (pass: Waiting<S>) => boolean): Waiting<S>[] {
    const taken = this.#waiting.filter(which);
    if (taken.length > 0) this.#waiting = this.#waiting.filter((pass) => !which(pass));
    return taken;
  }

  /** Runs what waits when the host has let its events in. */
  #schedule(): void {
    if (this.#scheduled || this.#running) return;
    this.#scheduled = true;
    void turn().then(() => {
      this.#scheduled = false;
      if (!this.#running && this.#waiting.length > 0) this.#next();
    });
  }

  /** Runs one batch; whatever comes of it is in the passes. */
  #next(): void {
    const shares = this.#compose();
    this.#running = true;
    const over = (fault?: { readonly error: unknown }): void => {
      this.#running = false;
      if (fault) { for (const { pass } of shares) pass.fault ??= fault; }
      for (const pass of this.#take(({ fault, left }) => fault !== undefined || left === 0)) {
        if (pass.fault) pass.reject(pass.fault.error);
        else pass.resolve();
      }
      if (this.#waiting.length > 0) this.#schedule();
    };
    try {
      const pending = this.#run(shares);
      if (pending) void pending.then(() => over(), (error: unknown) => over({ error }));
      else over();
    } catch (error) {
      over({ error });
    }
  }

  /** Single tokens first, then prompts as far as there are rows; who waited too often goes before both. */
  #compose(): Share<S>[] {
    const urgency = ({ left, passedOver }: Waiting<S>): number => passedOver > PATIENCE ? 0 : left === 1 ? 1 : 2;
    const shares: Share<S>[] = [];
    let rows = this.#rows;
    for (const pass of [...this.#waiting].sort((a, b) => urgency(a) - urgency(b))) {
      if (rows === 0 || shares.length === this.#slots) {
        pass.passedOver++;
        continue;
      }
      const n = Math.min(pass.left, rows);
      pass.passedOver = 0;
      shares.push({ pass, n });
      rows -= n;
    }
    return shares;
  }
}
