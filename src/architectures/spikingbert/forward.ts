/**
 * The forward pass of the spiking BERT (arXiv 2308.10873), layer by layer over a chunk of steps. Every thread runs it.
 *
 *   neurons   U ← U + I;   s = [U ≥ θ];   U ← leak · (U − θ·s)                  all steps of a layer before the next layer
 *   s₀ = neurons(LayerNorm(word + position + segment))                            the same current in every step
 *   per encoder, h its input
 *     k = neurons(Wk·h + bk);   v = neurons(Wv·h + bv);   q = Wq·h + bq          queries stay real
 *     c = neurons(softmax(q·kᵀ / √headDim) · v)
 *     a = neurons(LayerNorm(Wo·c + bo + h))
 *     f = neurons(gelu(Wi·a + bi))
 *     h ← neurons(LayerNorm(Wd·f + bd + a))
 *   logits = Wc · (spikes of the last layer at the first token / steps) + bc
 *
 * A layer at a step depends on earlier layers at that step and on its own membranes alone, so layers may run one after the
 * other over all steps: each matrix is then read once for a whole chunk. Step after step gives the same bits.
 *
 * A vector is one token at one step. Currents lie feature by feature, all vectors in a row: threads of SIMD are tokens, and
 * nothing is transposed. Every matrix but the classifier takes spikes, and multiplies nothing.
 * @module
 */
