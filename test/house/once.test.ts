/** The lists of tests that not every runtime runs name tests that exist, and leave enough. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ENGINE, ONCE } from '../once.ts';
import { checkout } from './checkout.ts';

const once = suite('once');

/** Tests below a folder, but for packages, which may link back to this checkout. */
function tests(below: string): string[] {
  return readdirSync(join(checkout(), 'test', below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : tests(path);
    return path.endsWith('.test.ts') ? [path] : [];
  });
}

const files = tests('');

once('every entry names a test, and says why', () => {
  for (const [start, why] of Object.entries({ ...ONCE, ...ENGINE })) {
    assert.ok(files.some((path) => path.startsWith(start)), `${start} begins the path of no test`);
    assert.ok(why.length > 10, start);
  }
});

once('every runtime still runs most folders', () => {
  const left = files.filter((path) => !Object.keys({ ...ONCE, ...ENGINE }).some((start) => path.startsWith(start)));
  for (const folder of ['bytes/', 'cli/', 'container/', 'session/', 'threads/', 'tokenizer/', 'wasm/', 'worker/']) {
    assert.ok(left.some((path) => path.startsWith(folder)), `no test of ${folder} is left`);
  }
});

once.run();
