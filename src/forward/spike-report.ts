/**
 * Spike accounting, in the words of NeuroBench (arXiv 2304.04640): firing rates and activation sparsity of layers of
 * neurons, synaptic operations as accumulates (AC: every input of the matrix is a spike) or multiply-accumulates (MAC),
 * effective (inputs that are not zero) against dense, neuron updates; and besides the weight bytes that a token touches,
 * and an energy estimate. Pure functions over counts.
 *
 * All numbers but rates and shares are means per token. Every weight counts as a connection, a ternary zero too. Norms,
 * attention over cached keys, and the look-up of an embedding are no synaptic operations.
 * @module
 */
import type { ActivationType } from '../wasm/load-options.ts';
import type { SpikeTrace } from './spike-trace.ts';

/** Picojoules of an operation in 45 nm at 0.9 V (Horowitz, ISSCC 2014). A MAC is a multiplication and an addition. */
export const ENERGY_PICOJOULES = {
  fp32Mac: 4.6,
  fp32Ac: 0.9,
  int8Mac: 0.23,
  int8Ac: 0.03,
  /** The lower bound of a 64-bit access, 1300 pJ, per byte. */
  dramByte: 162.5,
} as const;

/** In which numbers a matrix is multiplied: floats of any width as fp32; int8 with int8 or int16; ternary and binary codes
 *  only add int8. */
type Arithmetic = 'fp32' | 'int8' | 'int16' | 'codes';

/** How a model is run, as far as it has a price. */
export interface SpikeLayerOptions {
  /** How int8 matrices take real inputs; int8 unless told. */
  readonly activations?: ActivationType;
  /** By name, how many inputs share a row of scales in a matrix that takes spikes; the blocks of the file unless told. */
  readonly spans?: ReadonlyMap<string, number>;
}

/** A matrix that feeds a layer. */
export interface Connection {
  /** Which layer's spikes are its inputs; null for real inputs. */
  readonly source: number | null;
  readonly inputs: number;
  readonly outputs: number;
  readonly arithmetic: Arithmetic;
  /** Bytes of one input's column where the inputs are spikes, else of all. */
  readonly dataBytes: number;
}

/** Neurons, and the matrices that lead to them. The head has no neurons. */
export interface SpikeLayer {
  readonly name: string;
  readonly neurons: number;
  /** Whether a membrane carries over from token to token. */
  readonly leaky: boolean;
  /** Whether it runs for every token, or only where logits are asked for. */
  readonly always: boolean;
  readonly connections: readonly Connection[];
  /** Bytes of scales, vectors and rows of the embedding, which every token reads. */
  readonly fixedBytes: number;
}

/** Accumulates and multiply-accumulates of a token. Effective MACs are those dense: real inputs are hardly ever zero. */
export interface SynapticOperations {
  readonly effectiveAcs: number;
  readonly effectiveMacs: number;
  readonly denseAcs: number;
  readonly denseMacs: number;
}

/** Bytes of weights that a token reads, by itself, and those it would read if nothing were silent. */
export interface WeightBytes {
  readonly touched: number;
  readonly dense: number;
}

/** Counts of one layer, or of all together. */
export interface LayerReport {
  readonly name: string;
  readonly neurons: number;
  readonly spikesPerToken: number;
  /** Share of neurons that fire; null without neurons. */
  readonly firingRate: number | null;
  /** Share that stays silent. */
  readonly activationSparsity: number | null;
  /** Inputs of matrices that take spikes, and how many of them were silent: their columns are not read. */
  readonly spikeInputs: number;
  readonly inputsSkipped: number;
  readonly weightBytes: WeightBytes;
  readonly synapticOperations: SynapticOperations;
}

/** Microjoules of a token. An estimate of an ideal 45 nm machine: no measurement of the host. */
export interface EnergyReport {
  readonly process: string;
  readonly picojoules: typeof ENERGY_PICOJOULES;
  /** Effective operations, and dense ones with a MAC for every weight, in the same precision. */
  readonly compute: { readonly effective: number; readonly dense: number };
  /** Weights fetched from DRAM, on top of it. */
  readonly memory: { readonly touched: number; readonly dense: number };
}

export interface SpikeReport {
  /** Tokens that were counted. */
  readonly tokens: number;
  readonly overall: Omit<LayerReport, 'name'>;
  /** Bytes of weights that a token read, where a batch shares the matrices of real inputs. */
  readonly bytesStreamed: number;
  /** Neurons looked at, those that fired, and those whose membrane was updated. */
  readonly neuronUpdates: { readonly dense: number; readonly effective: number; readonly membranes: number };
  readonly energy: EnergyReport;
  readonly layers: readonly LayerReport[];
}

/**
 * What a trace means for these layers.
 * @example
 * const report = spikeReport(layers, trace);
 */
