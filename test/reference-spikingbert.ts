/**
 * The plain spiking BERT (arXiv 2308.10873): every step in turn, layer after layer, as its public code has it, and the
 * equilibrium of rates that it is trained by. Shares no code with src/. Sums are taken in f64, and rounded to f32 once.
 *
 *   layer 0 of neurons is the embedding; encoder e owns the layers b + 1 … b + 6 behind b = 6e:
 *   key, value, context, attention output, intermediate, output
 *   one step of a neuron:   U ← U + I;   s = [U ≥ θ];   U ← U − θ·s;   U ← leak·U
 * @module
 */
import { gelu } from './reference.ts';

const fround = Math.fround;

/** Numbers of a model and of a run. */
export interface SpikingBertConfig {
  layers: number;
  width: number;
  hidden: number;
  heads: number;
  steps: number;
  threshold: number;
  leak: number;
  /** Of every membrane before the first step; 0 unless told. */
  initial?: number;
}

/** Weights by their names in the state dict; row-major. */
export type SpikingBertWeights = (name: string) => Float32Array;

/** What a run leaves. Layers in the order of the network, each tokens × features. */
export interface SpikingBertRun {
  logits: number[];
  counts: Int32Array[];
  /** Spikes of every layer in every step: `stepSpikes[t][j]`. */
  stepSpikes: number[][];
  /** Logits of the mean over the first t + 1 steps. */
  stepLogits: number[][];
}

type Rows = Float32Array[];

const LAYER_NORM_EPS = 1e-12;

/** W·x + b for every row x. */
function linear(w: SpikingBertWeights, name: string, xs: Rows): Rows {
  const [matrix, bias] = [w(`${name}.weight`), w(`${name}.bias`)];
  return xs.map((x) => {
    const active = Array.from(x.keys()).filter((i) => x[i] !== 0);
    return bias.map((b, r) => {
      let sum = 0;
      for (const i of active) sum += matrix[r * x.length + i] * x[i];
      return fround(fround(sum) + b);
    });
  });
}

function layerNorm(w: SpikingBertWeights, name: string, xs: Rows): Rows {
  const [weight, bias] = [w(`${name}.weight`), w(`${name}.bias`)];
  return xs.map((x) => {
    const mean = x.reduce((a, b) => a + b, 0) / x.length;
    const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
    return x.map((v, i) => fround(((v - mean) / Math.sqrt(variance + LAYER_NORM_EPS)) * weight[i] + bias[i]));
  });
}

const add = (a: Rows, b: Rows): Rows => a.map((row, t) => row.map((v, i) => v + b[t][i]));

/** Masked keys have a weight of e^−10000, which is 0: only the first `visible` are looked at, by all queries. */
function attention(q: Rows, k: Rows, v: Rows, heads: number, visible: number): Rows {
  const headDim = q[0].length / heads;
  return q.map((query) => {
    const out = new Float32Array(query.length);
    for (let h = 0; h < heads; h++) {
      const from = h * headDim;
      const scores = k.slice(0, visible).map((key) => {
        let dot = 0;
        for (let i = from; i < from + headDim; i++) dot += query[i] * key[i];
        return dot / Math.sqrt(headDim);
      });
      const top = Math.max(...scores);
      const e = scores.map((score) => Math.exp(score - top));
      const total = e.reduce((a, b) => a + b, 0);
      for (let i = from; i < from + headDim; i++) out[i] = e.reduce((sum, p, t) => sum + (p / total) * v[t][i], 0);
    }
    return out;
  });
}

/** LayerNorm of word, position and segment: the one real-valued input, the same in every step. */
function embed(w: SpikingBertWeights, c: SpikingBertConfig, ids: readonly number[], types: readonly number[]): Rows {
  const tables = ['word', 'position', 'token_type'].map((name) => w(`network_x.${name}_embeddings.weight`));
  const sums = ids.map((id, t) =>
    Float32Array.from({ length: c.width }, (_, i) => {
      const [word, position, type] = [id, t, types[t]].map((row, n) => tables[n][row * c.width + i]);
      return fround(word + position) + type;
    })
  );
  return layerNorm(w, 'network_x.LayerNorm', sums);
}

