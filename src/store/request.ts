/**
 * Requests to a hub: redirects are followed here, so that the token goes to the hub and to nobody else, and so that what the hub itself
 * says of a file is seen before its storage answers.
 * @module
 */
import { Body } from '../bytes/http-body.ts';
import { type Answer, answered, networkError, Patience, type Place, statusError } from '../bytes/http-request.ts';
import { IoError } from '../errors.ts';
import {
  MAX_HUB_JSON_BYTES,
  MAX_REDIRECTS,
  MAX_RETRY_AFTER_SECONDS,
  MIN_DOWNLOAD_BYTES_PER_SECOND,
} from '../limits.ts';
import { endpointOf, environmentToken, type StoreOptions, tokenPath, withoutToken } from './settings.ts';

/** What is used of `fetch`. */
export type HubFetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; redirect: 'manual' | 'follow'; signal: AbortSignal },
) => Promise<Response>;

/** How requests are repeated. */
export interface RequestOptions {
  readonly retries: number;
  readonly timeoutMs: number;
}

/** An answer, where it came from, and what the hub itself said before it sent us there. */
export interface Sent {
  readonly answer: Answer;
  readonly place: Place;
  readonly first: Response;
}

/** Answers that ask to come back later. */
const PASSING: readonly number[] = [408, 429, 500, 502, 503, 504];
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const RETRIES = 5;
const TIMEOUT_MS = 30_000;
/** Characters of a hub's own words that errors repeat. */
const SAID_CHARS = 300;

/** A hub, and what is needed to talk to it. */
export class HubClient {
  readonly endpoint: string;
  readonly options: RequestOptions;
  readonly #fetch: HubFetch;
  readonly #given: string | undefined;
  #token: Promise<string> | undefined;

  constructor(options: StoreOptions) {
    this.endpoint = endpointOf(options);
    this.options = { retries: options.retries ?? RETRIES, timeoutMs: options.timeoutMs ?? TIMEOUT_MS };
    this.#fetch = options.fetch ?? ((url, init) => fetch(url, init));
    this.#given = options.token;
  }

  /**
   * Sends a request, again and again while it fails in passing.
   * @throws {IoError} `HTTP`, `HUB`, `HUB_ACCESS`, `HUB_MISSING`; the signal's reason
   */
  async send(
    method: 'GET' | 'HEAD',
    url: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
    patience: Patience = new Patience(this.options),
  ): Promise<Sent> {
    for (;;) {
      signal?.throwIfAborted();
      let failure: IoError;
      let asked = 0;
      const place = placeOf(url);
      try {
        const sent = await this.#follow(method, url, headers, signal);
        const { response } = sent.answer;
        if (response.ok || response.status === 416) return sent;
        sent.answer.cancel();
        asked = retryAfter(response);
        const wait = asked > 0 ? `; the server asks to wait ${Math.ceil(asked)} s` : '';
        failure = await this.#refusal(sent, headers.range ?? null, wait);
        if (!PASSING.includes(response.status) || asked > MAX_RETRY_AFTER_SECONDS) throw failure;
      } catch (cause) {
        if (signal?.aborted) throw signal.reason;
        if (cause instanceof IoError) throw cause;
        failure = networkError(place, 'the request failed', cause);
      }
      await patience.wait(failure, signal, asked);
    }
  }

  /** A small JSON answer of the hub. @throws {IoError} as `send`; `HUB` for anything else than JSON of moderate length */
  async json(url: string, signal: AbortSignal | undefined): Promise<{ value: unknown; headers: Headers }> {
    const patience = new Patience(this.options);
    for (;;) {
      const { answer, place } = await this.send('GET', url, { accept: 'application/json' }, signal, patience);
      const parts: Uint8Array[] = [];
      let size = 0;
      try {
        for await (const piece of pieces(new Body(answer, place.name, 0, null), this.options, signal)) {
          parts.push(piece.slice());
          size += piece.length;
          if (size <= MAX_HUB_JSON_BYTES) continue;
          answer.cancel();
          throw hubError(place.name, `sends more than ${MAX_HUB_JSON_BYTES} bytes where a list of files is expected`);
        }
      } catch (cause) {
        if (signal?.aborted) throw signal.reason;
        if (cause instanceof IoError) throw cause;
        await patience.wait(networkError(place, 'the answer broke off', cause), signal);
        continue;
      }
      try {
        return { value: JSON.parse(await new Blob(parts as BlobPart[]).text()), headers: answer.response.headers };
      } catch (cause) {
        const type = answer.response.headers.get('content-type') ?? 'no type';
        throw hubError(place.name, `answers with ${type} instead of JSON; is it the address of a hub?`, cause);
      }
    }
  }

