/**
 * The spiking BERT without time: every neuron shows the rate clamp(I / θ, 0, 1) of its present current, in one pass. This is
 * the equilibrium that training takes for the mean over many steps. It is fast, and another function: the norms, softmax and
 * gelu of spikes are not those of rates.
 *
 * Rates are real numbers, so this is an ordinary encoder over the ordinary products: float and int8 rows take them as they
 * are, packed codes as int8.
 * @module
 */
import { alignUp } from '../../bytes/align.ts';
import { SOLO } from '../../threads/context.ts';
import { attentionBytes, codeVectorBytes } from '../../description/layout.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { Matrix } from '../../wasm/weights.ts';
import { type Activations, matmul, quantize, readRow, strideOf } from '../../forward/matmul.ts';
import type { SpikingBert } from './forward.ts';
import { classify } from './run.ts';

/** Rates of every layer, each (tokens, features), and the logits they give. */
export interface SpikingBertRates {
  readonly rates: Float32Array[];
  readonly logits: Float32Array;
}

/** One pass. @param options.visible tokens that are attended to, default all @throws {MemoryError} */
export function rateSpikingBert(
  m: SpikingBert,
  ids: ArrayLike<number>,
  typeIds: ArrayLike<number>,
  { threshold, visible = ids.length }: { threshold: number; visible?: number },
): SpikingBertRates {
  const mark = m.arena.mark();
  try {
    return run(m, ids, typeIds, threshold, visible);
  } finally {
    m.arena.release(mark);
  }
}

function run(
  m: SpikingBert,
  ids: ArrayLike<number>,
  typeIds: ArrayLike<number>,
  threshold: number,
  visible: number,
): SpikingBertRates {
  const { k, d, w, arena } = m;
  const n = ids.length;
  const [width, hidden] = [strideOf(d.width), strideOf(d.hidden)];
  const rows = (stride: number): Ptr => arena.alloc(n * stride * 4, `rates of ${n} tokens`);
  const [stream, key, value, query, mixed] = Array.from({ length: 5 }, () => rows(width));
  const inner = rows(hidden);
  const codes = arena.alloc(n * codeVectorBytes(Math.max(d.width, d.hidden)), 'quantised rates');
  const quantised: Activations = { codes, blocks: codes, ints: codes, units: codes, groups: codes, tile: 0 };
  const rates: Float32Array[] = [];

  /** Currents become rates, and are kept. */
  const show = (x: Ptr, features: number): void => {
    const theta = Math.fround(threshold);
    const shown = new Float32Array(n * features);
    for (let t = 0; t < n; t++) {
      const row = arena.f32(x + t * strideOf(features) * 4, features);
      for (let i = 0; i < features; i++) row[i] = Math.min(Math.max(row[i] / theta, 0), 1);
      shown.set(row, t * features);
    }
    rates.push(shown);
  };
  const linear = (matrix: Matrix, bias: Ptr, x: Ptr, y: Ptr): void => {
    const exact = { ...matrix, exact: true };
    quantize(k, quantised, x, n, [exact]);
    matmul(k, exact, x, quantised, y, n, SOLO);
    for (let t = 0; t < n; t++) k.add_f32(y + t * strideOf(matrix.rows) * 4, bias, matrix.rows);
  };
  const normalise = (x: Ptr, weight: Ptr, bias: Ptr): void => {
    for (let t = 0; t < n; t++) {
      k.layer_norm_f32(x + t * width * 4, weight, bias, x + t * width * 4, d.width, d.normEps);
    }
  };
  const add = (y: Ptr, x: Ptr): void => k.add_f32(y, x, n * width);

  for (let t = 0; t < n; t++) {
    readRow(k, w.words, ids[t], stream + t * width * 4);
    for (const [table, id] of [[w.positions, t], [w.segments, typeIds[t]]] as const) {
      readRow(k, table, id, key);
      k.add_f32(stream + t * width * 4, key, d.width);
    }
  }
  normalise(stream, w.norm, w.normBias);
  show(stream, d.width);
  for (const e of w.encoders) {
    linear(e.key, e.keyBias, stream, key);
    show(key, d.width);
    linear(e.value, e.valueBias, stream, value);
    show(value, d.width);
    linear(e.query, e.queryBias, stream, query);
    attend(m, query, key, value, n, visible);
    show(query, d.width);
    linear(e.out, e.outBias, query, mixed);
    add(mixed, stream);
    normalise(mixed, e.outNorm, e.outNormBias);
    show(mixed, d.width);
    linear(e.up, e.upBias, mixed, inner);
    for (let t = 0; t < n; t++) k.gelu_f32(inner + t * hidden * 4, d.hidden);
    show(inner, d.hidden);
    linear(e.down, e.downBias, inner, stream);
    add(stream, mixed);
    normalise(stream, e.downNorm, e.downNormBias);
    show(stream, d.width);
  }
  const last = rates[rates.length - 1];
  return { rates, logits: classify(m, last.subarray(0, d.width)) };
}

/** Queries become contexts, head by head; a head's features are padded to four with zeros. */
function attend({ k, d, arena }: SpikingBert, query: Ptr, key: Ptr, value: Ptr, n: number, visible: number): void {
  const { heads, headDim } = d;
  const width = strideOf(d.width) * 4;
  const padded = alignUp(headDim, 4);
  const mark = arena.mark();
  const [keys, values] = [key, value].map(() => arena.alloc(visible * padded * 4, 'a head'));
  const [q, out] = [padded, padded].map((size) => arena.alloc(size * 4, 'a head'));
  const scratch = arena.alloc(attentionBytes(padded, visible), 'scores');
  for (let h = 0; h < heads; h++) {
    const at = h * headDim * 4;
    for (let t = 0; t < visible; t++) {
      k.copy_f32(key + t * width + at, keys + t * padded * 4, headDim);
      k.copy_f32(value + t * width + at, values + t * padded * 4, headDim);
    }
    for (let t = 0; t < n; t++) {
      k.copy_f32(query + t * width + at, q, headDim);
      k.attention_f32(q, padded, 1, keys, values, out, padded, padded, visible, 1, 1 / Math.sqrt(headDim), scratch);
      k.copy_f32(out, query + t * width + at, headDim);
    }
  }
  arena.release(mark);
}
