#!/usr/bin/env node
// Runs Deno's formatter or linter over the checkout with its settings: `node deno.mjs fmt --check`, `node deno.mjs lint`.
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { find, root } from './find.mjs';

const { deno } = find();
if (deno === null) {
  console.error('Deno is not here, and formatting and linting are done by it; run: node test/runtimes/install.mjs');
  process.exit(1);
}
const [command, ...args] = process.argv.slice(2);
const { status } = spawnSync(deno, [command, ...args, '--config', 'deno.json'], { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
