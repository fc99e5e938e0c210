#!/usr/bin/env node
// The package as npm would publish it: publint, the types of every entry as each way of importing sees them (attw), and the sizes of
// the entries. Run after a build and `npm ci --prefix test/package`. The last line is `N passed, N failed`.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const pack = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const failures = [];
let passed = 0;

/** Counts a check; `found` are its findings. */
function check(name, found) {
  if (found.length === 0) passed++;
  else failures.push(`${name}:\n  ${found.join('\n  ')}`);
}

const folder = mkdtempSync(join(tmpdir(), 'ternspike-pack-'));
try {
  // --ignore-scripts: the build has run, and prepack would run it again
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
      stdio: ['ignore', 'pipe', 'inherit'],
      shell: process.platform === 'win32',
    }),
  );
  const tarball = new Uint8Array(readFileSync(join(folder, filename)));

  const { messages } = await publint({ pack: { tarball: tarball.buffer }, strict: true });
  check('publint', messages.map((message) => formatMessage(message, pack, { color: false }) ?? message.code));

  // the package is ES modules: `require` and the resolution of Node 10 are not supported, and data files have no types
  const { problems } = await checkPackage(createPackageFromTarballData(tarball));
  const relevant = problems.filter(({ kind, entrypoint, resolutionKind }) =>
    !['node10', 'node16-cjs'].includes(resolutionKind) && kind !== 'CJSResolvesToESM' &&
    !/\.(gguf|json)$/.test(entrypoint)
  );
  check(
    'attw',
    relevant.map(({ kind, entrypoint, resolutionKind }) => `${kind} ${entrypoint ?? ''} ${resolutionKind ?? ''}`),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** A bundle with the chunks that it imports at once. */
function closure(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, path] of readFileSync(file, 'utf8').matchAll(/(?:\bfrom|\bimport)\s*["'](\.[\w./-]+)["']/g)) {
    closure(join(dirname(file), path), seen);
  }
  return seen;
}

console.log('bytes of each entry with the chunks it imports at once: as they are, gzipped');
for (const [entry, target] of Object.entries(pack.exports)) {
  const file = target.default ?? target;
  if (!file.endsWith('.js')) continue;
  const source = [...closure(join(root, file))].map((path) => readFileSync(path, 'utf8')).join('\n');
  console.log(
    `${entry.padEnd(18)} ${String(source.length).padStart(9)} ${String(gzipSync(source).length).padStart(9)}`,
  );
}
for (const failure of failures) console.log(`FAIL ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length > 0 ? 1 : 0);
