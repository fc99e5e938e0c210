/**
 * The forward pass of a dense BERT, top to bottom, over all tokens of a text. Every thread runs this function over the same memory;
 * a barrier stands where all must have finished before any goes on.
 *
 *   x = LayerNorm(word[id] + position[p] + segment[s])
 *   per layer   q, k, v = Wq·x + bq, Wk·x + bk, Wv·x + bv;   a = softmax(q·kᵀ / √headDim) · v, every token sees all
 *               x = LayerNorm(x + Wo·a + bo)
 *               x = LayerNorm(x + Wdown · gelu(Wup·x + bup) + bdown)
 *
 * A text gives the same bits alone and among others, on any number of threads.
 * @module
 */
import { matmul, quantize, readRow, strideOf } from '../../forward/matmul.ts';
import { PREFILL_BATCH } from '../../description/plan.ts';
import { firstRow, firstUnit, type Program, type ThreadContext } from '../../threads/context.ts';
import type { MakeProgram } from '../../threads/worker.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import type { Matrix } from '../../wasm/weights.ts';
import type { BertDescription } from './description.ts';
import { type BertBuffers, bertBuffers } from './state.ts';
import type { BertWeights } from './weights.ts';

/** What every thread makes its model from; plain data that can be sent to a thread. */
export interface BertRecipe {
  readonly kind: 'bert';
  readonly d: BertDescription;
  readonly w: BertWeights;
}

/** All that a pass reads. */
export interface Bert {
  readonly k: Kernels;
  readonly d: BertDescription;
  readonly w: BertWeights;
  readonly memory: WebAssembly.Memory;
}

/** The program of a thread. */
export const program: MakeProgram = (recipe, { kernels, memory, words }) => {
  const { d, w } = recipe as BertRecipe;
  return bertProgram({ k: kernels, d, w, memory }, words);
};

/**
 * The program of a thread: runs the text that the words describe.
 *
 *   0 where its buffers begin │ 1 tokens │ 2 threads there are buffers for
 */
export function bertProgram(m: Bert, words: Int32Array): Program {
  return (thread) => {
    const [base, tokens, threads] = words;
    forward(m, bertBuffers(m.d, base >>> 0, tokens, threads).buffers, tokens, thread);
  };
}

