/** What the page weighs: everything that the first text needs, engine included, model excluded; and nothing from elsewhere. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkout } from './checkout.ts';

/** What a browser loads until the bundled model writes, after gzip. */
const MAX_START_BYTES = 120_000;
/** The page's own code, all views together, without the engine. */
const MAX_PAGE_BYTES = 60_000;

const root = join(checkout(), 'dist', 'web');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const zipped = (paths: Iterable<string>): number =>
  [...paths].reduce((sum, path) => sum + gzipSync(readFileSync(join(root, path)), { level: 9 }).length, 0);

const STATIC = /(?:\bfrom|\bimport)\s*["'](\.[^"']+)["']/g;
const DYNAMIC = /\bimport\(\s*["'](\.[^"']+)["']\s*\)/g;

/** A script and what it imports; with `later`, what it may import later too, but for the store of models, a part of the engine. */
function closure(entry: string, later: boolean, into: Set<string> = new Set()): Set<string> {
  if (into.has(entry)) return into;
  into.add(entry);
  const source = read(entry);
  for (const pattern of later ? [STATIC, DYNAMIC] : [STATIC]) {
    for (const [, path] of source.matchAll(pattern)) {
      if (!/\/store-\w+\.js$/.test(path)) closure(posix.join(dirname(entry), path), later, into);
    }
  }
  return into;
}

const test = suite('page');

test('what the first text needs is below 120 kB gzipped, and the page without the engine below 60', () => {
  const host = closure('host.js', false);
  // of what a worker loads later, opening the bundled model needs its architecture and the kernels
  for (const chunk of readdirSync(join(root, 'chunks'))) {
    if (
      /^kernels\.generated-/.test(chunk) || (/^architecture-/.test(chunk) && read(`chunks/${chunk}`).includes('tcam'))
    ) {
      closure(`chunks/${chunk}`, false, host);
    }
  }
  const start = new Set([
    'wasm/base.wasm',
    'wasm/relaxed.wasm',
    'index.html',
    'style.css',
    'icon.svg',
    ...closure('app.js', false),
    ...host,
  ]);
  const page = new Set(['index.html', 'style.css', 'icon.svg', 'sw.js', ...closure('app.js', true)]);
  if (process.env.TERNSPIKE_VERBOSE) console.log(`start ${zipped(start)}, page ${zipped(page)} bytes`);
  assert.ok(host.size > 5, 'the chunks of the engine were found');
  assert.ok(zipped(start) < MAX_START_BYTES, `${zipped(start)} bytes, at most ${MAX_START_BYTES}`);
  assert.ok(zipped(page) < MAX_PAGE_BYTES, `${zipped(page)} bytes, at most ${MAX_PAGE_BYTES}`);
});

test('the page names no address but its own', () => {
  for (const path of ['index.html', 'style.css', 'manifest.webmanifest', 'sw.js', ...closure('app.js', true)]) {
    // what a policy allows and what a field shows as an example are no requests
    const text = read(path).replaceAll(
      /http:\/\/(127\.0\.0\.1|localhost):\*|https:\/\/…|https:\/\/huggingface\.co|http:\/\/www\.w3\.org\/2000\/svg/g,
      '',
    );
    assert.not.match(text, /\bhttps?:\/\/[a-z0-9]/i, path);
  }
});

test.run();
