/**
 * The pass of rates, forward and backward by hand: every neuron shows the rate of its mean current, and norms and GELU see the
 * variance that spikes of these rates have (docs/distillation.md). Finite differences hold the gradients to the formulas
 * (`test/distill/spiking-graph.test.ts`).
 *
 *   s = rate(LN(embedding));   per encoder   k, v = rate(W·s + b);   q = W·s + b;   c = rate(softmax(q·k/√d)·v)
 *   a = rate(LN(Wo·c + bo + s));   f = rate(gelu(Wi·a + bi));   s ← rate(LN(Wd·f + bd + a))
 *
 * Where rates of real time steps are given they take the place of these, and gradients pass as if nothing had been replaced.
 * @module
 */
import type { Ptr } from '../../../wasm/arena.ts';
import type { Places } from '../../slots.ts';
import type { Training } from '../../train-kernels.ts';
import type { SpikingStudent } from './config.ts';
import { EMBEDDING_NORM, type Linear, linearName, linearShape, normName } from './tensors.ts';
import type { TextBatch } from '../bert/teacher.ts';

/** LayerNorm of the engine; in a pass of rates it is lost in f32. */
export const NORM_EPS = 1e-12;

/** How a pass is made. */
export interface PassOptions {
  /** Whether norms and GELU see the variance of spikes. */
  readonly noise: boolean;
  /** Whether currents get random noise. */
  readonly spread: boolean;
  readonly seed: number;
  /** Rates of every layer of neurons instead of those of the currents: (tokens, features). */
  readonly given: readonly Float32Array[] | null;
}

/** A normalisation's place in a pass. */
interface Normed {
  readonly z: Ptr;
  readonly inverse: Ptr;
  readonly noise: Ptr;
}

/** What a pass of an encoder leaves. Rates and currents by the layers of neurons: (tokens, features). */
interface Encoded {
  readonly s: Ptr;
  readonly q: Ptr;
  readonly k: Ptr;
  readonly v: Ptr;
  readonly probs: Ptr;
  readonly scores: Ptr;
  readonly c: Ptr;
  readonly a: Ptr;
  readonly up: Ptr;
  readonly f: Ptr;
  readonly out: Normed;
  readonly down: Normed;
  /** Σ_r w² / rows by column of `out` and `down`, Σ_c w² by row of `up`, and mean variance of a's spikes; with noise. */
  readonly outSquares: Ptr;
  readonly downSquares: Ptr;
  readonly upSquares: Ptr;
  readonly level: Ptr;
}

/** A pass, until the arena is released. */
export interface Pass {
  readonly n: number;
  readonly batch: TextBatch;
  readonly options: PassOptions;
  /** Of every layer of neurons, in the engine's order. */
  readonly rates: readonly Ptr[];
  readonly currents: readonly Ptr[];
  readonly embedding: Normed;
  readonly encoders: readonly Encoded[];
}

/** Features of a layer of neurons. */
export function featuresOf({ width, hidden }: Pick<SpikingStudent, 'width' | 'hidden'>, layer: number): number {
  return layer > 0 && layer % 6 === 5 ? hidden : width;
}

export class RateGraph {
  readonly #t: Training;
  readonly #s: SpikingStudent;

  constructor(training: Training, student: SpikingStudent) {
    this.#t = training;
    this.#s = student;
  }

