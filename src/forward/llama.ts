/**
 * The forward pass of llama-shaped decoders, top to bottom. Every lane runs this function over the same memory; a barrier
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
import { firstRow, firstUnit, type Lane } from '../lanes/lane.ts';
import type { LlamaDescription } from '../model/description.ts';
import type { Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import type { LlamaBuffers, LlamaState } from './llama-state.ts';
import type { LlamaLayer, LlamaWeights } from './llama-weights.ts';
import { matmul, quantize, readRow, strideOf } from './matmul.ts';

/** All that a pass reads, and the buffers it writes. */
export interface Llama {
  readonly k: Kernels;
  readonly d: LlamaDescription;
  readonly w: LlamaWeights;
  readonly b: LlamaBuffers;
}

/**
 * Runs `ids` at positions `pos` … of `state`. The residual streams of the batch stay in `b.x` for `head`.
 * @param afterLayer called on lane 0 after each layer; only for finding the layer at fault
 */
export function forward(
  m: Llama,
  state: LlamaState,
  ids: ArrayLike<number>,
  pos: number,
  lane: Lane,
  afterLayer?: (layer: number) => void,
): void {
  const { k, d, w, b } = m;
  const n = ids.length;
  const own = b.lanes[lane.index];
  const width = strideOf(d.width);
  const hidden = strideOf(d.hidden);

  if (lane.index === 0) {
    for (let t = 0; t < n; t++) readRow(k, w.embedding, ids[t], b.x + t * width * 4);
    k.rope_table_f32(b.ropeFreqs, d.rope.dims / 2, pos, n, b.ropeTable);
  }
  lane.barrier();

  for (let l = 0; l < d.layers; l++) {
    const layer = w.layers[l];

    // attention
    for (let t = 0; t < n; t++) {
      k.rms_norm_f32(b.x + t * width * 4, layer.attnNorm, own.x + t * width * 4, d.width, d.normEps);
    }
    quantize(k, own, own.x, n, [layer.q, layer.k, layer.v]);
    matmul(k, layer.q, own.x, own, b.q, n, lane);
    matmul(k, layer.k, own.x, own, b.k, n, lane);
    matmul(k, layer.v, own.x, own, b.v, n, lane);
    lane.barrier();
    attention(m, state, layer, l, pos, n, lane);
    lane.barrier();
    project(m, layer.o, layer.oBias, b.att, layer.attnSubNorm, own.att, n, lane);
    lane.barrier();

    // feed-forward
    for (let t = 0; t < n; t++) {
      k.rms_norm_f32(b.x + t * width * 4, layer.ffnNorm, own.x + t * width * 4, d.width, d.normEps);
    }
    quantize(k, own, own.x, n, [layer.gate, layer.up]);
    matmul(k, layer.gate, own.x, own, b.gate, n, lane);
    matmul(k, layer.up, own.x, own, b.up, n, lane);
    const h0 = firstRow(layer.gate.paddedRows, lane.index, lane.count);
    const h1 = Math.min(d.hidden, firstRow(layer.gate.paddedRows, lane.index + 1, lane.count));
    for (let t = 0; t < n; t++) {
      const at = (t * hidden + h0) * 4;
      if (d.activation === 'silu') k.silu_mul_f32(b.gate + at, b.up + at, h1 - h0);
      else if (d.activation === 'gelu') k.gelu_mul_f32(b.gate + at, b.up + at, h1 - h0);
      else k.relu2_mul_f32(b.gate + at, b.up + at, h1 - h0);
    }
    lane.barrier();
    project(m, layer.down, 0, b.gate, layer.ffnSubNorm, own.hidden, n, lane);
    lane.barrier();
    if (lane.index === 0) afterLayer?.(l);
  }
}

/** Logits of the t-th token of the last batch → `b.logits`. */
export function head(m: Llama, t: number, lane: Lane): void {
  const { k, d, w, b } = m;
  const own = b.lanes[lane.index];
  k.rms_norm_f32(b.x + t * strideOf(d.width) * 4, w.outputNorm, own.x, d.width, d.normEps);
  quantize(k, own, own.x, 1, [w.head]);
  matmul(k, w.head, own.x, own, b.logits, 1, lane);
  lane.barrier();
}

/** x += matrix · norm(from) + bias, this lane's rows only; `normed` is the lane's buffer for the norm, if there is one. */
function project(
  m: Llama,
  matrix: LlamaLayer['o'],
  bias: Ptr,
  from: Ptr,
  norm: Ptr,
  normed: Ptr,
  n: number,
  lane: Lane,
): void {
  const { k, d, b } = m;
  const own = b.lanes[lane.index];
  const stride = strideOf(matrix.cols) * 4;
  let input = from;
  if (norm) {
    for (let t = 0; t < n; t++) k.rms_norm_f32(from + t * stride, norm, normed + t * stride, matrix.cols, d.normEps);
    input = normed;
  }
  quantize(k, own, input, n, [matrix]);
  matmul(k, matrix, input, own, b.projected, n, lane);
  const r0 = firstRow(matrix.paddedRows, lane.index, lane.count);
  const r1 = Math.min(matrix.rows, firstRow(matrix.paddedRows, lane.index + 1, lane.count));
  for (let t = 0; t < n; t++) {
    const at = (t * strideOf(d.width) + r0) * 4;
    if (bias) k.add_f32(b.projected + at, bias + r0 * 4, r1 - r0);
    k.add_f32(b.x + at, b.projected + at, r1 - r0);
  }
}

/** Caches the batch's keys and values, then attends: whole groups of heads that share a key head, split between lanes. */
function attention(
  m: Llama,
  state: LlamaState,
  layer: LlamaLayer,
  l: number,
  pos: number,
  n: number,
  lane: Lane,
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
  const scores = b.lanes[lane.index].scores;

  const last = firstUnit(d.kvHeads, lane.index + 1, lane.count);
  for (let g = firstUnit(d.kvHeads, lane.index, lane.count); g < last; g++) {
    for (let t = 0; t < n; t++) {
      const key = b.k + (t * kvStride + g * headDim) * 4;
      const value = b.v + (t * kvStride + g * headDim) * 4;
      if (layer.kBias) k.add_f32(key, layer.kBias + g * headDim * 4, headDim);
      if (layer.vBias) k.add_f32(value, layer.vBias + g * headDim * 4, headDim);
      if (layer.kNorm) k.rms_norm_f32(key, layer.kNorm, key, headDim, d.normEps);
      k.rope_apply_f32(key, 1, headDim, b.ropeTable + t * half * 8, half, halved);
      cache(key, state.keyAt(l, g, pos + t), headDim);
      cache(value, state.valueAt(l, g, pos + t), headDim);
    }
    const keys = state.keyAt(l, g, 0);
    const values = state.valueAt(l, g, 0);
    for (let h = g * group; h < (g + 1) * group; h++) {
      for (let t = 0; t < n; t++) {
        const q = b.q + (t * qStride + h * headDim) * 4;
        if (layer.qBias) k.add_f32(q, layer.qBias + h * headDim * 4, headDim);
        if (layer.qNorm) k.rms_norm_f32(q, layer.qNorm, q, headDim, d.normEps);
        k.rope_apply_f32(q, 1, headDim, b.ropeTable + t * half * 8, half, halved);
        attend(q, keys, values, b.att + (t * qStride + h * headDim) * 4, headDim, pos + t + 1, scale, scores);
      }
    }
  }
}
