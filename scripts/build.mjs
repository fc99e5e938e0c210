#!/usr/bin/env node
// Builds everything: kernels (asc, two builds from one source), their base64 module, the bundles in dist/, and with
// --tests the unbundled tree in build/ that tests and benches run on.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);
const bin = (path) => join(root, 'node_modules', path);
const node = (...args) => execFileSync(process.execPath, args, { stdio: 'inherit' });
const newest = (dir) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((time, entry) => Math.max(time, statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs), 0);

/** Wasm: compiled only when a kernel is newer than the last result. */
function kernels() {
  const out = 'src/wasm/kernels.generated.ts';
  const changed = Math.max(
    newest('assembly'),
    statSync('asconfig.json').mtimeMs,
    statSync('scripts/build.mjs').mtimeMs,
  );
  const built = [out, 'build/wasm/base.wasm', 'build/wasm/relaxed.wasm'];
  if (built.every((path) => existsSync(path) && statSync(path).mtimeMs > changed)) return;
  mkdirSync('build/wasm', { recursive: true });
  const lines = ['// Written by scripts/build.mjs from assembly/. Not kept in git.'];
  for (const build of ['base', 'relaxed']) {
    node(bin('assemblyscript/bin/asc.js'), 'assembly/index.ts', '--config', 'asconfig.json', '--target', build);
    const bytes = readFileSync(`build/wasm/${build}.wasm`);
    lines.push(`export const ${build}: string =\n  '${bytes.toString('base64')}';`);
  }
  writeFileSync(out, `${lines.join('\n')}\n`);
}

/** Bundles for users: one file per entry and shared chunks, dependencies inlined, no node-only import at the top. */
async function bundles() {
  const { build } = await import('esbuild');
  rmSync('dist', { recursive: true, force: true });
  await build({
    entryPoints: { index: 'src/index.ts', edge: 'src/edge.ts', random: 'src/random.ts', cli: 'src/cli/main.ts' },
    outdir: 'dist',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['import'],
    external: ['node:*'],
    target: 'es2022',
    minifySyntax: true,
    minifyWhitespace: true,
    minifyIdentifiers: true,
    chunkNames: 'chunks/[name]-[hash]',
    legalComments: 'none',
    logLevel: 'warning',
  });
  cpSync('build/wasm/base.wasm', 'dist/wasm/base.wasm');
  cpSync('build/wasm/relaxed.wasm', 'dist/wasm/relaxed.wasm');
  node(bin('typescript/bin/tsc'), '-p', 'tsconfig.types.json');
}

kernels();
await bundles();
if (process.argv.includes('--tests')) node(bin('typescript/bin/tsc'), '-p', 'tsconfig.json');
