/**
 * What a container holds, and what it would take to run it, whichever kind of model it is.
 * @module
 */
import type { Container } from '../container/tensor.ts';
import type { ModelDescription } from '../description/description.ts';
import { describeLlama } from './llama/description.ts';
import { type KvType, type MemoryPlan, planLlama, planSpikingBert, planSymbolicLight } from '../description/plan.ts';
import { describeSpikingBert, isSpikingBert } from './spikingbert/description.ts';
import { describeSymbolicLight, isSymbolicLight } from './symboliclight/description.ts';

/** The description of a model, by its architecture or the names of its tensors. @throws {DescriptionError} */
export function describe(container: Container): ModelDescription {
  if (isSymbolicLight(container)) return describeSymbolicLight(container);
  return isSpikingBert(container) ? describeSpikingBert(container) : describeLlama(container);
}

/**
 * The memory plan of a model with one session.
 * @param options.context positions and `kv` form of that session, for models whose state grows with it
 * @throws {MemoryError} `MEMORY_LIMIT`
 */
export function planModel(
  container: Container,
  description: ModelDescription,
  options: { context: number; kv: KvType; threads: number; maxBytes: number; base: number },
): MemoryPlan {
  switch (description.kind) {
    case 'llama':
      return planLlama(container, description, options);
    case 'symboliclight':
      return planSymbolicLight(container, description, options);
    case 'spikingbert':
      return planSpikingBert(container, description, options);
  }
}
