#!/usr/bin/env node
// Prefill and decode of one random model on every runtime that is here, one after another: a Markdown table.
//   node bench/runtimes.mjs [--shape tinyllama] [--types q8_0,tq2_0] [--prompt 64] [--tokens 32] [--rounds 3] [--only NAME,…]
// Runtimes come from `node test/runtimes/install.mjs`. Look at the load of the machine before believing a figure.
import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { find, root } from '../test/runtimes/find.mjs';
import { launch as launchPuppeteer } from '../test/runtimes/puppeteer.mjs';
import { serve } from '../test/runtimes/server.mjs';
import { launch as launchWebKit } from '../test/runtimes/webkit.mjs';

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'tinyllama' },
    types: { type: 'string', default: 'q8_0,tq2_0' },
    prompt: { type: 'string', default: '64' },
    tokens: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
  },
});
const { shape, prompt, tokens, rounds } = values;
const found = find();
const PAGE_SECONDS = 600;

function script(program, args) {
  return (type) => {
    const bench = ['bench', '--shape', shape, '--type', type, '-p', prompt, '-n', tokens, '--rounds', rounds, '--json'];
    const printed = execFileSync(program, [...args, join(root, 'dist', 'cli.js'), ...bench], { encoding: 'utf8' });
    const { build, loadMs, threads: [{ prefillTps, decodeTps }], memory } = JSON.parse(printed);
    return { build, loadMs, prefillTps, decodeTps, peak: memory?.peakRssBytes };
  };
}

function browser(start) {
  return async (type) => {
    const server = await serve(false);
    const opened = await start();
    try {
      const query = new URLSearchParams({ shape, type, prompt, tokens, rounds });
      const result = await opened.visit(`${server.origin}/bench/index.html?${query}`, PAGE_SECONDS);
      if (result.error) throw new Error(result.error);
      return result;
    } finally {
      await opened.close();
      await server.close();
    }
  };
}

const RUNTIMES = {
  'Node 20': script(process.execPath, []),
  'Node 20, relaxed flag': script(process.execPath, ['--experimental-wasm-relaxed-simd']),
  'Node 24': found.node24 && script(found.node24, []),
  Deno: found.deno && script(found.deno, ['run', '-A']),
  Bun: found.bun && script(found.bun, ['--no-install']),
  Chromium: found.chromium && found.puppeteer && browser(() => launchPuppeteer('chrome', found.chromium)),
  Firefox: found.firefox && found.puppeteer && browser(() => launchPuppeteer('firefox', found.firefox)),
  WebKit: found.webkitDriver && found.miniBrowser && found.xvfb && browser(() => launchWebKit(found)),
};

const only = values.only?.split(',');
console.log(
  `${cpus()[0]?.model}, ${cpus().length} cores, load ${loadavg()[0].toFixed(2)} before; ${shape}, one thread, ` +
    `prefill ${prompt}, decode ${tokens}, medians of ${rounds}\n`,
);
console.log(
  '| runtime | build | type | prefill tok/s | decode tok/s | load ms | peak RSS MB |\n|---|---|---|---|---|---|---|',
);
for (const [name, measure] of Object.entries(RUNTIMES)) {
  if (!measure || (only && !only.includes(name))) continue;
  for (const type of values.types.split(',')) {
    const { build, prefillTps, decodeTps, loadMs, peak } = await measure(type);
    const mb = peak ? (peak / 1e6).toFixed(0) : '–';
    console.log(
      `| ${name} | ${build} | ${type} | ${prefillTps.toFixed(1)} | ${decodeTps.toFixed(1)} | ${
        loadMs.toFixed(0)
      } | ${mb} |`,
    );
  }
}
