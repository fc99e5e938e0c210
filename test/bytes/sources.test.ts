import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { blobSource } from '../../src/bytes/blob.ts';
import { fileHandleSource, openFile } from '../../src/bytes/file.ts';
import { memorySource } from '../../src/bytes/memory.ts';
import { type ModelSource, resolveSource } from '../../src/bytes/resolve.ts';
import { type ByteSource, readFully } from '../../src/bytes/source.ts';
import { utf8 } from '../builders.ts';
import { faultySource, trickle } from '../faults.ts';
import { refuses } from '../refusal.ts';

const DATA = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7 + (i >> 8)) & 255);
const sources = suite('sources');
let folder: string;
let path: string;

sources.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ternspike-'));
  path = join(folder, 'C: data.bin'); // a name that looks like a scheme
  await writeFile(path, DATA);
});
sources.after(() => rm(folder, { recursive: true }));

async function checkReads(source: ByteSource): Promise<void> {
  assert.is(source.size, 1000);
  const into = new Uint8Array(300);
  await readFully(source, into, 650, 'the middle');
  assert.equal(into, DATA.slice(650, 950));
  const tail = new Uint8Array(300).fill(9);
  assert.is(await source.read(tail, 990), 10);
  assert.equal(tail.slice(0, 11), new Uint8Array([...DATA.slice(990), 9]));
  assert.is(await source.read(tail, 1000), 0);
  assert.is(await source.read(tail, 5000), 0);
  assert.is(await source.read(new Uint8Array(0), 5), 0);
  await refuses(readFully(source, into, 701, 'the end'), 'TRUNCATED', 'the end', '701..1001', '1000');
  await source.close?.();
  await source.close?.();
}

sources('memory, views, blobs, paths, file URLs, handles and sources read the same bytes', async () => {
  const handle = await open(path);
  const padded = new Uint8Array(1100);
  padded.set(DATA, 50);
  const sharedBytes = new Uint8Array(new SharedArrayBuffer(1000));
  sharedBytes.set(DATA);
  const each: Record<string, ModelSource> = {
    buffer: DATA.buffer,
    'shared buffer': sharedBytes.buffer,
    bytes: DATA,
    'view into a larger buffer': new DataView(padded.buffer, 50, 1000),
    blob: new Blob([DATA]),
    path,
    'file URL': pathToFileURL(path),
    'file URL as text': pathToFileURL(path).href,
    handle,
    source: memorySource(DATA),
  };
  for (const [name, source] of Object.entries(each)) {
    try {
      await checkReads(await resolveSource(source));
    } catch (cause) {
      throw new Error(`${name}: ${String(cause)}`, { cause });
    }
  }
  const url = URL.createObjectURL(new Blob([DATA]));
  await checkReads(await resolveSource(url));
  URL.revokeObjectURL(url);
  await refuses(resolveSource(url), 'IO', 'revoked');
  await handle.close();
});

sources('bytes are read straight into a view of wasm memory, shared too', async () => {
  const file = await openFile(path);
  for (const shared of [false, true]) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared });
    await readFully(file, new Uint8Array(memory.buffer, 123, 500), 17, 'data');
    assert.equal(new Uint8Array(memory.buffer).slice(122, 624), new Uint8Array([0, ...DATA.slice(17, 517), 0]));
  }
  await file.close?.();
});

sources('closing gives back what was opened here and leaves what the caller handed in', async () => {
  const handle = await open(path);
  const own = await resolveSource(handle);
  await own.close?.();
  assert.is((await handle.stat()).size, 1000);
  await handle.close();

  let closed = 0;
  const inner: ByteSource = { ...memorySource(DATA), close: async () => void closed++ };
  await (await resolveSource(inner)).close?.();
  assert.is(closed, 0);

  const file = await resolveSource(path);
  await file.close?.();
  await refuses(readFully(file, new Uint8Array(1), 0, 'x'), 'IO', 'reading x');
});

// case: B6
sources('a file that shrinks while it is read is refused where it ends', async () => {
  const copy = join(folder, 'shrinks.bin');
  await writeFile(copy, DATA);
  const file = await openFile(copy);
  await readFully(file, new Uint8Array(10), 0, 'the header');
  await truncate(copy, 400);
  await readFully(file, new Uint8Array(10), 390, 'what is left');
  await refuses(readFully(file, new Uint8Array(100), 350, 'tensor "a"'), 'TRUNCATED', 'tensor "a"', '400');
  await file.close?.();
});

sources('a path that is not there or is a directory is refused, a regular file is not', async () => {
  await refuses(openFile(join(folder, 'none')), 'IO', 'none', 'ENOENT');
  await refuses(openFile(folder), 'IO', folder);
  await (await openFile(path)).close?.();
});

