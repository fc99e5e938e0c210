/**
 * Files on a web server, read by range requests, so that a model is never downloaded twice or held whole.
 *
 * A range is only believed when the answer proves it: status 206, exactly the bytes that were asked for in
 * `Content-Range`, no content encoding, the length and the validator (`ETag`, else `Last-Modified`) of the first
 * answer. Bytes of two versions of a file are never put together. A server that sends neither validator is held to
 * the length.
 * @module
 */
import { IoError, OptionError } from '../errors.ts';
import type { ByteSource } from './source.ts';

/** How a URL is read. */
export interface HttpOptions {
  /** Used instead of the global `fetch`. */
  fetch?: typeof fetch;
  /** Sent with every request, for example `{ authorization: 'Bearer …' }`. */
  headers?: Readonly<Record<string, string>>;
  /** Accept an answer that a redirect brought from another origin; refused unless true. Model hubs need it. */
  allowRedirect?: boolean;
  /** Smaller reads that follow one another fetch up to this much and are served from it: 1 KiB to 64 MiB, 512 KiB unless
   *  told. A small read anywhere else fetches 16 KiB. */
  readAheadBytes?: number;
  /** How often a failed request is repeated (network errors, 429, 502, 503, 504): 0 to 10, 2 unless told. */
  retries?: number;
  /** Ends opening; each read takes its own. */
  signal?: AbortSignal;
}

/** Where the file is. The name in errors leaves out the query, which may hold a signature. */
interface Place {
  readonly href: string;
  readonly name: string;
}

/** Which version of the file is being read, by the first answer. */
interface Version {
  readonly size: number;
  readonly validator: string | null;
}

const READ_AHEAD_BYTES = 512 << 10;
/** Fetched for a small read that goes on from no other: the headers in a checkpoint lie megabytes apart. */
const GLANCE_BYTES = 16 << 10;
const RETRIES = 2;
const RETRY_MILLIS = 250;
/** Answers that ask to come back later. */
const PASSING_STATUS: readonly number[] = [429, 502, 503, 504];

/**
 * Opens a file on a web server with one ranged GET, whose bytes serve the first reads.
 * @throws {IoError} `HTTP` for a failed request; `HTTP_RANGE` when the server does not serve plain byte ranges, or a
 *   redirect leads to another origin. Reads of the source throw these too, and `CHANGED` when the file has changed.
 * @example
 * const source = await httpSource('https://example.org/stories.gguf', { signal });
 */
export async function httpSource(url: string | URL, options: HttpOptions = {}): Promise<ByteSource> {
  const ahead = inRange('readAheadBytes', options.readAheadBytes ?? READ_AHEAD_BYTES, 1 << 10, 64 << 20);
  inRange('retries', options.retries ?? RETRIES, 0, 10);
  const place = locate(url);

  let block = new Uint8Array(ahead);
  let blockStart = 0;
  let span = ahead;
  const first = await fetchRange(place, block, 0, null, options, options.signal);
  const version = first.version;
  block = block.subarray(0, first.bytes);

  return {
    size: version.size,
    name: place.name,
    async read(into, offset, signal) {
      const wanted = Math.min(into.length, version.size - offset);
      if (wanted <= 0) return 0;
      if (offset < blockStart || offset >= blockStart + block.length) {
        if (wanted >= ahead) {
          return (await fetchRange(place, into.subarray(0, wanted), offset, version, options, signal)).bytes;
        }
        // who reads on is read ahead of, each time further
        span = offset === blockStart + block.length ? Math.min(2 * span, ahead) : Math.min(GLANCE_BYTES, ahead);
        const next = new Uint8Array(Math.min(Math.max(wanted, span), version.size - offset));
        const { bytes } = await fetchRange(place, next, offset, version, options, signal);
        block = next.subarray(0, bytes);
        blockStart = offset;
      }
      // A second read may have moved the block meanwhile; then this one comes up short and is asked again.
      const part = block.subarray(offset - blockStart, offset - blockStart + wanted);
      into.set(part);
      return part.length;
    },
  };
}

function locate(url: string | URL): Place {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new OptionError('OPTION', `${String(url)} is not an absolute URL`, { cause });
  }
  return { href: parsed.href, name: parsed.origin + parsed.pathname };
}

