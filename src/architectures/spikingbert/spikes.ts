/**
 * Spike accounting of a classified text, in the words of NeuroBench (arXiv 2304.04640): all that one text took, over its
 * tokens and time steps. See forward/spike-report.ts for the terms; every weight counts as a connection here too.
 *
 * Norms, GELU and softmax are no synaptic operations. Products of attention are counted apart: queries and probabilities are
 * real, keys and values spikes, so that each is a sum of reals over spikes.
 * @module
 */
import type { SpikingBertDescription } from './description.ts';
import { SPIKINGBERT_LINEARS } from './description.ts';
import { layerFeatures } from './plan.ts';
import type { Matrix } from '../../wasm/matrix.ts';
import type { ClassifySpikes } from '../../forward/classify-report.ts';
import { ENERGY_PICOJOULES, type SynapticOperations } from '../../forward/spike-report.ts';

/** Names of the layers of neurons, in their order. */
export function classifyLayerNames(layers: number): string[] {
  const parts = ['key', 'value', 'context', 'attention_output', 'intermediate', 'output'];
  const encoders = Array.from({ length: layers }, (_, i) => parts.map((part) => `encoder.${i}.${part}`));
  return ['embedding', ...encoders.flat()];
}

/** Picojoules of one addition of a weight at a spike. */
function addition({ layout }: Matrix): number {
  return layout === 'f32' ? ENERGY_PICOJOULES.fp32Ac : ENERGY_PICOJOULES.int8Ac;
}

/** A matrix that leads to layer `to` and takes the spikes of layer `from`. Queries lead to the context. */
const WIRING: Readonly<Record<keyof typeof SPIKINGBERT_LINEARS, readonly [from: number, to: number]>> = {
  key: [0, 1],
  value: [0, 2],
  query: [0, 3],
  out: [3, 4],
  up: [4, 5],
  down: [5, 6],
};

/**
 * @param encoders the matrices of each encoder
 * @param fired spikes of each layer, over all tokens and steps
 * @param run its tokens, those of them that are attended to, and its steps
 */
export function classifySpikes(
  d: SpikingBertDescription,
  encoders: readonly { readonly [name in keyof typeof SPIKINGBERT_LINEARS]: Matrix }[],
  fired: ArrayLike<number>,
  run: { readonly tokens: number; readonly visible: number; readonly steps: number },
): ClassifySpikes {
  const { tokens, visible, steps } = run;
  const instants = tokens * steps;
  const widths = classifyLayerNames(d.layers).map((_, j) => layerFeatures(d, j));
  const acs = widths.map(() => 0);
  const denseAcs = widths.map(() => 0);
  const attention = { effectiveAcs: 0, denseAcs: 0 };
  const energy = { effective: 0, dense: 0, ann: 0 };
  let weightBytes = 0;
  for (let layer = 0; layer < d.layers; layer++) {
    const b = 6 * layer;
    for (const [name, [from, to]] of Object.entries(WIRING)) {
      const matrix = encoders[layer][name as keyof typeof WIRING];
      const [effective, dense] = [fired[b + from] * matrix.rows, instants * matrix.rows * matrix.cols];
      acs[b + to] += effective;
      denseAcs[b + to] += dense;
      energy.effective += effective * addition(matrix);
      energy.dense += dense * addition(matrix);
      energy.ann += tokens * matrix.rows * matrix.cols * ENERGY_PICOJOULES.fp32Mac;
      weightBytes += matrix.dataBytes + matrix.scaleBytes;
    }
    // every query meets every key and value that is seen; padding behind them fires too, and is seen by none
    const seen = (fired[b + 1] + fired[b + 2]) * visible;
    attention.effectiveAcs += seen;
    attention.denseAcs += 2 * instants * visible * d.width;
    energy.ann += 2 * tokens * visible * d.width * ENERGY_PICOJOULES.fp32Mac;
  }
  const head = d.width * d.classes;
  energy.effective += attention.effectiveAcs * ENERGY_PICOJOULES.fp32Ac + head * ENERGY_PICOJOULES.fp32Mac;
  energy.dense += attention.denseAcs * ENERGY_PICOJOULES.fp32Ac + head * ENERGY_PICOJOULES.fp32Mac;
  energy.ann += head * ENERGY_PICOJOULES.fp32Mac;
  const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
  const neurons = sum(widths);
  const spikes = sum(fired);
  const operations = (effective: number, dense: number, macs: number): SynapticOperations => ({
    effectiveAcs: effective,
    effectiveMacs: macs,
    denseAcs: dense,
    denseMacs: macs,
  });
  return {
    tokens,
    steps,
    neurons,
    spikes,
    ...rates(spikes, neurons * instants),
    synapticOperations: operations(sum(acs), sum(denseAcs), head),
    attention,
    neuronUpdates: { dense: neurons * instants, effective: spikes, membranes: neurons * instants },
    weightBytes,
    energy: {
      process: '45 nm, 0.9 V: Horowitz, ISSCC 2014',
      picojoules: ENERGY_PICOJOULES,
      compute: { effective: energy.effective / 1e6, dense: energy.dense / 1e6, ann: energy.ann / 1e6 },
      memory: (weightBytes * ENERGY_PICOJOULES.dramByte) / 1e6,
    },
    layers: classifyLayerNames(d.layers).map((name, j) => ({
      name,
      neurons: widths[j],
      spikes: fired[j],
      ...rates(fired[j], widths[j] * instants),
      synapticOperations: operations(acs[j], denseAcs[j], 0),
    })),
  };
}

function rates(spikes: number, chances: number): { firingRate: number; activationSparsity: number } {
  return { firingRate: spikes / chances, activationSparsity: 1 - spikes / chances };
}