sources('where the host has no files a path is refused with what to pass instead', async () => {
  const host = globalThis.process;
  const files = host.getBuiltinModule;
  Object.assign(host, { getBuiltinModule: undefined });
  try {
    await refuses(resolveSource('model.gguf'), 'SOURCE', 'model.gguf', 'no file API', 'Blob', 'URL', 'Uint8Array');
    await checkReads(await resolveSource(DATA));
  } finally {
    Object.assign(host, { getBuiltinModule: files });
  }
  assert.equal(new Uint8Array(await readFile(path)), DATA);
});

sources('what is no source is refused by its kind, unknown schemes by their name', async () => {
  for (const wrong of [null, undefined, 7, {}, { size: 4 }, [1, 2]]) {
    await refuses(resolveSource(wrong as unknown as ModelSource), 'OPTION', Object.prototype.toString.call(wrong));
  }
  await refuses(resolveSource(new URL('ftp://example.org/a')), 'SOURCE', 'ftp:');
  await refuses(resolveSource('http://'), 'OPTION', 'http://');
});

sources('a File keeps its name, and a source is named in its errors', async () => {
  const blob = blobSource(Object.assign(new Blob([DATA]), { name: 'model.gguf' }));
  await refuses(readFully(blob, new Uint8Array(1), 1000, 'x'), 'TRUNCATED', 'model.gguf');
  assert.is(blobSource(new Blob([])).name, 'blob');
  const file = await resolveSource(path);
  assert.is(file.name, path);
  await file.close?.();
});

sources('a large blob comes in several pieces', async () => {
  const big = new Uint8Array((4 << 20) + 1000).fill(1);
  big[big.length - 1] = 2;
  const source = blobSource(new Blob([big]));
  const into = new Uint8Array(big.length);
  assert.is(await source.read(into, 0), 4 << 20);
  await readFully(source, into, 0, 'all');
  assert.is(into.at(-1), 2);
});

// case: B4
sources('readFully puts short reads together and reports a failing one with its cause', async () => {
  const into = new Uint8Array(1000);
  await readFully(trickle(memorySource(DATA), 3), into, 0, 'all');
  assert.equal(into, DATA);
  await readFully(faultySource(memorySource(DATA), { failAt: 1, kind: 'short' }), into.fill(0), 0, 'all');
  assert.equal(into, DATA);
  const failing = faultySource(trickle(memorySource(DATA), 400), { failAt: 2, kind: 'throw' });
  const error = await refuses(readFully(failing, into, 0, 'all'), 'IO', 'all', '400', 'on purpose');
  assert.match(String(error.cause), 'read 2 failed');
  const shrinking = faultySource(trickle(memorySource(DATA), 400), { failAt: 2, kind: 'shrink' });
  await refuses(readFully(shrinking, into, 0, 'all'), 'TRUNCATED', '400');
});

sources('an abort ends a read with the reason given', async () => {
  const reason = new Error('enough');
  const work = readFully(memorySource(DATA), new Uint8Array(4), 0, 'x', AbortSignal.abort(reason));
  assert.is(await work.catch((error) => error), reason);
  assert.is(await resolveSource(DATA, { signal: AbortSignal.abort(reason) }).catch((error) => error), reason);
});

sources('a handle that fails or is no file is refused', async () => {
  const handle = { read: async () => ({ bytesRead: 0 }), stat: () => Promise.reject(new Error('gone')) };
  await refuses(fileHandleSource(handle, 'h'), 'IO', 'h', 'gone');
  const pipe = { ...handle, stat: async () => ({ size: 0, isFile: () => false }) };
  await refuses(fileHandleSource(pipe, 'pipe'), 'IO', 'pipe', 'not a regular file');
  const minimal = {
    read: async (into: Uint8Array) => ({ bytesRead: into.fill(5).length }),
    stat: async () => ({ size: 4 }),
  };
  const into = new Uint8Array(4);
  await readFully(await fileHandleSource(minimal), into, 0, 'x');
  assert.equal(into, new Uint8Array([5, 5, 5, 5]));
});

// case: B8
sources('positions beyond 4 GiB reach the file system exactly', async () => {
  const sparse = join(folder, 'sparse.bin');
  const handle = await open(sparse, 'w');
  await handle.write(utf8('far'), 0, 3, 5 * 2 ** 30);
  await handle.close();
  const file = await openFile(sparse);
  assert.is(file.size, 5 * 2 ** 30 + 3);
  const into = new Uint8Array(4);
  await readFully(file, into, 5 * 2 ** 30 - 1, 'far');
  assert.equal(into, new Uint8Array([0, ...utf8('far')]));
  await file.close?.();
});

sources.run();