  async #follow(
    method: string,
    start: string,
    own: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<Sent> {
    let url = start;
    let first: Response | undefined;
    let trusted = true;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      trusted &&= new URL(url).origin === new URL(this.endpoint).origin;
      const token = trusted ? await this.token() : '';
      const headers = {
        'accept-encoding': 'identity',
        ...own,
        ...(token && { authorization: `Bearer ${token}` }),
      };
      const answer = await this.#once(method, url, headers, signal);
      const { response } = answer;
      first ??= response;
      if (!REDIRECTS.includes(response.status)) {
        // a browser follows by itself, and says where it went
        return { answer, first, place: placeOf(response.url || url) };
      }
      answer.cancel();
      const to = response.headers.get('location');
      const next = to !== null && URL.canParse(to, url) ? new URL(to, url) : null;
      const { name } = placeOf(url);
      if (!next || !/^https?:$/.test(next.protocol)) throw hubError(name, 'redirects to no address that can be used');
      if (new URL(url).protocol === 'https:' && next.protocol === 'http:') {
        throw hubError(name, `redirects from https to http, to ${next.origin}, where anybody may change the file`);
      }
      url = next.href;
    }
    throw hubError(placeOf(start).name, `redirects more than ${MAX_REDIRECTS} times`);
  }

  async #once(
    method: string,
    url: string,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const controller = new AbortController();
    const ask = (redirect: 'manual' | 'follow'): Promise<Response> =>
      answered(this.#fetch(url, { method, headers, redirect, signal: controller.signal }), this.options, signal);
    try {
      let response = await ask('manual');
      // browsers hide redirects from scripts; they take the token away themselves when another host comes
      if (response.type === 'opaqueredirect') response = await ask('follow');
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

  /** The token; '' where there is none. */
  token(): Promise<string> {
    return this.#token ??= this.#findToken();
  }

  async #findToken(): Promise<string> {
    if (this.#given !== undefined) return this.#given;
    if (withoutToken()) return '';
    const known = environmentToken();
    if (known !== undefined) return known.trim();
    const { hostFiles } = await import('./host.ts');
    try {
      return String(await hostFiles()?.readFile(tokenPath(), 'utf8') ?? '').trim();
    } catch {
      return ''; // nobody has logged in
    }
  }

  /** An answer of failure, in words that help. */
  async #refusal({ answer: { response }, place }: Sent, range: string | null, more: string): Promise<IoError> {
    const { status } = response;
    const said = (response.headers.get('x-error-message') ?? '').replace(/\s+/g, ' ').slice(0, SAID_CHARS);
    const words = said && `: ${said}`;
    if (new URL(place.href).origin === new URL(this.endpoint).origin) {
      const known = await this.token() !== '';
      if (status === 401 || status === 403) {
        const what = /gated/i.test(response.headers.get('x-error-code') ?? said)
          ? `the repository is gated${words}; accept its terms on its page on the hub`
          : `the hub gives no access${words}; the repository does not exist, or it is private or gated`;
        const how = known ? 'the token that was sent is not enough' : 'set HF_TOKEN, or log in with hf auth login';
        return new IoError('HUB_ACCESS', `${place.name}: status ${status}: ${what}; ${how}`, { status });
      }
      if (status === 404) {
        return new IoError('HUB_MISSING', `${place.name}: status 404: there is no such model or file${words}`, {
          status,
        });
      }
    }
    return statusError(place, response, range, `${words}${more}`);
  }
}

/** What answers is no hub, or a hub that does not keep to its rules. */
export function hubError(name: string, why: string, cause?: unknown): IoError {
  return new IoError('HUB', `${name} ${why}`, cause === undefined ? {} : { cause });
}

function placeOf(url: string): Place {
  const { href, origin, pathname } = new URL(url);
  return { href, name: origin + pathname, headers: {} };
}

/** Seconds that an answer asks to wait, 0 where it does not say. */
function retryAfter({ headers }: Response): number {
  const text = headers.get('retry-after')?.trim() ?? '';
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return seconds > 0 ? seconds : 0;
}

/**
 * The pieces of a body.
 * @throws `Error` when it breaks off or drips: a server that sends a byte now and then would keep a download going for ever
 */
export async function* pieces(
  body: Body,
  options: RequestOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const least = MIN_DOWNLOAD_BYTES_PER_SECOND * options.timeoutMs / 1000;
  let [since, came] = [performance.now(), 0];
  try {
    for (;;) {
      const piece = await body.next(options, signal);
      if (piece === null) return;
      came += piece.length;
      const millis = performance.now() - since;
      if (millis >= options.timeoutMs) {
        if (came < least) throw new Error(`only ${came} bytes came in ${Math.round(millis / 1000)} s`);
        [since, came] = [performance.now(), 0];
      }
      yield piece;
    }
  } finally {
    body.close();
  }
}
