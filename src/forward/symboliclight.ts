/**
 * The forward pass of SymbolicLight V1 (arXiv 2605.21333), top to bottom, for a batch of n tokens of one session. The same
 * bits as n calls of one token; every lane runs this function.
 *
 *   c = LayerNorm(embedding[id]);   u ← clamp(leak·u + c, ±3);   s = [u ≥ θ];   u ← u·(1 − s)
 *   per block   h ← a·h + (1 − a)·(Wtcam·s)                                        decay path: one a per head
 *               m = g·attention(c, visible = fired) + (1 − g)·h                     zeros where the position did not fire
 *               c = LayerNorm(c + Wout·m)
 *               z = [Wup·c ≥ θ];   c = LayerNorm(c + Wdown·z);   s = [c ≥ θ]
 *   logits = Whead·c + w·prior(c),   prior(c) = W2·gelu(W0·c), or a constant vector
 *
 * s and z are spikes: Wtcam and Wdown are read only in the columns of neurons that fired, and nothing is multiplied.
 * @module
 */
import { firstRow, firstUnit, type Lane } from '../lanes/lane.ts';
import type { SymbolicLightDescription } from '../model/description.ts';
import { MEMBRANE_LIMIT } from '../model/symboliclight.ts';
import type { Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import type { Matrix } from '../wasm/weights.ts';
import type { ForceSpikes } from './forced-spikes.ts';
import { matmul, quantize, readRow, strideOf } from './matmul.ts';
import { accumulate } from './spikes.ts';
import type { SymbolicLightBuffers, SymbolicLightState } from './symboliclight-state.ts';
import type { SymbolicLightBlock, SymbolicLightWeights } from './symboliclight-weights.ts';

/** All that a pass reads, and the buffers it writes. */
export interface SymbolicLight {
  readonly k: Kernels;
  readonly d: SymbolicLightDescription;
  readonly w: SymbolicLightWeights;
  readonly b: SymbolicLightBuffers;
  /** Spikes instead of those found; in benchmarks only. */
  readonly force?: ForceSpikes;
}

/**
 * Runs `ids` at positions `pos` … of `state`. The continuous streams of the batch stay in `b.c` for `head`.
 * @param afterBlock called on lane 0 after each block; only for finding the block at fault
 * @param blocks end behind this many; `head` then answers early
 */
export function forward(
  m: SymbolicLight,
  state: SymbolicLightState,
  ids: ArrayLike<number>,
  pos: number,
  lane: Lane,
  afterBlock?: (block: number) => void,
  blocks: number = m.d.layers,
): void {
  const { k, d, w, b } = m;
  const n = ids.length;
  const width = strideOf(d.width) * 4;

  if (lane.index === 0) {
    for (let t = 0; t < n; t++) {
      readRow(k, w.embedding, ids[t], b.c + t * width);
      k.layer_norm_f32(b.c + t * width, w.norm, w.normBias, b.c + t * width, d.width, d.normEps);
    }
    k.lif_scan_f32(
      b.c,
      width / 4,
      state.membrane,
      b.spikes,
      width / 32,
      d.width,
      n,
      d.leak,
      d.threshold,
      MEMBRANE_LIMIT,
    );
    b.spikeCounts[0] += listSpikes(m, n);
    if (d.attention) k.rope_table_f32(b.ropeFreqs, d.headDim / 2, pos, n, b.ropeTable);
  }
  lane.barrier();

  for (let i = 0; i < blocks; i++) {
    const block = w.blocks[i];

    // two paths through time: what decays, and what is near
    for (let t = 0; t < n; t++) {
      accumulate(k, block.tcam, b.lists + t * width, b.active[t], b.mixed + t * width, b, lane);
    }
    if (d.attention) project(m, b.c, n, lane, [block.q, b.q], [block.k, b.k], [block.v, b.v]);
    lane.barrier();
    const first = firstUnit(d.heads, lane.index, lane.count);
    const heads = firstUnit(d.heads, lane.index + 1, lane.count) - first;
    const at = first * d.headDim * 4;
    k.decay_scan_f32(b.mixed + at, width / 4, state.decayAt(i) + at, block.decay + first * 4, heads, d.headDim, n);
    if (d.attention) attention(m, state, block, i, pos, n, first, heads, lane);
    lane.barrier();

    // back into the stream
    project(m, b.mixed, n, lane, [block.out, b.projected]);
    addRows(m, n, lane);
    lane.barrier();
    if (lane.index === 0) {
      normalise(m, block.norm, block.normBias, n);
      // the mixer's own spikes feed nothing, and are counted as the public code makes them
      for (let t = 0; t < n; t++) {
        const fired = k.threshold_f32(b.c + t * width, d.width, d.threshold, b.spikes);
        b.spikeCounts[3 * i + 1] += m.force?.(b.spikes, d.width) ?? fired;
      }
    }
    lane.barrier();

    // spiking feed-forward
    project(m, b.c, n, lane, [block.up, b.hidden]);
    lane.barrier();
    if (lane.index === 0) b.spikeCounts[3 * i + 2] += listHidden(m, n);
    lane.barrier();
    for (let t = 0; t < n; t++) {
      accumulate(
        k,
        block.down,
        b.hiddenLists + t * b.hiddenStride * 4,
        b.hiddenActive[t],
        b.projected + t * width,
        b,
        lane,
      );
    }
    addRows(m, n, lane);
    lane.barrier();
    if (lane.index === 0) {
      normalise(m, block.ffnNorm, block.ffnNormBias, n);
      for (let t = 0; t < n; t++) k.threshold_f32(b.c + t * width, d.width, d.threshold, b.spikes + (t * width) / 32);
      b.spikeCounts[3 * i + 3] += listSpikes(m, n);
      afterBlock?.(i);
    }
    lane.barrier();
  }
}

/** Logits of the t-th token of the last batch → `b.logits`. */
export function head(m: SymbolicLight, t: number, lane: Lane): void {
  const { k, d, w, b } = m;
  const own = b.lanes[lane.index];
  const c = b.c + t * strideOf(d.width) * 4;
  const { prior } = w;
  quantize(k, own, c, 1, prior.kind === 'dynamic' ? [w.head, prior.first] : [w.head]);
  matmul(k, w.head, c, own, b.logits, 1, lane);
  const r0 = firstRow(w.head.paddedRows, lane.index, lane.count);
  const n = Math.min(d.vocab, firstRow(w.head.paddedRows, lane.index + 1, lane.count)) - r0;
  if (prior.kind === 'dynamic') {
    matmul(k, prior.first, c, own, b.bottleneck, 1, lane);
    lane.barrier();
    if (lane.index === 0) k.gelu_f32(b.bottleneck, prior.first.rows);
    lane.barrier();
    quantize(k, own, b.bottleneck, 1, [prior.second]);
    matmul(k, prior.second, b.bottleneck, own, b.priorLogits, 1, lane);
    k.scale_f32(b.priorLogits + r0 * 4, prior.weight, n);
    k.add_f32(b.logits + r0 * 4, b.priorLogits + r0 * 4, n);
  } else {
    k.add_f32(b.logits + r0 * 4, prior.logits + r0 * 4, n);
  }
  lane.barrier();
}

/** Lists who fired in `b.spikes`, token by token; returns how many in all. */
function listSpikes({ k, d, b, force }: SymbolicLight, n: number): number {
  const width = strideOf(d.width) * 4;
  let total = 0;
  for (let t = 0; t < n; t++) {
    const spikes = b.spikes + (t * width) / 32;
    force?.(spikes, d.width);
    total += b.active[t] = k.active_list(spikes, d.width, b.lists + t * width);
  }
  return total;
}

/** z = [Wup·c ≥ θ] of the batch, listed. */
function listHidden({ k, d, b, force }: SymbolicLight, n: number): number {
  let total = 0;
  for (let t = 0; t < n; t++) {
    const at = t * b.hiddenStride * 4;
    k.threshold_f32(b.hidden + at, d.hidden, d.threshold, b.hiddenSpikes);
    force?.(b.hiddenSpikes, d.hidden);
    total += b.hiddenActive[t] = k.active_list(b.hiddenSpikes, d.hidden, b.hiddenLists + at);
  }
  return total;
}

/** y = matrix · x for several matrices over the same inputs, this lane's rows. */
function project(m: SymbolicLight, x: Ptr, n: number, lane: Lane, ...products: [Matrix, Ptr][]): void {
  const own = m.b.lanes[lane.index];
  quantize(m.k, own, x, n, products.map(([matrix]) => matrix));
  for (const [matrix, y] of products) matmul(m.k, matrix, x, own, y, n, lane);
}

/** c += projected, this lane's rows. */
function addRows({ k, d, b }: SymbolicLight, n: number, lane: Lane): void {
  const padded = strideOf(d.width);
  const r0 = firstRow(padded, lane.index, lane.count);
  const r1 = Math.min(d.width, firstRow(padded, lane.index + 1, lane.count));
  for (let t = 0; t < n && r1 > r0; t++) {
    k.add_f32(b.c + (t * padded + r0) * 4, b.projected + (t * padded + r0) * 4, r1 - r0);
  }
}

function normalise({ k, d, b }: SymbolicLight, weight: Ptr, bias: Ptr, n: number): void {
  const width = strideOf(d.width) * 4;
  for (let t = 0; t < n; t++) k.layer_norm_f32(b.c + t * width, weight, bias, b.c + t * width, d.width, d.normEps);
}

/** mixed = g·attention + (1 − g)·mixed for this lane's heads; keys and values of the batch are cached first. */
function attention(
  m: SymbolicLight,
  state: SymbolicLightState,
  block: SymbolicLightBlock,
  i: number,
  pos: number,
  n: number,
  first: number,
  heads: number,
  lane: Lane,
): void {
  const { k, d, b } = m;
  const { headDim } = d;
  const half = headDim / 2;
  const width = strideOf(d.width) * 4;
  const scale = 1 / Math.sqrt(headDim);
  const own = b.lanes[lane.index];
  const fired = state.firedAt(i);
  if (lane.index === 0) { for (let t = 0; t < n; t++) state.setFired(i, pos + t, b.active[t] > 0); }
  lane.barrier();
  for (let h = first; h < first + heads; h++) {
    for (let t = 0; t < n; t++) {
      const at = t * width + h * headDim * 4;
      k.rope_apply_f32(b.k + at, 1, headDim, b.ropeTable + t * headDim * 4, half, 1);
      k.rope_apply_f32(b.q + at, 1, headDim, b.ropeTable + t * headDim * 4, half, 1);
      k.copy_f32(b.k + at, state.keyAt(i, h, pos + t), headDim);
      k.copy_f32(b.v + at, state.valueAt(i, h, pos + t), headDim);
    }
    for (let t = 0; t < n; t++) {
      const at = t * width + h * headDim * 4;
      // a position without a spike gives zeros: what is near is then left out
      if (b.active[t] === 0) k.scale_f32(b.mixed + at, 1 - block.gate, headDim);
      else {
        k.window_attention_f32(
          b.q + at,
          state.keysOf(i, h),
          state.valuesOf(i, h),
          fired,
          own.att,
          headDim,
          pos + t,
          d.window,
          d.anchors,
          state.ring,
          scale,
          own.scores,
        );
        k.mix_f32(b.mixed + at, own.att, block.gate, headDim);
      }
    }
  }
}
