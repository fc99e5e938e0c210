/**
 * SymbolicLight, as the engine sees it.
 * @module
 */
import { bytesOf, memoryPlan } from '../../description/plan.ts';
import type { Architecture } from '../architecture.ts';
import { symbolicLightDecoder } from './decoder.ts';
import { describeSymbolicLight, type SymbolicLightDescription } from './description.ts';
import { symbolicLightBuffers, symbolicLightStateBytes } from './state.ts';
import { symbolicLightSampling } from './sampling.ts';
import { symbolicLightLayers } from './spikes.ts';
import { symbolicLightWeights, symbolicLightWeightsBytes } from './weights.ts';

export const symbolicLight: Architecture<SymbolicLightDescription> = {
  generates: true,
  grows: false,
  spikes: true,
  // most products lead to a threshold; fine inputs keep its decisions as they were trained, at no cost
  activations: 'int16',
  describe: describeSymbolicLight,

  plan: (container, d, options) =>
    memoryPlan({
      container,
      weightsBytes: symbolicLightWeightsBytes(container),
      stateBytes: () => symbolicLightStateBytes(d),
      scratchBytes: () =>
        bytesOf((allocator) => symbolicLightBuffers(d, allocator, options.slots ?? 1, options.threads)),
      unit: 'a session',
    }, options),

  async load(d, { kernels, arena, loader, executor, container, activations, forcedSparsity, slots }) {
    const { weights, finish } = symbolicLightWeights(d, loader);
    await loader.fill();
    finish(kernels, arena);
    const decoder = symbolicLightDecoder(kernels, arena, d, weights, { forcedSparsity, slots }, executor);
    const spans = new Map(
      weights.blocks.flatMap(({ tcam, down }) => [tcam, down]).map(({ name, span }) => [name, span]),
    );
    return {
      decoder,
      spikeLayers: () => symbolicLightLayers(container, d, { activations, spans }),
      trial: () => decoder.trial(),
    };
  },

  sampling: symbolicLightSampling,

  bytesRead(_, d, { position }) {
    // the weights depend on what fires and are counted with the spikes
    return {
      weights: 0,
      state: d.attention ? 2 * d.layers * d.width * 4 * Math.min(position, d.anchors + d.window + 1) : 0,
    };
  },

  convert: async () => (await import('./convert.ts')).convertSymbolicLight,
};
