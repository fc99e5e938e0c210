/**
 * Dense BERT, as the engine sees it.
 * @module
 */
import { memoryPlan, weightsBytes } from '../../description/plan.ts';
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

  plan(container, d, options) {
    const tokens = Math.min(d.trainedContext, PLANNED_TOKENS);
    return memoryPlan({
      container,
      weightsBytes: weightsBytes(container),
      stateBytes: () => bertRunBytes(d, tokens, options.threads),
      unit: `a text of ${tokens} tokens`,
    }, options);
  },

  async load(d, { kernels, arena, loader, executor, tokenizer }) {
    const w = bertWeights(d, loader);
    await loader.fill();
    const encoder = new BertEncoder({ k: kernels, d, w, memory: arena.memory }, arena, executor, tokenizer);
    return { embedder: encoder, ...(d.classes > 0 && { classifier: encoder }), trial: () => encoder.trial() };
  },
};
