/**
 * Keeps the page for when there is no network, and adds the headers of cross-origin isolation where a host does not send them:
 * several threads need them. It touches nothing but the files of the page.
 * @module
 */

/** What is used of a service worker's scope; the library of the DOM does not have it. */
interface Scope {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: Extendable) => void): void;
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void;
}
interface Extendable {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Extendable {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

const worker = self as unknown as Scope;
const PREFIX = 'ternspike-page-';
const NAME = PREFIX + PAGE_DIGEST;
const scope = new URL(worker.registration.scope);
const urls = new Set(PAGE_FILES.map((path) => new URL(path, scope).href));

worker.addEventListener('install', (event) => {
  const fill = async (): Promise<void> => {
    const cache = await caches.open(NAME);
    // past the cache of the browser, so that all files are of one build
    await cache.addAll([...urls].map((url) => new Request(url, { cache: 'no-cache' })));
    await worker.skipWaiting();
  };
  event.waitUntil(fill());
});

worker.addEventListener('activate', (event) => {
  const take = async (): Promise<void> => {
    const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== NAME);
    await Promise.all(old.map((name) => caches.delete(name)));
    await worker.clients.claim();
  };
  event.waitUntil(take());
});

/** The answer with the headers that isolate a page. */
function isolated(response: Response): Response {
  if (response.headers.has('cross-origin-embedder-policy') || response.status !== 200) return response;
  const headers = new Headers(response.headers);
  headers.set('cross-origin-opener-policy', 'same-origin');
  headers.set('cross-origin-embedder-policy', 'require-corp');
  headers.set('cross-origin-resource-policy', 'same-origin');
  return new Response(response.body, { status: 200, headers });
}

async function answer(request: Request, url: string): Promise<Response> {
  const kept = await (await caches.open(NAME)).match(url);
  return isolated(kept ?? await fetch(request));
}

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  url.search = '';
  url.hash = '';
  if (url.href === scope.href) url.pathname += 'index.html';
  // a part of a file is left to the server
  if (request.method !== 'GET' || !urls.has(url.href) || request.headers.has('range')) return;
  event.respondWith(answer(request, url.href));
});
