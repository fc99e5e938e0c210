/**
 * A hub on the loopback, with the endpoints that models are fetched by, and with every kind of lie.
 * @module
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a hub misbehaves. Numbers count down: so many answers are wrong, the next are right. */
export interface Lies {
  /** Redirects files to this origin, as hubs do to their storage. */
  storage?: string;
  /** Answers so many requests for files with this status. */
  failures?: number;
  status?: number;
  retryAfter?: string;
  /** Cuts the connection of so many answers after so many bytes. */
  cuts?: number;
  cutAfter?: number;
  /** Another version of the content from the next answer on. */
  changed?: Uint8Array;
  /** Bytes a second of all connections together. */
  bytesPerSecond?: number;
  /** Sends one byte in so many milliseconds. */
  dripMs?: number;
  ranges?: boolean;
  /** Announces and sends so many bytes less than the list says. */
  shorter?: number;
  /** Damages the first byte of every answer. */
  damaged?: boolean;
  html?: boolean;
  /** Asked for with this token only. */
  token?: string;
  gated?: boolean;
  endlessRedirect?: boolean;
  endlessList?: boolean;
  /** Further paths in the list of files. */
  extraPaths?: readonly string[];
  /** Leaves the API out: a mirror of files alone. */
  withoutTree?: boolean;
  withoutEtag?: boolean;
  etag?: string;
}

export interface TestHub {
  readonly origin: string;
  /** `METHOD PATH RANGE` of every request. */
  readonly requests: string[];
  /** Headers `authorization` that came, by path. */
  readonly tokens: (string | undefined)[];
  readonly lies: Lies;
  /** Bytes of files that were sent. */
  bytes: number;
  close(): Promise<void>;
}

/** Commit of everything that a test hub serves. */
export const COMMIT: string = 'a'.repeat(40);

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const gitSha1 = (bytes: Uint8Array): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

/** The name of a content: hubs keep large and binary files apart. */
export const etagOf = (path: string, bytes: Uint8Array): string =>
  /\.(gguf|safetensors|bin)$/.test(path) ? sha256(bytes) : gitSha1(bytes);

const once = (from: ServerResponse, name: string): Promise<void> =>
  new Promise((resolve) => void from.once(name, resolve));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const PIECE = 16 << 10;

