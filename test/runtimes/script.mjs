// The portable checks on a runtime with files: Node, Deno and Bun run this script. The report is its last line.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { defaultModel } from '../../dist/default-model.js';
import * as ternspike from '../../dist/index.js';
import { builds, main } from '../../build/portable/portable.js';
import { shared } from './find.mjs';

const emulated = process.env.TERNSPIKE_EMULATED === '1';
const report = await main({
  runtime: process.argv[2] ?? 'script',
  open: (source, options) => ternspike.open(source, options),
  fixture: (path) => readFile(join(shared, path)).then((bytes) => new Uint8Array(bytes), () => null),
  defaultModel,
  builds: builds(),
  threads: emulated ? [1] : [1, 2],
  ...(emulated && { emulated: 8 }),
  strict: Boolean(process.env.CI),
});
console.log(JSON.stringify(report));
