/**
 * Places in which a model answers, and the queue for them: first come, first served, and no longer than it may be.
 * @module
 */
import { ApiError } from './errors.ts';

interface Waiter {
  readonly take: () => void;
}

/** Seconds after which a client that found the queue full may try again. */
const RETRY_SECONDS = 1;

export class Slots {
  readonly total: number;
  /** Most requests that may wait. */
  readonly most: number;
  #running = 0;
  readonly #waiting = new Set<Waiter>();

  constructor(total: number, most: number) {
    this.total = total;
    this.most = most;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Waits for a place. Who gives up leaves the queue at once.
   * @param bounded whether to refuse where the queue is full; parts of a request that is under way wait all the same
   * @returns gives the place back; harmless when called twice
   * @throws {ApiError} 429 where the queue is full; the signal's reason
   */
  async acquire(signal: AbortSignal, bounded: boolean = true): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#running < this.total) this.#running++;
    else {
      if (bounded && this.#waiting.size >= this.most) {
        throw new ApiError(429, `${this.total} requests are answered and ${this.most} wait; try again later`, {
          type: 'rate_limit_error',
          code: 'queue_full',
          retryAfter: RETRY_SECONDS,
        });
      }
      await new Promise<void>((resolve, reject) => {
        const gone = (): void => {
          this.#waiting.delete(waiter);
          reject(signal.reason as Error);
        };
        const waiter = {
          take: (): void => {
            signal.removeEventListener('abort', gone);
            resolve();
          },
        };
        signal.addEventListener('abort', gone, { once: true });
        this.#waiting.add(waiter);
      });
    }
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const [next] = this.#waiting;
      if (!next) this.#running--;
      else {
        this.#waiting.delete(next);
        next.take();
      }
    };
  }
}
