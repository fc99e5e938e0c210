/**
 * Spiking BERT, as the engine sees it.
 * @module
 */
import type { Architecture } from '../architecture.ts';
import { loadClassifier } from './classifier.ts';
import { describeSpikingBert, type SpikingBertDescription, spikingBertTensors } from './description.ts';
import { planSpikingBert } from './plan.ts';

export const spikingBert: Architecture<SpikingBertDescription> = {
  generates: false,
  grows: false,
  spikes: false,
  activations: 'int8',
  describe: describeSpikingBert,
  plan: planSpikingBert,
  tensors: spikingBertTensors,

  async load(d, { kernels, arena, loader, executor, tokenizer }) {
    const classifier = await loadClassifier(kernels, arena, d, loader, tokenizer, executor);
    return { classifier, trial: () => classifier.trial() };
  },

  convert: async () => (await import('./convert.ts')).convertSpikingBert,
};
