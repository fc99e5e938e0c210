/**
 * The forward pass of the spiking BERT (arXiv 2308.10873), step by step.
 * @module
 */
import type { SpikingBertDescription } from '../model/description.ts';
import type { Arena, Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import type { Matrix } from '../wasm/weights.ts';
import { readRow } from './matmul.ts';
import type { SpikingBertWeights } from './spikingbert-weights.ts';

/** All that a run reads. */
export interface SpikingBert {
  readonly k: Kernels;
  readonly d: SpikingBertDescription;
  readonly w: SpikingBertWeights;
  readonly arena: Arena;
}

/** How a text is run. */
export interface SpikingBertRunOptions {
  /** Steps in all, at most. */
  readonly steps: number;
  readonly threshold: number;
  readonly leak: number;
  /** Tokens that are attended to: the rest is padding. */
  readonly visible?: number;
}

type Rows = Float32Array[];

/** Matrices as f32 rows, by model. */
const cache = new WeakMap<SpikingBertWeights, Map<Matrix, Rows>>();

function rowsOf({ k, w, arena }: SpikingBert, m: Matrix): Rows {
  let held = cache.get(w);
  if (!held) cache.set(w, held = new Map());
  let rows = held.get(m);
  if (!rows) {
    const mark = arena.mark();
    const at = arena.alloc(m.cols * 4 + 4096, 'row');
    rows = Array.from({ length: m.rows }, (_, r) => {
      readRow(k, m, r, at);
      return arena.f32(at, m.cols).slice();
    });
    arena.release(mark);
    held.set(m, rows);
  }
  return rows;
}

const fround = Math.fround;

/** The passes of one text, whatever neurons show. */
class Network {
  readonly m: SpikingBert;
  readonly visible: number;
  readonly input: Rows;

  constructor(m: SpikingBert, ids: ArrayLike<number>, typeIds: ArrayLike<number>, visible: number) {
    this.m = m;
    this.visible = visible;
    const { w, d } = m;
    const [words, positions, segments] = [w.words, w.positions, w.segments].map((t) => rowsOf(m, t));
    const sums = Array.from(
      ids,
      (id, t) => words[id].map((v, i) => fround(v + positions[t][i]) + segments[typeIds[t]][i]),
    );
    this.input = this.norm(sums, w.norm, w.normBias);
    void d;
  }

  norm(xs: Rows, weight: Ptr, bias: Ptr): Rows {
    const { k, d, arena } = this.m;
    const mark = arena.mark();
    const at = arena.alloc(d.width * 4 + 512, 'norm');
    const out = xs.map((x) => {
      arena.f32(at, d.width).set(x);
      k.layer_norm_f32(at, weight, bias, at, d.width, d.normEps);
      return arena.f32(at, d.width).slice();
    });
    arena.release(mark);
    return out;
  }

  linear(matrix: Matrix, bias: Ptr, xs: Rows): Rows {
    const rows = rowsOf(this.m, matrix);
    const b = this.m.arena.f32(bias, matrix.rows);
    return xs.map((x) => {
      const active = Array.from(x.keys()).filter((i) => x[i] !== 0);
      return Float32Array.from(rows, (row, r) => {
        let sum = 0;
        for (const i of active) sum += row[i] * x[i];
        return fround(fround(sum) + b[r]);
      });
    });
  }

  gelu(xs: Rows): Rows {
    const { k, d, arena } = this.m;
    const mark = arena.mark();
    const at = arena.alloc(d.hidden * 4 + 512, 'gelu');
    const out = xs.map((x) => {
      arena.f32(at, d.hidden).set(x);
      k.gelu_f32(at, d.hidden);
      return arena.f32(at, d.hidden).slice();
    });
    arena.release(mark);
    return out;
  }

  attention(q: Rows, keys: Rows, values: Rows): Rows {
    const { k, d, arena } = this.m;
    const { headDim } = d;
    const mark = arena.mark();
    const at = arena.alloc(this.visible * 4 + 512, 'scores');
    const out = q.map((query) => {
      const row = new Float32Array(d.width);
      for (let from = 0; from < d.width; from += headDim) {
        const scores = arena.f32(at, this.visible);
        for (let t = 0; t < this.visible; t++) {
          let dot = 0;
          for (let i = from; i < from + headDim; i++) dot += query[i] * keys[t][i];
          scores[t] = dot / Math.sqrt(headDim);
        }
        k.softmax_f32(at, this.visible);
        for (let i = from; i < from + headDim; i++) {
          row[i] = scores.reduce((sum, p, t) => sum + p * values[t][i], 0);
        }
      }
      return row;
    });
    arena.release(mark);
    return out;
  }

  pass(fire: (j: number, current: Rows) => Rows): Rows {
    const { w } = this.m;
    const add = (a: Rows, b: Rows): Rows => a.map((row, t) => row.map((v, i) => v + b[t][i]));
    let s = fire(0, this.input);
    w.encoders.forEach((e, layer) => {
      const b = 6 * layer;
      const key = fire(b + 1, this.linear(e.key, e.keyBias, s));
      const value = fire(b + 2, this.linear(e.value, e.valueBias, s));
      const context = fire(b + 3, this.attention(this.linear(e.query, e.queryBias, s), key, value));
      const mixed = add(this.linear(e.out, e.outBias, context), s);
      const out = fire(b + 4, this.norm(mixed, e.outNorm, e.outNormBias));
      const up = fire(b + 5, this.gelu(this.linear(e.up, e.upBias, out)));
      const down = add(this.linear(e.down, e.downBias, up), out);
      s = fire(b + 6, this.norm(down, e.downNorm, e.downNormBias));
    });
    return s;
  }

  classify(rates: Float32Array): Float32Array {
    return this.linear(this.m.w.classifier, this.m.w.classifierBias, [rates])[0];
  }
}

/** One text. */
export class SpikingBertRun {
  /** Spikes of every layer in every step: `stepSpikes[t · layers + j]`. */
  readonly stepSpikes: Float64Array;
  readonly #net: Network;
  readonly #options: SpikingBertRunOptions;
  readonly #membranes: Rows[];
  readonly #counts: Uint16Array[];
  readonly #first: Float32Array[] = [];
  #done = 0;

  /** @throws {MemoryError} */
  constructor(m: SpikingBert, ids: ArrayLike<number>, typeIds: ArrayLike<number>, options: SpikingBertRunOptions) {
    this.#net = new Network(m, ids, typeIds, options.visible ?? ids.length);
    this.#options = options;
    const widths = Array.from({ length: 6 * m.d.layers + 1 }, (_, j) => (j % 6 === 5 ? m.d.hidden : m.d.width));
    this.#membranes = widths.map((n) => Array.from(ids, () => new Float32Array(n)));
    this.#counts = widths.map((n) => new Uint16Array(ids.length * n));
    this.stepSpikes = new Float64Array(options.steps * widths.length);
  }

  /** Steps so far. */
  get done(): number {
    return this.#done;
  }

  /** n more steps. */
  advance(n: number): void {
    const { threshold, leak } = this.#options;
    const [theta, keep] = [fround(threshold), fround(leak)];
    const layers = this.#counts.length;
    for (const end = this.#done + n; this.#done < end; this.#done++) {
      const step = this.#done;
      this.#net.pass((j, current) =>
        current.map((row, t) =>
          row.map((value, i) => {
            let u = fround(this.#membranes[j][t][i] + value);
            const spike = u >= theta ? 1 : 0;
            if (spike) u = fround(u - theta);
            this.#membranes[j][t][i] = fround(u * keep);
            this.#counts[j][t * row.length + i] += spike;
            this.stepSpikes[step * layers + j] += spike;
            return spike;
          })
        )
      );
      this.#first.push(Float32Array.from(this.#counts[layers - 1].subarray(0, this.#net.m.d.width)));
    }
  }

  /** How often each neuron of a layer has fired: (tokens, features). */
  counts(j: number): Uint16Array {
    return this.#counts[j].slice();
  }

  /** Logits of the mean over the first t steps, or over all so far. */
  logits(t: number = this.#done): Float32Array {
    return this.#net.classify(this.#first[t - 1].map((n) => n * fround(1 / t)));
  }

  /** Gives the memory back. */
  free(): void {}
}

/** The equilibrium of rates that training is about: every neuron shows clamp(I / θ, 0, 1), once. */
export function rateSpikingBert(
  m: SpikingBert,
  ids: ArrayLike<number>,
  typeIds: ArrayLike<number>,
  { threshold, visible = ids.length }: { threshold: number; visible?: number },
): { rates: Float32Array[]; logits: Float32Array } {
  const net = new Network(m, ids, typeIds, visible);
  const rates: Float32Array[] = [];
  const clamp = (x: number): number => Math.min(Math.max(x / fround(threshold), 0), 1);
  const last = net.pass((j, current) => {
    const shown = current.map((row) => row.map(clamp));
    rates[j] = new Float32Array(shown.flatMap((row) => Array.from(row)));
    return shown;
  });
  return { rates, logits: net.classify(last[0]) };
}
