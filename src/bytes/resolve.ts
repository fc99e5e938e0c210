/**
 * From whatever a caller has in hand to a ByteSource.
 * @module
 */
import { IoError, OptionError } from '../errors.ts';
import { CALL, checkOptions, FLAG, OBJECT, type Rules, SIGNAL, whole } from '../options.ts';
import { blobSource } from './blob.ts';
import { type FileHandleLike, fileHandleSource, openFile } from './file.ts';
import type { HttpOptions } from './http-request.ts';
import { hasFiles, isPath, parseUrl } from './location.ts';
import { memorySource } from './memory.ts';
import { besideBy, type ByteSource, WEIGHT_FILES } from './source.ts';

/**
 * Where a model may come from. A string with the scheme `http:`, `https:`, `blob:`, `data:` or `file:` is a URL. Any other
 * string is a path where the host has files, and in a page a URL relative to the page, in a worker to its script.
 */
export type ModelSource =
  | string
  | URL
  | Blob
  | Iterable<File>
  | ArrayBufferLike
  | ArrayBufferView
  | FileHandleLike
  | ByteSource;

/** How sources are opened. Only URLs have options. */
export type SourceOptions = HttpOptions;

/** Which values are right. */
export const SOURCE_RULES: Rules<SourceOptions> = {
  fetch: CALL,
  headers: OBJECT,
  allowRedirect: FLAG,
  readAheadBytes: whole(1 << 10, 64 << 20),
  retries: whole(0, 10),
  timeoutMs: whole(1, 600_000),
  signal: SIGNAL,
};

/**
 * Opens a source. `close()` of the result closes what was opened here, and nothing that the caller handed in: a file
 * handle or a ByteSource stays the caller's to close.
 * @throws {OptionError} `OPTION` for a value that is none of these
 * @throws {IoError} `SOURCE` for a URL of another scheme, or a path where there are no files; `IO`, `HTTP`,
 *   `HTTP_RANGE` when it cannot be opened
 * @example
 * const source = await resolveSource('https://example.org/model.gguf', { signal });
 */
export async function resolveSource(source: ModelSource, options: SourceOptions = {}): Promise<ByteSource> {
  checkOptions('a source', options, SOURCE_RULES);
  options.signal?.throwIfAborted();
  if (typeof source === 'string') return isPath(source) ? openFile(source) : openUrl(parseUrl(source), options);
  if (source instanceof URL) return openUrl(source, options);
  if (ArrayBuffer.isView(source) || isBuffer(source)) return memorySource(source);
  if (isBlob(source)) return blobSource(source);
  if (isFiles(source)) return openFiles(source);
  if (isByteSource(source)) {
    return {
      size: source.size,
      name: source.name,
      read: (into, offset, signal) => source.read(into, offset, signal),
      ...(source.beside && { beside: (file, most, signal) => source.beside!(file, most, signal) }),
      ...(source.sibling && { sibling: (file, signal) => source.sibling!(file, signal) }),
    };
  }
  if (isFileHandle(source)) return fileHandleSource(source);
  throw new OptionError(
    'OPTION',
    `a model source is ${Object.prototype.toString.call(source)}; ` +
      'expected a path, a URL, a Blob or File, an ArrayBuffer or a view of one, a file handle, or a ByteSource',
  );
}

async function openUrl(url: URL, options: SourceOptions): Promise<ByteSource> {
  switch (url.protocol) {
    case 'http:':
    case 'https:':
      return openHttp(url, options);
    case 'file:':
      return openFile(url);
    case 'blob:':
    case 'data:':
      return openBlobUrl(url.href, options);
    default:
      // pages of extensions and of apps have schemes of their own, which their host fetches
      if (!hasFiles()) return openHttp(url, options);
      throw new IoError('SOURCE', `${url.protocol} URLs cannot be opened; use http:, https:, blob:, data: or file:`);
  }
}

/** First bytes of another file of a model: what a parser looks at first, and the header of most. */
const HEAD_BYTES = 256 << 10;