  /** @param sums of the tables for every token, (tokens, width); they are written over */
  forward(at: Places, batch: TextBatch, sums: Ptr, options: PassOptions): Pass {
    const { k, arena } = this.#t;
    const s = this.#s;
    const { width, hidden, heads } = s;
    const { texts, length } = batch;
    const n = texts * length;
    const rows = (cols: number): Ptr => arena.alloc(n * cols * 4, 'a state of the student');
    const scratch = arena.alloc(k.gemm_scratch(Math.max(width, hidden)), 'scratch');
    const cells = texts * heads * length * length * 4;
    const rates: Ptr[] = [];
    const currents: Ptr[] = [];

    /** Currents of the next layer of neurons become rates. */
    const fire = (current: Ptr, cols: number, spread: number): Ptr => {
      const layer = rates.length;
      const rate = rows(cols);
      if (options.given) arena.f32(rate, n * cols).set(options.given[layer]);
      else {
        k.rates(current, rate, n * cols, s.levels, options.spread ? spread : 0, options.seed + layer * SEED_STEP);
      }
      rates.push(rate);
      currents.push(current);
      return rate;
    };
    const linear = (layer: number, name: Linear, x: Ptr): Ptr => {
      const [to, cols] = linearShape(s, name);
      const full = linearName(layer, name);
      const y = rows(to);
      k.gemm(x, cols, 1, at(`${full}.weight`), 1, cols, y, to, n, to, cols, 0, scratch);
      k.add_bias(y, at(`${full}.bias`), n, to);
      return y;
    };
    const norm = (u: Ptr, name: string, noise: Ptr): Normed & { readonly current: Ptr } => {
      const inverse = arena.alloc(n * 4, 'norm');
      const current = rows(width);
      k.norm(u, at(`${name}.weight`), at(`${name}.bias`), noise, NORM_EPS, n, width, inverse, current);
      return { z: u, inverse, noise, current };
    };
    /** Variance of a current that is W·x + r, of spikes with rates x and r. */
    const noiseOf = (x: Ptr, cols: number, squares: Ptr, residual: Ptr): Ptr => {
      const noise = arena.alloc(n * 4, 'noise');
      k.variance(x, squares, 1, n, cols, noise);
      k.variance(residual, 0, 1 / width, n, width, noise);
      return noise;
    };
    const squaresByColumn = (layer: number, name: Linear): Ptr => {
      const [to, cols] = linearShape(s, name);
      const squares = arena.alloc(cols * 4, 'squares');
      k.squares(at(`${linearName(layer, name)}.weight`), to, cols, 0, squares, 1 / to);
      return squares;
    };

    const { current, ...embedding } = norm(sums, EMBEDDING_NORM, 0);
    let x = fire(current, width, 0);
    const encoders: Encoded[] = [];
    for (let layer = 0; layer < s.layers; layer++) {
      const key = fire(linear(layer, 'key', x), width, 0);
      const value = fire(linear(layer, 'value', x), width, 0);
      const q = linear(layer, 'query', x);
      const [scores, probs] = [arena.alloc(cells, 'scores'), arena.alloc(cells, 'scores')];
      const mixed = rows(width);
      const dim = width / heads;
      k.attention(q, key, value, texts, length, heads, dim, 1 / Math.sqrt(dim), scores, probs, mixed);
      const c = fire(mixed, width, s.spreadContext);

      const outSquares = options.noise ? squaresByColumn(layer, 'out') : 0;
      let u = linear(layer, 'out', c);
      k.add_scaled(u, x, 1, n * width);
      const { current: attended, ...out } = norm(
        u,
        normName(layer, 'out'),
        options.noise ? noiseOf(c, width, outSquares, x) : 0,
      );
      const a = fire(attended, width, s.spreadAttention);

      const [upSquares, level] = options.noise
        ? [arena.alloc(hidden * 4, 'squares'), arena.alloc(n * 4, 'noise')]
        : [0, 0];
      if (options.noise) {
        k.squares(at(`${linearName(layer, 'up')}.weight`), hidden, width, upSquares, 0, 0);
        k.variance(a, 0, 1 / width, n, width, level);
      }
      const up = linear(layer, 'up', a);
      const inner = rows(hidden);
      k.gelu(up, level, upSquares, n, hidden, inner);
      const f = fire(inner, hidden, s.spreadHidden);

      const downSquares = options.noise ? squaresByColumn(layer, 'down') : 0;
      u = linear(layer, 'down', f);
      k.add_scaled(u, a, 1, n * width);
      const { current: output, ...down } = norm(
        u,
        normName(layer, 'down'),
        options.noise ? noiseOf(f, hidden, downSquares, a) : 0,
      );
      encoders.push({
        s: x,
        q,
        k: key,
        v: value,
        probs,
        scores,
        c,
        a,
        up,
        f,
        out,
        down,
        outSquares,
        downSquares,
        upSquares,
        level,
      });
      x = fire(output, width, s.spreadOutput);
    }
    return { n, batch, options, rates, currents, embedding, encoders };
  }

