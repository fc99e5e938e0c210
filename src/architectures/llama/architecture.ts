/**
 * Decoders of the llama shape, as the engine sees them.
 * @module
 */
import { bytesOf, decodeBytes, memoryPlan, weightsBytes } from '../../description/plan.ts';
import type { Architecture, Convert } from '../architecture.ts';
import { llamaDecoder } from './decoder.ts';
import { describeLlama, type LlamaDescription } from './description.ts';
import { llamaBuffers, llamaStateBytes } from './state.ts';
import { llamaWeights } from './weights.ts';

export const llama: Architecture<LlamaDescription> = {
  generates: true,
  grows: true,
  spikes: false,
  activations: 'int8',
  describe: describeLlama,

  plan: (container, d, options) =>
    memoryPlan({
      container,
      weightsBytes: weightsBytes(container),
      stateBytes: (context) => llamaStateBytes(d, context, options.kv),
      scratchBytes: (context) =>
        bytesOf((allocator) => llamaBuffers(d, allocator, context, options.slots ?? 1, options.threads)),
    }, options),

  async load(d, { kernels, arena, loader, executor, context, kv, slots }) {
    const { weights, finish } = llamaWeights(d, loader, context);
    await loader.fill();
    finish(arena);
    const decoder = llamaDecoder(kernels, arena, d, weights, { context, kv, slots }, executor);
    return { decoder, trial: () => decoder.trial() };
  },

  convert: async () => (await import('./convert.ts')).convertLlama as Convert,

  bytesRead({ tensors }, d, { kv, position }) {
    const state = 2 * d.layers * d.kvHeads * d.headDim * (kv === 'f16' ? 2 : 4) * position;
    return { weights: decodeBytes(tensors.values(), d.tied), state };
  },
};