/** A file on a web server; of a URL that ends with a slash, the weights in that folder. */
async function openHttp(url: URL, options: SourceOptions): Promise<ByteSource> {
  const { httpSource } = await import('./http.ts');
  const ifThere = async (file: string, headBytes?: number, signal = options.signal): Promise<ByteSource | null> => {
    try {
      const found = await httpSource(new URL(file, url), { ...options, signal, headBytes });
      if (!/^text\/html\b/.test(found.contentType)) return found;
      await found.close(); // servers of pages answer with their own page where a file is missing
    } catch (error) {
      const { status = 0 } = error as IoError;
      if (!(status >= 400 && status < 500) || status === 408 || status === 429) throw error;
    }
    return null; // not there, or not for us
  };
  let source: ByteSource | null = url.pathname.endsWith('/') ? null : await httpSource(url, options);
  for (const file of WEIGHT_FILES) source ??= await ifThere(file);
  if (source === null) {
    throw new IoError('HTTP', `${url.origin}${url.pathname} is a folder without ${WEIGHT_FILES.join(' or ')}`);
  }
  return {
    ...source,
    sibling: (file, signal) => ifThere(file, HEAD_BYTES, signal),
    beside: besideBy((file, signal) => ifThere(file, undefined, signal)),
  };
}

/** Files of one model, as a page gets them from a folder or a selection: the weights, which find the others by name. */
function openFiles(files: Iterable<File>): ByteSource {
  const byName = new Map<string, File>();
  // a picker of folders lists what lies in inner folders too: of one name, the outermost counts
  const depth = (file: File): number => (file.webkitRelativePath ?? '').split('/').length;
  for (const file of [...files].sort((a, b) => depth(b) - depth(a))) byName.set(file.name, file);
  const sibling = (name: string): Promise<ByteSource | null> => {
    const file = byName.get(name);
    return Promise.resolve(file === undefined ? null : opened(file));
  };
  const opened = (file: File): ByteSource => ({ ...blobSource(file), sibling, beside: besideBy(sibling) });
  const names = [...byName.keys()].sort();
  const first = WEIGHT_FILES.find((name) => byName.has(name)) ?? names.find((name) => name.endsWith('.gguf'));
  const file = byName.get(first ?? '');
  if (file) return opened(file);
  throw new OptionError(
    'OPTION',
    `none of the ${byName.size} files contains weights; expected ${WEIGHT_FILES.join(', ')} or a .gguf file`,
  );
}

/** Object URLs are looked up whole: ranges of them are not served everywhere, and the blob itself can be sliced. */
async function openBlobUrl(url: string, options: SourceOptions): Promise<ByteSource> {
  try {
    const response = await (options.fetch ?? fetch)(url, {
      headers: {},
      signal: options.signal ?? new AbortController().signal,
    });
    return blobSource(await response.blob(), url.startsWith('data:') ? 'data URL' : url);
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    const name = url.length > 80 ? `${url.slice(0, 80)}…` : url;
    throw new IoError('IO', `${name} cannot be opened: ${String(cause)}; has it been revoked?`, { cause });
  }
}

// By shape, not by class: values may come from another realm (a frame, a test runner's sandbox).

function isBuffer(value: object): value is ArrayBufferLike {
  return /^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(value));
}

function isBlob(value: object): value is Blob {
  return hasNumber(value, 'size') && hasFunction(value, 'slice') && hasFunction(value, 'arrayBuffer');
}

function isFiles(value: object): value is Iterable<File> {
  if (typeof (value as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== 'function') return false;
  const all = [...value as Iterable<object>];
  return all.length > 0 &&
    all.every((item) => typeof item === 'object' && item !== null && isBlob(item) && 'name' in item);
}

function isByteSource(value: object): value is ByteSource {
  return hasNumber(value, 'size') && hasFunction(value, 'read');
}

function isFileHandle(value: object): value is FileHandleLike {
  return hasFunction(value, 'read') && hasFunction(value, 'stat');
}

function hasFunction(value: object, key: string): boolean {
  return typeof (value as Record<string, unknown>)?.[key] === 'function';
}

function hasNumber(value: object, key: string): boolean {
  return typeof (value as Record<string, unknown>)?.[key] === 'number';
}
