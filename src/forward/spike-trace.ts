/**
 * What a spiking decoder counts while it runs. Counting is one addition per layer and batch: the kernels that find spikes
 * say how many they found.
 * @module
 */

/** Counts, all of them sums over tokens. */
export interface SpikeTrace {
  /** Tokens read. */
  readonly tokens: number;
  /** Batches they were read in: a batch streams the matrices of real inputs once. */
  readonly batches: number;
  /** Tokens whose logits were asked for. */
  readonly heads: number;
  /** Spikes of each layer of neurons: encoder, then mixer, feed-forward and output of each block. */
  readonly spikes: Float64Array;
}

/** A trace that grows. */
export class SpikeCounter implements SpikeTrace {
  tokens = 0;
  batches = 0;
  heads = 0;
  readonly spikes: Float64Array;

  /** @param layers layers of neurons */
  constructor(layers: number) {
    this.spikes = new Float64Array(layers);
  }

  /** Adds a batch, or a part of one. @param batches 0 for a part whose batch is counted already */
  add(tokens: number, spikes: Float64Array, batches: 0 | 1 = 1): void {
    this.tokens += tokens;
    this.batches += batches;
    for (let i = 0; i < spikes.length; i++) this.spikes[i] += spikes[i];
  }

  /** As if nothing had been read. */
  reset(): void {
    this.tokens = this.batches = this.heads = 0;
    this.spikes.fill(0);
  }
}

/** What came since `before`; all of it without one. The result shares nothing with its arguments. */
export function traceSince(now: SpikeTrace, before?: SpikeTrace): SpikeTrace {
  return {
    tokens: now.tokens - (before?.tokens ?? 0),
    batches: now.batches - (before?.batches ?? 0),
    heads: now.heads - (before?.heads ?? 0),
    spikes: now.spikes.map((count, i) => count - (before?.spikes[i] ?? 0)),
  };
}
