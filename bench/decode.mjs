#!/usr/bin/env node
// Prefill and decode of ours over the known shapes, in random models made in memory; one process per measurement.
//   npm run bench:decode -- [--shapes tinyllama,…] [--types tq2_0,q8_0] [--threads 1,2] [--prompt 512] [--tokens 64]
//     [--rounds 3] [--quick] [--runtime node24|node|deno|bun] [--json] [--out DIR]
// Spiking shapes run with 94 % of their neurons silent, as published for the released model; --sparsity sets it.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { find, root } from '../test/runtimes/find.mjs';
import { described, machine, publish, table } from './report.mjs';

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'tinyllama,falcon3-1b,bitnet-2b,symboliclight-0.8b,symboliclight-194m' },
    types: { type: 'string' },
    threads: { type: 'string', default: '1,2' },
    prompt: { type: 'string' },
    tokens: { type: 'string' },
    rounds: { type: 'string' },
    sparsity: { type: 'string', default: '0.94' },
    quick: { type: 'boolean', default: false },
    runtime: { type: 'string' },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const prompt = values.prompt ?? (values.quick ? '64' : '512');
const tokens = values.tokens ?? (values.quick ? '16' : '64');
const rounds = values.rounds ?? (values.quick ? '1' : '3');

/** A type, and the type of head and prior where it is another. */
const CASES = {
  llama: [['tq2_0'], ['q8_0']],
  symboliclight: [['i8'], ['tq2_0', 'q8_0'], ['tq2_0', 'tq2_0']],
};
const spiking = (shape) => shape.startsWith('symboliclight');
const casesOf = (shape) =>
  values.types?.split(',').map((type) => [type]) ?? CASES[spiking(shape) ? 'symboliclight' : 'llama'];

const programs = find();
const RUNTIMES = {
  node24: programs.node24 && [programs.node24],
  node: [process.execPath],
  deno: programs.deno && [programs.deno, 'run', '-A'],
  bun: programs.bun && [programs.bun, '--no-install'],
};
const runtime = values.runtime ?? (programs.node24 ? 'node24' : 'node');
const program = RUNTIMES[runtime];
if (!program) throw new Error(`--runtime ${runtime} is not here; have ${Object.keys(RUNTIMES).join(', ')}`);

function measure(shape, [type, head]) {
  const args = ['bench', '--shape', shape, '--type', type, '-p', prompt, '-n', tokens, '--rounds', rounds, '--json'];
  if (head) args.push('--head', head);
  if (spiking(shape)) args.push('--sparsity', values.sparsity);
  args.push('--threads', values.threads);
  const [file, ...before] = program;
  const printed = execFileSync(file, [...before, join(root, 'dist', 'cli.js'), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', values.json ? 'ignore' : 'inherit'],
  });
  return JSON.parse(printed);
}

const before = machine();
const results = [];
for (const shape of values.shapes.split(',')) {
  for (const of of casesOf(shape)) results.push({ shape, type: of[0], head: of[1], ...measure(shape, of) });
}
const name = ({ shape, type, head }) => `${shape} ${type}${head && head !== type ? `, head ${head}` : ''}`;
const rows = results.flatMap((result) =>
  result.threads.map(({ threads, prefillTps, decodeTps, bytesPerToken, gbPerSecond }) => [
    name(result),
    result.head ? result.head : '',
    threads,
    prefillTps.toFixed(1),
    decodeTps.toFixed(1),
    (bytesPerToken / 1e6).toFixed(0),
    gbPerSecond.toFixed(1),
    (result.memory.weightsBytes / 1e6).toFixed(0),
  ])
);
publish({
  name: 'decode',
  title: `Decode, ${runtime}`,
  unit: 'tokens/s',
  data: { machine: before, runtime: results[0]?.runtime, prompt, tokens, rounds, results },
  markdown: [
    `${described(before)}; ${results[0]?.runtime}; prefill ${prompt}, decode ${tokens}, medians of ${rounds}\n`,
    table(
      ['model', 'head', 'threads', 'prefill tok/s', 'decode tok/s', 'MB a token', 'GB/s', 'weights MB'],
      rows,
    ),
  ].join('\n'),
  bars: results.flatMap((result) =>
    result.threads.map(({ threads, decodeTps }) => ({
      label: `${name(result)}, ${threads} thread${threads > 1 ? 's' : ''}`,
      value: decodeTps,
      series: result.shape,
    }))
  ),
}, values);
