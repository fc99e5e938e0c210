#!/usr/bin/env node
// The spiking BERT of ours, T steps, beside one ordinary f32 forward pass of a BERT of that shape in ONNX Runtime, one thread each,
// in alternation in one run: a Markdown table. Random weights; embeddings are left out on both sides.
//   npm run bench:bert -- [tokens] [steps,steps]
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import * as ort from 'onnxruntime-node';
import { find, root } from '../../test/runtimes/find.mjs';
import { described, machine, median, table } from '../report.mjs';
import { bertGraph } from './onnx.mjs';

const WIDTH = 768;
const HIDDEN = 3072;
const HEADS = 12;
const LAYERS = 4;
const ROUNDS = 5;
const RUNS = 12;
const tokens = Number(process.argv[2] ?? 32);
const steps = process.argv[3] ?? '16,100';

function random(name, dims) {
  const deviation = name.endsWith('.g') ? 1 : name.includes('.n') ? 0.1 : 0.02;
  return Float32Array.from(
    { length: dims.reduce((a, b) => a * b, 1) },
    () => (Math.random() - 0.5) * 3.46 * deviation,
  );
}

const before = machine();
const shape = { batch: 1, tokens, width: WIDTH, hidden: HIDDEN, heads: HEADS, layers: LAYERS };
const { model } = bertGraph(shape, random);
const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const feeds = {
  x: new ort.Tensor('float32', Float32Array.from({ length: tokens * WIDTH }, () => Math.random() - 0.5), [
    tokens,
    WIDTH,
  ]),
};
async function dense() {
  let least = Infinity;
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now();
    await session.run(feeds);
    least = Math.min(least, performance.now() - start);
  }
  return least;
}
const node24 = find().node24 ?? process.execPath;
const ours = () =>
  JSON.parse(
    execFileSync(node24, [join(root, 'build/bench/spikingbert.js'), `${tokens}`, steps, '--json'], {
      encoding: 'utf8',
    }),
  );

await dense();
const rounds = [];
for (let i = 0; i < ROUNDS; i++) rounds.push({ onnx: await dense(), ...ours() });
console.log(
  `${
    described(before)
  }; ${LAYERS} × ${WIDTH}, ${tokens} tokens, one thread; medians of ${ROUNDS} alternating rounds, each the least of its runs. ` +
    `ONNX Runtime, one f32 forward pass: ${median(rounds.map(({ onnx }) => onnx)).toFixed(1)} ms\n`,
);
const rows = rounds[0].results.map(({ layout, steps: t }, i) => {
  const of = (pick) => median(rounds.map((round) => pick(round.results[i], round.onnx)));
  return [
    layout,
    t,
    of(({ ms }) => ms).toFixed(0),
    of(({ ms }) => 1000 / ms).toFixed(1),
    of(({ dense: all, ms }) => all / ms).toFixed(1),
    of(({ ms }, onnx) => ms / onnx).toFixed(1),
    of(({ ms }, onnx) => (ms / onnx / t)).toFixed(2),
  ];
});
console.log(
  table([
    'weights',
    'T',
    'ms a sentence',
    'sentences/s',
    '× faster than T dense f32 steps of ours',
    'times one ONNX pass',
    'per step',
  ], rows),
);
