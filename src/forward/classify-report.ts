/**
 * What a classified text took, over its tokens and time steps. See spike-report.ts for the terms.
 * @module
 */
import type { ENERGY_PICOJOULES, SynapticOperations } from './spike-report.ts';

/** One layer of neurons. Counts are of the whole text. */
export interface ClassifyLayerReport {
  readonly name: string;
  /** Neurons of a token. */
  readonly neurons: number;
  readonly spikes: number;
  readonly firingRate: number;
  readonly activationSparsity: number;
  /** Of the matrices that lead to it. */
  readonly synapticOperations: SynapticOperations;
}

export interface ClassifySpikes {
  readonly tokens: number;
  readonly steps: number;
  /** Neurons of a token, in all layers. */
  readonly neurons: number;
  readonly spikes: number;
  readonly firingRate: number;
  readonly activationSparsity: number;
  /** Of all matrices; the classifier alone multiplies. */
  readonly synapticOperations: SynapticOperations;
  /** Additions of queries at key spikes, and of probabilities at value spikes; dense: as if all had fired. */
  readonly attention: { readonly effectiveAcs: number; readonly denseAcs: number };
  /** Neurons looked at, those that fired, and membranes updated. */
  readonly neuronUpdates: { readonly dense: number; readonly effective: number; readonly membranes: number };
  /** Bytes of the matrices, which are read once for all steps at best. */
  readonly weightBytes: number;
  /** Microjoules of an ideal 45 nm machine: no measurement of the host. */
  readonly energy: {
    readonly process: string;
    readonly picojoules: typeof ENERGY_PICOJOULES;
    /** `effective` operations; `dense`, as if all had fired; `ann`, the same matrices and attention run once in fp32. */
    readonly compute: { readonly effective: number; readonly dense: number; readonly ann: number };
    /** The matrices fetched from DRAM once. */
    readonly memory: number;
  };
  readonly layers: readonly ClassifyLayerReport[];
}
