/**
 * A model that is served: its places, what its sessions have read before, and the way of one answer through both.
 * @module
 */
import type { GenerateChunk, GenerateUsage, Model } from '../model/model.ts';
import type { Session } from '../session/session.ts';
import type { AnswerFigures } from './metrics.ts';
import { PrefixCache } from './prefix-cache.ts';
import { Slots } from './slots.ts';
import type { ModelLoad } from './types.ts';

/** So many times the trained context, as the command line has it, and no less than this. */
const FAR = 16;
const LEAST_CONTEXT = 4096;

/** What is to be said. */
export interface Task {
  /** The whole prompt. */
  readonly ids: readonly number[];
  /** Positions at which other prompts may go on from this one. */
  readonly boundaries: readonly number[];
  /** Whether the whole prompt has to be read, as its own tokens are looked at. */
  readonly whole?: boolean;
  /** Generates in a session that has read the first `read` ids. */
  start(session: Session, read: number, signal: AbortSignal): AsyncGenerator<GenerateChunk, void>;
}

/** A place that was given to a request: runs tasks in it, one after the other, until it is given back. */
export class Place {
  readonly #served: Served;
  readonly #signal: AbortSignal;
  readonly #start: number;
  readonly #queueMs: number;
  readonly #release: () => void;
  readonly #unused: () => void;

  /** @internal */
  constructor(served: Served, signal: AbortSignal, start: number, release: () => void) {
    this.#served = served;
    this.#signal = signal;
    this.#start = start;
    this.#queueMs = performance.now() - start;
    this.#release = release;
    // an answer that nobody comes for
    this.#unused = release;
    signal.addEventListener('abort', this.#unused, { once: true });
  }

  /** Generates, and gives the place back at the end, however it comes. @param seen is told what it took */
  async *run(task: Task, seen: (figures: AnswerFigures) => void): AsyncGenerator<GenerateChunk, void> {
    const { model, cache } = this.#served;
    const { ids } = task;
    let session: Session | undefined;
    let cachedTokens = 0;
    let firstTokenMs: number | null = null;
    let usage: GenerateUsage | undefined;
    const said: number[] = [];
    let readMs = 0;
    this.#signal.removeEventListener('abort', this.#unused);
    try {
      this.#signal.throwIfAborted();
      session = model.session();
      const begun = performance.now();
      if (!task.whole) cachedTokens = this.#restore(session, ids);
      const read = cache.enabled ? await this.#toBoundaries(session, task) : cachedTokens;
      readMs = performance.now() - begun;
      for await (const chunk of task.start(session, read, this.#signal)) {
        if (chunk.id !== null && !chunk.prompt) {
          firstTokenMs ??= performance.now() - this.#start;
          said.push(chunk.id);
        }
        if (chunk.usage) {
          usage = chunk.usage;
          this.#keep(session, ids, said);
        }
        yield chunk;
      }
    } finally {
      session?.dispose();
      this.#release();
      seen({
        promptTokens: ids.length,
        cachedTokens,
        completionTokens: said.length,
        queueMs: this.#queueMs,
        firstTokenMs,
        prefillMs: readMs + (usage?.prefillMs ?? 0),
        decodeMs: usage?.decodeMs ?? 0,
        spikes: usage?.spikes,
      });
    }
  }

  /** Other work than generating. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    this.#signal.removeEventListener('abort', this.#unused);
    try {
      this.#signal.throwIfAborted();
      return await work();
    } finally {
      this.#release();
    }
  }

  /** Goes on from what was read before. @returns how many ids that is */
  #restore(session: Session, ids: readonly number[]): number {
    const found = this.#served.cache.find(ids);
    if (!found) return 0;
    session.restore(found.snapshot);
    if (session.position !== found.shared) session.rewind(found.shared);
    return found.shared;
  }

  /** Reads up to every boundary that is ahead, and keeps what was read there. @returns how many ids were read */
  async #toBoundaries(session: Session, { ids, boundaries, whole }: Task): Promise<number> {
    const { cache } = this.#served;
    if (whole) return 0;
    for (const boundary of boundaries) {
      const { position } = session;
      if (boundary <= position || boundary >= ids.length || cache.has(ids.slice(0, boundary))) continue;
      await session.prefill(ids.slice(position, boundary), { signal: this.#signal });
      cache.add(ids.slice(0, boundary), () => session.snapshot());
    }
    return session.position;
  }

  /** Keeps what a finished session has read: the last id was drawn and not read. */
  #keep(session: Session, ids: readonly number[], said: readonly number[]): void {
    const all = [...ids, ...said].slice(0, session.position);
    if (all.length === session.position) this.#served.cache.add(all, () => session.snapshot());
  }
}

export class Served {
  readonly name: string;
  readonly model: Model;
  readonly slots: Slots;
  readonly cache: PrefixCache;
  /** Whether sessions of the model can go back, so that no boundary has to be kept. */
  readonly rewinds: boolean;
  /** Whether it generates; others classify or make vectors. */
  readonly generates: boolean;
  /** Tells weights from others: with equal bits everywhere, equal fingerprints and seeds mean equal answers. */
  readonly fingerprint: string;
  /** Seconds since 1970. */
  readonly created: number;
  /** What templates take for today; undefined for the day itself. */
  readonly date: Date | undefined;

  constructor(
    name: string,
    model: Model,
    { parallel, queue, cacheBytes, date }: { parallel?: number; queue: number; cacheBytes: number; date?: Date },
  ) {
    this.date = date;
    this.name = name;
    this.model = model;
    this.created = Math.floor(Date.now() / 1000);
    this.generates = model.generates;
    this.fingerprint = `fp_${model.digest}`;
    this.slots = new Slots(Math.min(parallel ?? Infinity, model.plan.sessions), queue);
    this.rewinds = this.generates && canRewind(model);
    this.cache = new PrefixCache(this.generates ? cacheBytes : 0, this.rewinds);
  }

  /** Waits for a place. @throws {ApiError} 429; the signal's reason */
  async place(signal: AbortSignal, bounded: boolean = true): Promise<Place> {
    const start = performance.now();
    const release = await this.slots.acquire(signal, bounded);
    return new Place(this, signal, start, release);
  }

  /** Positions of prompt and answer together. A model that forgets has no end of its own; longer prompts than it was ever trained on,
   *  by far, mean nothing to it. */
  get contextLength(): number {
    return Math.min(this.model.contextLength, Math.max(FAR * this.model.describe().trainedContext, LEAST_CONTEXT));
  }

  load(): ModelLoad & { readonly stateBytes: number } {
    const { slots, cache, model } = this;
    return {
      running: slots.running,
      waiting: slots.waiting,
      slots: slots.total,
      cachedSessions: cache.size,
      cachedBytes: cache.bytes,
      stateBytes: slots.running * model.plan.stateBytes,
    };
  }
}

function canRewind(model: Model): boolean {
  const session = model.session();
  try {
    return session.canRewind;
  } finally {
    session.dispose();
  }
}
