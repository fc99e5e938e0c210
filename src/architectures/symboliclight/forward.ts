/**
 * The forward pass of SymbolicLight V1 (arXiv 2605.21333), top to bottom, for a batch of n tokens of one session or of
 * several. The same bits as n calls of one token; every thread runs this function.
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
import { firstRow, firstUnit, type Program, type ThreadContext } from '../../threads/context.ts';
import { columnUnit } from '../../description/columns.ts';
import type { SymbolicLightDescription } from './description.ts';
import { PREFILL_BATCH } from '../../description/plan.ts';
import { MEMBRANE_LIMIT } from './description.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import { forcedSpikes, type ForceSpikes } from '../../forward/forced-spikes.ts';
import { matmul, quantize, readRow, strideOf } from '../../forward/matmul.ts';
import { accumulate } from '../../forward/spikes.ts';
import type { MakeProgram } from '../../threads/worker.ts';
import { layerOffsets } from '../../forward/spike-record.ts';
import { type Segment, statesBy, Step } from '../../forward/step.ts';
import { neuronsOf, type SymbolicLightBuffers, SymbolicLightState, type ThreadBuffers } from './state.ts';
import type { SymbolicLightBlock, SymbolicLightWeights } from './weights.ts';

/** What every thread makes its model from; plain data that can be sent to a thread. */
export interface SymbolicLightRecipe {
  readonly kind: 'symboliclight';
  readonly d: SymbolicLightDescription;
  readonly w: SymbolicLightWeights;
  readonly b: SymbolicLightBuffers;
  /** Spikes at random instead of those found; in benchmarks only. */
  readonly forcedSparsity?: number;
}

/** The program of a thread. */
export const program: MakeProgram = (recipe, { kernels, memory, words, index }) =>
  symbolicLightProgram(symbolicLight(kernels, recipe as SymbolicLightRecipe, memory, index), words);

/** All that a pass reads, and the buffers it writes. */
export interface SymbolicLight {
  readonly k: Kernels;
  readonly d: SymbolicLightDescription;
  readonly w: SymbolicLightWeights;
  readonly b: SymbolicLightBuffers;
  /** This thread's buffers. */
  readonly own: ThreadBuffers;
  /** How many fired, per token of the batch: of the stream, and in the feed-forward. */
  readonly active: Int32Array;
  readonly hiddenActive: Int32Array;
  /** Where each layer begins in a row of a record of spikes. */
  readonly offsets: readonly number[];
  readonly force?: ForceSpikes;
}

/** A thread's model. */
export function symbolicLight(
  k: Kernels,
  { d, w, b, forcedSparsity }: SymbolicLightRecipe,
  memory: WebAssembly.Memory,
  index: number,
): SymbolicLight {
  const force = forcedSparsity === undefined ? undefined : forcedSpikes(memory, forcedSparsity);
  const active = new Int32Array(PREFILL_BATCH);
  const offsets = layerOffsets(neuronsOf(d));
  return { k, d, w, b, own: b.threads[index], active, hiddenActive: active.slice(), offsets, force };
}

/** What a thread does in a step: a pass, heads, or both. */
export function symbolicLightProgram(m: SymbolicLight, words: Int32Array): Program {
  const step = new Step(words);
  const stateOf = statesBy((base) => new SymbolicLightState(m.d, base));
  return (thread) => {
    if (step.n > 0) forward(m, step.segments(stateOf), step.ids, step.n, thread, step);
    if (step.heads.length > 0) head(m, step.heads, thread);
  };
}

/**
 * Runs the first n of `ids`, segment by segment of a session each. Every thread keeps the continuous streams of the batch for itself,
 * in `own.c`, and normalises and lists them whole: that costs microseconds and saves barriers. They stay there for `head`.
 * @param how `blocks`: end after this many; `head` then answers early. `record`: where to write which neurons fire, 0 for nowhere
 * @param afterBlock called after each block; only for finding the block at fault, on one thread
 */
