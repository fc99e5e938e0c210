/**
 * One request on its way: what it may use, what ends it, and how it is answered.
 * @module
 */
import type { ActivityLog } from './activity.ts';
import { ApiError, apiError, clientGone } from './errors.ts';
import { parseBody, readBody } from './json.ts';
import type { Models } from './registry.ts';
import type { Served } from './served.ts';
import { eventStream } from './sse.ts';
import type { ServerOptions } from './types.ts';

/** Options with nothing left out. */
export type Settings =
  & Required<Omit<ServerOptions, 'parallel' | 'log' | 'date'>>
  & Pick<ServerOptions, 'parallel' | 'log' | 'date'>;

export class Call {
  readonly request: Request;
  readonly activity: ActivityLog;
  readonly models: Models;
  /** Ends with the client, the deadline, or the server. */
  readonly signal: AbortSignal;
  readonly #settings: Settings;
  readonly #own = new AbortController();
  /** The path as the routes spell it. */
  readonly #route: string;
  #headers: Record<string, string> = {};
  #ended: (() => void) | undefined;

  constructor(
    request: Request,
    route: string,
    parts: { activity: ActivityLog; models: Models; settings: Settings },
  ) {
    this.request = request;
    this.activity = parts.activity;
    this.models = parts.models;
    this.#settings = parts.settings;
    this.#route = route;
    const { timeoutMs } = parts.settings;
    const late = (): void =>
      this.#own.abort(
        new ApiError(504, `not finished after ${timeoutMs} ms`, { type: 'timeout_error', code: 'deadline_exceeded' }),
      );
    const timer = setTimeout(late, timeoutMs);
    (timer as { unref?: () => void }).unref?.(); // no reason to keep a process for
    this.#own.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    const client = request.signal;
    if (client.aborted) this.#own.abort(clientGone());
    else client.addEventListener('abort', () => this.#own.abort(clientGone()), { once: true });
    this.signal = this.#own.signal;
  }

  /** The fields of the request. @throws {ApiError} 400, 413, 415 */
  async body(): Promise<Record<string, unknown>> {
    const type = this.request.headers.get('content-type') ?? '';
    // a form of a stranger's page can send any text, but not as this type, without being asked first
    if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
      throw new ApiError(415, 'the body has to be application/json', { code: 'unsupported_media_type' });
    }
    return parseBody(await readBody(this.request, this.#settings.bodyBytes));
  }

  /** The model that is named, or the first. @throws {ApiError} 404; 503 while it is loading */
  model(name: string | undefined): Served {
    return this.models.find(name);
  }

  /** Ends it now. */
  stop(reason: ApiError): void {
    this.#own.abort(reason);
  }

  /** Calls `then` once the answer is over. */
  ended(then: () => void): void {
    this.#ended = then;
  }

  /** Names fields that were ignored in a header of the answer. */
  ignore(names: readonly string[]): void {
    if (names.length > 0) this.#headers['x-ternspike-ignored'] = names.slice(0, 20).join(', ');
  }

  json(data: object, status: number = 200): Response {
    this.#over(status);
    return Response.json(data, { status, headers: this.#all() });
  }

  text(text: string, type: string): Response {
    this.#over(200);
    return new Response(text, { headers: { ...this.#all(), 'content-type': type } });
  }

  /** A refusal; its cause goes to the log where the server is at fault. */
  refuse(thrown: unknown): Response {
    const error = this.#noted(thrown);
    this.#over(error.status);
    const retry: Record<string, string> = error.retryAfter === undefined
      ? {}
      : { 'retry-after': String(error.retryAfter) };
    return Response.json(error.body(), { status: error.status, headers: { ...this.#all(), ...retry } });
  }

  /** A stream of events. @param failed the last event of one that fails */
  stream(
    events: AsyncGenerator<string, void>,
    failed: (error: ApiError) => string = (error) => `data: ${JSON.stringify(error.body())}\n\n`,
  ): Response {
    const { pingMs, idleMs } = this.#settings;
    const body = eventStream(this.#watched(events), {
      pingMs,
      idleMs,
      abandon: (slow) => {
        const slowReader = (): ApiError =>
          new ApiError(408, `the reader took nothing for ${idleMs} ms`, { code: 'reader_too_slow' });
        this.#own.abort(slow ? slowReader() : clientGone());
      },
      closed: () => this.#over(this.#status()),
      failed: (error) => failed(apiError(error)),
    });
    return new Response(body, {
      headers: {
        ...this.#all(),
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache',
        'x-accel-buffering': 'no', // proxies of nginx's kind would wait for more
      },
    });
  }

  /** Errors that nobody else sees are noted, and the end. */
  async *#watched(events: AsyncGenerator<string, void>): AsyncGenerator<string, void> {
    try {
      yield* events;
    } catch (error) {
      throw this.#noted(error);
    } finally {
      this.#over(this.#status());
    }
  }

  /** Of a stream: that it was broken off stands in the log, though not in its headers. */
  #status(): number {
    const { aborted, reason } = this.signal;
    return aborted && reason instanceof ApiError ? reason.status : 200;
  }

  #noted(thrown: unknown): ApiError {
    const error = apiError(thrown);
    this.activity.failed(error.code ?? error.type, error.status >= 500 ? error.cause : undefined);
    return error;
  }

  #all(): Record<string, string> {
    return { 'x-request-id': this.activity.id, ...this.#headers };
  }

  #over(status: number): void {
    this.activity.over(this.#route, status);
    this.#ended?.();
    this.#ended = undefined;
    this.#own.abort(clientGone()); // timers and listeners go with it
  }
}
