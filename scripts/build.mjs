#!/usr/bin/env node
// Builds everything: kernels (asc, two modules from one source), their base64 module, the bundles in dist/, and with
// --tests the unbundled tree in build/ that tests and benches run on. With --page only the page, from what is built already.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { structuredEngine } from './structured.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);
const bin = (path) => join(root, 'node_modules', path);
const node = (...args) => execFileSync(process.execPath, args, { stdio: 'inherit' });
const newest = (dir) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((time, entry) => Math.max(time, statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs), 0);

/** The modules: name, source, and where their constants have to end. Those of training are loaded by nothing that runs models. */
const MODULES = {
  'src/wasm/kernels.generated.ts': [['base', 'index', 16384], ['relaxed', 'relaxed', 32768]],
  'src/distill/train.generated.ts': [['train-base', 'train/index', 32768], ['train-relaxed', 'train/index', 32768]],
};

/** Wasm: compiled only when a kernel is newer than the last result. */
function kernels() {
  const changed = Math.max(
    newest('assembly'),
    statSync('asconfig.json').mtimeMs,
    statSync('scripts/build.mjs').mtimeMs,
  );
  const wasm = Object.values(MODULES).flat().map(([build]) => `build/wasm/${build}.wasm`);
  const built = [...Object.keys(MODULES), ...wasm];
  if (built.every((path) => existsSync(path) && statSync(path).mtimeMs > changed)) return;
  mkdirSync('build/wasm', { recursive: true });
  for (const [out, modules] of Object.entries(MODULES)) {
    const lines = ['// Written by scripts/build.mjs from assembly/. Not kept in git.'];
    for (const [build, entry, end] of modules) {
      node(bin('assemblyscript/bin/asc.js'), `assembly/${entry}.ts`, '--config', 'asconfig.json', '--target', build);
      checkConstants(`build/wasm/${build}.wat`, end);
      const bytes = readFileSync(`build/wasm/${build}.wasm`);
      lines.push(`export const ${build.replace('train-', '')}: string =\n  '${bytes.toString('base64')}';`);
    }
    writeFileSync(out, `${lines.join('\n')}\n`);
  }
}

/** A module's constants must end before those of the next module, or before the arena. */
function checkConstants(path, end) {
  const names = [...readFileSync(path, 'utf8').matchAll(/\(data \S+ \(i32\.const (\d+)\) "((?:[^"\\]|\\.)*)"/g)];
  for (const [, at, text] of names) {
    const last = Number(at) + text.replace(/\\(?:[0-9a-f]{2}|.)/g, '.').length;
    if (last > end) throw new Error(`${path}: constants end at ${last}, which must be at most ${end}`);
  }
}

/** Lines are short, because an uncaught error prints one of them: esbuild joins small files to one line, so the limit is well below it; stacks are read by the source maps, which name files of src/. */
const SHARED = {
  outdir: 'dist',
  bundle: true,
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['import'],
  external: ['node:*', '@jax-js/jax'],
  target: 'es2022',
  minifySyntax: true,
  minifyWhitespace: true,
  minifyIdentifiers: true,
  lineLimit: 120,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'warning',
};

/** Writes a module that nobody keeps in git; one that has not changed stays, so that what depends on it is not built anew. */
function generate(path, from, text) {
  const whole = `// Written by scripts/build.mjs from ${from}. Not kept in git.\n${text}\n`;
  if (!existsSync(path) || readFileSync(path, 'utf8') !== whole) writeFileSync(path, whole);
}

/** A string literal in lines of moderate length. */
const literal = (text) => `'${text.replace(/.{120}(?=.)/g, '$&\\\n')}'`;

/** A thread runs a model and never loads, describes or makes one. */
const WITHOUT_LOADING = {
  name: 'without loading',
  setup(build) {
    build.onResolve({ filter: /\/(architecture|random)\.ts$/ }, ({ path }) => ({ path, namespace: 'left-out' }));
    build.onLoad({ filter: /./, namespace: 'left-out' }, () => ({ contents: 'export {};' }));
  },
};

