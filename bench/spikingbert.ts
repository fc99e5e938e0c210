/**
 * Speed of the spiking BERT over random weights of the released shape, 4 encoders of 768 and 3072, against the same network
 * with dense f32 products: `node build/bench/spikingbert.js [tokens] [steps,steps] [--json]`.
 *
 * Dense is what a runtime without spikes does: each step multiplies all weights. Its products alone are timed, of one step,
 * and taken times the steps; neurons, norms and attention would come on top. Least processor times of several runs on one thread.
 * @module
 */
import { loadavg } from 'node:os';
import process from 'node:process';
import { strideOf } from '../src/forward/matmul.ts';
import type { SpikingBert } from '../src/architectures/spikingbert/forward.ts';
import { SpikingBertRun } from '../src/architectures/spikingbert/run.ts';
import type { SpikingBertEncoder } from '../src/architectures/spikingbert/weights.ts';
import type { SpikingBertDescription } from '../src/architectures/spikingbert/description.ts';
import type { Layout } from '../src/description/layout.ts';
import { layerFeatures } from '../src/architectures/spikingbert/plan.ts';
import { Arena, type Ptr } from '../src/wasm/arena.ts';
import { builtinModule } from '../src/wasm/builtin.ts';
import { instantiate } from '../src/wasm/instantiate.ts';
import type { Kernels } from '../src/wasm/kernels.ts';
import type { Matrix } from '../src/wasm/weights.ts';

type SpikeLayout = Extract<Layout, 'trit2' | 'bit1' | 'i8' | 'f32'>;

const D: SpikingBertDescription = {
  kind: 'spikingbert',
  architecture: 'spikingbert',
  name: 'random',
  layers: 4,
  width: 768,
  hidden: 3072,
  heads: 12,
  headDim: 64,
  vocab: 512,
  trainedContext: 512,
  segments: 2,
  normEps: 1e-12,
  threshold: 1,
  leak: 1,
  initial: 0,
  steps: 100,
  classes: 2,
  labels: ['0', '1'],
  task: 'sst-2',
  parameters: 0,
};

/** Standard deviation of weights, as BERT begins. */
const DEVIATION = 0.02;

