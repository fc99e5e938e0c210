/**
 * The forward pass of Gemma 3 decoders, top to bottom. Every thread runs this function over the same memory; a barrier
 * stands where all must have finished before any goes on. One call takes a batch of n tokens of one session, and gives
 * the same bits as n calls of one token.
 *
 *   x = √width · embedding[id]
 *   per layer   a = RMSNorm(x);   q, k, v = Wq·a, Wk·a, Wv·a
 *               normalise each head of q and k, rotate them;   append k, v to the cache
 *               x += RMSNorm(Wo · attention(q, cache))                        local layers see the last `window` positions
 *               f = RMSNorm(x);   x += RMSNorm(Wdown · (gelu(Wgate·f) ⊙ Wup·f))
 *   logits = Whead · RMSNorm(x)
 * @module
 */
import type { KvType } from '../../description/plan.ts';
import { matmul, quantize, readRow, strideOf } from '../../forward/matmul.ts';
import { type Segment, statesBy, Step } from '../../forward/step.ts';
import { firstRow, firstUnit, type Program, type ThreadContext } from '../../threads/context.ts';
import type { MakeProgram } from '../../threads/worker.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import type { Matrix } from '../../wasm/weights.ts';
import type { Gemma3Description } from './description.ts';
import { type Gemma3Buffers, Gemma3State } from './state.ts';
import type { Gemma3Layer, Gemma3Weights } from './weights.ts';

/** What every thread makes its model from; plain data that can be sent to a thread. */
export interface Gemma3Recipe {
  readonly kind: 'gemma3';
  readonly d: Gemma3Description;
  readonly w: Gemma3Weights;
  readonly b: Gemma3Buffers;
  readonly context: number;
  readonly kv: KvType;
}

/** The program of a thread. */
export const program: MakeProgram = (recipe, { kernels, words }) =>
  gemma3Program(kernels, recipe as Gemma3Recipe, words);

/** All that a pass reads, and the buffers it writes. */
export interface Gemma3 {
  readonly k: Kernels;
  readonly d: Gemma3Description;
  readonly w: Gemma3Weights;
  readonly b: Gemma3Buffers;
}

/** What a thread does in a step: a pass, heads, or both. */
export function gemma3Program(k: Kernels, { d, w, b, context, kv }: Gemma3Recipe, words: Int32Array): Program {
  const m = { k, d, w, b };
  const step = new Step(words);
  const stateOf = statesBy((base) => new Gemma3State(d, base, context, kv));
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
  m: Gemma3,
  segments: readonly Segment<Gemma3State>[],
  ids: ArrayLike<number>,
  n: number,
  thread: ThreadContext,
  afterLayer?: (layer: number) => void,
): void {
  const { k, d, w, b } = m;
  // rows of q, k and v are then those of the thread's own heads
  const wholeHeads = d.kvHeads % thread.count === 0;
  const own = b.threads[thread.index];
  const width = strideOf(d.width);
  const hidden = strideOf(d.hidden);
  const normed = (weight: Ptr): void => {
    for (let t = 0; t < n; t++) k.rms_norm_f32(b.x + t * width * 4, weight, own.x + t * width * 4, d.width, d.normEps);
  };

  if (thread.index === 0) {
    for (let t = 0; t < n; t++) {
      const row = b.x + t * width * 4;
      readRow(k, w.embedding, ids[t], row);
      k.scale_f32(row, Math.sqrt(d.width), d.width);
    }
    for (const { pos, from, n } of segments) {
      for (const { freqs, table } of [b.rope, b.localRope]) {
        k.rope_table_f32(freqs, d.rope.dims / 2, pos, n, 1, table + from * d.rope.dims * 4);
      }
    }
  }
  thread.barrier();

  for (let l = 0; l < d.layers; l++) {
    const layer = w.layers[l];

    // attention
    normed(layer.attnNorm);
    quantize(k, own, own.x, n, layer.inputs.qkv);
    matmul(k, layer.q, own.x, own, b.q, n, thread);
    matmul(k, layer.k, own.x, own, b.k, n, thread);
    matmul(k, layer.v, own.x, own, b.v, n, thread);
    if (!wholeHeads) thread.barrier();
    for (const segment of segments) attention(m, segment, layer, l, thread);
    thread.barrier();
    project(m, layer.inputs.o, b.att, layer.attnPostNorm, n, thread);

    // feed-forward
    normed(layer.ffnNorm);
    quantize(k, own, own.x, n, layer.inputs.gateUp);
    matmul(k, layer.gate, own.x, own, b.gate, n, thread);
    matmul(k, layer.up, own.x, own, b.up, n, thread);
    const h0 = firstRow(layer.gate.paddedRows, thread.index, thread.count);
    const h1 = Math.min(d.hidden, firstRow(layer.gate.paddedRows, thread.index + 1, thread.count));
    for (let t = 0; t < n; t++) {
      const at = (t * hidden + h0) * 4;
      k.gelu_tanh_mul_f32(b.gate + at, b.up + at, h1 - h0);
    }
    thread.barrier();
    project(m, layer.inputs.down, b.gate, layer.ffnPostNorm, n, thread);
    afterLayer?.(l);
  }
}