/** prom-client's whole entry looks at processes of Node; what counts and writes needs a formatter of errors alone. */
const PLAIN_PROMETHEUS = {
  name: 'plain prometheus',
  setup(build) {
    const lib = (name) => JSON.stringify(bin(`prom-client/lib/${name}.js`));
    const parts = ['Counter', 'Gauge', 'Histogram', 'Registry']
      .map((name) => `exports.${name} = require(${lib(name.toLowerCase())});`);
    const modules = {
      'prom-client': parts.join('\n'),
      util: 'exports.format = exports.inspect = String;',
    };
    build.onResolve({ filter: /^(prom-client|util)$/ }, ({ path }) => ({ path, namespace: 'plain-prometheus' }));
    build.onLoad({ filter: /./, namespace: 'plain-prometheus' }, ({ path }) => ({
      contents: modules[path],
      resolveDir: root,
    }));
  },
};

/** dist/NAME.js as a module that exports it as text. */
function script(name, folder) {
  const text = JSON.stringify(readFileSync(`dist/${name}.js`, 'utf8').trimEnd()).replaceAll('\\n', '\\n\\\n');
  generate(`src/${folder}/script.generated.ts`, `src/${name}.ts`, `export const script: string =\n  ${text};`);
}

/** What travels inside bundles as text, so that no bundler has to find a file: the script of a thread, and the model. */
async function embedded(build) {
  generate(
    'src/structured/engine.generated.ts',
    'the package @huggingface/transformers-structured-output',
    `// @ts-nocheck: compiled already\nimport type { Engine } from './engine.ts';\n` +
      `${await structuredEngine(build)}export const engine: Engine = made;`,
  );
  // the script of a thread is one file, which runs as a module and as a classic script
  await build({
    ...SHARED,
    format: 'iife',
    sourcemap: false, // it is loaded as text, and what is thrown in it is told by its message
    entryPoints: { thread: 'src/thread.ts' },
    plugins: [WITHOUT_LOADING],
  });
  script('thread', 'threads');
  // the worker of a page is the whole engine, with the script of a thread in it
  await build({ ...SHARED, format: 'iife', sourcemap: false, entryPoints: { 'worker-host': 'src/worker-host.ts' } });
  script('worker-host', 'worker');
  for (
    const [name, path] of [['stories', 'models/stories-spiking.gguf'], ['sentiment', 'models/sentiment-spiking.gguf']]
  ) {
    const model = readFileSync(path).toString('base64');
    generate(`src/entries/${name}.generated.ts`, path, `export const ${name}: string =\n  ${literal(model)};`);
  }
}

/** Bundles for users: one file per entry and shared chunks, dependencies inlined, no node-only import at the top. */
async function bundles() {
  const { build } = await import('esbuild');
  rmSync('dist', { recursive: true, force: true });
  await embedded(build);
  const split = { ...SHARED, format: 'esm', splitting: true, chunkNames: 'chunks/[name]-[hash]' };
  // a page that has its model in a worker loads nothing of the engine; apart, as it would cut the chunks of the others small
  await build({ ...split, entryPoints: { worker: 'src/entries/worker.ts' } });
  await build({
    ...split,
    plugins: [PLAIN_PROMETHEUS],
    entryPoints: {
      index: 'src/entries/index.ts',
      edge: 'src/entries/edge.ts',
      random: 'src/entries/random.ts',
      'default-model': 'src/entries/default-model.ts',
      'default-classifier': 'src/entries/default-classifier.ts',
      structured: 'src/entries/structured.ts',
      eval: 'src/entries/eval.ts',
      distill: 'src/entries/distill.ts',
      'ai-sdk': 'src/entries/ai-sdk.ts',
      store: 'src/entries/store.ts',
      server: 'src/entries/server.ts',
      cli: 'src/cli/main.ts',
      // a thread of the trainer, which looks for it beside its own chunk
      'chunks/gradient-worker': 'src/distill/gradient-worker.ts',
    },
  });
  cpSync('build/wasm/base.wasm', 'dist/wasm/base.wasm');
  cpSync('build/wasm/relaxed.wasm', 'dist/wasm/relaxed.wasm');
  cpSync('src/eval/suite.schema.json', 'dist/suite.schema.json');
  types();
}