let state = 1;
/** 0 ≤ u < 1 */
function uniform(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

/** Bytes and scale of a layout whose weights deviate as wanted. */
const FORMS: Record<SpikeLayout, { units: (cols: number) => number; unitBytes: number; scale: number }> = {
  trit2: { units: (cols) => cols / 64, unitBytes: 16, scale: DEVIATION / Math.sqrt(2 / 3) },
  bit1: { units: (cols) => cols / 64, unitBytes: 8, scale: DEVIATION },
  i8: { units: (cols) => cols / 32, unitBytes: 32, scale: DEVIATION / 37 },
  f32: { units: (cols) => cols, unitBytes: 4, scale: 0 },
};

function randomMatrix(arena: Arena, layout: SpikeLayout, rows: number, cols: number): Matrix {
  const { units, unitBytes, scale } = FORMS[layout];
  const paddedRows = Math.ceil(rows / 4) * 4;
  const dataBytes = paddedRows * units(cols) * unitBytes;
  const data = arena.alloc(dataBytes, 'weights');
  if (layout === 'f32') {
    arena.f32(data, dataBytes / 4).forEach((_, i, all) => all[i] = DEVIATION * Math.sqrt(12) * (uniform() - 0.5));
  } else {
    const trits = (): number => [0, 2, 4, 6].reduce((byte, shift) => byte | (Math.floor(uniform() * 3) << shift), 0);
    const byte = (): number => Math.floor(uniform() * 256);
    const make = { trit2: trits, bit1: byte, i8: () => (byte() >> 1) - 64 }[layout];
    arena.u8(data, dataBytes).forEach((_, i, all) => all[i] = make());
  }
  const scales = layout === 'f32' ? 0 : arena.alloc(paddedRows * 4, 'scales');
  if (scales) arena.f32(scales, paddedRows).fill(scale);
  const shape = { rows, cols, paddedRows, units: units(cols), unitsPerScale: units(cols), dataBytes, scaleBytes: 0 };
  return { ...shape, layout, name: layout, data, scales, scaleKind: 0, exact: false } as Matrix;
}

function randomModel(k: Kernels, arena: Arena, layout: SpikeLayout): SpikingBert {
  const d = D;
  const vector = (n: number, value: number): Ptr => {
    const at = arena.alloc(strideOf(n) * 4, 'vector');
    arena.f32(at, n).fill(value);
    return at;
  };
  const table = (rows: number): Matrix => randomMatrix(arena, 'f32', rows, d.width);
  const encoders = Array.from({ length: d.layers }, (): SpikingBertEncoder => ({
    key: randomMatrix(arena, layout, d.width, d.width),
    value: randomMatrix(arena, layout, d.width, d.width),
    query: randomMatrix(arena, layout, d.width, d.width),
    out: randomMatrix(arena, layout, d.width, d.width),
    up: randomMatrix(arena, layout, d.hidden, d.width),
    down: randomMatrix(arena, layout, d.width, d.hidden),
    keyBias: vector(d.width, 0),
    valueBias: vector(d.width, 0),
    queryBias: vector(d.width, 0),
    outBias: vector(d.width, 0),
    upBias: vector(d.hidden, 0),
    downBias: vector(d.width, 0),
    outNorm: vector(d.width, 1),
    outNormBias: vector(d.width, 0),
    downNorm: vector(d.width, 1),
    downNormBias: vector(d.width, 0),
  }));
  const w = {
    words: table(d.vocab),
    positions: table(d.trainedContext),
    segments: table(d.segments),
    norm: vector(d.width, 1),
    normBias: vector(d.width, 0),
    encoders,
    classifier: randomMatrix(arena, 'f32', d.classes, d.width),
    classifierBias: vector(d.classes, 0),
  };
  return { k, d, w, arena };
}

/** Processor time of `action` in ms: other programs disturb it less than the clock. */
function cost(action: () => void): number {
  const begin = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1000;
}

/** For every part of a repeated piece of work its least cost, summed: no part was disturbed each time. */
function least(repeats: number, parts: () => Iterable<() => void>): number {
  const best: number[] = [];
  for (let i = 0; i < repeats; i++) {
    let part = 0;
    for (const action of parts()) {
      best[part] = Math.min(best[part] ?? Infinity, cost(action));
      part++;
    }
  }
  return best.reduce((a, b) => a + b, 0);
}

/** Products of one step, all weights f32. */
function dense(k: Kernels, arena: Arena, tokens: number): number {
  const mark = arena.mark();
  const x = arena.alloc(tokens * D.hidden * 4, 'x');
  arena.f32(x, tokens * D.hidden).fill(1);
  const y = arena.alloc(tokens * D.hidden * 4, 'y');
  const square = randomMatrix(arena, 'f32', D.width, D.width);
  const up = randomMatrix(arena, 'f32', D.hidden, D.width);
  const down = randomMatrix(arena, 'f32', D.width, D.hidden);
  const ms = least(
    10,
    () =>
      [square, square, square, square, up, down].map((m) => () =>
        k.f32_gemm(m.data, m.units, x, m.cols, y, m.rows, 0, m.rows, tokens)
      ),
  );
  arena.release(mark);
  return ms * D.layers;
}

/** Share of the neurons of the last encoder that fired, layer by layer from its input on. */
function ratesOf(run: SpikingBertRun, tokens: number): number[] {
  const layers = 6 * D.layers + 1;
  return Array.from({ length: 7 }, (_, j) => {
    let sum = 0;
    for (let t = 0; t < run.done; t++) sum += run.stepSpikes[t * layers + layers - 7 + j];
    return sum / (run.done * tokens * layerFeatures(D, layers - 7 + j));
  });
}

/** Steps that are timed by themselves. */
const PIECE = 16;

const json = process.argv.includes('--json');
const given = process.argv.slice(2).filter((arg) => arg !== '--json');
const tokens = Number(given[0] ?? 32);
const lengths = (given[1] ?? '16,100').split(',').map(Number);
const results: { layout: SpikeLayout; steps: number; ms: number; dense: number }[] = [];
const { module, build } = await builtinModule();
if (!json) console.log(`${tokens} tokens, ${build} build, node ${process.version}, load ${loadavg()[0].toFixed(2)}`);
for (const layout of ['trit2', 'bit1', 'i8', 'f32'] as const) {
  const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
  const k = instantiate(module, arena.memory);
  const m = randomModel(k, arena, layout);
  const ids = Array.from({ length: tokens }, (_, i) => i % D.vocab);
  const types = ids.map(() => 0);
  for (const steps of lengths) {
    let rates = '';
    const ms = least(steps > PIECE ? 4 : 12, function* () {
      const run = new SpikingBertRun(m, ids, types, { steps, threshold: D.threshold, leak: D.leak });
      while (run.done < steps) yield () => void run.advance(Math.min(PIECE, steps - run.done));
      rates = ratesOf(run, tokens).map((rate) => (rate * 100).toFixed(0)).join(' ');
      run.free();
    });
    const plain = dense(k, arena, tokens) * steps;
    results.push({ layout, steps, ms, dense: plain });
    if (json) continue;
    const pairs = 4 * (4 * D.width * D.width + 2 * D.width * D.hidden) * tokens * steps;
    console.log(
      `${layout.padEnd(6)} T=${String(steps).padEnd(4)} ${ms.toFixed(1)} ms   ${
        (pairs / ms / 1e6).toFixed(0)
      } G pairs/s   ` +
        `dense f32 products ${plain.toFixed(0)} ms: ${(plain / ms).toFixed(1)} x   fired, last encoder: ${rates} %`,
    );
  }
}
if (json) console.log(JSON.stringify({ tokens, build, results }));
