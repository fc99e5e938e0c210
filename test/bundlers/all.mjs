#!/usr/bin/env node
// Packs the package, installs the tarball, builds with it by every bundler, and runs what was built: pages in Chromium,
// programs on Node and Bun, a Worker in workerd, and the examples. `node all.mjs NAME…` runs only these.
// The last line is `N passed, N failed`.
import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { find } from '../runtimes/find.mjs';
import { launch } from '../runtimes/puppeteer.mjs';
import { finish, suite } from '../runtimes/report.mjs';
import { builds } from './builds.mjs';
import { examples } from './examples.mjs';
import { here, install, work } from './package.mjs';
import { checks as packageChecks } from './package-checks.mjs';

const wanted = process.argv.slice(2);
const found = find();

rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });
for (const folder of ['app', 'next']) cpSync(join(here, folder), join(work, folder), { recursive: true });
cpSync(join(here, '..', '..', 'examples'), join(work, 'examples'), { recursive: true });

await install();
mkdirSync(join(work, 'examples', 'page', 'node_modules'));
symlinkSync(join(here, 'node_modules', 'ternspike'), join(work, 'examples', 'page', 'node_modules', 'ternspike'));

let browser;
const chromium = async () => browser ??= await launch('chrome', found.chromium);

try {
  for (const [name, run] of Object.entries({ ...packageChecks, ...builds, ...examples })) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    await suite(name, '', 'builds and runs', async () => {
      const notes = [];
      // what is wrong is one note each; what is right is counted
      let passed = 0;
      const expect = (what, holds, found) => {
        if (holds) passed++;
        else notes.push(`${what}: ${typeof found === 'string' ? found : JSON.stringify(found)}`);
      };
      await run({ expect, chromium, found });
      return { passed, failed: notes.length, skipped: 0, notes };
    });
  }
} finally {
  await browser?.close();
}
finish();