export function spikeReport(layers: readonly SpikeLayer[], trace: SpikeTrace): SpikeReport {
  const tokens = Math.max(trace.tokens, 1); // without a token everything that was counted is 0
  const fired = layers.map((_, i) => (trace.spikes[i] ?? 0) / tokens);
  const energy = { effective: 0, dense: 0 };
  let streamed = 0;
  const reports = layers.map((layer, i): LayerReport => {
    const share = layer.always ? 1 : trace.heads / tokens;
    const sums = { acs: 0, macs: 0, denseAcs: 0, touched: 0, dense: 0, spikeInputs: 0, active: 0 };
    let real = 0;
    for (const { source, inputs, outputs, arithmetic, dataBytes } of layer.connections) {
      const { mac, ac } = PRICES[arithmetic];
      energy.dense += share * inputs * outputs * mac;
      if (source === null) {
        sums.macs += share * inputs * outputs;
        real += share * dataBytes;
        energy.effective += share * inputs * outputs * mac;
      } else {
        sums.acs += fired[source] * outputs;
        sums.denseAcs += inputs * outputs;
        sums.touched += fired[source] * dataBytes;
        sums.dense += inputs * dataBytes;
        sums.spikeInputs += inputs;
        sums.active += fired[source];
        energy.effective += fired[source] * outputs * ac;
      }
    }
    const fixed = share * layer.fixedBytes;
    streamed += sums.touched + (layer.always ? (real + fixed) * (trace.batches / tokens) : real + fixed);
    const rate = layer.neurons > 0 ? fired[i] / layer.neurons : null;
    return {
      name: layer.name,
      neurons: layer.neurons,
      spikesPerToken: fired[i],
      firingRate: rate,
      activationSparsity: rate === null ? null : 1 - rate,
      spikeInputs: sums.spikeInputs,
      inputsSkipped: sums.spikeInputs - sums.active,
      weightBytes: { touched: sums.touched + real + fixed, dense: sums.dense + real + fixed },
      synapticOperations: {
        effectiveAcs: sums.acs,
        effectiveMacs: sums.macs,
        denseAcs: sums.denseAcs,
        denseMacs: sums.macs,
      },
    };
  });
  // the sum of whole numbers first: the rate is then exact to the last bit
  const neurons = layers.reduce((n, layer) => n + layer.neurons, 0);
  const spikes = trace.spikes.reduce((a, b) => a + b, 0);
  const rate = spikes / (tokens * neurons);
  const { spikeInputs, inputsSkipped, weightBytes, synapticOperations } = reports.reduce(addUp);
  return {
    tokens: trace.tokens,
    overall: {
      neurons,
      spikesPerToken: spikes / tokens,
      firingRate: rate,
      activationSparsity: 1 - rate,
      spikeInputs,
      inputsSkipped,
      weightBytes,
      synapticOperations,
    },
    bytesStreamed: streamed,
    neuronUpdates: {
      dense: neurons,
      effective: spikes / tokens,
      membranes: layers.reduce((n, layer) => n + (layer.leaky ? layer.neurons : 0), 0),
    },
    energy: {
      process: '45 nm, 0.9 V: Horowitz, ISSCC 2014',
      picojoules: ENERGY_PICOJOULES,
      compute: { effective: energy.effective / 1e6, dense: energy.dense / 1e6 },
      memory: {
        touched: (weightBytes.touched * ENERGY_PICOJOULES.dramByte) / 1e6,
        dense: (weightBytes.dense * ENERGY_PICOJOULES.dramByte) / 1e6,
      },
    },
    layers: reports,
  };
}

/** Field by field, where both are numbers. */
function addUp<T extends object>(a: T, b: T): T {
  const sum = Object.entries(a).map(([key, value]: [string, unknown]) => {
    const other = b[key as keyof T] as unknown;
    if (typeof value === 'number') return [key, value + Number(other)];
    return [key, value !== null && typeof value === 'object' ? addUp(value, other as object) : value];
  });
  return Object.fromEntries(sum) as T;
}

/** Picojoules of one weight: times a real input, and of one whose input is a spike. */
const PRICES: Readonly<Record<Arithmetic, { readonly mac: number; readonly ac: number }>> = {
  fp32: { mac: ENERGY_PICOJOULES.fp32Mac, ac: ENERGY_PICOJOULES.fp32Ac },
  int8: { mac: ENERGY_PICOJOULES.int8Mac, ac: ENERGY_PICOJOULES.int8Ac },
  // a product of 8 and 16 bits is two of 8 and 8
  int16: { mac: 2 * ENERGY_PICOJOULES.int8Mac, ac: ENERGY_PICOJOULES.int8Ac },
  codes: { mac: ENERGY_PICOJOULES.int8Ac, ac: ENERGY_PICOJOULES.int8Ac },
};