export function forward(
  m: SymbolicLight,
  segments: readonly Segment<SymbolicLightState>[],
  ids: ArrayLike<number>,
  n: number,
  thread: ThreadContext,
  { blocks, record }: Pick<Step, 'blocks' | 'record'>,
  afterBlock?: (block: number) => void,
): void {
  const { k, d, w, b, own } = m;
  const width = strideOf(d.width) * 4;
  const owner = thread.index === 0;
  const note = owner ? record : 0;

  if (owner) {
    for (let t = 0; t < n; t++) {
      readRow(k, w.embedding, ids[t], b.c + t * width);
      k.layer_norm_f32(b.c + t * width, w.norm, w.normBias, b.c + t * width, d.width, d.normEps);
    }
    const { leak, threshold } = d;
    for (const { state: { membrane }, pos, from, n } of segments) {
      const [c, spikes] = [b.c + from * width, b.spikes + (from * width) / 32];
      k.lif_scan_f32(c, width / 4, membrane, spikes, width / 32, d.width, n, leak, threshold, MEMBRANE_LIMIT);
      if (d.attention) k.rope_table_f32(b.ropeFreqs, d.headDim / 2, pos, n, 1, b.ropeTable + from * d.headDim * 4);
    }
  }
  thread.barrier();
  k.copy_f32(b.c, own.c, n * (width / 4));
  eachToken(segments, owner ? b.spikeCounts : null, (t, pos, counts) => {
    keep(m, note, t, 0, list(m, b.spikes + (t * width) / 32, t, pos, 0, counts));
  });

  for (let i = 0; i < blocks; i++) {
    const block = w.blocks[i];

    // two paths through time: what decays, and what is near
    for (let t = 0; t < n; t++) {
      accumulate(k, block.tcam, own.lists + t * width, m.active[t], b.mixed + t * width, b, thread);
    }
    if (d.attention) {
      quantize(k, own, own.c, n, block.inputs.qkv);
      matmul(k, block.q, own.c, own, b.q, n, thread);
      matmul(k, block.k, own.c, own, b.k, n, thread);
      matmul(k, block.v, own.c, own, b.v, n, thread);
    }
    if (!ownHeads(m, block, thread)) thread.barrier();
    const first = firstUnit(d.heads, thread.index, thread.count);
    const heads = firstUnit(d.heads, thread.index + 1, thread.count) - first;
    const at = first * d.headDim * 4;
    for (const segment of segments) {
      const { state, from, n } = segment;
      const mixed = b.mixed + from * width + at;
      k.decay_scan_f32(mixed, width / 4, state.decayAt(i) + at, block.decay + first * 4, heads, d.headDim, n);
      if (d.attention) attention(m, segment, block, i, first, heads);
    }
    thread.barrier();

    // back into the stream
    quantize(k, own, b.mixed, n, block.inputs.out);
    matmul(k, block.out, b.mixed, own, b.projected, n, thread);
    thread.barrier();
    addNormalised(m, block.norm, block.normBias, n);
    // the mixer's own spikes feed nothing, and are counted as the public code makes them
    if (owner) {
      eachToken(segments, b.spikeCounts, (t, pos, counts) => {
        if (counts) counts[3 * i + 1] += fired(m, t, pos, 3 * i + 1);
        keep(m, note, t, 3 * i + 1, own.spikes);
      });
    }

    // spiking feed-forward
    quantize(k, own, own.c, n, block.inputs.up);
    matmul(k, block.up, own.c, own, b.hidden, n, thread);
    thread.barrier();
    eachToken(segments, owner ? b.spikeCounts : null, (t, pos, counts) => {
      const lists = own.hiddenLists + t * b.hiddenStride * 4;
      k.threshold_f32(b.hidden + t * b.hiddenStride * 4, d.hidden, d.threshold, own.spikes);
      m.force?.(own.spikes, d.hidden, turn(m, pos, 3 * i + 2));
      m.hiddenActive[t] = k.active_list(own.spikes, d.hidden, lists);
      if (counts) counts[3 * i + 2] += m.hiddenActive[t];
      keep(m, note, t, 3 * i + 2, own.spikes);
      accumulate(k, block.down, lists, m.hiddenActive[t], b.projected + t * width, b, thread);
    });
    thread.barrier();
    addNormalised(m, block.ffnNorm, block.ffnNormBias, n);
    eachToken(segments, owner ? b.spikeCounts : null, (t, pos, counts) => {
      k.threshold_f32(own.c + t * width, d.width, d.threshold, own.spikes);
      keep(m, note, t, 3 * i + 3, list(m, own.spikes, t, pos, 3 * i + 3, counts));
    });
    afterBlock?.(i);
  }
}

/** Calls `use` for every row of the batch, with its position and the counts of its segment, where they are given. */
function eachToken(
  segments: readonly Segment<SymbolicLightState>[],
  counts: readonly Float64Array[] | null,
  use: (t: number, pos: number, counts: Float64Array | null) => void,
): void {
  segments.forEach(({ pos, from, n }, slot) => {
    for (let t = 0; t < n; t++) use(from + t, pos + t, counts && counts[slot]);
  });
}

