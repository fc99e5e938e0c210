/**
 * The model of a provider: the caller's, or one that is opened with the first call.
 * @module
 */
import type { ModelSource } from '../bytes/resolve.ts';
import { SessionError } from '../errors.ts';
import { Model } from '../model/model.ts';
import type { OpenOptions } from '../model/open.ts';

/** Calls that run at the same time unless told; a model that is opened here is opened for as many. */
export const PARALLEL_CALLS: number = 4;

/** Lends a model to calls, so many at a time; the others wait in their order. */
export class HeldModel {
  readonly #from: Model | ModelSource;
  readonly #options: OpenOptions;
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #opened: Promise<Model> | null = null;
  #disposed = false;

  constructor(from: Model | ModelSource, options: OpenOptions) {
    const parallel = options.parallel ?? PARALLEL_CALLS;
    this.#from = from;
    this.#options = { ...options, parallel };
    this.#free = parallel;
  }

  /** Takes a place. @returns the model, and what gives the place back @throws what `open` throws; the signal's reason */
  async borrow(signal?: AbortSignal): Promise<{ readonly model: Model; readonly done: () => void }> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#place(signal);
    let given = false;
    const done = (): void => {
      if (given) return;
      given = true;
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    };
    try {
      return { model: await this.#model(), done };
    } catch (error) {
      done();
      throw error;
    }
  }

  #place(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(ready), 1);
        reject(signal?.reason);
      };
      const ready = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(ready);
    });
  }

  #model(): Promise<Model> {
    if (this.#disposed) throw new SessionError('DISPOSED', 'this provider was disposed of; create another');
    const from = this.#from;
    if (from instanceof Model) return Promise.resolve(from);
    if (this.#opened) return this.#opened;
    const opened = import('../model/open-builtin.ts').then(({ open }) => open(from, this.#options));
    // what failed may succeed the next time, as where a network was away
    opened.catch(() => {
      if (this.#opened === opened) this.#opened = null;
    });
    return this.#opened = opened;
  }

  /** Disposes of a model that was opened here; the caller's stays. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    const opened = this.#opened;
    this.#opened = null;
    (await opened?.catch(() => undefined))?.dispose();
  }
}
