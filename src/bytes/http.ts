/**
 * Files on a web server, streamed: one request brings everything that is read in the order of the file, as a plain download
 * would, and nothing is held but the last megabytes. A read elsewhere is another request, for a range.
 *
 * A server without ranges serves as well: what is skipped then is downloaded too, and going back begins anew.
 * @module
 */
import { IoError, OptionError } from '../errors.ts';
import { HTTP_WINDOW_BYTES, MAX_HELD_DOWNLOAD_BYTES, MAX_RESTARTS, MAX_UNSIZED_BYTES } from '../limits.ts';
import { judge, type Version } from './http-answer.ts';
import { Body, Run } from './http-body.ts';
import { type HttpOptions, locate, networkError, Patience, type Place, send } from './http-request.ts';
import type { ByteSource } from './source.ts';

export type { HttpOptions } from './http-request.ts';

const READ_AHEAD_BYTES = 512 << 10;
/** Fetched for a small read that goes on from no other: the headers in a checkpoint are megabytes apart. */
const GLANCE_BYTES = 16 << 10;
/** What a read that goes on fetches, next to the one before. */
const GROWTH = 4;
/** So many bytes are read past rather than asked for again: about what comes in the time that a request takes. */
const PASS_BYTES = 4 << 20;
/** A download that has come so far since it last broke off may break off as often again. */
const PROGRESS_BYTES = 1 << 20;

/** A file on a web server. */
export interface HttpSource extends ByteSource {
  /** The header `content-type`; empty where there is none. */
  readonly contentType: string;
  close(): Promise<void>;
}

/** Another file of a model, which is opened for its header: its weights are read later, when those of others are done. */
export interface PartOptions extends HttpOptions {
  /** First bytes to ask for; by default all, as they are read. */
  readonly headBytes?: number;
}

/**
 * Opens a file on a web server with one GET, whose bytes serve the reads that follow.
 * @throws {IoError} `HTTP` for a failed request, with its `status` or `cause`; `HTTP_RANGE` when the server's answer does not
 *   hold what was asked for, when a redirect leads to another origin, and for a file without a length beyond the limit.
 *   Reads of the source throw these too, and `CHANGED` when the file has changed.
 * @example
 * const source = await httpSource('https://example.org/stories.gguf', { signal });
 */
export async function httpSource(url: string | URL, options: PartOptions = {}): Promise<HttpSource> {
  const ahead = inRange('readAheadBytes', options.readAheadBytes ?? READ_AHEAD_BYTES, 1 << 10, 64 << 20);
  inRange('retries', options.retries ?? 0, 0, 10);
  inRange('timeoutMs', options.timeoutMs ?? 1, 1, 600_000);
  const file = new HttpFile(locate(url, options), options, ahead);
  const size = await file.open(options.headBytes ?? null, options.signal);
  return {
    size,
    name: file.name,
    contentType: file.contentType,
    read: (into, offset, signal) => file.read(into, offset, signal),
    close: () => Promise.resolve(file.close()),
  };
}

class HttpFile {
  readonly #place: Place;
  readonly #options: HttpOptions;
  readonly #ahead: number;
  #version: Version | null = null;
  #run: Run = new Run(0);
  /** Goes on from the end of the run; null where that was not asked for. */
  #body: Body | null = null;
  /** What the last bounded request asked for. */
  #span = 0;
  #restarts = 0;
  #closed = false;
  /** Settles after the last of the reads that take turns. */
  #turn: Promise<unknown> = Promise.resolve();
  contentType = '';

  constructor(place: Place, options: HttpOptions, ahead: number) {
    this.#place = place;
    this.#options = options;
    this.#ahead = ahead;
  }

  get name(): string {
    return this.#place.name;
  }

