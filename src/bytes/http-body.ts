/**
 * The body of one answer, read piece by piece, and the pieces that are kept.
 * @module
 */
import { IoError } from '../errors.ts';
import { type Answer, answered, type HttpOptions } from './http-request.ts';

/**
 * Bodies of which nobody reads at present, the longest unread first. A page has six connections to a server; a body that is
 * not read to its end holds one, and a model of many files would wait for a seventh for ever.
 */
const parked = new Set<Body>();
const MAX_PARKED = 2;

/** Content encodings as `DecompressionStream` calls them. */
const FORMATS: Readonly<Record<string, CompressionFormat>> = { gzip: 'gzip', 'x-gzip': 'gzip', deflate: 'deflate' };

/** A body without its content encoding. Deno undoes one only where the request's `Accept-Encoding` names it, and ours names none. */
function decoded({ body, headers }: Response): ReadableStream<Uint8Array> | null {
  const format = FORMATS[headers.get('content-encoding')?.trim().toLowerCase() ?? ''];
  if (!body || !format || !('Deno' in globalThis)) return body;
  return body.pipeThrough(new DecompressionStream(format) as ReadableWritablePair<Uint8Array, Uint8Array>);
}

/** The bytes of an answer, in order. */
export class Body {
  readonly #answer: Answer;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #name: string;
  readonly #end: number | null;
  #at: number;
  #open = true;

  /** @param start offset of its first byte in the file @param end exclusive, null where it is not known */
  constructor(answer: Answer, name: string, start: number, end: number | null) {
    this.#answer = answer;
    this.#reader = decoded(answer.response)?.getReader();
    this.#name = name;
    this.#at = start;
    this.#end = end;
  }

  /** Whether more may come. */
  get open(): boolean {
    return this.#open;
  }

  /**
   * The next piece; null at the end.
   * @throws {IoError} `HTTP_RANGE` when there is more than was announced; `Error` when it breaks off, ends early, or nothing
   *   comes for too long; the signal's reason
   */
  async next(options: HttpOptions, signal: AbortSignal | undefined): Promise<Uint8Array | null> {
    parked.delete(this);
    if (!this.#open || this.#at === this.#end) return this.#finish();
    try {
      const { done = true, value } = await answered(this.#read(), options, signal);
      if (done || value === undefined) {
        if (this.#end === null) return this.#finish();
        throw new Error(`the connection ended ${this.#end - this.#at} bytes early, at byte ${this.#at}`);
      }
      this.#at += value.length;
      if (this.#at === this.#end) this.#finish();
      if (this.#end === null || this.#at <= this.#end) return value;
      throw new IoError(
        'HTTP_RANGE',
        `${this.#name}: the server sends more bytes than it announced, beyond byte ${this.#end}; is the body encoded?`,
      );
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Says that nobody reads on for now. */
  park(): void {
    if (!this.#open) return;
    parked.delete(this);
    parked.add(this);
    for (const oldest of parked) if (parked.size > MAX_PARKED) oldest.close();
  }

  /** Ends the request: whatever is left of the body may be gigabytes long. Harmless when called twice. */
  close(): void {
    parked.delete(this);
    this.#open = false;
    this.#answer.cancel(this.#reader);
  }

  async #read(): Promise<{ done?: boolean; value?: Uint8Array }> {
    return await this.#reader?.read() ?? {};
  }

  /** All has come: hosts use a connection again when its end was read; a server that goes on is hung up on. */
  #finish(): null {
    if (this.#open) {
      this.#open = false;
      this.#read().then(({ value }) => value && this.#answer.cancel(this.#reader), () => {});
    }
    return null;
  }
}

/** A run of bytes of a file, as they came: new ones are put at its end, the oldest are let go. */
export class Run {
  readonly #pieces: { readonly start: number; readonly bytes: Uint8Array }[] = [];
  #end: number;
  #held = 0;

  constructor(start: number) {
    this.#end = start;
  }

  get start(): number {
    return this.#pieces[0]?.start ?? this.#end;
  }

  get end(): number {
    return this.#end;
  }

  /** @param most bytes that are kept; of the last piece all are */
  push(bytes: Uint8Array, most: number): void {
    this.#pieces.push({ start: this.#end, bytes });
    this.#end += bytes.length;
    this.#held += bytes.length;
    while (this.#held > most && this.#pieces.length > 1) this.#held -= this.#pieces.shift()!.bytes.length;
  }

  /** Copies what is there from `offset` on, and returns how many bytes. */
  copy(into: Uint8Array, offset: number): number {
    if (offset < this.start) return 0;
    let done = 0;
    let low = 0;
    for (let high = this.#pieces.length; low < high;) {
      const middle = (low + high) >> 1;
      const { start, bytes } = this.#pieces[middle];
      if (start + bytes.length <= offset) low = middle + 1;
      else high = middle;
    }
    for (; low < this.#pieces.length && done < into.length; low++) {
      const { start, bytes } = this.#pieces[low];
      const from = offset + done - start;
      const part = bytes.subarray(from, from + into.length - done);
      into.set(part, done);
      done += part.length;
    }
    return done;
  }
}
