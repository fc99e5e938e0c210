/**
 * The page's side of the messages: calls that are answered once or piece by piece, aborted by signals, and refused when the
 * worker dies.
 * @module
 */
import { OptionError, SessionError } from '../errors.ts';
import type { OpenProgress } from '../model/open.ts';
import type { StartThread, Thread } from '../threads/port.ts';
import { namesOf, showSpikes } from './hooks.ts';
import { type Ask, type Hooks, receivedError, type Say } from './messages.ts';

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
/** What is asked, before it has a number. */
export type Question = WithoutId<Ask>;

/** A call that waits for its answer. */
interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  piece?(piece: unknown): void;
  progress?(progress: OpenProgress): void;
  readonly hooks?: Hooks;
}

/** A worker, and the calls that wait for it. */
export class Calls {
  readonly #thread: Thread;
  readonly #notice: (message: string) => void;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #gone: SessionError | null = null;

  constructor(start: StartThread, notice: (message: string) => void) {
    this.#notice = notice;
    this.#thread = start(
      (message) => this.#hear(message as Say),
      (why) => this.end(new SessionError('WORKER_DIED', `the worker of this model was lost: ${why}; open it again`)),
    );
    this.#thread.hold(false);
  }

  /** @throws what the worker throws; the signal's reason; {SessionError} `WORKER_DIED`, `DISPOSED` */
  async ask<T>(question: Question, signal?: AbortSignal, more: Pick<Waiting, 'progress' | 'hooks'> = {}): Promise<T> {
    const { id, answer } = this.#send(question, more);
    return await this.#until<T>(id, answer, signal);
  }

  /** The pieces of an answer. @throws as `ask` */
  async *stream<T>(question: Question, signal?: AbortSignal, hooks?: Hooks): AsyncGenerator<T, void> {
    signal?.throwIfAborted();
    const pieces: T[] = [];
    let wake = (): void => {};
    let over = false;
    const { id, answer } = this.#send(question, {
      hooks,
      piece(piece) {
        pieces.push(piece as T);
        wake();
      },
    });
    const end = this.#until(id, answer, signal).finally(() => {
      over = true;
      wake();
    });
    end.catch(() => {}); // it is awaited below, or nobody reads on
    try {
      while (!over || pieces.length > 0) {
        const piece = pieces.shift();
        if (piece === undefined) {
          await new Promise<void>((resolve) => void (wake = resolve));
          continue;
        }
        this.#thread.post({ id, call: 'taken' } satisfies Ask);
        yield piece;
        signal?.throwIfAborted();
      }
      await end;
    } finally {
      if (!over) {
        this.#thread.post({ id, call: 'abort' } satisfies Ask);
        await end.catch(() => {}); // the model is free for the next call then
      }
    }
  }

  /** Ends the worker; whatever waits for it is refused. Harmless when called twice. */
  end(why: SessionError): void {
    if (this.#gone) return;
    this.#gone = why;
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
    void this.#thread.stop();
  }

  #send(question: Question, more: Partial<Waiting>): { id: number; answer: Promise<unknown> } {
    const id = ++this.#last;
    const answer = new Promise<unknown>((resolve, reject) => {
      if (this.#gone) return reject(this.#gone);
      try {
        this.#thread.post({ ...question, ...(more.hooks && { hooks: namesOf(more.hooks) }), id });
      } catch (cause) {
        return reject(
          new OptionError(
            'OPTION',
            `a source or option cannot be sent to a worker: ${String(cause)}; ` +
              'pass a path, a URL, a Blob, a File or bytes, and no functions but those whose names begin with on',
            { cause },
          ),
        );
      }
      this.#waiting.set(id, { resolve, reject, ...more });
      this.#thread.hold(true);
    });
    return { id, answer };
  }

  async #until<T>(id: number, answer: Promise<unknown>, signal?: AbortSignal): Promise<T> {
    const abort = (): void => {
      if (this.#waiting.has(id)) this.#thread.post({ id, call: 'abort' } satisfies Ask);
    };
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    try {
      return await answer as T;
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  #hear(said: Say): void {
    if ('notice' in said) return this.#notice(said.notice);
    const waiting = this.#waiting.get(said.id);
    if ('piece' in said) return waiting?.piece?.(said.piece);
    if ('progress' in said) return waiting?.progress?.(said.progress);
    if ('hook' in said || 'spikes' in said) return this.#call(said, waiting);
    this.#waiting.delete(said.id);
    if (this.#waiting.size === 0) this.#thread.hold(false);
    if ('error' in said) waiting?.reject(receivedError(said.error));
    else waiting?.resolve(said.value);
  }

  /** Calls a function of the options; what it throws ends the call, as it does without a worker. */
  #call(said: Extract<Say, { hook: unknown } | { spikes: unknown }>, waiting: Waiting | undefined): void {
    const hooks = waiting?.hooks;
    if (!hooks) return;
    try {
      if ('spikes' in said) {
        if (hooks.onSpikes) showSpikes(said.spikes, hooks.onSpikes);
      } else (hooks[said.hook] as ((given: unknown) => void) | undefined)?.(said.given);
    } catch (error) {
      waiting.reject(error);
      this.#thread.post({ id: said.id, call: 'abort' } satisfies Ask);
    }
  }
}