  /**
   * Gradients of all tensors are added to those at `to`.
   * @param drates what the loss asks of each layer's rates, (tokens, features); written over
   * @param dscores what it asks of each encoder's scores; 0 for nothing
   */
  backward(at: Places, to: Places, pass: Pass, drates: readonly Ptr[], dscores: readonly Ptr[]): void {
    const { k, arena } = this.#t;
    const s = this.#s;
    const { width, hidden, heads, margin } = s;
    const { n, batch: { texts, length }, options: { noise }, currents } = pass;
    const scratch = arena.alloc(k.gemm_scratch(Math.max(width, hidden)), 'scratch');
    const rows = (cols: number): Ptr => arena.alloc(n * cols * 4, 'a gradient');
    const cells = texts * heads * length * length * 4;
    const [dq, dk, dv] = [rows(width), rows(width), rows(width)];
    const silent = arena.alloc(cells, 'scores');
    const dnoise = arena.alloc(n * 4, 'noise');
    const dlevel = arena.alloc(n * 4, 'noise');
    const dsquares = arena.alloc(Math.max(width, hidden) * 4, 'squares');
    const zero = (p: Ptr, count: number): void => void arena.f32(p, count).fill(0);

    /** dy of W·x + b: gradients of W and b, and dx is added to unless it is 0. */
    const linearBack = (layer: number, name: Linear, x: Ptr, dy: Ptr, dx: Ptr): void => {
      const [out, cols] = linearShape(s, name);
      const full = linearName(layer, name);
      k.column_sums(dy, n, out, to(`${full}.bias`));
      k.gemm(dy, 1, out, x, cols, 1, to(`${full}.weight`), cols, out, cols, n, 1, scratch);
      k.gemm(dy, out, 1, at(`${full}.weight`), cols, 1, dx, cols, n, cols, out, 1, scratch);
    };
    const normBack = (name: string, { z, inverse }: Normed, grad: Ptr, dnoise: Ptr): void =>
      k.norm_back(z, at(`${name}.weight`), inverse, n, width, grad, to(`${name}.weight`), to(`${name}.bias`), dnoise);
    /** What a norm asks of the variance of W·x + r. */
    const noiseBack = (
      layer: number,
      name: Linear,
      x: Ptr,
      squares: Ptr,
      residual: Ptr,
      dx: Ptr,
      dresidual: Ptr,
    ): void => {
      const [out, cols] = linearShape(s, name);
      const full = linearName(layer, name);
      zero(dsquares, cols);
      k.variance_back(x, squares, 1, n, cols, dnoise, dx, dsquares);
      k.variance_back(residual, 0, 1 / width, n, width, dnoise, dresidual, 0);
      k.squares_back(at(`${full}.weight`), out, cols, 0, dsquares, 1 / out, to(`${full}.weight`));
    };

    for (let layer = s.layers - 1; layer >= 0; layer--) {
      const b = 6 * layer;
      const e = pass.encoders[layer];
      const [ds, dkey, dvalue, dc, da, df, dout] = drates.slice(b, b + 7);

      // output
      k.rates_back(currents[b + 6], dout, n * width, margin);
      normBack(normName(layer, 'down'), e.down, dout, noise ? dnoise : 0);
      if (noise) noiseBack(layer, 'down', e.f, e.downSquares, e.a, df, da);
      k.add_scaled(da, dout, 1, n * width);
      linearBack(layer, 'down', e.f, dout, df);

      // feed-forward
      k.rates_back(currents[b + 5], df, n * hidden, margin);
      zero(dlevel, n);
      zero(dsquares, hidden);
      k.gelu_back(e.up, e.level, e.upSquares, n, hidden, df, dlevel, dsquares);
      if (noise) {
        const full = `${linearName(layer, 'up')}.weight`;
        k.squares_back(at(full), hidden, width, dsquares, 0, 0, to(full));
        k.variance_back(e.a, 0, 1 / width, n, width, dlevel, da, 0);
      }
      linearBack(layer, 'up', e.a, df, da);

      // attention's output
      k.rates_back(currents[b + 4], da, n * width, margin);
      normBack(normName(layer, 'out'), e.out, da, noise ? dnoise : 0);
      if (noise) noiseBack(layer, 'out', e.c, e.outSquares, e.s, dc, ds);
      k.add_scaled(ds, da, 1, n * width);
      linearBack(layer, 'out', e.c, da, dc);

      // attention
      k.rates_back(currents[b + 3], dc, n * width, margin);
      const dim = width / heads;
      k.attention_back(
        e.q,
        e.k,
        e.v,
        e.probs,
        texts,
        length,
        heads,
        dim,
        1 / Math.sqrt(dim),
        dc,
        dscores[layer] || silent,
        dq,
        dk,
        dv,
      );
      k.add_scaled(dkey, dk, 1, n * width);
      k.add_scaled(dvalue, dv, 1, n * width);
      k.rates_back(currents[b + 1], dkey, n * width, margin);
      k.rates_back(currents[b + 2], dvalue, n * width, margin);
      linearBack(layer, 'query', e.s, dq, ds);
      linearBack(layer, 'key', e.s, dkey, ds);
      linearBack(layer, 'value', e.s, dvalue, ds);
    }
    k.rates_back(currents[0], drates[0], n * width, margin);
    normBack(EMBEDDING_NORM, pass.embedding, drates[0], 0);
  }
}

/** Between the seeds of two layers, so that none shares its numbers with another. */
const SEED_STEP = 0x1000193;