import type { Executor } from '../../threads/executor.ts';
import { firstUnit, type Program, type ThreadContext } from '../../threads/context.ts';
import type { SpikingBertDescription } from './description.ts';
import { layerFeatures } from './plan.ts';
import { UNIT_ROWS } from '../../forward/spike-matmul.ts';
import type { MakeProgram } from '../../threads/worker.ts';
import { Arena, type Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import type { Matrix } from '../../wasm/weights.ts';
import { listSpikes, multiplySpikes, type SpikeBatch, type Spikes, takesLists } from '../../forward/spike-matmul.ts';
import { SpikingBertState, type ThreadScratch } from './state.ts';
import type { SpikingBertWeights } from './weights.ts';

/** All that a run reads. */
export interface SpikingBert {
  readonly k: Kernels;
  readonly d: SpikingBertDescription;
  readonly w: SpikingBertWeights;
  readonly arena: Arena;
  /** Runs the chunks, bound to `spikingBertProgram`; without it this thread alone does. */
  readonly executor?: Executor;
}

/** What a thread needs to make its own `SpikingBert`. */
export interface SpikingBertRecipe {
  readonly kind: 'spikingbert';
  readonly d: SpikingBertDescription;
  readonly w: SpikingBertWeights;
}

/** The program of a thread. */
export const program: MakeProgram = (recipe, { kernels, memory, words }) => {
  const { d, w } = recipe as SpikingBertRecipe;
  return spikingBertProgram({ k: kernels, d, w, arena: new Arena(memory) }, words);
};

/**
 * A chunk, written down in words that all threads see:
 *
 *   0 state │ 1 threads there are buffers for │ 2 steps of the chunk │ 3 tokens │ 4 steps in all │ 5 tokens attended to
 *   6 threshold, f32 │ 7 leak, f32
 */
export function writeChunk(words: Int32Array, s: SpikingBertState, steps: number): void {
  const { tokens, steps: all, visible, threshold, leak } = s.numbers;
  words.set([s.base, s.threads.length, steps, tokens, all, visible]);
  new Float32Array(words.buffer, words.byteOffset, 8).set([threshold, leak], 6);
}

/** What a thread does: the chunk that stands in `words`. */
export function spikingBertProgram(m: SpikingBert, words: Int32Array): Program {
  const floats = new Float32Array(words.buffer, words.byteOffset, 8);
  return (thread) => {
    const [base, threads, count, tokens, steps, visible] = words;
    const numbers = { tokens, steps, visible, threshold: floats[6], leak: floats[7] };
    forward(m, new SpikingBertState(m.d, base >>> 0, numbers, threads), count, thread);
  };
}

/**
 * The next `steps` steps of all layers, at most `s.size.chunk`. Spikes of each are counted in `s.fired`; those of the last
 * layer stay in `s.stream`.
 */
export function forward(m: SpikingBert, s: SpikingBertState, steps: number, thread: ThreadContext): void {
  const { d, w } = m;
  const { tokens4, stride } = s.size;
  const pass = new Pass(m, s, steps, thread);
  const own = s.threads[thread.index];

  pass.units(d.width, (f) => pass.fire(0, f, s.input + f * tokens4 * 4, tokens4, 0, s.stream));
  pass.heard(0, s.stream);

  w.encoders.forEach((e, i) => {
    const b = 6 * i;

    // keys, values and queries
    let lists = pass.listen(b, s.stream, [e.key, e.value, e.query]);
    pass.units(d.width, (f) => {
      pass.multiply(e.key, e.keyBias, s.stream, lists, f, own.currents);
      pass.fire(b + 1, f, own.currents, stride, tokens4, s.key);
      pass.multiply(e.value, e.valueBias, s.stream, lists, f, own.currents);
      pass.fire(b + 2, f, own.currents, stride, tokens4, s.value);
      pass.multiply(e.query, e.queryBias, s.stream, lists, f, s.currents + f * stride * 4);
    });
    pass.heard(b + 1, s.key);
    pass.heard(b + 2, s.value);

    // context, in place of the queries
    pass.attend();
    thread.barrier();
    pass.units(d.width, (f) => pass.fire(b + 3, f, s.currents + f * stride * 4, stride, tokens4, s.context));
    pass.heard(b + 3, s.context);

    // attention's output
    lists = pass.listen(b + 3, s.context, [e.out]);
    pass.normalised(e.out, e.outBias, s.context, lists, s.stream, e.outNorm, e.outNormBias, b + 4, s.mixed);

    // feed-forward
    lists = pass.listen(b + 4, s.mixed, [e.up]);
    pass.units(d.hidden, (f) => {
      pass.multiply(e.up, e.upBias, s.mixed, lists, f, own.currents);
      pass.gelu(own.currents, Math.min(UNIT_ROWS, d.hidden - f));
      pass.fire(b + 5, f, own.currents, stride, tokens4, s.hidden);
    });
    pass.heard(b + 5, s.hidden);
    lists = pass.listen(b + 5, s.hidden, [e.down]);
    pass.normalised(e.down, e.downBias, s.hidden, lists, s.mixed, e.downNorm, e.downNormBias, b + 6, s.stream);
  });
}

/** One thread's part of a chunk. */
class Pass {
  readonly m: SpikingBert;
  readonly s: SpikingBertState;
  readonly steps: number;
  readonly thread: ThreadContext;
  readonly own: ThreadScratch;
  readonly batch: SpikeBatch;

  constructor(m: SpikingBert, s: SpikingBertState, steps: number, thread: ThreadContext) {
    this.m = m;
    this.s = s;
    this.steps = steps;
    this.thread = thread;
    this.own = s.threads[thread.index];
    const { tables, lists, listed } = s;
    const listStride = Math.max(m.d.width, m.d.hidden);
    this.batch = { n: steps * s.size.tokens4, stride: s.size.stride, tables, lists, listStride, listed };
  }

  /** This thread's units of 64 features. */
  units(features: number, each: (f: number) => void): void {
    const { index, count } = this.thread;
    const all = Math.ceil(features / UNIT_ROWS);
    const end = firstUnit(all, index + 1, count);
    for (let unit = firstUnit(all, index, count); unit < end; unit++) each(unit * UNIT_ROWS);
  }

  /** Currents of a unit; see `multiplySpikes`. */
  multiply(matrix: Matrix, bias: Ptr, x: Spikes, lists: boolean, f: number, y: Ptr): void {
    multiplySpikes(this.m.k, matrix, bias, x, this.batch, lists, f, y, this.own.tile, this.own.sums);
  }

  /** A unit of layer j over all steps. @param advance elements from one step's currents to the next */
  fire(j: number, f: number, currents: Ptr, stride: number, advance: number, out: Spikes): void {
    const { size, numbers } = this.s;
    this.m.k.integrate_fire(
      currents,
      stride,
      advance,
      this.s.membranes(j, f),
      this.s.counts(j, f),
      size.tokens4,
      this.steps,
      numbers.threshold,
      numbers.leak,
      out.at,
      out.groups,
      f / 4,
    );
  }

  /** Waits until all of a layer has fired, and counts its spikes in this thread's steps. */
  heard(j: number, x: Spikes): void {
    const { m, s, thread, steps } = this;
    thread.barrier();
    const [from, to] = [0, 1].map((i) => firstUnit(steps, thread.index + i, thread.count));
    const fired = m.arena.i32(s.fired(j), steps);
    for (let step = from; step < to; step++) {
      const first = step * s.size.tokens4;
      fired[step] = m.k.count_nibbles(x.at, x.groups, first, first + s.size.tokens4);
    }
  }

  /** Lists who fired in layer j, if one of the matrices takes lists at this rate. All threads see the same counts. */
  listen(j: number, x: Spikes, matrices: readonly Matrix[]): boolean {
    const { m, s, thread, steps } = this;
    thread.barrier();
    const fired = m.arena.i32(s.fired(j), steps).reduce((a, b) => a + b, 0);
    const rate = fired / (steps * s.size.tokens * layerFeatures(m.d, j));
    if (!matrices.some((matrix) => takesLists(matrix, rate))) return false;
    listSpikes(m.k, x, this.batch, thread);
    thread.barrier();
    return true;
  }

  /** Queries become contexts: this thread's heads of this thread's steps. */
  attend(): void {
    const { m, s, thread, steps, own } = this;
    const { k, d } = m;
    const root = Math.fround(Math.sqrt(d.headDim));
    const end = firstUnit(steps * d.heads, thread.index + 1, thread.count);
    for (let i = firstUnit(steps * d.heads, thread.index, thread.count); i < end; i++) {
      const step = Math.floor(i / d.heads);
      const f = (i % d.heads) * d.headDim;
      const { stride, tokens4 } = s.size;
      k.spike_attention(
        s.currents,
        stride,
        s.key.at,
        s.value.at,
        s.key.groups,
        step * tokens4,
        tokens4,
        s.numbers.visible,
        f,
        d.headDim,
        root,
        own.scores,
      );
    }
  }

  /** In place, `rows` rows of currents. */
  gelu(currents: Ptr, rows: number): void {
    for (let r = 0; r < rows; r++) this.m.k.gelu_f32(currents + r * this.batch.stride * 4, this.batch.n);
  }

  /** out = neurons(LayerNorm(matrix · x + bias + residual)) */
  normalised(
    matrix: Matrix,
    bias: Ptr,
    x: Spikes,
    lists: boolean,
    residual: Spikes,
    weight: Ptr,
    shift: Ptr,
    j: number,
    out: Spikes,
  ): void {
    const { s, thread, batch } = this;
    const { k, d } = this.m;
    const { n, stride } = batch;
    const at = (f: number): Ptr => s.currents + f * stride * 4;
    const rows = (f: number): number => Math.min(UNIT_ROWS, d.width - f);
    this.units(d.width, (f) => {
      this.multiply(matrix, bias, x, lists, f, at(f));
      k.add_nibbles(at(f), stride, rows(f), residual.at, residual.groups, f / 4, n);
    });
    thread.barrier();
    const [from, to] = [0, 1].map((i) => 4 * firstUnit(n / 4, thread.index + i, thread.count));
    k.feature_stats(s.currents, stride, d.width, from, to, d.normEps, s.mean, s.inverse);
    thread.barrier();
    this.units(d.width, (f) => {
      k.normalise_features(at(f), stride, rows(f), n, s.mean, s.inverse, weight + f * 4, shift + f * 4);
      this.fire(j, f, at(f), stride, s.size.tokens4, out);
    });
    this.heard(j, out);
  }
}
