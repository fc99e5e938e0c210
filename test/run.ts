/**
 * The runner of the unit tests: `node build/test/run.js [--engine | --host] [PART OF A PATH…]`; Deno and Bun run the same file.
 * With --engine it leaves out what one runtime is enough for, with --host also what one host of each engine is: see once.ts.
 *
 * Every file runs in this process, one after another, through uvu's own queue. Beyond what uvu counts, these are
 * failures too: a file that cannot be imported, one that registers no test, one that never ends (an unsettled promise
 * or too much time), an error that nobody caught, and anything still running when all tests are over.
 * The last line is `N passed, N failed`, with `, N skipped` where tests were skipped.
 * @module
 */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import process from 'node:process';
import { setTimeout } from 'node:timers';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ENGINE, ONCE } from './once.ts';

/** What uvu's queue holds: runs one suite; errors as text (or true), passed, skipped, all that should have run. */
type SuiteRun = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>;

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  /** What to print about the failures. */
  report: string;
}

/** The command that runs one file again, but for its name. Numbers drawn at random come from seeds in the tests. */
const AGAIN = [
  process.execPath,
  ...('deno' in process.versions ? ['run', '-A'] : process.execArgv),
  'build/test/run.js',
]
  .join(' ');

/** No file takes longer than this; the slowest take seconds. */
const FILE_SECONDS = Number(process.env.TERNSPIKE_TEST_SECONDS ?? 300);
/** Idle sockets of a closed server may linger for some seconds; nothing else should. */
const LINGER_SECONDS = 15;

const here = dirname(fileURLToPath(import.meta.url));
const queue: SuiteRun[][] = [];
Object.assign(globalThis, { UVU_DEFER: 1, UVU_QUEUE: queue }); // read by uvu when the first test file imports it

/** Whether a path begins with one of a list. */
const listed = (path: string, list: object): boolean => Object.keys(list).some((start) => path.startsWith(start));

/** Test files, sorted, as paths below `here`. Output of a source that is gone is left behind by tsc and not run. */
function testFiles(args: readonly string[]): string[] {
  const parts = args.filter((arg) => !arg.startsWith('--'));
  const left = args.includes('--host') ? { ...ONCE, ...ENGINE } : args.includes('--engine') ? ONCE : {};
  const source = join(here, '..', '..', 'test');
  return readdirSync(here, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.js') && existsSync(join(source, path.replace(/\.js$/, '.ts'))))
    .map((path) => path.split(sep).join('/'))
    .filter((path) => !listed(path, left))
    .filter((path) => parts.length === 0 || parts.some((part) => path.includes(part)))
    .sort();
}

/** Set while a file runs: ends the wait for it. */
let giveUp: (why: string) => void = () => {};
/** Errors that escaped every test of the present file. */
let escaped: string[] = [];

const text = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
const escape = (error: unknown): void => void escaped.push(text(error));
process.on('uncaughtException', escape);
process.on('unhandledRejection', escape);
process.on('beforeExit', () => giveUp('nothing is left to run, but a promise of it never settled'));

/** Settles with `work`, or rejects when it stalls or exceeds the time for a file. */
async function bounded<T>(work: Promise<T>): Promise<T> {
  const stalled = new Promise<never>((_, reject) => {
    giveUp = (why) => reject(new Error(why));
  });
  const timer = setTimeout(() => giveUp(`not finished after ${FILE_SECONDS} s`), FILE_SECONDS * 1000);
  timer.unref(); // an empty event loop is noticed at once, by beforeExit
  try {
    return await Promise.race([work, stalled]);
  } finally {
    clearTimeout(timer);
    giveUp = () => {};
  }
}

/** Runs with standard output held back; returns what was written. Errors inside are for the caller. */
async function quietly(run: () => Promise<void>): Promise<string> {
  const { stdout } = process;
  const write = stdout.write;
  let held = '';
  stdout.write = ((chunk: string | Uint8Array) => {
    held += typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk);
    return true;
  }) as typeof write;
  try {
    await run();
  } finally {
    stdout.write = write;
  }
  return held;
}

async function runFile(path: string, index: number): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0, report: '' };
  const fail = (count: number, report: string): void => {
    tally.failed += count;
    tally.report += `${report}\n`;
  };
  const suites: SuiteRun[] = [];
  queue[index] = suites;
  Object.assign(globalThis, { UVU_INDEX: index });
  escaped = [];
  try {
    await bounded(import(pathToFileURL(join(here, path)).href));
    let registered = 0;
    for (const suite of suites) {
      await quietly(async () => {
        const [errors, passed, skipped, total] = await bounded(suite());
        registered += total + skipped;
        tally.passed += passed;
        tally.skipped += skipped;
        if (passed < total) fail(total - passed, errors === true ? '    a hook before the tests failed' : errors);
      });
    }
    if (registered === 0) fail(1, '    registers no test: is suite.run() called?');
  } catch (error) {
    fail(1, text(error));
  }
  for (const error of escaped) fail(1, `    nobody caught: ${error}`);
  return tally;
}

async function main(): Promise<void> {
  const files = testFiles(process.argv.slice(2));
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const [index, path] of files.entries()) {
    const start = performance.now();
    const tally = await runFile(path, index);
    sum.passed += tally.passed;
    sum.failed += tally.failed;
    sum.skipped += tally.skipped;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const skips = tally.skipped > 0 ? `, ${tally.skipped} skipped` : '';
    console.log(`${tally.failed > 0 ? 'FAIL' : 'ok  '} ${path}  ${tally.passed} passed${skips}  ${seconds} s`);
    if (tally.failed > 0) console.log(`${tally.report}    again: ${AGAIN} ${path.replace(/\.test\.js$/, '')}\n`);
  }
  if (files.length === 0) {
    sum.failed = 1;
    console.log('no test file found');
  }
  const skips = sum.skipped > 0 ? `, ${sum.skipped} skipped` : '';
  console.log(`${sum.passed} passed, ${sum.failed} failed${skips}`);
  process.exitCode = sum.failed > 0 ? 1 : 0;
  setTimeout(() => {
    console.error(`still running ${LINGER_SECONDS} s after the last test: a worker, server or timer was left open`);
    process.exit(1);
  }, LINGER_SECONDS * 1000).unref();
}

void main();
