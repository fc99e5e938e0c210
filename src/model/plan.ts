/**
 * The memory plan: every byte the model will take, known before the first is allocated.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import type { Container } from '../container/tensor.ts';
import { MemoryError } from '../errors.ts';
import type { LlamaDescription } from './description.ts';
import { codeVectorBytes, int8VectorBytes, packedSize, VECTOR_PAD } from './layout.ts';

/** How keys and values are kept. */
export type KvType = 'f16' | 'f32';

/** Tokens of one pass over the weights during prefill. */
export const PREFILL_BATCH = 32;
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

/** Bytes of a vector of n floats, padded with zeros. */
export function vectorBytes(n: number): number {
  return alignUp(n, VECTOR_PAD) * 4;
}

/** Bytes of the weights in memory, each tensor aligned to 64. */
function weightsBytes(container: Container): number {
  let bytes = 0;
  for (const info of container.tensors.values()) {
    if (info.shape.length === 2) {
      const size = packedSize(info);
      bytes += alignUp(size.dataBytes, 64) + alignUp(size.scaleBytes, 64);
    } else {
      bytes += vectorBytes(info.shape[0] ?? 1);
    }
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
    staging: alignUp(STAGING_BYTES + 4 * rowBytes, 64),
    codes: alignUp(4 * alignUp(widest, 256) * 4 + 256, 64),
    scales: alignUp(4 * (alignUp(widest, 256) / 32) * 2 + 64, 64),
  };
}

/** Bytes of one session of `context` positions. */
export function llamaStateBytes(d: LlamaDescription, context: number, kv: KvType): number {
  return 2 * d.layers * alignUp(d.kvHeads * d.headDim * context * (kv === 'f16' ? 2 : 4), 64);
}

/** Shared buffers of a step. */
export function llamaScratchBytes(d: LlamaDescription, context: number, lanes: number): number {
  const q = d.heads * d.headDim;
  const kv = d.kvHeads * d.headDim;
  const widest = Math.max(d.width, d.hidden, q);
  const shared = 2 * vectorBytes(d.width) + 2 * vectorBytes(q) + 2 * vectorBytes(kv) + 2 * vectorBytes(d.hidden);
  const own = vectorBytes(d.width) + vectorBytes(q) + vectorBytes(d.hidden);
  const lane = own + 2 * codeVectorBytes(widest) + int8VectorBytes(widest);
  const rope = vectorBytes(d.rope.dims);
  return PREFILL_BATCH * (shared + rope + lanes * lane) + lanes * vectorBytes(d.headDim + context) +
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
  options: { context: number; kv: KvType; lanes: number; maxBytes: number; base: number },
): MemoryPlan {
  const weights = weightsBytes(container);
  const loader = loaderScratch(container);
  const planFor = (context: number): MemoryPlan => {
    const stateBytes = llamaStateBytes(d, context, options.kv);
    const scratchBytes = llamaScratchBytes(d, context, options.lanes);
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
