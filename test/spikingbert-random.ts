/**
 * Random spiking BERTs straight in wasm memory, of every layout that spikes meet, with their weights as floats beside them.
 * Weights are small multiples of a power of two, so that sums are exact in any order: what is compared is the rest.
 * @module
 */
import type { SpikingBert } from '../src/architectures/spikingbert/forward.ts';
import { strideOf } from '../src/forward/matmul.ts';
import type { SpikingBertEncoder } from '../src/architectures/spikingbert/weights.ts';
import type { SpikingBertDescription } from '../src/architectures/spikingbert/description.ts';
import type { Layout } from '../src/description/layout.ts';
import type { Arena, Ptr } from '../src/wasm/arena.ts';
import type { Kernels } from '../src/wasm/kernels.ts';
import type { Matrix } from '../src/wasm/weights.ts';
import { normals, random } from './kernels/harness.ts';
import type { SpikingBertWeights } from './reference-spikingbert.ts';

export type SpikeLayout = Extract<Layout, 'trit2' | 'bit1' | 'i8' | 'f32'>;
export const SPIKE_LAYOUTS: readonly SpikeLayout[] = ['trit2', 'bit1', 'i8', 'f32'];

/** Sizes of a random model. */
export interface RandomShape {
  readonly layers: number;
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
}

const VOCAB = 50;
const POSITIONS = 64;
const CLASSES = 3;

const up = (n: number, to: number): number => Math.ceil(n / to) * to;

/** A model in `arena`, and its weights by the names of the state dict. */
export function randomSpikingBert(
  k: Kernels,
  arena: Arena,
  layout: SpikeLayout,
  { layers, width, hidden, heads }: RandomShape,
  seed: number,
): { m: SpikingBert; weights: SpikingBertWeights } {
  const u = random(seed);
  const held = new Map<string, Float32Array>();
  const step = 2 ** -Math.round(Math.log2(Math.sqrt(width)) + (layout === 'i8' ? 5 : 1));
  const whole: Record<SpikeLayout, () => number> = {
    trit2: () => Math.floor(u() * 3) - 1,
    bit1: () => (u() < 0.5 ? -1 : 1),
    i8: () => Math.floor(u() * 65) - 32,
    f32: () => Math.floor(u() * 5) - 2,
  };
  const matrix = (name: string, kind: SpikeLayout, rows: number, cols: number): Matrix => {
    const values = Int8Array.from({ length: rows * cols }, whole[kind]);
    held.set(name, Float32Array.from(values, (v) => v * step));
    return pack(k, arena, kind, values, rows, cols, step);
  };
  const vector = (name: string, values: Float32Array): Ptr => {
    held.set(name, values);
    const at = arena.alloc(strideOf(values.length) * 4, name);
    arena.f32(at, values.length).set(values);
    return at;
  };
  const bias = (name: string, n: number): Ptr => vector(name, normals(n, ++seed, 0.1));
  const norm = (name: string): Ptr => vector(name, normals(width, ++seed, 0.2).map((v) => v + 0.9));
  const table = (name: string, rows: number): Matrix =>
    matrix(`network_x.${name}_embeddings.weight`, 'f32', rows, width);
  const encoders = Array.from({ length: layers }, (_, e): SpikingBertEncoder => {
    const net = (n: number, part: string): string => `network_s${6 * e + n}.${part}`;
    return {
      key: matrix(net(1, 'dense.weight'), layout, width, width),
      keyBias: bias(net(1, 'dense.bias'), width),
      value: matrix(net(2, 'dense.weight'), layout, width, width),
      valueBias: bias(net(2, 'dense.bias'), width),
      query: matrix(net(3, 'query.weight'), layout, width, width),
      queryBias: bias(net(3, 'query.bias'), width),
      out: matrix(net(4, 'dense.weight'), layout, width, width),
      outBias: bias(net(4, 'dense.bias'), width),
      outNorm: norm(net(4, 'LayerNorm.weight')),
      outNormBias: bias(net(4, 'LayerNorm.bias'), width),
      up: matrix(net(5, 'dense.weight'), layout, hidden, width),
      upBias: bias(net(5, 'dense.bias'), hidden),
      down: matrix(net(6, 'dense.weight'), layout, width, hidden),
      downBias: bias(net(6, 'dense.bias'), width),
      downNorm: norm(net(6, 'LayerNorm.weight')),
      downNormBias: bias(net(6, 'LayerNorm.bias'), width),
    };
  });
  const w = {
    words: table('word', VOCAB),
    positions: table('position', POSITIONS),
    segments: table('token_type', 2),
    norm: norm('network_x.LayerNorm.weight'),
    normBias: bias('network_x.LayerNorm.bias', width),
    encoders,
    classifier: matrix('classification.weight', 'f32', CLASSES, width),
    classifierBias: bias('classification.bias', CLASSES),
  };
  const d: SpikingBertDescription = {
    kind: 'spikingbert',
    architecture: 'spikingbert',
    name: 'random',
    layers,
    width,
    hidden,
    heads,
    headDim: width / heads,
    vocab: VOCAB,
    trainedContext: POSITIONS,
    segments: 2,
    normEps: 1e-12,
    threshold: 1,
    leak: 1,
    initial: 0,
    steps: 16,
    classes: CLASSES,
    labels: ['a', 'b', 'c'],
    task: '',
    parameters: 0,
  };
  return { m: { k, d, w, arena }, weights: (name) => held.get(name)! };
}

