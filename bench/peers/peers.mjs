#!/usr/bin/env node
// The same files, the same machine, the same run, in alternation: native llama.cpp and ours on Node 24, wllama (llama.cpp's own
// WebAssembly build) and ours in Chromium, and SymbolicLight of ours beside native Q8_0.
//   npm run bench:peers -- [--types tq2_0,q8_0] [--threads 1,2] [--rounds 5] [--prompt 512] [--tokens 64] [--quick]
//     [--only native,wllama,spiking] [--json] [--out DIR]
// --quick: 4 layers of the 22, prompts of 128, 16 tokens, 3 rounds of native and 1 of wllama; under four minutes.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { find, root } from '../../test/runtimes/find.mjs';
import { launch } from '../../test/runtimes/puppeteer.mjs';
import { serve } from '../../test/runtimes/server.mjs';
import { described, machine, median, publish, table } from '../report.mjs';
import { cache, modelFile } from './files.mjs';

const { values } = parseArgs({
  options: {
    types: { type: 'string', default: 'tq2_0,q8_0' },
    threads: { type: 'string', default: '1,2' },
    layers: { type: 'string' },
    prompt: { type: 'string' },
    tokens: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: 'native,wllama,spiking' },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const { quick } = values;
const number = (name, usual, short) => Number(values[name] ?? (quick ? short : usual));
const [layers, prompt, tokens, rounds] = [
  number('layers', 22, 4),
  number('prompt', 512, 128),
  number('tokens', 64, 16),
  number('rounds', 5, 3),
];
const wasmRounds = quick ? 1 : rounds;
const [types, threadCounts, parts] = [values.types, values.threads, values.only].map((list) => list.split(','));
const programs = find();
const node = programs.node24 ?? process.execPath;
const PAGE_SECONDS = 1800;
const note = (text) => process.stderr.write(`${text}\n`);
const json = (file, args) =>
  JSON.parse(execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));

const native = (path, threads) =>
  json(process.execPath, [join(root, 'bench/peers/native.mjs'), path, threads, prompt, tokens].map(String));
const sizes = ['-p', prompt, '-n', tokens, '--rounds', 1, '--json'];
const bench = (args) => json(node, [join(root, 'dist/cli.js'), 'bench', ...args, ...sizes].map(String));
const ours = (path, threads) => bench(['-m', path, '--threads', threads]).threads.at(-1);

/** One page in a browser of its own, isolated so that memory may be shared between threads. */
async function page(name, path, threads) {
  const wllama = join(root, 'bench/peers/node_modules/@wllama/wllama/esm');
  const server = await serve(true, { cache, wllama });
  const browser = await launch('chrome', programs.chromium);
  try {
    const query = new URLSearchParams({ prompt, tokens, threads, rounds: 1 });
    query.set('model', `${server.origin}/cache/${basename(path)}`);
    const result = await browser.visit(`${server.origin}/bench/${name}.html?${query}`, PAGE_SECONDS);
    if (result.error) throw new Error(`${name}: ${result.error}`);
    return { ...result, browser: browser.version };
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Two sides in alternation; the order turns round every time, so that neither always comes first. */
async function alternate(times, theirs, own) {
  const pairs = [];
  for (let round = 0; round < times; round++) {
    const first = round % 2 === 0 ? await theirs() : await own();
    const second = round % 2 === 0 ? await own() : await theirs();
    pairs.push(round % 2 === 0 ? [first, second] : [second, first]);
  }
  return pairs;
}

const comparisons = [];
function compare(name, theirs, own, pairs) {
  for (const what of ['decodeTps', 'prefillTps']) {
    if (pairs.some(([a, b]) => a[what] === undefined || b[what] === undefined)) continue;
    const ratios = pairs.map(([a, b]) => b[what] / a[what]);
    comparisons.push({
      name: `${name} ${what === 'decodeTps' ? 'decode' : 'prefill'}`,
      theirs: { name: theirs, tps: median(pairs.map(([a]) => a[what])) },
      ours: { name: own, tps: median(pairs.map(([, b]) => b[what])) },
      ratio: median(ratios),
      ratios,
    });
  }
}

const before = machine();
const versions = { node: execFileSync(node, ['--version'], { encoding: 'utf8' }).trim() };
const packages = JSON.parse(readFileSync(join(root, 'bench/peers/package.json'), 'utf8')).dependencies;
Object.assign(versions, packages);

if (parts.includes('native')) {
  for (const type of types) {
    const path = await modelFile(type, layers);
    for (const threads of threadCounts) {
      note(`native llama.cpp and ours: ${type}, ${threads} thread(s)`);
      const pairs = await alternate(rounds, () => native(path, threads), () => ours(path, threads));
      versions.llamaCpp = pairs[0][0].release;
      compare(`${type}, ${threads} thread${threads > 1 ? 's' : ''}`, 'llama.cpp', 'ours, Node', pairs);
    }
  }
}
if (parts.includes('wllama') && programs.chromium) {
  for (const type of types) {
    const path = await modelFile(type, layers);
    for (const threads of threadCounts) {
      note(`wllama and ours in Chromium: ${type}, ${threads} thread(s)`);
      const pairs = await alternate(
        wasmRounds,
        () => page('wllama', path, threads),
        () => page('index', path, threads),
      );
      versions.chromium = pairs[0][0].browser;
      versions.wllamaCpp = pairs[0][0].release;
      compare(`${type}, ${threads} thread${threads > 1 ? 's' : ''}, Chromium`, 'wllama', 'ours, Chromium', pairs);
    }
  }
}
if (parts.includes('spiking')) {
  const path = await modelFile('q8_0', layers);
  // both shapes have 22 layers
  const part = ['--layers', layers];
  for (const [type, head] of [['i8', 'i8'], ['tq2_0', 'q8_0'], ['tq2_0', 'tq2_0']]) {
    note(`native Q8_0 and SymbolicLight 0.8b, ${type}, head ${head}`);
    const shape = ['--shape', 'symboliclight-0.8b', '--type', type, '--head', head, '--sparsity', 0.94, ...part];
    const own = () => ({ decodeTps: bench([...shape, '--threads', 1]).threads.at(-1).decodeTps });
    const pairs = await alternate(rounds, () => native(path, 1), own);
    compare(`0.8b ${type}, head ${head}, against TinyLlama Q8_0, 1 thread`, 'llama.cpp', 'ours, Node', pairs);
  }
}

const rows = comparisons.map(({ name, theirs, ours: own, ratio, ratios }) => [
  name,
  `${theirs.name} ${theirs.tps.toFixed(1)}`,
  `${own.name} ${own.tps.toFixed(1)}`,
  ratio.toFixed(2),
  ratios.map((value) => value.toFixed(2)).join(', '),
]);
publish({
  name: 'peers',
  title: 'The same file, the same run',
  unit: 'tokens/s',
  data: { machine: before, versions, shape: 'tinyllama', layers, prompt, tokens, rounds, comparisons },
  markdown: [
    `${
      described(before)
    }; shape of TinyLlama, ${layers} of 22 layers, prefill ${prompt}, decode ${tokens}; medians of ` +
    `${rounds} alternating rounds (wllama: ${wasmRounds}). Versions: ${
      Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')
    }\n`,
    table(['what', 'theirs, tok/s', 'ours, tok/s', 'ratio', 'ratio of each round'], rows),
  ].join('\n'),
  bars: comparisons.flatMap(({ name, theirs, ours: own, ratio }) => [
    { label: `${name}: ${theirs.name}`, value: theirs.tps, series: theirs.name },
    { label: own.name, value: own.tps, series: 'ours', note: `${ratio.toFixed(2)} ×` },
  ]),
}, values);