/** The page has the script of a worker as a file, and does not carry it as text too. */
const WITHOUT_SCRIPTS = {
  name: 'without scripts',
  setup(build) {
    build.onResolve({ filter: /\/script\.generated\.ts$/ }, ({ path }) => ({ path, namespace: 'left-out' }));
    build.onLoad({ filter: /./, namespace: 'left-out' }, () => ({ contents: "export const script = '';" }));
  },
};

/** The page has the kernels as files, too. */
const KERNELS_AS_FILES = {
  name: 'kernels as files',
  setup(build) {
    build.onLoad({ filter: /kernels\.generated\.ts$/ }, () => ({
      contents: `const load = async (name) => {
  const response = await fetch(new URL('../wasm/' + name + '.wasm', import.meta.url));
  if (!response.ok) throw new Error(name + '.wasm could not be loaded: status ' + response.status);
  return new Uint8Array(await response.arrayBuffer());
};
export const [base, relaxed] = await Promise.all(['base', 'relaxed'].map(load));`,
    }));
  },
};

/** Names in the page the scripts that its first view needs, so that a browser asks for all of them at once. */
function preloads(path, outputs, out) {
  const needed = new Set();
  const visit = (name) => {
    if (needed.has(name)) return;
    needed.add(name);
    for (const { path, kind } of outputs[name].imports) if (kind === 'import-statement') visit(path);
  };
  visit(`${out}/app.js`);
  const links = [...needed].map((name) => `<link rel="modulepreload" href="${name.slice(out.length + 1)}">`);
  const html = readFileSync(path, 'utf8');
  const place = '<link rel="modulepreload" href="app.js">';
  if (!html.includes(place)) throw new Error(`${path} has no place for what is loaded first`);
  writeFileSync(path, html.replace(place, links.join('\n    ')));
}

/** The page: static files in dist/web, which any server can send. */
async function page() {
  const { build } = await import('esbuild');
  const out = 'dist/web';
  rmSync(out, { recursive: true, force: true });
  const shared = {
    ...SHARED,
    outdir: out,
    lineLimit: undefined, // browsers show no lines of scripts
    platform: 'browser',
    sourcemap: false,
    plugins: [WITHOUT_SCRIPTS, KERNELS_AS_FILES],
  };
  cpSync('web/static', out, { recursive: true });
  cpSync('dist/thread.js', `${out}/thread.js`);
  cpSync('dist/wasm', `${out}/wasm`, { recursive: true });
  const models = readdirSync('models').filter((name) => name.endsWith('.gguf'))
    .map((name) => ({ name, bytes: statSync(`models/${name}`).size }));
  for (const { name } of models) cpSync(`models/${name}`, `${out}/models/${name}`);
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  const { metafile } = await build({
    ...shared,
    metafile: true,
    format: 'esm',
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    entryPoints: { app: 'web/main.ts', host: 'web/host.ts', style: 'web/static/style.css' },
    define: { BUNDLED_MODELS: JSON.stringify(models), ENGINE_VERSION: JSON.stringify(version) },
  });
  preloads(`${out}/index.html`, metafile.outputs, out);
  const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort();
  const digest = createHash('sha256');
  for (const path of files) digest.update(path).update(readFileSync(path));
  // the worker that keeps the page for later knows its files, and by the digest when they have changed
  await build({
    ...shared,
    format: 'iife',
    entryPoints: { sw: 'web/sw.ts' },
    define: {
      PAGE_FILES: JSON.stringify(files.map((path) => path.slice(out.length + 1).replaceAll('\\', '/'))),
      PAGE_DIGEST: JSON.stringify(digest.digest('hex').slice(0, 16)),
    },
  });
}

/** Declarations, which hold without the DOM library: host.d.ts names the globals that they mention. */
function types() {
  node(bin('typescript/bin/tsc'), '-p', 'tsconfig.types.json');
  cpSync('scripts/types', 'dist/types', { recursive: true });
  const reference = (to) => `/// <reference path="${to}" />\n`;
  for (const name of readdirSync('dist/types/entries')) {
    const path = join('dist/types/entries', name);
    if (name.endsWith('.d.ts')) writeFileSync(path, reference('../host.d.ts') + readFileSync(path, 'utf8'));
  }
}

const alone = process.argv.includes('--page');
kernels();
if (!alone) await bundles();
await page();
if (process.argv.includes('--tests')) node(bin('typescript/bin/tsc'), '-p', 'tsconfig.json');
