/** Descriptions, plans and spike layers of the architectures at hand, without the detour over chunks. */
import { gemma3 } from '../src/architectures/gemma3/architecture.ts';
import type { Gemma3Description } from '../src/architectures/gemma3/description.ts';
import { isGemma3 } from '../src/architectures/gemma3/recognise.ts';
import { llama } from '../src/architectures/llama/architecture.ts';
import type { LlamaDescription } from '../src/architectures/llama/description.ts';
import type { SpikingBertDescription } from '../src/architectures/spikingbert/description.ts';
import { isSpikingBert } from '../src/architectures/spikingbert/recognise.ts';
import { spikingBert } from '../src/architectures/spikingbert/architecture.ts';
import { symbolicLight } from '../src/architectures/symboliclight/architecture.ts';
import type { SymbolicLightDescription } from '../src/architectures/symboliclight/description.ts';
import { isSymbolicLight } from '../src/architectures/symboliclight/recognise.ts';
import { symbolicLightLayers } from '../src/architectures/symboliclight/spikes.ts';
import type { Container } from '../src/container/tensor.ts';
import type { ModelDescription } from '../src/description/description.ts';
import type { MemoryPlan, PlanOptions } from '../src/description/plan.ts';
import type { SpikeLayer, SpikeLayerOptions } from '../src/forward/spike-report.ts';

type Described = LlamaDescription | Gemma3Description | SymbolicLightDescription | SpikingBertDescription;

export function describe(container: Container): Described {
  if (isGemma3(container)) return gemma3.describe(container);
  if (isSymbolicLight(container)) return symbolicLight.describe(container);
  return isSpikingBert(container) ? spikingBert.describe(container) : llama.describe(container);
}

export function planModel(container: Container, d: ModelDescription, options: PlanOptions): MemoryPlan {
  const architecture = { symboliclight: symbolicLight, spikingbert: spikingBert, llama, gemma3 }[d.kind];
  return (architecture as typeof llama).plan(container, d as never, options);
}

export function spikeLayers(
  container: Pick<Container, 'tensors'>,
  d: ModelDescription,
  options?: SpikeLayerOptions,
): SpikeLayer[] | null {
  return d.kind === 'symboliclight' ? symbolicLightLayers(container, d as SymbolicLightDescription, options) : null;
}
