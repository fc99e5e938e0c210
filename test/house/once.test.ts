/** The lists of tests that not every runtime runs name tests that exist, and leave enough. */
import { readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ENGINE, ONCE } from '../once.ts';
import { checkout } from './checkout.ts';

const once = suite('once');

const files = readdirSync(join(checkout(), 'test'), { recursive: true, encoding: 'utf8' })
  .map((path) => path.split(sep).join('/'))
  .filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules'));

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
