/**
 * The memory plan of llama-shaped models.
 * @module
 */
import { alignUp } from '../../bytes/align.ts';
import type { Container } from '../../container/tensor.ts';
import { attentionBytes, TILE_BYTES } from '../../description/layout.ts';
import {
  type KvType,
  loaderScratch,
  type MemoryPlan,
  PREFILL_BATCH,
  vectorBytes,
  weightsBytes,
} from '../../description/plan.ts';
import { MemoryError } from '../../errors.ts';
import { activationBytes } from '../../forward/matmul.ts';
import type { PlanOptions } from '../architecture.ts';
import type { LlamaDescription } from './description.ts';

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
  const thread = own + activationBytes(widest);
  const rope = vectorBytes(d.rope.dims);
  return PREFILL_BATCH * (shared + rope + threads * thread) +
    threads * (TILE_BYTES + attentionBytes(d.headDim, context)) +
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
  options: PlanOptions,
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