/** Fills `into` from `offset` on; fewer bytes only at the end of the file or when the connection ends early. */
async function fetchRange(
  place: Place,
  into: Uint8Array,
  offset: number,
  known: Version | null,
  options: HttpOptions,
  signal: AbortSignal | undefined,
): Promise<{ version: Version; bytes: number }> {
  const { href, name } = place;
  const request = options.fetch ?? fetch;
  const last = offset + into.length - 1;
  const headers = { 'accept-encoding': 'identity', ...options.headers, range: `bytes=${offset}-${last}` };
  for (let left = options.retries ?? RETRIES, millis = RETRY_MILLIS;; left--, millis *= 2) {
    signal?.throwIfAborted();
    try {
      const response = await request(href, { headers, signal });
      try {
        if (left === 0 || !PASSING_STATUS.includes(response.status)) {
          const version = checkAnswer(place, response, offset, last, known, options.allowRedirect === true);
          const part = into.subarray(0, Math.min(into.length, version.size - offset));
          return { version, bytes: await readBody(name, response, part, offset) };
        }
      } finally {
        // Whatever of the body is left is not wanted: that of a 200 may be gigabytes long.
        await response.body?.cancel().catch(() => {});
      }
    } catch (cause) {
      if (signal?.aborted || cause instanceof IoError) throw cause;
      if (left === 0) {
        const what = `the request for bytes ${offset}..${last} failed`;
        throw new IoError('HTTP', `${name}: ${what}: ${String(cause)}`, { cause });
      }
    }
    await pause(millis, signal);
  }
}

function checkAnswer(
  { href, name }: Place,
  response: Response,
  first: number,
  last: number,
  known: Version | null,
  allowRedirect: boolean,
): Version {
  const asked = `bytes ${first}..${last}`;
  // `url` is empty for answers that did not come from the network.
  if (!allowRedirect && response.url !== '' && new URL(response.url).origin !== new URL(href).origin) {
    throw new IoError(
      'HTTP_RANGE',
      `${name} redirects to another origin, ${new URL(response.url).origin}; pass allowRedirect: true if that is meant`,
    );
  }
  const range = response.headers.get('content-range');
  if (response.status === 416) {
    const total = /^bytes \*\/(\d{1,15})$/.exec(range ?? '')?.[1];
    if (known !== null && total !== undefined && Number(total) !== known.size) {
      throw changed(name, `${total} bytes`, known);
    }
    const why = total === '0' ? 'the file is empty' : 'the server refuses this range';
    throw new IoError('HTTP_RANGE', `${name}: status 416 for ${asked}: ${why}`);
  }
  if (response.status === 200) {
    const validator = validatorOf(response);
    if (known !== null && known.validator !== validator) throw changed(name, `validator ${validator}`, known);
    throw new IoError(
      'HTTP_RANGE',
      `${name}: status 200 instead of 206 for ${asked}: the server ignores ranges; use one that serves them, ` +
        'or download the file and pass it as a Blob or Uint8Array',
    );
  }
  if (response.status !== 206) {
    throw new IoError('HTTP', `${name}: status ${response.status} ${response.statusText} for ${asked}`);
  }
  const encoding = response.headers.get('content-encoding');
  if (encoding !== null && encoding.toLowerCase() !== 'identity') {
    throw new IoError('HTTP_RANGE', `${name}: content encoding ${encoding}; ranges must be served unencoded`);
  }
  const parts = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(range ?? '');
  if (parts === null) {
    throw new IoError(
      'HTTP_RANGE',
      `${name}: status 206 for ${asked} with Content-Range ${range ?? 'missing'}, expected bytes A-B/TOTAL; ` +
        'across origins the server must list it in Access-Control-Expose-Headers',
    );
  }
  const [from, to, size] = parts.slice(1).map(Number);
  if (known !== null && size !== known.size) throw changed(name, `${size} bytes`, known);
  if (from !== first || to !== Math.min(last, size - 1)) {
    throw new IoError('HTTP_RANGE', `${name}: asked for ${asked}, Content-Range is ${range}`);
  }
  const validator = validatorOf(response);
  if (known !== null && known.validator !== validator) throw changed(name, `validator ${validator}`, known);
  return known ?? { size, validator };
}

function changed(name: string, now: string, known: Version): IoError {
  return new IoError(
    'CHANGED',
    `${name} changed while it was read: now ${now}, at first ${known.size} bytes and validator ${known.validator}; ` +
      'open it again',
  );
}

function validatorOf(response: Response): string | null {
  return response.headers.get('etag') ?? response.headers.get('last-modified');
}

/** Copies the body into `into` as it arrives and refuses one that is longer. */
async function readBody(name: string, response: Response, into: Uint8Array, offset: number): Promise<number> {
  const reader = response.body?.getReader();
  let done = 0;
  try {
    for (;;) {
      const chunk = await reader?.read();
      if (chunk === undefined || chunk.done) break;
      if (done + chunk.value.length > into.length) {
        throw new IoError(
          'HTTP_RANGE',
          `${name}: more than the ${into.length} bytes that Content-Range announced at ${offset}; is the body encoded?`,
        );
      }
      into.set(chunk.value, done);
      done += chunk.value.length;
    }
  } finally {
    reader?.releaseLock();
  }
  if (done === 0) {
    throw new IoError('HTTP_RANGE', `${name}: an empty body where ${into.length} bytes at ${offset} were announced`);
  }
  return done;
}

function pause(millis: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end);
      resolve();
    }, millis);
    signal?.addEventListener('abort', end, { once: true });
  });
}

function inRange(option: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new OptionError('OPTION', `${option} is ${value}, expected an integer from ${low} to ${high}`);
}
