// The store of a browser: a model is pulled into OPFS, an aborted pull resumes, two at a time share a download, a worker finds the model, and
// it is removed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './find.mjs';

const SECONDS = 90;
const BYTES = 40_000_000;

const PAGE = `<script type="module">
import { list, pull, remove, resolve, storageQuota } from '/dist/store.js';
const options = { endpoint: location.origin };
const work = async () => {
  const { quota } = await storageQuota(false);
  const controller = new AbortController();
  const onProgress = ({ loaded }) => loaded > 35e6 && controller.abort(new Error('enough'));
  const aborted = await pull('hf:org/large', { ...options, signal: controller.signal, onProgress }).catch(({ message }) => message);
  const { unfinished } = await list(options);
  const pulled = await Promise.all([pull('hf:org/large', options), pull('hf:org/large', options)]);
  const { source } = pulled[0];
  const bytes = new Uint8Array(source.size);
  for (let at = 0; at < bytes.length;) at += await source.read(bytes.subarray(at), at);
  const hash = [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const beside = await (await resolve('hf:org/folder', options)).beside('config.json', 100);
  const script = "import('" + location.origin + "/dist/store.js').then(({ pull }) => pull('hf:org/large', { endpoint: '" + location.origin +
    "' })).then(({ downloaded }) => postMessage(downloaded), (error) => postMessage(String(error)))";
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })));
  const inWorker = await new Promise((resolve) => void (worker.onmessage = ({ data }) => resolve(data)));
  worker.terminate();
  const names = (await list(options)).models.map(({ name }) => name).sort();
  const { bytes: freed } = await remove('hf:org/large', options);
  await remove('hf:org/folder', options);
  const left = (await list(options)).models.length;
  return { quota, aborted, unfinished, downloaded: pulled.map(({ downloaded }) => downloaded), hash, beside: beside?.length, inWorker, names, freed, left };
};
globalThis.__result = JSON.stringify(await work().catch((error) => ({ error: String(error.stack ?? error) })));
</script>`;

/** Runs the check in a browser that `launch` of puppeteer.mjs has opened; the counts of it. */
export async function store(opened) {
  const { noise, sha256, testHub } = await import(pathToFileURL(join(root, 'build/test/store/hub.js')).href);
  const large = noise(BYTES, 7);
  const small = { 'config.json': new TextEncoder().encode('{}'), 'model.safetensors': noise(50) };
  const hub = await testHub({ 'org/large': { 'big.gguf': large }, 'org/folder': small }, { bytesPerSecond: 40e6 });
  // one origin for page and hub, as the hub of tests sends no headers for other origins
  const server = createServer(async (request, response) => {
    if (request.url === '/') return response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
    if (/^\/dist\/[\w./-]+\.js$/.test(request.url) && !request.url.includes('..')) {
      return response.writeHead(200, { 'content-type': 'text/javascript' }).end(readFileSync(join(root, request.url)));
    }
    const { range } = request.headers;
    const answer = await fetch(hub.origin + request.url, { method: request.method, headers: range ? { range } : {} });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    try {
      for await (const piece of answer.body ?? []) response.write(piece);
    } catch {
      // the page went away
    }
    response.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const counts = { passed: 0, failed: 0, skipped: 0, notes: [] };
  try {
    const got = await opened.visit(`http://127.0.0.1:${server.address().port}/`, SECONDS);
    assert.equal(got.error, undefined);
    assert.equal(got.aborted, 'enough');
    assert.equal(got.unfinished.length, 1);
    assert.ok(got.unfinished[0].bytes > 0 && got.unfinished[0].bytes < BYTES);
    assert.deepEqual([...got.downloaded].sort((a, b) => a - b), [0, BYTES - got.unfinished[0].bytes]);
    assert.equal(got.hash, sha256(large));
    assert.equal(got.beside, 2);
    assert.equal(got.inWorker, 0);
    assert.deepEqual(got.names, ['hf:org/folder', 'hf:org/large/big.gguf']);
    assert.deepEqual([got.freed, got.left], [BYTES, 0]);
    counts.passed++;
  } catch (error) {
    counts.failed++;
    counts.notes.push(`FAIL the store of a browser: ${error.message}`);
  } finally {
    server.closeAllConnections();
    server.close();
    await hub.close();
  }
  return counts;
}
