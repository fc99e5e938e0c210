/**
 * The memory plan: every byte the model will take, known before the first is allocated.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import type { Container } from '../container/tensor.ts';
import { MemoryError } from '../errors.ts';
import { columnSize } from './columns.ts';
import type { LlamaDescription, SpikingBertDescription, SymbolicLightDescription } from './description.ts';
import {
  attentionBytes,
  codeVectorBytes,
  int8VectorBytes,
  type PackedSize,
  packedSize,
  rowScaledSize,
  rowScales,
  TILE_BYTES,
  VECTOR_PAD,
} from './layout.ts';
import { isRowScaled, spikingBertTensors } from '../architectures/spikingbert/description.ts';
import { spikingBertRunBytes } from '../architectures/spikingbert/plan.ts';

/** How keys and values are kept. */
export type KvType = 'f16' | 'f32';

/** Tokens of one pass over the weights during prefill. */
export const PREFILL_BATCH = 32;
/** Tokens that the kernels for batches take at a time: one costs as much as this many. */
export const BATCH_STEP = 16;
/** File bytes read at a time while loading; at least four rows of the widest matrix are added to it. */
export const STAGING_BYTES: number = 1 << 20;

export interface MemoryPlan {
  /** Weights in wasm memory. */
  readonly weightsBytes: number;
  /** One session: keys and values of every layer and position. */
  readonly stateBytes: number;
  /** Buffers that a step writes, shared by all sessions of a model, and the loader's staging buffer. */
  readonly scratchBytes: number;
  readonly totalBytes: number;
}

/** Smallest and largest default of a session's positions. */
const MIN_DEFAULT_CONTEXT = 512;
const MAX_DEFAULT_CONTEXT = 4096;

/** Positions of a session unless told: what the model was trained for, but at least 512 and at most 4096. */
export function defaultContext(trained: number): number {
  return Math.min(Math.max(trained, MIN_DEFAULT_CONTEXT), MAX_DEFAULT_CONTEXT);
}

/** Bytes of a vector of n floats, padded with zeros. */
export function vectorBytes(n: number): number {
  return alignUp(n, VECTOR_PAD) * 4;
}

function packedBytes(size: PackedSize): number {
  return alignUp(size.dataBytes, 64) + alignUp(size.scaleBytes, 64);
}

/** Bytes of the weights in memory, each tensor aligned to 64. */
function weightsBytes(container: Container): number {
  let bytes = 0;
  for (const info of container.tensors.values()) {
    rowScales(container, info);
    bytes += info.shape.length === 2 ? packedBytes(packedSize(info)) : vectorBytes(info.shape[0] ?? 1);
  }
  return bytes;
}

/** Bytes of four rows of the widest matrix: as stored, as codes, and as scales. */
export function loaderScratch(container: Container): { staging: number; codes: number; scales: number } {
  let widest = 0;
  let rowBytes = 0;
  for (const info of container.tensors.values()) {
    const rows = info.shape.length === 2 ? info.shape[0] : 1;
    widest = Math.max(widest, info.shape[info.shape.length - 1] ?? 1);
    rowBytes = Math.max(rowBytes, Math.ceil(info.byteLength / Math.max(rows, 1)));
  }
  return {
    staging: 2 * alignUp(STAGING_BYTES + 8 * rowBytes, 64),
    codes: alignUp(4 * alignUp(widest, 256) * 4 + 256, 64),
    scales: alignUp(4 * (alignUp(widest, 256) / 32) * 2 + 64, 64),
  };
}

/** Bytes of one session of `context` positions. */
export function llamaStateBytes(d: LlamaDescription, context: number, kv: KvType): number {
  return 2 * d.layers * alignUp(d.kvHeads * d.headDim * context * (kv === 'f16' ? 2 : 4), 64);
}

/** Shared buffers of a step. */
function llamaScratchBytes(d: LlamaDescription, context: number, threads: number): number {
  const q = d.heads * d.headDim;
  const kv = d.kvHeads * d.headDim;
  const widest = Math.max(d.width, d.hidden, q);
  const shared = 2 * vectorBytes(d.width) + 2 * vectorBytes(q) + 2 * vectorBytes(kv) + 2 * vectorBytes(d.hidden);
  const own = vectorBytes(d.width) + vectorBytes(q) + vectorBytes(d.hidden);
  const thread = own + 2 * codeVectorBytes(widest) + int8VectorBytes(widest);
  const rope = vectorBytes(d.rope.dims);
  return PREFILL_BATCH * (shared + rope + threads * thread) + threads * (TILE_BYTES + attentionBytes(d.headDim, context)) +
    vectorBytes(d.rope.dims) + vectorBytes(d.vocab) +
    64 * 64;
}

/**
 * The plan of a llama-shaped model with one session.
 * @throws {MemoryError} `MEMORY_LIMIT` with the plan, and the largest context that would fit, before anything is allocated
 */
export function planLlama(
  container: Container,
  d: LlamaDescription,
  options: { context: number; kv: KvType; threads: number; maxBytes: number; base: number },
): MemoryPlan {
  const weights = weightsBytes(container);
  const loader = loaderScratch(container);
  const planFor = (context: number): MemoryPlan => {
    const stateBytes = llamaStateBytes(d, context, options.kv);
    const scratchBytes = llamaScratchBytes(d, context, options.threads);
    // the loader's buffers lie where state and scratch come to lie afterwards
    const behind = Math.max(stateBytes + scratchBytes, loader.staging + loader.codes + loader.scales);
    return { weightsBytes: weights, stateBytes, scratchBytes, totalBytes: options.base + weights + behind };
  };
  const plan = planFor(options.context);
  if (plan.totalBytes <= options.maxBytes) return plan;
  let fits = 0;
  for (let over = options.context; over - fits > 1;) {
    const middle = Math.floor((fits + over) / 2);
    if (planFor(middle).totalBytes <= options.maxBytes) fits = middle;
    else over = middle;
  }
  throw new MemoryError(
    'MEMORY_LIMIT',
    `${plan.totalBytes} bytes are needed (weights ${weights}, one session of ${options.context} positions ` +
      `${plan.stateBytes}, scratch ${plan.scratchBytes}), ${options.maxBytes} are allowed; ` +
      (fits > 0
        ? `a context of ${fits} would fit`
        : 'not even a context of 1 would fit: use a smaller or more quantised model'),
  );
}

