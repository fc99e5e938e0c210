/**
 * The forward pass of llama-shaped decoders, top to bottom. Every thread runs this function over the same memory; a barrier
 * stands where all must have finished before any goes on. One call takes a batch of n tokens of one session, and gives
 * the same bits as n calls of one token.
 *
 *   x = embedding[id]
 *   per layer   a = RMSNorm(x);   q, k, v = Wq·a, Wk·a, Wv·a (+ bias);   rotate q and k;   append k, v to the cache
 *               x += Wo · attention(q, cache)
 *               f = RMSNorm(x);   x += Wdown · (act(Wgate·f) ⊙ Wup·f)
 *   logits = Whead · RMSNorm(x)
 *
 * qwen3 normalises each head of q and k before the rotation; bitnet normalises the input of Wo and of Wdown.
 * @module
 */
import { firstRow, firstUnit, type Program, type ThreadContext } from '../../threads/context.ts';
import type { LlamaDescription } from './description.ts';
import type { KvType } from '../../description/plan.ts';
import type { MakeProgram } from '../../threads/worker.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import type { Matrix } from '../../wasm/weights.ts';
import { type LlamaBuffers, LlamaState } from './state.ts';
import type { LlamaLayer, LlamaWeights } from './weights.ts';
import { matmul, quantize, readRow, strideOf } from '../../forward/matmul.ts';
import { type Segment, statesBy, Step } from '../../forward/step.ts';

/** What every thread makes its model from; plain data that can be sent to a thread. */
export interface LlamaRecipe {
  readonly kind: 'llama';
  readonly d: LlamaDescription;
  readonly w: LlamaWeights;
  readonly b: LlamaBuffers;
  /** Of the cosines and sines. */
  readonly ropeMagnitude: number;
  readonly context: number;
  readonly kv: KvType;
}

/** The program of a thread. */
export const program: MakeProgram = (recipe, { kernels, words }) => llamaProgram(kernels, recipe as LlamaRecipe, words);

/** All that a pass reads, and the buffers it writes. */
export interface Llama {
  readonly k: Kernels;
  readonly d: LlamaDescription;
  readonly w: LlamaWeights;
  readonly b: LlamaBuffers;
  readonly ropeMagnitude: number;
}

/** What a thread does in a step: a pass, heads, or both. */
export function llamaProgram(k: Kernels, recipe: LlamaRecipe, words: Int32Array): Program {
  const { d, context, kv } = recipe;
  const m = { ...recipe, k };
  const step = new Step(words);
  const stateOf = statesBy((base) => new LlamaState(d, base, context, kv));
  return (thread) => {
    if (step.n > 0) forward(m, step.segments(stateOf), step.ids, step.n, thread);
    if (step.heads.length > 0) head(m, step.heads, thread);
  };
}

/**
 * Runs the first n of `ids`, segment by segment of a session each. The residual streams of the batch stay in `b.x` for `head`.
 * @param afterLayer called after each layer; on one thread only
 */