/** Runs the `tokens` ids of `b.ids`; the stream after the last layer stays in `b.x`. */
export function forward(
  m: Bert,
  b: BertBuffers,
  tokens: number,
  thread: ThreadContext,
  afterLayer?: (layer: number) => void,
): void {
  const { k, d, w } = m;
  const stride = strideOf(d.width) * 4;
  const own = b.threads[thread.index];
  const ids = new Int32Array(m.memory.buffer, b.ids, tokens);
  const types = new Int32Array(m.memory.buffer, b.types, tokens);
  const [t0, t1] = [0, 1].map((next) => firstUnit(tokens, thread.index + next, thread.count));

  for (let t = t0; t < t1; t++) {
    const [x, part] = [b.x + t * stride, b.projected + t * stride];
    readRow(k, w.words, ids[t], x);
    readRow(k, w.positions, t, part);
    k.add_f32(x, part, d.width);
    if (w.segments) {
      readRow(k, w.segments, types[t], part);
      k.add_f32(x, part, d.width);
    }
    k.layer_norm_f32(x, w.norm, w.normBias, x, d.width, d.normEps);
  }
  thread.barrier();
  afterLayer?.(0);

  for (let l = 0; l < d.layers; l++) {
    const layer = w.layers[l];

    // attention
    for (let from = 0; from < tokens; from += PREFILL_BATCH) {
      const n = Math.min(PREFILL_BATCH, tokens - from);
      quantize(k, own, b.x + from * stride, n, layer.inputs.qkv);
      for (const [name, to] of [['q', b.q], ['k', b.k], ['v', b.v]] as const) {
        product(m, layer[name], layer.bias[name], b.x, to, from, n, own, thread);
      }
    }
    thread.barrier();
    attend(m, b, tokens, thread);
    thread.barrier();
    add(m, layer.o, layer.inputs.o, layer.bias.o, b.att, layer.attnNorm, layer.attnNormBias);

    // feed-forward
    for (let from = 0; from < tokens; from += PREFILL_BATCH) {
      const n = Math.min(PREFILL_BATCH, tokens - from);
      quantize(k, own, b.x + from * stride, n, layer.inputs.up);
      product(m, layer.up, layer.bias.up, b.x, b.hidden, from, n, own, thread);
    }
    const h0 = firstRow(layer.up.paddedRows, thread.index, thread.count);
    const h1 = Math.min(d.hidden, firstRow(layer.up.paddedRows, thread.index + 1, thread.count));
    for (let t = 0; h1 > h0 && t < tokens; t++) k.gelu_f32(b.hidden + (t * strideOf(d.hidden) + h0) * 4, h1 - h0);
    thread.barrier();
    add(m, layer.down, layer.inputs.down, layer.bias.down, b.hidden, layer.outputNorm, layer.outputNormBias);
    afterLayer?.(l + 1);
  }

  /** x = LayerNorm(x + W·from + bias) */
  function add(
    { k: kernels }: Bert,
    matrix: Matrix,
    only: readonly Matrix[],
    bias: Ptr,
    input: Ptr,
    norm: Ptr,
    normBias: Ptr,
  ): void {
    for (let from = 0; from < tokens; from += PREFILL_BATCH) {
      const n = Math.min(PREFILL_BATCH, tokens - from);
      quantize(kernels, own, input + from * strideOf(matrix.cols) * 4, n, only);
      product(m, matrix, bias, input, b.projected, from, n, own, thread);
    }
    thread.barrier();
    for (let t = t0; t < t1; t++) {
      const x = b.x + t * stride;
      kernels.add_f32(x, b.projected + t * stride, d.width);
      kernels.layer_norm_f32(x, norm, normBias, x, d.width, d.normEps);
    }
    thread.barrier();
  }
}

/** to[t] = W·x[t] + bias, this thread's rows, for n tokens from the `from`-th on. `quantize` has seen them. */
function product(
  { k }: Bert,
  matrix: Matrix,
  bias: Ptr,
  x: Ptr,
  to: Ptr,
  from: number,
  n: number,
  own: BertBuffers['threads'][number],
  thread: ThreadContext,
): void {
  const y = to + from * strideOf(matrix.rows) * 4;
  matmul(k, matrix, x + from * strideOf(matrix.cols) * 4, own, y, n, thread);
  const r0 = firstRow(matrix.paddedRows, thread.index, thread.count);
  const r1 = Math.min(matrix.rows, firstRow(matrix.paddedRows, thread.index + 1, thread.count));
  if (bias === 0 || r1 <= r0) return;
  for (let t = 0; t < n; t++) k.add_f32(y + (t * strideOf(matrix.rows) + r0) * 4, bias + r0 * 4, r1 - r0);
}

/** Every token sees all of them; heads are split between threads. */
function attend({ k, d }: Bert, b: BertBuffers, tokens: number, thread: ThreadContext): void {
  const { headDim } = d;
  const stride = strideOf(d.width);
  const row = headDim * 4;
  const scale = 1 / Math.sqrt(headDim);
  const { scores } = b.threads[thread.index];
  const last = firstUnit(d.heads, thread.index + 1, thread.count);
  for (let h = firstUnit(d.heads, thread.index, thread.count); h < last; h++) {
    const [keys, values] = [b.keys + h * tokens * row, b.values + h * tokens * row];
    for (let t = 0; t < tokens; t++) {
      const at = (t * stride + h * headDim) * 4;
      k.copy_f32(b.k + at, keys + t * row, headDim);
      k.copy_f32(b.v + at, values + t * row, headDim);
    }
    for (let t = 0; t < tokens; t++) {
      const at = (t * stride + h * headDim) * 4;
      // one query at a time: the kernel shows later queries of a batch more keys, and here all see the same
      k.attention_f32(b.q + at, stride, 1, keys, values, b.att + at, stride, headDim, tokens, 1, scale, scores);
    }
  }
}
