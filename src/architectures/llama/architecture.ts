/**
 * Decoders of the llama shape, as the engine sees them.
 * @module
 */
import { packedSize } from '../../description/layout.ts';
import type { Architecture } from '../architecture.ts';
import { llamaDecoder } from './decoder.ts';
import { describeLlama, type LlamaDescription } from './description.ts';
import { planLlama } from './plan.ts';
import { llamaWeights } from './weights.ts';

export const llama: Architecture<LlamaDescription> = {
  generates: true,
  grows: true,
  spikes: false,
  activations: 'int8',
  describe: describeLlama,
  plan: planLlama,

  async load(d, { kernels, arena, loader, executor, context, kv }) {
    const { weights, finish } = llamaWeights(d, loader, context);
    await loader.fill();
    finish(arena);
    const decoder = llamaDecoder(kernels, arena, d, weights, { context, kv }, executor);
    return { decoder, trial: () => decoder.trial() };
  },

  bytesRead({ tensors }, d, { kv, position }) {
    let weights = 0;
    for (const info of tensors.values()) {
      // of the embedding one row is read, except where it is the head too
      if (info.shape.length !== 2 || (info.name === 'token_embd.weight' && !d.tied)) continue;
      const { dataBytes, scaleBytes } = packedSize(info);
      weights += dataBytes + scaleBytes;
    }
    return { weights, state: 2 * d.layers * d.kvHeads * d.headDim * (kv === 'f16' ? 2 : 4) * position };
  },
};
