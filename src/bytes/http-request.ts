/**
 * One request for a file on a web server: sent, repeated while the failure may pass, given up when nothing comes.
 * @module
 */
import { IoError, OptionError } from '../errors.ts';
import { MAX_RETRY_AFTER_SECONDS } from '../limits.ts';

/** What is used of `fetch`. */
export type Fetch = (
  url: string,
  init: { headers: Record<string, string>; signal: AbortSignal },
) => Promise<Response>;

/** How a URL is read. */
export interface HttpOptions {
  /** Used instead of the global `fetch`. */
  fetch?: Fetch;
  /** Sent with every request, for example `{ authorization: 'Bearer …' }`. */
  headers?: Readonly<Record<string, string>>;
  /** Accept an answer that a redirect brought from another origin; refused by default. Model hubs need it. */
  allowRedirect?: boolean;
  /** A read of at least this many bytes, or one that continues the one before, streams from there to the end of the file;
   *  smaller reads elsewhere fetch 16 KiB, then four times as much each time they continue: 1 KiB to 64 MiB, default
   *  512 KiB. */
  readAheadBytes?: number;
  /** How often a failed request is repeated (network errors, 408, 429, 502, 503, 504): 0 to 10, default 2. A download that
   *  breaks off continues where it stopped. */
  retries?: number;
  /** Milliseconds without an answer, or without a further byte, after which a request counts as failed: 1 to 600,000,
   *  default 30,000. */
  timeoutMs?: number;
  /** Ends opening; each read takes its own. */
  signal?: AbortSignal;
}

/** Where a file is. */
export interface Place {
  /** Without the user name and password of the URL, which become a header. */
  readonly href: string;
  /** What errors call it: without user name, password and query, which may hold a signature. */
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
}

export const RETRIES = 2;
export const TIMEOUT_MS = 30_000;
const RETRY_MILLIS = 250;
/** Answers that ask to come back later. */
const PASSING_STATUS: readonly number[] = [408, 429, 502, 503, 504];

/** @throws {OptionError} `OPTION` for what is not an absolute URL */
export function locate(url: string | URL, options: HttpOptions): Place {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new OptionError('OPTION', `${String(url)} is not an absolute URL`, { cause });
  }
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (parsed.username !== '' || parsed.password !== '') {
    const login = [parsed.username, parsed.password].map(decodeURIComponent).join(':');
    headers.authorization = `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(login)))}`;
    parsed.username = parsed.password = '';
  }
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = value;
  const origin = parsed.origin === 'null' ? `${parsed.protocol}//${parsed.host}` : parsed.origin;
  return { href: parsed.href, name: origin + parsed.pathname, headers };
}

/** An answer whose body is still to come. */
export interface Answer {
  readonly response: Response;
  /** Ends the request and whatever comes of it. @param reader of the body, once there is one */
  cancel(reader?: { cancel(): Promise<void> }): void;
}

/** How often this may still fail, and how long to wait before the next try. */
export class Patience {
  #left: number;
  #millis = RETRY_MILLIS;

  constructor(options: HttpOptions) {
    this.#left = options.retries ?? RETRIES;
  }

  /** @param asked seconds that the server asks to wait @throws `error` when it has failed often enough */
  async wait(error: unknown, signal: AbortSignal | undefined, asked: number = 0): Promise<void> {
    if (this.#left-- <= 0) throw error;
    await pause(Math.max(this.#millis, asked * 1000), signal);
    this.#millis *= 2;
  }
}

/**
 * Sends a GET, again and again while it fails in passing.
 * @param range the header `range`, or null for the whole file
 * @throws {IoError} `HTTP` with the cause or the status; `HTTP_RANGE` for a redirect to another origin; the signal's reason
 */
export async function send(
  place: Place,
  range: string | null,
  options: HttpOptions,
  signal: AbortSignal | undefined,
  patience: Patience = new Patience(options),
): Promise<Answer> {
  for (;;) {
    signal?.throwIfAborted();
    let failure: IoError;
    let asked = 0;
    try {
      const answer = await sendOnce(place, range, options, signal);
      const { response } = answer;
      try {
        checkRedirect(place, response, options.allowRedirect === true);
      } catch (error) {
        answer.cancel();
        throw error;
      }
      if (!PASSING_STATUS.includes(response.status)) return answer;
      answer.cancel();
      asked = retryAfter(response);
      const wait = asked > 0 ? `; the server asks to wait ${Math.ceil(asked)} s` : '';
      failure = statusError(place, response, range, wait);
      if (asked > MAX_RETRY_AFTER_SECONDS) throw failure;
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      if (cause instanceof IoError) throw cause;
      failure = networkError(place, `the request${range === null ? '' : ` for ${range}`} failed`, cause);
    }
    await patience.wait(failure, signal, asked);
  }
}

async function sendOnce(
  place: Place,
  range: string | null,
  options: HttpOptions,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const controller = new AbortController();
  const request = options.fetch ?? fetch;
  const headers = range === null ? place.headers : { ...place.headers, range };
  try {
    const response = await answered(request(place.href, { headers, signal: controller.signal }), options, signal);
    return {
      response,
      cancel(reader = response.body ?? undefined) {
        reader?.cancel().catch(() => {}); // not every host hears an abort after the answer has come
        controller.abort();
      },
    };
  } catch (error) {
    controller.abort();
    throw error;
  }
}

/** Settles with `work`, rejects when the time of one answer is over, and when the signal aborts. */
export function answered<T>(work: Promise<T>, options: HttpOptions, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const millis = options.timeoutMs ?? TIMEOUT_MS;
    const timer = setTimeout(() => reject(new Error(`nothing arrived for ${millis / 1000} s (timeoutMs)`)), millis);
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    });
    if (signal?.aborted) abort();
  });
}

export function statusError(place: Place, response: Response, range: string | null, more = ''): IoError {
  const { status, statusText } = response;
  const what = `status ${status}${statusText && ` ${statusText}`}${range === null ? '' : ` for ${range}`}`;
  return new IoError('HTTP', `${place.name}: ${what}${more}`, { status });
}

/** @param what failed */
export function networkError({ name, href }: Place, what: string, cause: unknown): IoError {
  return new IoError('HTTP', `${name}: ${what}: ${reason(cause).replaceAll(href, name)}`, { cause });
}

/** What an error says, and what the errors say that caused it: hosts hide the reason of a failed fetch there. */
function reason(error: unknown): string {
  const said = String(error);
  const { cause } = (error ?? {}) as { cause?: unknown };
  if (!(cause instanceof Error)) return said;
  const why = cause.message || (cause as { code?: string }).code || String(cause);
  return said.includes(why) ? said : `${said} (${why})`;
}

function checkRedirect({ name, href }: Place, { url }: Response, allowed: boolean): void {
  if (url === '') return; // answers that did not come from the network
  const [from, to] = [new URL(href), new URL(url)];
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw new IoError(
      'HTTP_RANGE',
      `${name} redirects from https to http, to ${to.origin}, where anybody may change it`,
    );
  }
  if (allowed || from.origin === to.origin) return;
  throw new IoError(
    'HTTP_RANGE',
    `${name} redirects to another origin, ${to.origin}; pass allowRedirect: true if that is meant`,
  );
}

/** Seconds that an answer asks to wait, 0 where it does not say. */
function retryAfter({ headers }: Response): number {
  const text = headers.get('retry-after')?.trim() ?? '';
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return seconds > 0 ? seconds : 0;
}

export function pause(millis: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end);
      resolve();
    }, millis);
    if (signal?.aborted) end();
    else signal?.addEventListener('abort', end, { once: true });
  });
}
