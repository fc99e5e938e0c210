/**
 * `npm run fuzz -- [--minutes M] [--seed S] [--target NAME] [--index I]`: makes inputs and uses them until the time
 * is over, of which every target has its share. A finding is printed with the command that repeats it and kept in build/fuzz; the last lines are the refusals that were
 * reached, by their codes, and `N passed, M failed`.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { inputOf, outcome, TARGETS } from './run.ts';
import type { Target } from './target.ts';

/** Findings of one target that are printed; more are likely the same. */
const MOST_FINDINGS = 3;

const args = process.argv.slice(2);
const option = (name: string, usual: number): number => {
  const at = args.indexOf(`--${name}`);
  const value = at === -1 ? usual : Number(args[at + 1]);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} takes a number`);
  return value;
};
const wanted = args.includes('--target') ? args[args.indexOf('--target') + 1] : undefined;
const targets = TARGETS.filter(({ name }) => wanted === undefined || name === wanted);
if (targets.length === 0) throw new Error(`--target is one of ${TARGETS.map(({ name }) => name).join(', ')}`);

const seed = option('seed', Date.now() % 2 ** 31);
const only = args.includes('--index') ? option('index', 0) : undefined;
const share = option('minutes', 1) * 60_000 / targets.length;
const codes = new Map<Target, Map<string, number>>(targets.map((target) => [target, new Map()]));
const findings = new Map<Target, number>();
let passed = 0;
let escaped: unknown;
for (const event of ['unhandledRejection', 'uncaughtException']) process.on(event, (error) => void (escaped ??= error));

async function one(target: Target, index: number): Promise<void> {
  const input = await inputOf(target, seed, index);
  try {
    escaped = undefined;
    const code = await outcome(target, input);
    if (escaped !== undefined) throw new Error('an error that nobody caught', { cause: escaped });
    const reached = codes.get(target)!;
    reached.set(code, (reached.get(code) ?? 0) + 1);
    passed++;
  } catch (error) {
    const before = findings.get(target) ?? 0;
    findings.set(target, before + 1);
    if (before >= MOST_FINDINGS) return;
    mkdirSync('build/fuzz', { recursive: true });
    const path = `build/fuzz/${target.name}-${seed}-${index}`;
    writeFileSync(path, input);
    console.log(`FAIL ${target.name}: ${error instanceof Error ? error.stack : String(error)}`);
    console.log(`    kept as ${path}; again: npm run fuzz -- --target ${target.name} --seed ${seed} --index ${index}`);
    console.log(`    once mended: cp ${path} test/fuzz/corpus/`);
  }
}

console.log(`seed ${seed}`);
if (only !== undefined) { for (const target of targets) await one(target, only); }
else {
  for (const target of targets) {
    const end = performance.now() + share;
    for (let index = 0; performance.now() < end; index++) await one(target, index);
  }
}
for (const [target, reached] of codes) {
  const list = [...reached].sort((a, b) => b[1] - a[1]).map(([code, count]) => `${code} ${count}`);
  console.log(`${target.name}: ${list.join(', ')}`);
}
const failed = [...findings.values()].reduce((sum, count) => sum + count, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0); // models that were kept for snapshots are still there
