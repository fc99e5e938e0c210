/**
 * The files of the page as a server sends them: a path in, bytes and headers out. What can be asked for is listed once, when the
 * folder is opened, so that no path leads out of it.
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IoError } from '../errors.ts';

/** A file, ready to be sent. */
export interface PageFile {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** The file at a path of a URL, such as `/` or `/app.js`; null for a path that the page does not have. */
export type PageFiles = (path: string) => Promise<PageFile | null>;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

/** What the page may do. It runs no inline script or style and no plug-in; models may come from addresses that a user names. */
export const PAGE_POLICY: string = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self' blob: https: http://127.0.0.1:* http://localhost:*",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** Of every answer. Isolation gives the page several threads. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': `${PAGE_POLICY}; frame-ancestors 'none'`,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** Files whose names change with their content. */
const HASHED = /-[A-Z0-9]{8}\.\w+$/;

/** `dist/web` of this package, found from where this module is; null where it was taken away. */
export function pageFolder(): string | null {
  const file = fileURLToPath(import.meta.url);
  for (let at = dirname(file); at !== dirname(at); at = dirname(at)) {
    const folder = join(at, 'dist', 'web');
    if (existsSync(join(folder, 'index.html'))) return folder;
  }
  return null;
}

/**
 * Lists the files of the page.
 * @param folder default: `dist/web` of this package
 * @throws {IoError} `IO` where there is no page
 * @example
 * const files = await openPage();
 * const file = await files(new URL(request.url).pathname);
 * return file ? new Response(file.body, { headers: file.headers }) : new Response(null, { status: 404 });
 */
export async function openPage(folder: string | null = pageFolder()): Promise<PageFiles> {
  if (folder === null || !existsSync(join(folder, 'index.html'))) {
    throw new IoError(
      'IO',
      'the files of the page are not there; build them with npm run build, or install the package again',
    );
  }
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = new Map<string, string>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    paths.set(path.slice(folder.length).split(sep).join('/'), path);
  }
  paths.set('/', paths.get('/index.html') as string);
  return async (path) => {
    const found = paths.get(path);
    if (found === undefined) return null;
    const body = new Uint8Array(await readFile(found));
    return {
      body,
      headers: {
        ...HEADERS,
        'content-type': TYPES[extname(found)] ?? 'application/octet-stream',
        'cache-control': HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
        etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
      },
    };
  };
}
