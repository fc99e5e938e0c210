/** What dist/ and the package promise a user: small, nothing native, nothing run on installation, no host needed. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkout } from './checkout.ts';

/** Both builds of the kernels together. */
const MAX_WASM_BYTES = 80_000;
/** Everything that opening and running a model of any one architecture loads, after gzip; the kernels in base64 are counted
 *  above, as wasm. */
const MAX_ENGINE_GZIP_BYTES = 80_000;
/** What holds answers to formats, after gzip. */
const MAX_STRUCTURED_GZIP_BYTES = 32_000;
/** What the first conversation loads: the interpreter of chat templates, the whole of jinja2's language, and what reads answers. */
const MAX_TEMPLATE_GZIP_BYTES = 40_000;

/** What opens a tokenizer's own file, after gzip: an export beside the engine. A model in one GGUF file has its tokenizer in itself,
 *  and a bundler leaves this chunk out where nobody asks for it. */
const MAX_TOKENIZER_FILE_GZIP_BYTES = 26_000;
/** The provider of the AI SDK, after gzip: beside the engine, which it loads with the first call. */
const MAX_AI_SDK_GZIP_BYTES = 6_000;

/** The server, after gzip: what it has of its own, without what the engine's entry loads too. */
const MAX_SERVER_GZIP_BYTES = 40_000;

const root = checkout();
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const KERNELS = /^dist\/chunks\/kernels\.generated-/;
const TEMPLATE = /^dist\/chunks\/(template|chat)-/;
/** Loaded by conversions and benchmarks, for folders and checkpoints, by threads, and one for each architecture. */
const APART =
  /^dist\/chunks\/(http|template|chat|many|format|convert|requantise|translate|torch|other-floats|random|forward|architecture|embedder|script\.generated)-/;
const STRUCTURED = /^dist\/chunks\/format-/;
const ARCHITECTURE = /^dist\/chunks\/architecture-/;