  /** @returns the size */
  async open(headBytes: number | null, signal?: AbortSignal): Promise<number> {
    const patience = new Patience(this.#options);
    await this.#connect(0, headBytes, signal, patience);
    // without a length the end of the file is known when it has come
    while (this.#version!.size === null) await this.#collect(signal, patience);
    this.#body?.park();
    return this.#version!.size;
  }

  /** Reads take turns: they go on from one another. */
  async read(into: Uint8Array, offset: number, signal?: AbortSignal): Promise<number> {
    const before = this.#turn;
    let over = (): void => {};
    this.#turn = new Promise<void>((resolve) => void (over = resolve));
    try {
      await before;
      signal?.throwIfAborted();
      if (this.#closed) throw new IoError('IO', `${this.name} was closed; open it again`);
      const wanted = Math.min(into.length, this.#version!.size! - offset);
      return wanted > 0 ? await this.#fill(into.subarray(0, wanted), offset, signal) : 0;
    } finally {
      this.#body?.park();
      over();
    }
  }

  close(): void {
    this.#closed = true;
    this.#leave();
  }

  #leave(): void {
    this.#body?.close();
    this.#body = null;
  }

  async #fill(into: Uint8Array, offset: number, signal?: AbortSignal): Promise<number> {
    let patience = new Patience(this.#options);
    let progress = 0;
    let done = this.#run.copy(into, offset);
    while (done < into.length) {
      const at = offset + done;
      const end = this.#run.end;
      try {
        await this.#reach(at, into.length - done, signal, patience);
        const piece = await this.#body?.next(this.#options, signal);
        if (!piece) {
          this.#body = null;
          continue;
        }
        this.#run.push(piece, this.#kept());
        progress += piece.length;
      } catch (cause) {
        if (signal?.aborted) throw signal.reason;
        if (cause instanceof IoError || this.#closed) throw cause;
        if (progress >= PROGRESS_BYTES) patience = new Patience(this.#options);
        progress = 0;
        await patience.wait(networkError(this.#place, `reading byte ${Math.max(at, end)} on failed`, cause), signal);
        continue;
      }
      done += this.#run.copy(into.subarray(done), at);
    }
    return done;
  }

  /** Sees to it that the body goes on to the byte at `at`, of which `wanted` are wanted. */
  async #reach(at: number, wanted: number, signal: AbortSignal | undefined, patience: Patience): Promise<void> {
    const { ranges } = this.#version!;
    const { end } = this.#run;
    const past = at - end;
    if (this.#body?.open && past >= 0 && (!ranges || past <= PASS_BYTES)) return;
    this.#leave();
    if (!ranges) return await this.#restart(signal, patience);
    // who reads on is read ahead of, each time further
    this.#span = past === 0 ? Math.max(this.#span, GLANCE_BYTES) * GROWTH : GLANCE_BYTES;
    const most = this.#version!.size! - at;
    const span = Math.max(wanted, Math.min(this.#span, this.#ahead));
    await this.#connect(at, span >= Math.min(this.#ahead, most) ? null : span, signal, patience);
  }

  /** The whole file anew, from its first byte: the server has no ranges. */
  async #restart(signal: AbortSignal | undefined, patience: Patience): Promise<void> {
    if (this.#restarts++ < MAX_RESTARTS) return await this.#connect(0, null, signal, patience);
    throw new IoError(
      'HTTP_RANGE',
      `${this.name}: the server ignores ranges, and the file was downloaded ${MAX_RESTARTS + 1} times to read it in ` +
        'another order; use a server that serves ranges, or download the file and pass it as a Blob or Uint8Array',
    );
  }

  /** Asks for `span` bytes from `at` on, null for all. */
  async #connect(at: number, span: number | null, signal: AbortSignal | undefined, patience: Patience): Promise<void> {
    const known = this.#version;
    const last = span === null ? null : at + span - 1;
    for (let range: string | null = known?.ranges === false ? null : `bytes=${at}-${last ?? ''}`;; range = null) {
      const answer = await send(this.#place, range, this.#options, signal, patience);
      let held: ReturnType<typeof judge>;
      try {
        held = judge(this.#place, answer.response, range, [at, last], known);
      } catch (error) {
        answer.cancel();
        throw error;
      }
      if (held === null) {
        answer.cancel();
        continue;
      }
      if (at !== this.#run.end || held.start !== at) this.#run = new Run(held.start);
      this.#version = held.version;
      this.#span = span ?? this.#ahead;
      this.#body = new Body(answer, this.name, held.start, held.end ?? held.version.size);
      this.contentType = answer.response.headers.get('content-type') ?? '';
      return;
    }
  }

  /** Bytes of the run that are kept: small files of a server without ranges whole, as going back is dear. */
  #kept(): number {
    const { size, ranges } = this.#version!;
    return !ranges && size! <= MAX_HELD_DOWNLOAD_BYTES ? size! : HTTP_WINDOW_BYTES;
  }

  /** Downloads a file whose length the server does not say, which is kept whole. */
  async #collect(signal: AbortSignal | undefined, patience: Patience): Promise<void> {
    try {
      for (;;) {
        const piece = await this.#body!.next(this.#options, signal);
        if (piece === null) break;
        this.#run.push(piece, Infinity);
        if (this.#run.end <= MAX_UNSIZED_BYTES) continue;
        this.#leave();
        throw new IoError(
          'HTTP_RANGE',
          `${this.name}: the server does not state the length of the file, and sent more than ${MAX_UNSIZED_BYTES} bytes; ` +
            'use a server that sends Content-Length, or download the file and pass it as a Blob or Uint8Array',
        );
      }
      this.#version = { ...this.#version!, size: this.#run.end };
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      if (cause instanceof IoError) throw cause;
      await patience.wait(networkError(this.#place, `byte ${this.#run.end} did not come`, cause), signal);
      this.#version = null;
      this.#run = new Run(0);
      await this.#connect(0, null, signal, patience);
    }
  }
}

function inRange(option: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new OptionError('OPTION', `${option} is ${value}, expected an integer from ${low} to ${high}`);
}
