// A static server for browsers: loopback only, a fixed table of folders, a free port.
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { here, root, shared } from './find.mjs';

const FOLDERS = {
  page: join(here, 'page'),
  bench: join(root, 'bench', 'page'),
  dist: join(root, 'dist'),
  models: join(root, 'models'),
  portable: join(root, 'build', 'portable'),
  shared,
};
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};
/** Without these two a page has no SharedArrayBuffer, and the engine runs on one thread. */
const ISOLATED = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/** The file that a request names, or null: `/FOLDER/PATH` without steps upwards. */
function fileOf(url, folders) {
  const [, folder, ...path] = decodeURIComponent(new URL(url, 'http://localhost').pathname).split('/');
  const base = Object.hasOwn(folders, folder) ? folders[folder] : null;
  const outside = base === null || path.some((step) => step === '' || step.startsWith('.'));
  return outside ? null : join(base, ...path);
}

async function answer(request, response, isolated, folders) {
  const path = fileOf(request.url, folders);
  const handle = path === null ? null : await open(path).catch(() => null);
  try {
    const { size } = handle === null ? { size: 0 } : await handle.stat();
    const headers = {
      'content-type': TYPES[extname(path ?? '')] ?? 'application/octet-stream',
      'cache-control': 'no-store',
      'accept-ranges': 'bytes',
      etag: `"${size}"`,
      ...(isolated ? ISOLATED : {}),
    };
    const empty = (status, more) => response.writeHead(status, { ...headers, ...more, 'content-length': 0 }).end();
    if (handle === null) return empty(404);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = range ? Number(range[1]) : 0;
    const to = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
    if (from > to && size > 0) return empty(416, { 'content-range': `bytes */${size}` });
    if (range) headers['content-range'] = `bytes ${from}-${to}/${size}`;
    response.writeHead(range ? 206 : 200, { ...headers, 'content-length': to - from + 1 });
    if (request.method === 'HEAD') return response.end();
    const bytes = new Uint8Array(to - from + 1);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, from);
    response.end(bytes.subarray(0, bytesRead));
  } finally {
    await handle?.close();
  }
}

/** Starts a server; `isolated` pages may share memory between threads. @param more folders by name, beside the usual */
export async function serve(isolated, more = {}) {
  const folders = { ...FOLDERS, ...more };
  const server = createServer((request, response) => {
    answer(request, response, isolated, folders).catch((error) => response.destroy(error));
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}