// Bundles are minified: no white space is certain.
const SPECIFIERS = /(?:\bfrom|\bimport)\s*\(?\s*["']([\w@.:/~-]+)["']/g;

const specifiers = (source: string): string[] => [...source.matchAll(SPECIFIERS)].map((match) => match[1]!);

/** A bundle and every chunk that it can load, now or later. @param without chunks that are not looked into, but for `entry` */
function closure(entry: string, without?: RegExp, itself: boolean = false): Map<string, string> {
  const files = new Map<string, string>();
  const visit = (path: string): void => {
    if (files.has(path) || (without?.test(path) && !(itself && path === entry))) return;
    const source = read(path);
    files.set(path, source);
    for (const specifier of specifiers(source)) {
      if (specifier.startsWith('.')) visit(join(dirname(path), specifier));
    }
  };
  visit(entry);
  return files;
}

/** The chunk with the code of `openTokenizer`, which a stub of its name imports under one letter. */
function tokenizerFile(): string {
  const stub = readdirSync(join(root, 'dist/chunks')).find((file) => /^tokenizer-file-\w+\.js$/.test(file));
  assert.ok(stub, 'the chunk of openTokenizer was not found');
  const [, chunk] = /import\s*\{[^}]+\}\s*from\s*["']\.\/([\w.-]+)["']/.exec(read(`dist/chunks/${stub}`)) ?? [];
  return `dist/chunks/${chunk ?? stub}`;
}

const size = suite('size');

size('both wasm builds together stay below 80 kB', () => {
  const bytes = ['base', 'relaxed'].reduce(
    (sum, build) => sum + statSync(join(root, `dist/wasm/${build}.wasm`)).size,
    0,
  );
  assert.ok(bytes > 0 && bytes < MAX_WASM_BYTES, `${bytes} bytes, at most ${MAX_WASM_BYTES}`);
});

for (const entry of ['dist/index.js', 'dist/edge.js']) {
  size(`${entry} with the chunks of any one architecture stays below 80 kB gzipped`, () => {
    const zipped = (files: ReadonlyMap<string, string>): number =>
      gzipSync([...files].filter(([path]) => !KERNELS.test(path)).map(([, source]) => source).join('\n'), { level: 9 })
        .length;
    const file = tokenizerFile();
    const shared = closure(entry, new RegExp(`${APART.source}|^${file.replaceAll('.', '\\.')}$`));
    const beside = zipped(new Map([[file, read(file)]]));
    assert.ok(beside > 1000 && beside < MAX_TOKENIZER_FILE_GZIP_BYTES, `${file}: ${beside} bytes`);
    const architectures = [...closure(entry).keys()].filter((path) => ARCHITECTURE.test(path));
    assert.ok(architectures.length > 2, 'the chunks of the architectures were not found');
    for (const path of architectures) {
      const bytes = zipped(new Map([...shared, ...closure(path, APART, true)]));
      if (process.env.TERNSPIKE_VERBOSE) console.log(`${entry} and ${path}: ${bytes} bytes`);
      assert.ok(
        bytes > 0 && bytes < MAX_ENGINE_GZIP_BYTES,
        `${path}: ${bytes} bytes, at most ${MAX_ENGINE_GZIP_BYTES}`,
      );
    }
    const engine = closure(entry, TEMPLATE);
    const template = zipped(new Map([...closure(entry)].filter(([path]) => !engine.has(path))));
    assert.ok(template > 1000 && template < MAX_TEMPLATE_GZIP_BYTES, `${template}, at most ${MAX_TEMPLATE_GZIP_BYTES}`);
  });

  size(`${entry} has what holds answers to formats in a chunk of its own, below 32 kB gzipped`, () => {
    const all = closure(entry);
    const without = closure(entry, STRUCTURED);
    const [format] = [...all.keys()].filter((path) => STRUCTURED.test(path));
    assert.ok(format, 'the chunk was not found');
    const bytes = gzipSync(
      [...all].filter(([path]) => !without.has(path)).map(([, source]) => source).join('\n'),
    ).length;
    assert.ok(bytes > 10_000 && bytes < MAX_STRUCTURED_GZIP_BYTES, `${bytes} bytes`);
  });

  size(`${entry} imports nothing but its own chunks: no node: module, no package`, () => {
    const foreign = [...closure(entry)].flatMap(([path, source]) =>
      specifiers(source).filter((specifier) => !specifier.startsWith('.')).map((specifier) => `${path}: ${specifier}`)
    );
    assert.equal(foreign, []);
  });
}

size('dist/server.js is small beside the engine, and needs no Node', () => {
  const engine = closure('dist/index.js');
  const own = [...closure('dist/server.js')].filter(([path]) => !engine.has(path));
  const bytes = gzipSync(own.map(([, source]) => source).join('\n'), { level: 9 }).length;
  if (process.env.TERNSPIKE_VERBOSE) console.log(`dist/server.js: ${bytes} bytes`);
  assert.ok(bytes > 5000 && bytes < MAX_SERVER_GZIP_BYTES, `${bytes} bytes, at most ${MAX_SERVER_GZIP_BYTES}`);
  const foreign = own.flatMap(([, source]) => specifiers(source).filter((specifier) => !specifier.startsWith('.')));
  assert.equal(foreign, []);
});

size('the provider of the AI SDK is small, and none of the AI SDK is in it', () => {
  const engine = closure('dist/index.js');
  const own = [...closure('dist/ai-sdk.js')].filter(([path]) => !engine.has(path));
  const bytes = gzipSync(own.map(([, source]) => source).join('\n'), { level: 9 }).length;
  assert.ok(bytes > 1000 && bytes < MAX_AI_SDK_GZIP_BYTES, `${bytes} bytes, at most ${MAX_AI_SDK_GZIP_BYTES}`);
  const foreign = own.flatMap(([, source]) => specifiers(source).filter((specifier) => !specifier.startsWith('.')));
  assert.equal(foreign, []);
});

size('a Node module that a bundle imports would be seen', () => {
  assert.equal(specifiers('import{open as a}from"node:fs";x()'), ['node:fs']);
  assert.equal(specifiers('import"node:fs";'), ['node:fs']);
  assert.equal(specifiers('const a=await import("node:fs")'), ['node:fs']);
  assert.equal(specifiers('throw Error(`read from "${name}"`)'), []);
  assert.equal(specifiers('const a=process.getBuiltinModule("node:fs")'), []);
});

size('nothing runs when a user installs the package', () => {
  const { scripts = {} } = JSON.parse(read('package.json')) as Record<
    string,
    Record<string, string>
  >;
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) assert.not(name in scripts, name);
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Record<string, unknown>> };
  const installed = Object.entries(lock.packages).filter(([path, entry]) => path !== '' && entry.dev !== true);
  assert.equal(installed.filter(([, entry]) => entry.hasInstallScript === true).map(([path]) => path), []);
});

size.run();
