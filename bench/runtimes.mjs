#!/usr/bin/env node
// Prefill and decode of one random model on every runtime that is here, in turns: a Markdown table.
//   node bench/runtimes.mjs [--shape tinyllama] [--types q8_0,tq2_0] [--prompt 64] [--tokens 32] [--rounds 3] [--only NAME,…]
// Runtimes come from `node test/runtimes/install.mjs`. Look at the load of the machine before believing a figure.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { find, root } from '../test/runtimes/find.mjs';
import { launch as launchPuppeteer } from '../test/runtimes/puppeteer.mjs';
import { serve } from '../test/runtimes/server.mjs';
import { launch as launchWebKit } from '../test/runtimes/webkit.mjs';
import { described, machine, median, table } from './report.mjs';

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
const { shape, prompt, tokens } = values;
const rounds = Number(values.rounds);
const found = find();
const PAGE_SECONDS = 600;
/** What the others are compared with. */
const AGAINST = 'Node 24';
const before = machine();

function script(program, args, options = []) {
  return (type) => {
    const bench = ['bench', '--shape', shape, '--type', type, '-p', prompt, '-n', tokens, '--rounds', '1', '-t', '1'];
    const file = join(root, 'dist', 'cli.js');
    const printed = execFileSync(program, [...args, file, ...bench, ...options, '--json'], { encoding: 'utf8' });
    const { build, loadMs, threads: [{ prefillTps, decodeTps }] } = JSON.parse(printed);
    return { build, loadMs, prefillTps, decodeTps };
  };
}

function browser(start) {
  return async (type) => {
    const server = await serve(false);
    const opened = await start();
    try {
      const query = new URLSearchParams({ shape, type, prompt, tokens, rounds: 1 });
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
  'Node 20 relaxed': script(process.execPath, ['--experimental-wasm-relaxed-simd']),
  'Node 24': found.node24 && script(found.node24, []),
  'Node 24 base': found.node24 && script(found.node24, [], ['--build', 'base']),
  Deno: found.deno && script(found.deno, ['run', '-A']),
  Bun: found.bun && script(found.bun, ['--no-install']),
  Chromium: found.chromium && found.puppeteer && browser(() => launchPuppeteer('chrome', found.chromium)),
  Firefox: found.firefox && found.puppeteer && browser(() => launchPuppeteer('firefox', found.firefox)),
  WebKit: found.webkitDriver && found.miniBrowser && found.xvfb && browser(() => launchWebKit(found)),
};

const only = values.only?.split(',');
const runtimes = Object.entries(RUNTIMES).filter(([name, measure]) => measure && (!only || only.includes(name)));
const types = values.types.split(',');
const speeds = new Map(); // 'runtime type' → what each round gave

for (let round = 0; round < rounds; round++) {
  for (const type of types) {
    for (const [name, measure] of runtimes) {
      process.stderr.write(`round ${round + 1} of ${rounds}: ${type}, ${name}\n`);
      const key = `${name} ${type}`;
      speeds.set(key, [...(speeds.get(key) ?? []), await measure(type)]);
    }
  }
}

const middle = (key, what) => median(speeds.get(key).map((result) => result[what]));
/** Median of the ratios to `AGAINST` within each round. */
function ratio(name, type, what) {
  const base = speeds.get(`${AGAINST} ${type}`);
  if (!base) return '–';
  return median(speeds.get(`${name} ${type}`).map((result, i) => result[what] / base[i][what])).toFixed(2);
}
console.log(
  `${
    described(before)
  }; ${shape}, one thread, prefill ${prompt}, decode ${tokens}, medians of ${rounds} rounds, in which the ` +
    `runtimes take turns\n`,
);
const head = ['runtime', 'build', 'type', 'prefill tok/s', `to ${AGAINST}`, 'decode tok/s', `to ${AGAINST}`, 'load ms'];
console.log(table(
  head,
  types.flatMap((type) =>
    runtimes.map(([name]) => [
      name,
      speeds.get(`${name} ${type}`)[0].build,
      type,
      middle(`${name} ${type}`, 'prefillTps').toFixed(1),
      ratio(name, type, 'prefillTps'),
      middle(`${name} ${type}`, 'decodeTps').toFixed(1),
      ratio(name, type, 'decodeTps'),
      middle(`${name} ${type}`, 'loadMs').toFixed(0),
    ])
  ),
));
