#!/usr/bin/env node
// Records what this runtime gives as what every runtime must give: writes test/portable/golden.ts from the facts of the
// portable checks. For changes that are meant to change numbers; everything else is to leave that file alone.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { bundle } from './bundle.mjs';
import { here, root } from './find.mjs';
import { run } from './process.mjs';

const path = join(root, 'test', 'portable', 'golden.ts');
const source = readFileSync(path, 'utf8');
const head = source.slice(0, source.indexOf(' = {'));

writeFileSync(path, `${head} = {};\n`); // else the checks would hold the new numbers against the old
await bundle();
const options = { cwd: root, env: { CI: '' }, seconds: 240 }; // in CI, a value that is not recorded is a failure
const { output } = await run(process.execPath, [join(here, 'script.mjs'), 'golden'], options);
const report = output.split('\n').findLast((line) => line.startsWith('{"runtime"'));
const { results, facts } = report === undefined ? { results: [], facts: {} } : JSON.parse(report);
const failed = results.filter((result) => !result.ok || result.skipped);
if (report === undefined || failed.length > 0) {
  writeFileSync(path, source);
  console.error(
    report === undefined ? output : failed.map(({ name, error, skipped }) => `${name}\n${error ?? skipped}`).join('\n'),
  );
  process.exitCode = 1;
} else {
  const lines = Object.entries(facts).map(([fact, hash]) => `  '${fact}': '${hash}',\n`);
  writeFileSync(path, `${head} = {\n${lines.join('')}};\n`);
  console.log(lines.join(''));
}