export function forward(
  m: Llama,
  segments: readonly Segment<LlamaState>[],
  ids: ArrayLike<number>,
  n: number,
  thread: ThreadContext,
  afterLayer?: (layer: number) => void,
): void {
  const { k, d, w, b } = m;
  // rows of q, k and v are then those of the thread's own heads
  const wholeHeads = d.kvHeads % thread.count === 0 && d.headDim % 4 === 0;
  const own = b.threads[thread.index];
  const width = strideOf(d.width);
  const hidden = strideOf(d.hidden);

  if (thread.index === 0) {
    for (let t = 0; t < n; t++) readRow(k, w.embedding, ids[t], b.x + t * width * 4);
    for (const { pos, from, n } of segments) {
      k.rope_table_f32(b.ropeFreqs, d.rope.dims / 2, pos, n, m.ropeMagnitude, b.ropeTable + from * d.rope.dims * 4);
    }
  }
  thread.barrier();

  for (let l = 0; l < d.layers; l++) {
    const layer = w.layers[l];

    // attention
    for (let t = 0; t < n; t++) {
      k.rms_norm_f32(b.x + t * width * 4, layer.attnNorm, own.x + t * width * 4, d.width, d.normEps);
    }
    quantize(k, own, own.x, n, layer.inputs.qkv);
    matmul(k, layer.q, own.x, own, b.q, n, thread);
    matmul(k, layer.k, own.x, own, b.k, n, thread);
    matmul(k, layer.v, own.x, own, b.v, n, thread);
    adjust(m, layer.q, b.q, layer.factors.q, 0, n, thread);
    adjust(m, layer.k, b.k, layer.factors.k, 0, n, thread);
    adjust(m, layer.v, b.v, layer.factors.v, 0, n, thread);
    if (!wholeHeads) thread.barrier();
    for (const segment of segments) attention(m, segment, layer, l, thread);
    thread.barrier();
    project(m, layer.inputs.o, layer.factors.o, layer.oBias, b.att, layer.attnSubNorm, own.att, n, thread);
    thread.barrier();

    // feed-forward
    for (let t = 0; t < n; t++) {
      k.rms_norm_f32(b.x + t * width * 4, layer.ffnNorm, own.x + t * width * 4, d.width, d.normEps);
    }
    quantize(k, own, own.x, n, layer.inputs.gateUp);
    matmul(k, layer.gate, own.x, own, b.gate, n, thread);
    matmul(k, layer.up, own.x, own, b.up, n, thread);
    adjust(m, layer.gate, b.gate, layer.factors.gate, layer.gateBias, n, thread);
    adjust(m, layer.up, b.up, layer.factors.up, layer.upBias, n, thread);
    const h0 = firstRow(layer.gate.paddedRows, thread.index, thread.count);
    const h1 = Math.min(d.hidden, firstRow(layer.gate.paddedRows, thread.index + 1, thread.count));
    for (let t = 0; t < n; t++) {
      const at = (t * hidden + h0) * 4;
      if (d.activation === 'silu') k.silu_mul_f32(b.gate + at, b.up + at, h1 - h0);
      else k.relu2_mul_f32(b.gate + at, b.up + at, h1 - h0);
    }
    thread.barrier();
    project(m, layer.inputs.down, layer.factors.down, layer.downBias, b.gate, layer.ffnSubNorm, own.hidden, n, thread);
    thread.barrier();
    afterLayer?.(l);
  }
}

/** Logits of some rows of the last batch → `b.logits`, one after the other. */
export function head(m: Llama, rows: ArrayLike<number>, thread: ThreadContext): void {
  const { k, d, w, b } = m;
  const own = b.threads[thread.index];
  const stride = strideOf(d.width) * 4;
  for (let i = 0; i < rows.length; i++) {
    k.rms_norm_f32(b.x + rows[i] * stride, w.outputNorm, own.x + i * stride, d.width, d.normEps);
  }
  quantize(k, own, own.x, rows.length, w.inputs.head);
  matmul(k, w.head, own.x, own, b.logits, rows.length, thread);
}

/** x += factor · W · norm(from) + bias for the only matrix of a list, this thread's rows; `normed` is the thread's buffer for the norm. */
function project(
  m: Llama,
  only: readonly Matrix[],
  factor: number,
  bias: Ptr,
  from: Ptr,
  norm: Ptr,
  normed: Ptr,
  n: number,
  thread: ThreadContext,
): void {
  const { k, d, b } = m;
  const own = b.threads[thread.index];
  const matrix = only[0];
  const stride = strideOf(matrix.cols) * 4;
  let input = from;
  if (norm) {
    for (let t = 0; t < n; t++) k.rms_norm_f32(from + t * stride, norm, normed + t * stride, matrix.cols, d.normEps);
    input = normed;
  }
  quantize(k, own, input, n, only);
  matmul(k, matrix, input, own, b.projected, n, thread);
  adjust(m, matrix, b.projected, factor, bias, n, thread);
  const r0 = firstRow(matrix.paddedRows, thread.index, thread.count);
  const r1 = Math.min(matrix.rows, firstRow(matrix.paddedRows, thread.index + 1, thread.count));
  for (let t = 0; t < n; t++) {
    const at = (t * strideOf(d.width) + r0) * 4;
    k.add_f32(b.x + at, b.projected + at, r1 - r0);
  }
}

