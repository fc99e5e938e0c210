/** Every case of docs/reliability.md has a test or a reason, and the page is what the tests say. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkout } from './checkout.ts';

const reliability = suite('reliability');

reliability('the page of cases is whole and not stale', () => {
  const script = join(checkout(), 'scripts', 'reliability.mjs');
  const before = 'deno' in process.versions ? ['run', '-A'] : [];
  const { status, stderr } = spawnSync(process.execPath, [...before, script, '--check'], { encoding: 'utf8' });
  assert.is(status, 0, `${stderr}once that is mended: node scripts/reliability.mjs`);
});

reliability.run();
