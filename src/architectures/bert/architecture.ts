/**
 * Dense BERT, as the engine sees it.
 * @module
 */
import { loaderScratch, type MemoryPlan, weightsBytes } from '../../description/plan.ts';
import { MemoryError } from '../../errors.ts';
import type { Architecture } from '../architecture.ts';
import { type BertDescription, describeBert } from './description.ts';
import { BertEncoder } from './encoder.ts';
import { bertRunBytes } from './state.ts';
import { bertWeights } from './weights.ts';

/** Longest text that a plan counts with; longer ones take memory when they come. */
const PLANNED_TOKENS = 128;

export const bert: Architecture<BertDescription> = {
  generates: false,
  grows: false,
  spikes: false,
  activations: 'int8',
  describe: describeBert,

  plan(container, d, { threads, maxBytes, base }): MemoryPlan {
    const weights = weightsBytes(container);
    const loader = loaderScratch(container);
    const tokens = Math.min(d.trainedContext, PLANNED_TOKENS);
    const stateBytes = bertRunBytes(d, tokens, threads);
    const behind = Math.max(stateBytes, loader.staging + loader.codes + loader.scales);
    const plan = { weightsBytes: weights, stateBytes, scratchBytes: 0, totalBytes: base + weights + behind };
    if (plan.totalBytes <= maxBytes) return plan;
    throw new MemoryError(
      'MEMORY_LIMIT',
      `${plan.totalBytes} bytes are needed (weights ${weights}, a text of ${tokens} tokens ${stateBytes}), ` +
        `${maxBytes} are allowed; use a more quantised model`,
    );
  },

  async load(d, { kernels, arena, loader, executor, tokenizer }) {
    const w = bertWeights(d, loader);
    await loader.fill();
    const encoder = new BertEncoder({ k: kernels, d, w, memory: arena.memory }, arena, executor, tokenizer);
    return { embedder: encoder, ...(d.classes > 0 && { classifier: encoder }), trial: () => encoder.trial() };
  },
};
