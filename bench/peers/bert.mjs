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

const WIDTH = 768;
const HIDDEN = 3072;
const HEADS = 12;
const LAYERS = 4;
const ROUNDS = 5;
const RUNS = 12;
const tokens = Number(process.argv[2] ?? 32);
const steps = process.argv[3] ?? '16,100';

// The few messages of onnx.proto that a graph needs.
const varint = (n) => {
  const bytes = [];
  for (let left = BigInt(n);; left >>= 7n) {
    if (left < 128n) return Buffer.from([...bytes, Number(left)]);
    bytes.push(Number(left & 127n) | 128);
  }
};
const int = (field, n) => Buffer.concat([varint(field << 3), varint(n)]);
const bytes = (field, value) => {
  const data = Buffer.isBuffer(value) ? value : Buffer.from(value);
  return Buffer.concat([varint((field << 3) | 2), varint(data.length), data]);
};
const float = (field, value) => {
  const data = Buffer.alloc(4);
  data.writeFloatLE(value);
  return Buffer.concat([varint((field << 3) | 5), data]);
};
const message = (...parts) => Buffer.concat(parts);
const FLOAT = 1;
const INT64 = 7;
const attributes = {
  perm: (list) => message(bytes(1, 'perm'), ...list.map((n) => int(8, n)), int(20, 7)),
  axis: (n) => message(bytes(1, 'axis'), int(3, n), int(20, 2)),
  epsilon: (value) => message(bytes(1, 'epsilon'), float(2, value), int(20, 1)),
};

const nodes = [];
const weights = [];
const tensor = (name, dims, type, data) =>
  weights.push(bytes(5, message(...dims.map((n) => int(1, n)), int(2, type), bytes(8, name), bytes(9, data))));
function node(op, inputs, output, given = {}) {
  const more = Object.entries(given).map(([name, value]) => bytes(5, attributes[name](value)));
  nodes.push(
    bytes(
      1,
      message(...inputs.map((name) => bytes(1, name)), bytes(2, output), bytes(3, output), bytes(4, op), ...more),
    ),
  );
  return output;
}

function random(name, dims, deviation) {
  const values = Float32Array.from(
    { length: dims.reduce((a, b) => a * b, 1) },
    () => (Math.random() - 0.5) * 3.46 * deviation,
  );
  tensor(name, dims, FLOAT, Buffer.from(values.buffer));
  return name;
}
const constant = (name, values) =>
  tensor(name, [values.length], INT64, Buffer.from(BigInt64Array.from(values.map(BigInt)).buffer));
const linear = (x, name, from, to) =>
  node('Add', [
    node('MatMul', [x, random(`${name}.w`, [from, to], 0.02)], `${name}.m`),
    random(`${name}.b`, [to], 0.02),
  ], `${name}.y`);
const norm = (x, name) =>
  node('LayerNormalization', [x, random(`${name}.g`, [WIDTH], 1), random(`${name}.b`, [WIDTH], 0.1)], `${name}.y`, {
    axis: -1n & 0xffffffffffffffffn,
    epsilon: 1e-12,
  });

function graph() {
  constant('split', [tokens, HEADS, WIDTH / HEADS]);
  constant('whole', [tokens, WIDTH]);
  const eighth = Buffer.alloc(4);
  eighth.writeFloatLE(1 / Math.sqrt(WIDTH / HEADS));
  tensor('scale', [1], FLOAT, eighth);
  let x = 'x';
  for (let i = 0; i < LAYERS; i++) {
    const of = (name) => `l${i}.${name}`;
    const heads = (name, perm) => {
      const split = node('Reshape', [linear(x, of(name), WIDTH, WIDTH), 'split'], of(`${name}.split`));
      return node('Transpose', [split], of(`${name}.heads`), { perm });
    };
    const [q, k, v] = [heads('q', [1, 0, 2]), heads('k', [1, 2, 0]), heads('v', [1, 0, 2])];
    const scores = node('Mul', [node('MatMul', [q, k], of('qk')), 'scale'], of('scores'));
    const shares = node('Softmax', [scores], of('shares'), { axis: 2 });
    const mixed = node('Transpose', [node('MatMul', [shares, v], of('sv'))], of('mixed'), { perm: [1, 0, 2] });
    const out = linear(node('Reshape', [mixed, 'whole'], of('joined')), of('o'), WIDTH, WIDTH);
    const h = norm(node('Add', [out, x], of('r1')), of('n1'));
    const up = node('Gelu', [linear(h, of('up'), WIDTH, HIDDEN)], of('gelu'));
    x = norm(node('Add', [linear(up, of('down'), HIDDEN, WIDTH), h], of('r2')), of('n2'));
  }
  const shape = message(...[tokens, WIDTH].map((n) => bytes(1, int(1, n))));
  const value = (name) => message(bytes(1, name), bytes(2, bytes(1, message(int(1, FLOAT), bytes(2, shape)))));
  const body = message(...nodes, bytes(2, 'bert'), ...weights, bytes(11, value('x')), bytes(12, value(x)));
  return { model: message(int(1, 9), bytes(7, body), bytes(8, message(bytes(1, ''), int(2, 20)))), output: x };
}

const before = machine();
const { model } = graph();
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