/** Starts a hub. @param repos files by repository and path */
export async function testHub(
  repos: Readonly<Record<string, Readonly<Record<string, Uint8Array>>>>,
  lies: Lies = {},
): Promise<TestHub> {
  let free = 0;
  const hub: TestHub = { origin: '', requests: [], tokens: [], lies, bytes: 0, close: () => Promise.resolve() };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(String(request.url), 'http://localhost');
    const path = decodeURIComponent(url.pathname);
    hub.requests.push([request.method, path, request.headers.range].filter(Boolean).join(' '));
    hub.tokens.push(request.headers.authorization);
    const end = (status: number, headers: Record<string, string> = {}, body = ''): void =>
      void response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body);
    const json = (value: unknown, headers: Record<string, string> = {}): void =>
      end(200, { 'content-type': 'application/json', ...headers }, JSON.stringify(value));
    if (lies.token !== undefined && request.headers.authorization !== `Bearer ${lies.token}`) {
      return end(
        lies.gated ? 403 : 401,
        lies.gated ? { 'x-error-code': 'GatedRepo', 'x-error-message': 'Ask for access.' } : {},
      );
    }
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/([^?]+)$/.exec(path);
    if (api) {
      const files = repos[api[1]];
      if (!files || (api[3] !== 'main' && api[3] !== COMMIT && api[3] !== 'v1.0')) {
        return end(404, { 'x-error-code': 'RepoNotFound' });
      }
      if (lies.html) return end(200, { 'content-type': 'text/html' }, '<html>portal</html>');
      if (api[2] === 'revision') {
        return json({ id: api[1], sha: COMMIT, siblings: Object.keys(files).map((rfilename) => ({ rfilename })) });
      }
      if (lies.withoutTree) return end(404);
      const list = Object.entries(files).map(([path, bytes]) => ({
        type: 'file',
        oid: gitSha1(bytes),
        size: bytes.length,
        path,
        ...(/\.(gguf|safetensors|bin)$/.test(path) &&
          { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } }),
      }));
      for (const path of lies.extraPaths ?? []) list.push({ type: 'file', oid: 'b'.repeat(40), size: 1, path });
      // two files a page, as a hub has a thousand
      const page = Number(url.searchParams.get('cursor') ?? 0);
      const more = lies.endlessList || (page + 1) * 2 < list.length;
      return json(lies.endlessList ? list : list.slice(page * 2, page * 2 + 2), {
        ...(more && { link: `<${hub.origin}${url.pathname}?recursive=true&cursor=${page + 1}>; rel="next"` }),
      });
    }
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const stored = /^\/storage\/([^/]+\/[^/]+)\/(.+)$/.exec(path);
    const [repo, name] = file ? [file[1], file[3]] : stored ? [stored[1], stored[2]] : ['', ''];
    const original = repos[repo]?.[name];
    if (!original) return end(404, { 'x-error-code': 'EntryNotFound' });
    const data = lies.changed ?? original;
    const etag = lies.etag ?? etagOf(name, data);
    const linked: Record<string, string> = lies.withoutEtag
      ? {}
      : { 'x-linked-etag': `"${etag}"`, 'x-linked-size': String(data.length) };
    if (lies.endlessRedirect) return end(302, { location: `${hub.origin}${url.pathname}?${Math.random()}` });
    if (file && lies.storage !== undefined) {
      return end(302, { location: `${lies.storage}/storage/${repo}/${name}`, 'x-repo-commit': COMMIT, ...linked });
    }
    if (request.method === 'GET' && (lies.failures ?? 0) > 0) {
      lies.failures!--;
      return end(lies.status ?? 503, lies.retryAfter === undefined ? {} : { 'retry-after': lies.retryAfter });
    }
    if (request.method === 'GET' && lies.html) return end(200, { 'content-type': 'text/html' }, '<html>login</html>');
    const range = lies.ranges === false ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const total = data.length - (request.method === 'GET' ? lies.shorter ?? 0 : 0);
    const first = Number(range?.[1] ?? 0);
    const last = Math.min(Number(range?.[2] || Infinity), total - 1);
    response.writeHead(range ? 206 : 200, {
      'content-length': String(last + 1 - first),
      ...(range && { 'content-range': `bytes ${first}-${last}/${total}` }),
      ...(!lies.withoutEtag && { etag: `"${etag}"` }),
      ...(file && { 'x-repo-commit': COMMIT }),
    });
    if (request.method === 'HEAD') return void response.end();
    const cut = (lies.cuts ?? 0) > 0 ? lies.cutAfter ?? 0 : Infinity;
    if (cut < Infinity) lies.cuts!--;
    const piece = lies.dripMs === undefined ? PIECE : 1;
    const closed = once(response, 'close');
    for (let at = first; at <= last && !response.destroyed; at += piece) {
      if (at - first >= cut) return void response.destroy();
      const bytes = data.slice(at, Math.min(at + piece, last + 1));
      if (lies.damaged && at === first) bytes[0] ^= 1;
      if (lies.dripMs !== undefined) await sleep(lies.dripMs);
      if (lies.bytesPerSecond !== undefined) {
        free = Math.max(free, performance.now()) + bytes.length / lies.bytesPerSecond * 1000;
        if (free - performance.now() > 2) await sleep(free - performance.now());
      }
      hub.bytes += bytes.length;
      if (!response.write(bytes)) {
        await Promise.race([once(response, 'drain'), closed]);
      }
    }
    response.end();
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(hub, {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

/** Bytes that are nowhere alike. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