/** Logits of some rows of the last batch → `b.logits`, one after the other. */
export function head(m: SymbolicLight, rows: ArrayLike<number>, thread: ThreadContext): void {
  const { k, d, w, b, own } = m;
  const count = rows.length;
  const stride = strideOf(d.width) * 4;
  const logits = strideOf(d.vocab) * 4;
  const { prior } = w;
  let c = own.c + rows[0] * stride;
  if (count > 1) {
    for (let i = 0; i < count; i++) k.copy_f32(own.c + rows[i] * stride, own.heads + i * stride, d.width);
    c = own.heads;
  }
  quantize(k, own, c, count, w.inputs.head);
  matmul(k, w.head, c, own, b.logits, count, thread);
  const r0 = firstRow(w.head.paddedRows, thread.index, thread.count);
  const n = Math.min(d.vocab, firstRow(w.head.paddedRows, thread.index + 1, thread.count)) - r0;
  if (prior.kind === 'dynamic') {
    const narrow = strideOf(prior.first.rows) * 4;
    matmul(k, prior.first, c, own, b.bottleneck, count, thread);
    thread.barrier();
    for (let i = 0; i < count; i++) {
      k.copy_f32(b.bottleneck + i * narrow, own.bottleneck + i * narrow, prior.first.rows);
      k.gelu_f32(own.bottleneck + i * narrow, prior.first.rows);
    }
    quantize(k, own, own.bottleneck, count, w.inputs.prior);
    matmul(k, prior.second, own.bottleneck, own, b.priorLogits, count, thread);
  }
  for (let i = 0; i < count; i++) {
    const at = i * logits + r0 * 4;
    if (prior.kind === 'dynamic') {
      k.scale_f32(b.priorLogits + at, prior.weight, n);
      k.add_f32(b.logits + at, b.priorLogits + at, n);
    } else k.add_f32(b.logits + at, prior.logits + r0 * 4, n);
  }
}

/** Whether this thread's rows of the mixer are those of its own heads: then it needs no other thread's. */
function ownHeads({ d }: SymbolicLight, { tcam }: SymbolicLightBlock, { count }: ThreadContext): boolean {
  return d.heads % count === 0 && tcam.paddedRows === d.width && d.width % (columnUnit(tcam.layout) * count) === 0;
}

/** Which forced pattern a layer of neurons shows to a token; the same on every thread. */
function turn({ d }: SymbolicLight, pos: number, layer: number): number {
  return pos * (3 * d.layers + 1) + layer;
}

/** How many fire in the stream of token t; their spikes go nowhere. */
function fired(m: SymbolicLight, t: number, pos: number, layer: number): number {
  const { k, d, own, force } = m;
  const count = k.threshold_f32(own.c + t * strideOf(d.width) * 4, d.width, d.threshold, own.spikes);
  return force?.(own.spikes, d.width, turn(m, pos, layer)) ?? count;
}

/** Lists who fired among the spikes of token t. @returns where their bits are */
function list(m: SymbolicLight, spikes: Ptr, t: number, pos: number, layer: number, counts: Float64Array | null): Ptr {
  const { k, d, own, force } = m;
  const bits = force ? own.spikes : spikes;
  force?.(bits, d.width, turn(m, pos, layer));
  m.active[t] = k.active_list(bits, d.width, own.lists + t * strideOf(d.width) * 4);
  if (counts) counts[layer] += m.active[t];
  return bits;
}

/** Writes the bits of a layer into the record of spikes, where there is one. */
function keep({ k, offsets }: SymbolicLight, record: Ptr, t: number, layer: number, bits: Ptr): void {
  if (record === 0) return;
  const row = offsets[offsets.length - 1];
  k.copy_f32(bits, record + t * row + offsets[layer], (offsets[layer + 1] - offsets[layer]) / 4);
}

/** c = LayerNorm(c + projected), all rows of the batch, for this thread. */
function addNormalised({ k, d, b, own }: SymbolicLight, weight: Ptr, bias: Ptr, n: number): void {
  const width = strideOf(d.width) * 4;
  for (let t = 0; t < n; t++) {
    const c = own.c + t * width;
    k.add_f32(c, b.projected + t * width, d.width);
    k.layer_norm_f32(c, weight, bias, c, d.width, d.normEps);
  }
}

/** mixed = g·attention + (1 − g)·mixed for this thread's heads; keys and values of a segment are cached first. */
function attention(
  m: SymbolicLight,
  { state, pos, from, n }: Segment<SymbolicLightState>,
  block: SymbolicLightBlock,
  i: number,
  first: number,
  heads: number,
): void {
  const { k, d, b, own } = m;
  const { headDim } = d;
  const half = headDim / 2;
  const width = strideOf(d.width) * 4;
  const scale = 1 / Math.sqrt(headDim);
  const fired = state.firedAt(i);
  // every thread notes it for itself
  for (let t = 0; t < n; t++) k.store_u8(state.firedOf(i, pos + t), m.active[from + t] > 0 ? 1 : 0);
  for (let h = first; h < first + heads; h++) {
    for (let t = 0; t < n; t++) {
      const at = (from + t) * width + h * headDim * 4;
      k.rope_apply_f32(b.k + at, 1, headDim, b.ropeTable + (from + t) * headDim * 4, half, 1);
      k.rope_apply_f32(b.q + at, 1, headDim, b.ropeTable + (from + t) * headDim * 4, half, 1);
      k.copy_f32(b.k + at, state.keyAt(i, h, pos + t), headDim);
      k.copy_f32(b.v + at, state.valueAt(i, h, pos + t), headDim);
    }
    for (let t = 0; t < n; t++) {
      const at = (from + t) * width + h * headDim * 4;
      // a position without a spike gives zeros: what is near is then left out
      if (m.active[from + t] === 0) k.scale_f32(b.mixed + at, 1 - block.gate, headDim);
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