/**
 * The currents of one pass through all layers; `fire(j, I)` turns those of layer j into what later layers see.
 * Spikes, step by step; or rates, once.
 */
function pass(
  w: SpikingBertWeights,
  c: SpikingBertConfig,
  input: Rows,
  visible: number,
  fire: (j: number, current: Rows) => Rows,
): Rows {
  let s = fire(0, input);
  for (let b = 0; b < 6 * c.layers; b += 6) {
    const net = (n: number, part: string): string => `network_s${b + n}.${part}`;
    const key = fire(b + 1, linear(w, net(1, 'dense'), s));
    const value = fire(b + 2, linear(w, net(2, 'dense'), s));
    const query = linear(w, net(3, 'query'), s);
    const context = fire(b + 3, attention(query, key, value, c.heads, visible));
    const mixed = add(linear(w, net(4, 'dense'), context), s);
    const out = fire(b + 4, layerNorm(w, net(4, 'LayerNorm'), mixed));
    const up = linear(w, net(5, 'dense'), out).map((row) => row.map((x) => fround(gelu(x))));
    const down = add(linear(w, net(6, 'dense'), fire(b + 5, up)), out);
    s = fire(b + 6, layerNorm(w, net(6, 'LayerNorm'), down));
  }
  return s;
}

function classify(w: SpikingBertWeights, rates: Float32Array): number[] {
  return Array.from(linear(w, 'classification', [rates])[0]);
}

/** All steps. @param visible tokens that are seen; behind them is padding, which changes nothing before it */
export function runSpikingBert(
  w: SpikingBertWeights,
  c: SpikingBertConfig,
  ids: readonly number[],
  types: readonly number[],
  visible: number = ids.length,
): SpikingBertRun {
  const input = embed(w, c, ids, types);
  const widths = Array.from({ length: 6 * c.layers + 1 }, (_, j) => (j % 6 === 5 ? c.hidden : c.width));
  const membranes = widths.map((n) => ids.map(() => new Float32Array(n).fill(c.initial ?? 0)));
  const counts = widths.map((n) => new Int32Array(ids.length * n));
  const stepSpikes: number[][] = [];
  const stepLogits: number[][] = [];
  const [theta, leak] = [fround(c.threshold), fround(c.leak)];
  for (let step = 1; step <= c.steps; step++) {
    const fired = widths.map(() => 0);
    pass(w, c, input, visible, (j, current) =>
      current.map((row, t) =>
        row.map((value, i) => {
          let u = fround(membranes[j][t][i] + value);
          const spike = u >= theta ? 1 : 0;
          if (spike) u = fround(u - theta);
          membranes[j][t][i] = fround(u * leak);
          counts[j][t * widths[j] + i] += spike;
          fired[j] += spike;
          return spike;
        })
      ));
    stepSpikes.push(fired);
    const first = Float32Array.from(counts[6 * c.layers].subarray(0, c.width));
    stepLogits.push(classify(w, first.map((n) => n * fround(1 / step))));
  }
  return { logits: stepLogits[c.steps - 1], counts, stepSpikes, stepLogits };
}

/** The equilibrium of training: every neuron shows clamp(I / θ, 0, 1), once. @returns rates of each layer, and logits */
export function equilibrium(
  w: SpikingBertWeights,
  c: SpikingBertConfig,
  ids: readonly number[],
  types: readonly number[],
  visible: number = ids.length,
): { rates: Rows[]; logits: number[] } {
  const rates: Rows[] = [];
  const clamp = (x: number): number => Math.min(Math.max(x / fround(c.threshold), 0), 1);
  const last = pass(
    w,
    c,
    embed(w, c, ids, types),
    visible,
    (j, current) => (rates[j] = current.map((row) => row.map(clamp))),
  );
  return { rates, logits: classify(w, last[0]) };
}