/** Logits of some rows of the last batch → `b.logits`, one after the other. */
export function head(m: Gemma3, rows: ArrayLike<number>, thread: ThreadContext): void {
  const { k, d, w, b } = m;
  const own = b.threads[thread.index];
  const stride = strideOf(d.width) * 4;
  for (let i = 0; i < rows.length; i++) {
    k.rms_norm_f32(b.x + rows[i] * stride, w.outputNorm, own.x + i * stride, d.width, d.normEps);
  }
  quantize(k, own, own.x, rows.length, w.inputs.head);
  matmul(k, w.head, own.x, own, b.logits, rows.length, thread);
}

/** x += RMSNorm(W · from) for the only matrix of a list: rows are split between threads, then tokens. */
function project(m: Gemma3, only: readonly Matrix[], from: Ptr, norm: Ptr, n: number, thread: ThreadContext): void {
  const { k, d, b } = m;
  const own = b.threads[thread.index];
  quantize(k, own, from, n, only);
  matmul(k, only[0], from, own, b.projected, n, thread);
  thread.barrier();
  const stride = strideOf(d.width) * 4;
  for (let t = thread.index; t < n; t += thread.count) {
    const row = b.projected + t * stride;
    k.rms_norm_f32(row, norm, row, d.width, d.normEps);
    k.add_f32(b.x + t * stride, row, d.width);
  }
  thread.barrier();
}

/**
 * Caches a segment's keys and values, then attends, all heads of a key head together; heads are split between threads.
 * Threads that share a key head each prepare its keys and values, and store the same bytes.
 */
function attention(
  m: Gemma3,
  { state, pos, from, n }: Segment<Gemma3State>,
  layer: Gemma3Layer,
  l: number,
  thread: ThreadContext,
): void {
  const { k, d, b } = m;
  const { headDim } = d;
  const half = d.rope.dims / 2;
  const { table } = d.local[l] ? b.localRope : b.rope;
  const group = d.heads / d.kvHeads;
  const qStride = strideOf(d.heads * headDim);
  const kvStride = strideOf(d.kvHeads * headDim);
  const attend = state.kv === 'f16' ? k.attention_f16 : k.attention_f32;
  const cache = state.kv === 'f16' ? k.f32_to_f16 : k.copy_f32;
  const { scores } = b.threads[thread.index];
  // tokens whose window begins with the text meet the cache as one batch, later ones each from its own beginning
  const together = d.local[l] ? Math.min(n, Math.max(0, d.window - pos)) : n;

  const last = firstUnit(d.heads, thread.index + 1, thread.count);
  for (let h = firstUnit(d.heads, thread.index, thread.count), end = h; h < last; h = end) {
    const g = Math.floor(h / group);
    end = Math.min(last, (g + 1) * group);
    for (let t = 0; t < n; t++) {
      const rope = table + (from + t) * half * 8;
      const key = scores; // free until the heads attend
      const value = b.v + ((from + t) * kvStride + g * headDim) * 4;
      k.rms_norm_f32(b.k + ((from + t) * kvStride + g * headDim) * 4, layer.kNorm, key, headDim, d.normEps);
      k.rope_apply_f32(key, 1, headDim, rope, half, 1);
      const rows = [state.rowOf(l, pos + t), state.secondRowOf(l, pos + t)];
      for (const row of rows) {
        if (row < 0) continue;
        cache(key, state.keyAt(l, g, row), headDim);
        cache(value, state.valueAt(l, g, row), headDim);
      }
      const q = b.q + ((from + t) * qStride + h * headDim) * 4;
      for (let i = 0; i < end - h; i++) {
        k.rms_norm_f32(q + i * headDim * 4, layer.qNorm, q + i * headDim * 4, headDim, d.normEps);
      }
      k.rope_apply_f32(q, end - h, headDim, rope, half, 1);
    }
    for (let t = 0, some = together; t < n; t += some, some = 1) {
      if (some === 0) continue;
      const first = d.local[l] ? Math.max(0, pos + t + 1 - d.window) : 0;
      const at = ((from + t) * qStride + h * headDim) * 4;
      const row = state.rowOf(l, first);
      const [keys, values] = [state.keyAt(l, g, row), state.valueAt(l, g, row)];
      const [q, out] = [b.q + at, b.att + at];
      const count = pos + t + 1 - first;
      attend(q, qStride, end - h, keys, values, out, qStride, headDim, count, some, d.scoreScale, scores);
    }
  }
}
