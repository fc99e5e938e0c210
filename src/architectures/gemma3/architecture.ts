/**
 * Gemma 3 text decoders, as the engine sees them.
 * @module
 */
import { bytesOf, decodeBytes, memoryPlan, weightsBytes } from '../../description/plan.ts';
import type { Architecture } from '../architecture.ts';
import { gemma3Decoder } from './decoder.ts';
import { describeGemma3, type Gemma3Description } from './description.ts';
import { gemma3Buffers, gemma3StateBytes } from './state.ts';
import { gemma3Weights } from './weights.ts';

export const gemma3: Architecture<Gemma3Description> = {
  generates: true,
  grows: true,
  spikes: false,
  activations: 'int8',
  describe: describeGemma3,

  plan: (container, d, options) =>
    memoryPlan({
      container,
      weightsBytes: weightsBytes(container),
      stateBytes: (context) => gemma3StateBytes(d, context, options.kv),
      scratchBytes: (context) =>
        bytesOf((allocator) => gemma3Buffers(d, allocator, context, options.slots ?? 1, options.threads)),
    }, options),

  async load(d, { kernels, arena, loader, executor, context, kv, slots }) {
    const weights = gemma3Weights(d, loader);
    await loader.fill();
    const decoder = gemma3Decoder(kernels, arena, d, weights, { context, kv, slots }, executor);
    return { decoder, trial: () => decoder.trial() };
  },

  bytesRead({ tensors }, d, { kv, position }) {
    const seen = d.local.reduce((sum, local) => sum + (local ? Math.min(position, d.window) : position), 0);
    const state = 2 * d.kvHeads * d.headDim * (kv === 'f16' ? 2 : 4) * seen;
    return { weights: decodeBytes(tensors.values(), d.tied), state };
  },
};
