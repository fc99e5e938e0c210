#!/usr/bin/env node
// Runs the benchmark of the kernels, build/bench/kernels.js, on a runtime: Node 24 where it is installed, else this Node.
//   npm run bench:kernels -- [--runtime node24|node|deno|bun] [--only NAME] [--ms 300] [--json]
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { find, root } from '../test/runtimes/find.mjs';

const { node24, deno, bun } = find();
const args = process.argv.slice(2);
const at = args.indexOf('--runtime');
const [, wanted = node24 ? 'node24' : 'node'] = at < 0 ? [] : args.splice(at, 2);
const program = { node24, node: process.execPath, deno, bun }[wanted];
if (!program) {
  console.error(
    `runtime ${wanted} is not here; node, or one of node24, deno, bun after node test/runtimes/install.mjs`,
  );
  process.exit(2);
}
const before = { node: ['--experimental-wasm-relaxed-simd'], deno: ['run', '-A'], bun: ['--no-install'] }[wanted] ?? [];
const { status } = spawnSync(program, [...before, join(root, 'build', 'bench', 'kernels.js'), ...args], {
  stdio: 'inherit',
});
process.exit(status ?? 1);
