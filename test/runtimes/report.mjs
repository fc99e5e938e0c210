// What came of each runtime: the lines while it runs, the facts that all must share, the table and the sum at the end.
import process from 'node:process';

/** One line of the table. */
const rows = [];
/** Fact → value → where it was seen. */
const facts = new Map();

const indented = (text) => text.trim().split('\n').slice(-80).map((line) => `    ${line}`).join('\n');
const sum = (all, key) => all.reduce((total, counts) => total + counts[key], 0);

/** Adds counts up. */
export function total(all) {
  const notes = all.flatMap((counts) => counts.notes ?? []);
  return { passed: sum(all, 'passed'), failed: sum(all, 'failed'), skipped: sum(all, 'skipped'), notes };
}

/** Times `work`, which returns `{ passed, failed, skipped, notes }`; what it throws is one failure. */
export async function suite(runtime, version, name, work) {
  const start = performance.now();
  let counts;
  try {
    counts = await work();
  } catch (error) {
    counts = { passed: 0, failed: 1, skipped: 0, notes: [error.message ?? String(error)] };
  }
  const { passed, failed, skipped, notes = [] } = counts;
  rows.push([runtime, version, name, passed, failed, skipped, ((performance.now() - start) / 1000).toFixed(1)]);
  const skips = skipped > 0 ? `, ${skipped} skipped` : '';
  console.log(`${failed > 0 ? 'FAIL' : 'ok  '} ${runtime}, ${name}: ${passed} passed, ${failed} failed${skips}`);
  for (const note of notes) console.log(indented(note));
}

/** A runtime that is not here: skipped, and a failure where nothing may be. */
export function absent(runtime, why, strict) {
  rows.push([runtime, '-', 'absent', 0, strict ? 1 : 0, 0, '0.0']);
  console.log(`${strict ? 'FAIL' : 'skip'} ${runtime}: ${why}; node test/runtimes/install.mjs installs it`);
}

/** Counts of a report of the portable checks; remembers its facts. */
export function count(where, { results, facts: told, log }) {
  for (const [fact, value] of Object.entries(told)) {
    const values = facts.get(fact) ?? new Map();
    facts.set(fact, values.set(value, [...(values.get(value) ?? []), where]));
  }
  const skipped = results.filter((result) => result.skipped);
  const failed = results.filter((result) => !result.ok);
  const notes = [
    ...log.map((line) => `${where}: ${line}`),
    ...skipped.map((result) => `${where}: skipped: ${result.name} (${result.skipped})`),
    ...failed.map((result) => `${where}: FAIL ${result.name}\n      ${result.error}`),
  ];
  const passed = results.length - skipped.length - failed.length;
  return { passed, failed: failed.length, skipped: skipped.length, notes };
}

/** Prints facts that differ, the table, and the sum alone on the last line; sets the exit code. */
export function finish() {
  const differing = [...facts].filter(([, values]) => values.size > 1);
  for (const [fact, values] of differing) {
    console.log(`FAIL the runtimes differ in: ${fact}`);
    for (const [value, where] of values) console.log(`    ${value}: ${where.join(', ')}`);
  }

  const table = [['runtime', 'version', 'suite', 'passed', 'failed', 'skipped', 'seconds'], ...rows];
  const widths = table[0].map((_, i) => Math.max(...table.map((row) => String(row[i]).length)));
  const cell = (value, i) => i < 3 ? value.padEnd(widths[i]) : String(value).padStart(widths[i]);
  console.log(`\n${table.map((row) => row.map(cell).join('  ')).join('\n')}`);

  const { passed, failed, skipped } = total(rows.map((row) => ({ passed: row[3], failed: row[4], skipped: row[5] })));
  const failures = failed + differing.length;
  if (skipped > 0) console.log(`${skipped} skipped`);
  if (passed + failures === 0) console.log('nothing ran');
  console.log(`${passed} passed, ${failures} failed`);
  process.exitCode = failures > 0 || passed === 0 ? 1 : 0;
}
