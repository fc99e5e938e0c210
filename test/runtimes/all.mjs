#!/usr/bin/env node
// Runs the tests on every runtime that is present, two at a time where there are cores, and prints a table. `node all.mjs NAME…` runs only
// these runtimes, `node all.mjs --except NAME…` all others, --with NAME,… also suites of commands.mjs. An absent runtime is skipped,
// with CI=true it is a failure. Node, Deno and Bun run the unit tests, this Node all of them and the others those that another
// runtime can change (test/once.ts); these, workerd and the browsers run the portable checks on the bundles of dist/.
// The last line is `N passed, N failed`.
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { bundle } from './bundle.mjs';
import { commands } from './commands.mjs';
import { dashboard } from './dashboard.mjs';
import { store } from './store.mjs';
import { find, here, root } from './find.mjs';
import { run } from './process.mjs';
import { launch as launchPuppeteer } from './puppeteer.mjs';
import { absent, count, finish, suite, total } from './report.mjs';
import { serve } from './server.mjs';
import { launch as launchWebKit } from './webkit.mjs';
import { webpage } from './webpage.mjs';
import { launch as launchWorkerd } from './workerd.mjs';

const UNIT_SECONDS = 1200;
const PAGE_SECONDS = 240;
const strict = Boolean(process.env.CI);
const found = find();
const fixtures = await bundle();

/** The first word with a digit that `PROGRAM --version` prints. */
function versionOf(program) {
  const printed = execFileSync(program, ['--version'], { encoding: 'utf8', timeout: 30_000 });
  return /\d\S*/.exec(printed)?.[0] ?? '?';
}

/** What the runner of the unit tests says of files that failed; the end of its output where it says nothing. */
function failures(output) {
  const blocks = output.split(/^(?=ok {3}|FAIL )/m).filter((block) => block.startsWith('FAIL'));
  return blocks.length > 0 ? blocks.join('') : output;
}

/** The slowest files of a run, for who wants to make it faster. */
function slowest(output) {
  const files = [...output.matchAll(/^(?:ok {2}|FAIL) (\S+)\.test\.js .* ([\d.]+) s$/gm)]
    .map(([, file, seconds]) => [file, Number(seconds)]).sort((a, b) => b[1] - a[1]);
  return `slowest: ${files.slice(0, 8).map(([file, seconds]) => `${file} ${seconds} s`).join(', ')}`;
}

/** Node, Deno or Bun: `args` come before the script. @param chosen arguments of the runner: which tests, all by default */
async function script(runtime, program, args, env = {}, chosen = [], version = undefined, seconds = PAGE_SECONDS) {
  if (program === null) return absent(runtime, 'it is not installed', strict);
  version ??= versionOf(program);

  await suite(runtime, version, 'unit', async () => {
    const file = join(root, 'build', 'test', 'run.js');
    const { code, output } = await run(program, [...args, file, ...chosen], { cwd: root, env, seconds: UNIT_SECONDS });
    const lines = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)];
    const [passed, failed, skipped] = (lines.at(-1)?.slice(1) ?? [0, 0, 0]).map((number) => Number(number ?? 0));
    if (code === 0 && failed === 0 && passed > 0) return { passed, failed, skipped, notes: [slowest(output)] };
    return { passed, failed: Math.max(failed, 1), skipped, notes: [`exit code ${code}\n${failures(output)}`] };
  });

  await suite(runtime, version, 'portable', async () => {
    const file = join(here, 'script.mjs');
    const { code, output } = await run(program, [...args, file, runtime], { cwd: root, env, seconds });
    const report = output.split('\n').findLast((line) => line.startsWith('{"runtime"'));
    if (code !== 0 || report === undefined) throw new Error(`exit code ${code}\n${output}`);
    return count(runtime, JSON.parse(report));
  });
}

/** Kernels of every family that an emulator runs in a minute or two: conversions, products, functions, spikes, sums. */
const ARM64 = ['convert', 'mathf', 'gemm', 'spike', 'norm', 'elementwise', 'select', 'window'].map((name) =>
  `kernels/${name}.`
);

/** Node 24 for 64-bit Arm, emulated: those kernels, and the portable hashes on one thread. */
function arm64(runtime) {
  const { qemu, nodeArm64 } = found;
  if (qemu === undefined) return; // this processor is not emulated; node24 may be it
  if (qemu === null || nodeArm64 === null) return absent(runtime, 'no emulator, or no Node for it', false); // not every system can have one
  const libraries = join(root, 'build', 'arm64', 'root');
  const emulatedVersion = execFileSync(qemu, ['-L', libraries, nodeArm64, '--version'], { encoding: 'utf8' }).trim()
    .slice(1);
  return script(runtime, qemu, ['-L', libraries, nodeArm64], { TERNSPIKE_EMULATED: '1' }, ARM64, emulatedVersion, 900);
}

