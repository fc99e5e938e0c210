#!/usr/bin/env node
// Every lock file of the repository is taken by `npm ci` of npm 10 and 11, from an empty cache: what they do before they download the
// packages (--dry-run), which finds a lock that does not belong to its package.json or lacks a package that this npm wants, as 11 wants
// optional peers of peers that 10 does not. It does not find a package that was taken back or whose bytes changed: the installations of CI itself
// do. A lock that lacks a package has to be refused, or nothing was checked. The last line is `N passed, M failed`.
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Major version → the one that is used. */
const NPM = { 10: '10.9.4', 11: '11.6.2' };
const MILLIS = 120_000;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'build', 'npm');
const run = promisify(execFile);
const program = (major) => join(folder, 'node_modules', `npm${major}`, 'bin', 'npm-cli.js');

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const versions = Object.entries(NPM).map(([major, version]) => `npm${major}@npm:npm@${version}`);
await run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', folder, ...versions], {
  timeout: MILLIS,
});

/** Where lock files are. */
function locks(at = '.') {
  const found = existsSync(join(root, at, 'package-lock.json')) ? [at] : [];
  const inner = readdirSync(join(root, at), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^(node_modules|build|dist|work|\..*)$/.test(entry.name));
  return [...found, ...inner.flatMap(({ name }) => locks(join(at, name)))];
}

/** What npm says against a folder; undefined where it would install. */
async function refusal(major, path) {
  const cache = join(folder, `cache-${major}-${path.replaceAll(/\W/g, '-')}`);
  const args = ['ci', '--dry-run', '--ignore-scripts', '--no-audit', '--no-fund', '--cache', cache];
  try {
    await run(process.execPath, [program(major), ...args], { cwd: path, timeout: MILLIS });
    return undefined;
  } catch (error) {
    return `${error.stdout}${error.stderr}`.trim() || error.message;
  }
}

/** A copy of the root's lock that lacks a package. */
function broken() {
  const at = join(folder, 'broken');
  mkdirSync(at);
  cpSync(join(root, 'package.json'), join(at, 'package.json'));
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  delete lock.packages['node_modules/uvu'];
  writeFileSync(join(at, 'package-lock.json'), JSON.stringify(lock));
  return at;
}

let passed = 0;
let failed = 0;
const all = locks();
const bad = broken();
for (const major of Object.keys(NPM)) {
  const answers = await Promise.all([...all.map((path) => join(root, path)), bad].map((path) => refusal(major, path)));
  for (const [i, answer] of answers.entries()) {
    const right = i < all.length ? answer === undefined : /EUSAGE|in sync/.test(answer ?? '');
    if (right) passed++;
    else {
      failed++;
      const what = i < all.length
        ? `npm ci of npm ${NPM[major]} in ${all[i]}`
        : `npm ${NPM[major]} takes a lock that lacks a package`;
      console.log(`FAIL ${what}\n${answer ?? ''}`);
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