/** y = factor · y + bias, this thread's rows of a product; most models have neither. */
function adjust(m: Llama, of: Matrix, y: Ptr, factor: number, bias: Ptr, n: number, thread: ThreadContext): void {
  if (factor === 1 && bias === 0) return;
  const r0 = firstRow(of.paddedRows, thread.index, thread.count);
  const r1 = Math.min(of.rows, firstRow(of.paddedRows, thread.index + 1, thread.count));
  for (let t = 0; t < n; t++) {
    const at = y + (t * strideOf(of.rows) + r0) * 4;
    if (factor !== 1) m.k.scale_f32(at, factor, r1 - r0);
    if (bias !== 0) m.k.add_f32(at, bias + r0 * 4, r1 - r0);
  }
}

/**
 * Caches a segment's keys and values, then attends, all heads of a key head together; heads are split between threads. Threads
 * that share a key head each prepare its keys and values, and store the same bytes.
 */
function attention(
  m: Llama,
  { state, pos, from, n }: Segment<LlamaState>,
  layer: LlamaLayer,
  l: number,
  thread: ThreadContext,
): void {
  const { k, d, b } = m;
  const { headDim } = d;
  const half = d.rope.dims / 2;
  const halved = d.rope.pairing === 'halved' ? 1 : 0;
  const group = d.heads / d.kvHeads;
  const qStride = strideOf(d.heads * headDim);
  const kvStride = strideOf(d.kvHeads * headDim);
  const scale = 1 / Math.sqrt(headDim);
  const attend = state.kv === 'f16' ? k.attention_f16 : k.attention_f32;
  const cache = state.kv === 'f16' ? k.f32_to_f16 : k.copy_f32;
  const { scores } = b.threads[thread.index];

  const last = firstUnit(d.heads, thread.index + 1, thread.count);
  for (let h = firstUnit(d.heads, thread.index, thread.count), end = h; h < last; h = end) {
    const g = Math.floor(h / group);
    end = Math.min(last, (g + 1) * group);
    for (let t = 0; t < n; t++) {
      const rope = b.ropeTable + (from + t) * half * 8;
      const row = scores; // free until the heads attend
      const at = ((from + t) * kvStride + g * headDim) * 4;
      k.copy_f32(b.v + at, row, headDim);
      if (layer.vBias) k.add_f32(row, layer.vBias + g * headDim * 4, headDim);
      cache(row, state.valueAt(l, g, pos + t), headDim);
      k.copy_f32(b.k + at, row, headDim);
      if (layer.kBias) k.add_f32(row, layer.kBias + g * headDim * 4, headDim);
      if (layer.kNorm) k.rms_norm_f32(row, layer.kNorm, row, headDim, d.normEps);
      k.rope_apply_f32(row, 1, headDim, rope, half, halved);
      cache(row, state.keyAt(l, g, pos + t), headDim);
      const q = b.q + ((from + t) * qStride + h * headDim) * 4;
      if (layer.qBias) k.add_f32(q, layer.qBias + h * headDim * 4, (end - h) * headDim);
      for (let i = 0; layer.qNorm && i < end - h; i++) {
        k.rms_norm_f32(q + i * headDim * 4, layer.qNorm, q + i * headDim * 4, headDim, d.normEps);
      }
      k.rope_apply_f32(q, end - h, headDim, rope, half, halved);
    }
    const at = (from * qStride + h * headDim) * 4;
    const [keys, values] = [state.keyAt(l, g, 0), state.valueAt(l, g, 0)];
    attend(
      b.q + at,
      qStride,
      end - h,
      keys,
      values,
      b.att + at,
      qStride,
      headDim,
      pos + 1,
      n,
      scale,
      scores,
    );
  }
}