/** Positions behind the anchors that a SymbolicLight session keeps: the window, itself, and a batch that is being read. */
export function ringOf(d: SymbolicLightDescription): number {
  return d.window + PREFILL_BATCH;
}

/** Bytes of one SymbolicLight session; they do not depend on how long it becomes. */
export function symbolicLightStateBytes(d: SymbolicLightDescription): number {
  const slots = d.anchors + ringOf(d);
  const near = d.attention ? 2 * alignUp(d.heads * slots * d.headDim * 4, 64) + alignUp(slots, 64) : 0;
  return vectorBytes(d.width) + d.layers * (vectorBytes(d.width) + near);
}

function symbolicLightScratchBytes(d: SymbolicLightDescription, threads: number): number {
  const widest = Math.max(d.width, d.hidden);
  const batch = 6 * vectorBytes(d.width) + vectorBytes(d.width / 32) + vectorBytes(d.hidden) + vectorBytes(d.headDim);
  const own = 2 * vectorBytes(d.width) + vectorBytes(d.hidden) + 2 * codeVectorBytes(widest) + int8VectorBytes(widest);
  const thread = PREFILL_BATCH * own + vectorBytes(widest / 32) + vectorBytes(d.width / 4) + vectorBytes(d.headDim) +
    vectorBytes(d.anchors + d.window + 1) + TILE_BYTES;
  const saved = (1 + d.layers) * vectorBytes(d.width);
  return PREFILL_BATCH * batch + threads * thread + saved + 2 * vectorBytes(d.vocab) + vectorBytes(d.width / 4) +
    vectorBytes(d.headDim) + 2 * vectorBytes(widest) + 64 * 64;
}

/** The plan of a SymbolicLight model with one session. @throws {MemoryError} `MEMORY_LIMIT` with the plan */
export function planSymbolicLight(
  container: Container,
  d: SymbolicLightDescription,
  options: { threads: number; maxBytes: number; base: number },
): MemoryPlan {
  let weights = 0;
  for (const info of container.tensors.values()) {
    // scales of an I8 matrix are counted with it
    if (info.name.endsWith('.scale')) continue;
    if (info.shape.length !== 2) weights += vectorBytes(info.shape[0] ?? 1);
    else if (isColumns(info.name)) {
      weights += alignUp(columnSize(info).dataBytes, 64) + alignUp(columnSize(info).scaleBytes, 64);
    } else if (!info.name.endsWith('_cached_mask')) weights += packedBytes(packedSize(info));
  }
  const loader = loaderScratch(container);
  const stateBytes = symbolicLightStateBytes(d);
  const scratchBytes = symbolicLightScratchBytes(d, options.threads);
  const behind = Math.max(stateBytes + scratchBytes, loader.staging + loader.codes + loader.scales);
  const plan = { weightsBytes: weights, stateBytes, scratchBytes, totalBytes: options.base + weights + behind };
  if (plan.totalBytes <= options.maxBytes) return plan;
  throw new MemoryError(
    'MEMORY_LIMIT',
    `${plan.totalBytes} bytes are needed (weights ${weights}, one session ${stateBytes}, scratch ${scratchBytes}), ` +
      `${options.maxBytes} are allowed; use a more quantised model`,
  );
}

/** Longest text that a plan of a spiking BERT counts with, as the public code evaluates; longer ones take memory when they
 *  come. */
const PLANNED_TOKENS = 128;

/** The plan of a spiking BERT and the run of one text. @throws {MemoryError} `MEMORY_LIMIT` with the plan */
export function planSpikingBert(
  container: Container,
  d: SpikingBertDescription,
  options: { threads: number; maxBytes: number; base: number },
): MemoryPlan {
  const held = spikingBertTensors(container, d);
  let weights = 0;
  for (const info of held.tensors.values()) {
    if (info.name.endsWith('.scale')) continue; // counted with its matrix
    if (info.shape.length !== 2) weights += vectorBytes(info.shape[0]);
    else weights += packedBytes(isRowScaled(info) ? rowScaledSize(info) : packedSize(info));
  }
  const loader = loaderScratch(held);
  const tokens = Math.min(d.trainedContext, PLANNED_TOKENS);
  const stateBytes = spikingBertRunBytes(d, tokens, d.steps, options.threads);
  const behind = Math.max(stateBytes, loader.staging + loader.codes + loader.scales);
  const plan = { weightsBytes: weights, stateBytes, scratchBytes: 0, totalBytes: options.base + weights + behind };
  if (plan.totalBytes <= options.maxBytes) return plan;
  throw new MemoryError(
    'MEMORY_LIMIT',
    `${plan.totalBytes} bytes are needed (weights ${weights}, a text of ${tokens} tokens ${stateBytes}), ` +
      `${options.maxBytes} are allowed; use a more quantised model`,
  );
}

/** Whether a matrix of SymbolicLight takes spikes and lies by columns. */
function isColumns(name: string): boolean {
  return name.endsWith('.tcam_proj.weight') || name.endsWith('.ffn.down.weight');
}