/** Whole numbers and one scale for all rows, packed as the loader packs them. */
function pack(
  k: Kernels,
  arena: Arena,
  layout: SpikeLayout,
  values: Int8Array,
  rows: number,
  cols: number,
  scale: number,
): Matrix {
  const paddedRows = up(rows, 4);
  const units = layout === 'f32' ? up(cols, 8) : layout === 'i8' ? up(cols, 32) / 32 : up(cols, 128) / 64;
  const unitBytes = { trit2: 16, bit1: 8, i8: 32, f32: 4 }[layout];
  const dataBytes = paddedRows * units * unitBytes;
  const data = arena.alloc(dataBytes, 'weights');
  const scales = layout === 'f32' ? 0 : arena.alloc(paddedRows * 4, 'scales');
  if (scales) arena.f32(scales, rows).fill(scale);
  for (let r = 0; r < rows; r += 4) {
    const count = Math.min(4, rows - r);
    const four = values.subarray(r * cols, (r + count) * cols);
    const at = data + r * units * unitBytes;
    if (layout === 'f32') {
      for (let i = 0; i < count; i++) {
        arena.f32(at + i * units * 4, cols).set(Array.from(four.subarray(i * cols, (i + 1) * cols), (v) => v * scale));
      }
      continue;
    }
    const mark = arena.mark();
    const from = arena.alloc(four.length + 64, 'codes');
    const code = {
      trit2: (v: number) => v + 1,
      bit1: (v: number) => Number(v > 0),
      i8: (v: number) => v & 255,
    }[layout];
    arena.u8(from, four.length).set(Array.from(four, code));
    if (layout === 'trit2') k.pack_trit2(from, cols, count, cols, units, at);
    else if (layout === 'bit1') k.pack_bit1(from, cols, count, cols, units / 2, at);
    else k.pack_int8(from, cols, count, cols, units, at);
    arena.release(mark);
  }
  return {
    name: layout,
    layout,
    rows,
    cols,
    paddedRows,
    units,
    unitsPerScale: layout === 'f32' ? 0 : units,
    grouping: 0,
    dataBytes,
    scaleBytes: scales ? paddedRows * 4 : 0,
    data,
    scales,
    scaleKind: 0,
    exact: false,
    top: 127,
    threes: false,
  };
}