async function workerd(runtime) {
  if (found.workerd === null) return absent(runtime, 'it is not installed', strict);
  await suite(runtime, versionOf(found.workerd), 'portable', async () => {
    const opened = await launchWorkerd(found.workerd, fixtures, strict);
    try {
      return count(runtime, await opened.visit(PAGE_SECONDS));
    } finally {
      await opened.close();
    }
  });
}

/** One page of a browser: the checks in its window and in a worker. */
async function page(runtime, opened, isolated) {
  const server = await serve(isolated);
  try {
    const query = `strict=${strict ? 1 : 0}&isolated=${isolated ? 1 : 0}`;
    const result = await opened.visit(`${server.origin}/page/index.html?${query}`, PAGE_SECONDS);
    if (result.error) throw new Error(result.error);
    return total(result.reports.map((report) => count(`${runtime} ${report.runtime}`, report)));
  } finally {
    await server.close();
  }
}

/** A browser visits a cross-origin isolated page and a plain one. */
async function browser(runtime, programs, launch) {
  const missing = programs.filter((name) => found[name] === null);
  if (missing.length > 0) return absent(runtime, `no ${missing.join(', ')}`, strict);
  let opened;
  try {
    opened = await launch();
  } catch (error) {
    return suite(runtime, '?', 'start', () => Promise.reject(error));
  }
  try {
    await suite(runtime, opened.version, 'isolated page', () => page(runtime, opened, true));
    await suite(runtime, opened.version, 'plain page', () => page(runtime, opened, false));
    if (opened.page) await suite(runtime, opened.version, 'dashboard', () => dashboard(opened, runtime));
    if (opened.page) await suite(runtime, opened.version, 'store', () => store(opened));
    await suite(runtime, opened.version, 'web page', () => webpage(opened, runtime));
  } finally {
    await opened.close();
  }
}

const RELAXED = '--experimental-wasm-relaxed-simd'; // V8 of Node 20 has it behind this flag, later ones without
/** What differs where only the kernels do: Node 24, Deno and Bun run everything else on the relaxed build. */
const KERNELS = ['kernels/', 'forward/matmul', 'forward/conformance', 'wasm/'];
const QUIET = { DENO_NO_UPDATE_CHECK: '1', DO_NOT_TRACK: '1' };
const RUNTIMES = {
  node: () => script('Node (this one)', process.execPath, []),
  relaxed: () => script('Node, relaxed SIMD', process.execPath, [RELAXED], {}, KERNELS),
  node24: () => script('Node 24', found.node24, [], {}, ['--engine']),
  arm64: () => arm64('Node 24, 64-bit Arm'),
  deno: () => script('Deno', found.deno, ['run', '-A'], QUIET, ['--host']),
  bun: () => script('Bun', found.bun, ['--no-install'], QUIET, ['--engine']),
  workerd: () => workerd('workerd'),
  chromium: () => browser('Chromium', ['chromium', 'puppeteer'], () => launchPuppeteer('chrome', found.chromium)),
  firefox: () => browser('Firefox', ['firefox', 'puppeteer'], () => launchPuppeteer('firefox', found.firefox)),
  webkit: () => browser('WebKit', ['webkitDriver', 'miniBrowser', 'xvfb'], () => launchWebKit(found)),
};
if (Number(process.versions.node.split('.')[0]) >= 22) delete RUNTIMES.relaxed;

/** Those that take a minute or more. */
const LONGEST = ['node', 'bun', 'node24', 'deno', 'bundlers'];

/** The names that the arguments choose, the longest first so that none is left over at the end. */
function chosen(given) {
  const also = given.includes('--with') ? given[given.indexOf('--with') + 1].split(',') : [];
  const args = given.filter((arg, at) => arg !== '--with' && given[at - 1] !== '--with');
  const unknownSuites = also.filter((name) => !(name in commands));
  if (unknownSuites.length > 0) {
    console.error(`unknown: ${unknownSuites.join(' ')}; there are ${Object.keys(commands).join(' ')}`);
    process.exit(2);
  }
  const except = args[0] === '--except';
  const named = except ? args.slice(1) : args;
  const all = Object.keys(RUNTIMES);
  const unknown = named.filter((name) => !all.includes(name));
  if (unknown.length > 0) {
    console.error(`unknown: ${unknown.join(' ')}; there are ${all.join(' ')}`);
    process.exit(2);
  }
  const runtimes = named.length === 0 ? all : all.filter((name) => named.includes(name) !== except);
  return [...LONGEST, ...all, ...also].filter((name, at, list) =>
    (runtimes.includes(name) || also.includes(name)) && list.indexOf(name) === at
  );
}

/** Runtimes at a time: their tests have one busy thread most of the time. */
const AT_ONCE = Math.max(1, Math.min(2, availableParallelism()));
const left = chosen(process.argv.slice(2));
const work = async () => {
  for (let name = left.shift(); name !== undefined; name = left.shift()) await { ...RUNTIMES, ...commands }[name]();
};
await Promise.all(Array.from({ length: AT_ONCE }, work));
finish();
