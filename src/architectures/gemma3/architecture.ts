/**
 * Gemma 3 text decoders, as the engine sees them.
 * @module
 */
import { packedSize } from '../../description/layout.ts';
import { loaderScratch, type MemoryPlan, weightsBytes } from '../../description/plan.ts';
import { MemoryError } from '../../errors.ts';
import type { Architecture } from '../architecture.ts';
import { gemma3Decoder } from './decoder.ts';
import { describeGemma3, type Gemma3Description } from './description.ts';
import { gemma3ScratchBytes, gemma3StateBytes } from './state.ts';
import { gemma3Weights } from './weights.ts';

export const gemma3: Architecture<Gemma3Description> = {
  generates: true,
  grows: true,
  spikes: false,
  activations: 'int8',
  describe: describeGemma3,

  plan(container, d, { context, kv, threads, base, maxBytes }): MemoryPlan {
    const weights = weightsBytes(container);
    const loader = loaderScratch(container);
    const stateBytes = gemma3StateBytes(d, context, kv);
    const scratchBytes = gemma3ScratchBytes(d, context, threads);
    // the loader's buffers lie where state and scratch come to lie afterwards
    const behind = Math.max(stateBytes + scratchBytes, loader.staging + loader.codes + loader.scales);
    const plan = { weightsBytes: weights, stateBytes, scratchBytes, totalBytes: base + weights + behind };
    if (plan.totalBytes <= maxBytes) return plan;
    throw new MemoryError(
      'MEMORY_LIMIT',
      `${plan.totalBytes} bytes are needed (weights ${weights}, one session of ${context} positions ${stateBytes}, ` +
        `scratch ${scratchBytes}), ${maxBytes} are allowed; use a smaller context or a more quantised model`,
    );
  },

  async load(d, { kernels, arena, loader, executor, context, kv }) {
    const weights = gemma3Weights(d, loader);
    await loader.fill();
    const decoder = gemma3Decoder(kernels, arena, d, weights, { context, kv }, executor);
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
    const seen = d.local.reduce((sum, local) => sum + (local ? Math.min(position, d.window) : position), 0);
    return { weights, state: 2 * d.kvHeads * d.headDim * (kv === 'f16' ? 2 : 4) * seen };
  },
};
