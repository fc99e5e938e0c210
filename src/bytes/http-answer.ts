/**
 * Which bytes an answer of a web server holds. An answer is only believed when it proves it: a range by its
 * `Content-Range`, and a later answer by the length and the validator (`ETag`, else `Last-Modified`) of the first.
 * @module
 */
import { IoError } from '../errors.ts';
import { type Place, statusError } from './http-request.ts';

/** Which version of a file is being read, by the first answer. */
export interface Version {
  /** Bytes in all; null where the server does not say. */
  readonly size: number | null;
  readonly validator: string | null;
  /** Whether the server serves ranges. */
  readonly ranges: boolean;
}

/** What an answer holds: the bytes of `version` from `start` on, up to `end`. */
export interface Held {
  readonly version: Version;
  readonly start: number;
  /** Exclusive; null where it is not known. */
  readonly end: number | null;
}

/** Encodings that a host undoes by itself. */
const DECODED: readonly string[] = ['gzip', 'x-gzip', 'deflate', 'br', 'zstd'];

/**
 * Judges an answer.
 * @param first offset that was asked for @param last the last one, null for all that follow
 * @param range the header that was sent; null where the whole file was asked for
 * @returns null for an answer to the first request which is of no use as a range, so that the whole file is to be asked for
 * @throws {IoError} `HTTP` for a status of failure, `HTTP_RANGE` for an answer to another question, `CHANGED`
 */
export function judge(
  place: Place,
  response: Response,
  range: string | null,
  [first, last]: readonly [number, number | null],
  known: Version | null,
): Held | null {
  const { status, headers } = response;
  const { name } = place;
  const validator = headers.get('etag') ?? headers.get('last-modified');
  const encoding = headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity';
  const given = headers.get('content-range');
  const refuse = (why: string): never => {
    throw new IoError('HTTP_RANGE', `${name}: status ${status} for ${range ?? 'the whole file'}: ${why}`, { status });
  };
  const sameVersion = (size: number | null): void => {
    if (known === null) return;
    if (size !== known.size) throw changed(name, `${size} bytes`, known);
    if (validator !== known.validator) throw changed(name, `validator ${validator}`, known);
  };

  if (status === 200) {
    const encoded = encoding !== 'identity';
    if (encoded && !DECODED.includes(encoding)) refuse(`content encoding ${encoding}, which hosts do not undo`);
    const length = headers.get('content-length');
    // the length of an encoded body is not that of the file
    const size = encoded || length === null || !/^\d{1,15}$/.test(length) ? null : Number(length);
    if (known !== null && validator !== known.validator) sameVersion(known.size);
    if (known !== null && size !== null) sameVersion(size);
    return { version: { ...known, size: known?.size ?? size, validator, ranges: false }, start: 0, end: size };
  }
  if (status === 416) {
    const total = /^bytes \*\/(\d{1,15})$/.exec(given ?? '')?.[1];
    if (known !== null && total !== undefined && Number(total) !== known.size) {
      throw changed(name, `${total} bytes`, known);
    }
    if (total === '0') return refuse('the file is empty');
    return known === null && range !== null ? null : refuse('the server refuses this range');
  }
  if (status !== 206) throw statusError(place, response, range);

  const useless = known === null && range !== null;
  if (encoding !== 'identity') {
    return useless ? null : refuse(`content encoding ${encoding}; ranges must be served unencoded`);
  }
  const parts = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(given ?? '');
  if (parts === null) {
    if (useless && (given === null || /^bytes \d+-\d+\/\*$/.test(given))) return null;
    return refuse(
      `Content-Range is ${given ?? 'missing'}, expected bytes A-B/TOTAL; ` +
        'across origins the server must list it in Access-Control-Expose-Headers',
    );
  }
  const [from, to, size] = parts.slice(1).map(Number);
  sameVersion(size);
  // a server may answer with less than was asked for, and the rest is asked for again
  if (from !== first || to < from || to > Math.min(last ?? size - 1, size - 1)) refuse(`Content-Range is ${given}`);
  return { version: known ?? { size, validator, ranges: true }, start: from, end: to + 1 };
}

function changed(name: string, now: string, known: Version): IoError {
  return new IoError(
    'CHANGED',
    `${name} changed while it was read: now ${now}, at first ${known.size} bytes and validator ${known.validator}; ` +
      'open it again',
  );
}
