/**
 * Which neurons fired in a time step of a run, for callers that want to see it: those whose count has grown since the step before.
 * The forward pass does not know of it.
 * @module
 */
import type { OnSpikes } from '../../forward/spike-record.ts';
import type { SpikingBertRun } from './run.ts';

/** A layer of neurons: counts after the step before, and bits that are written anew in every step. */
interface Layer {
  readonly features: number;
  counts: Uint16Array;
  readonly before: Uint16Array;
  readonly bits: Uint8Array;
}

/** The spikes of one run, step by step. */
export class StepSpikes {
  readonly #run: SpikingBertRun;
  readonly #layers: readonly Layer[];

  constructor(run: SpikingBertRun) {
    const { layers, tokens } = run.size;
    this.#run = run;
    this.#layers = Array.from({ length: layers }, (_, j) => {
      const counts = run.rawCounts(j);
      const features = run.features(j);
      return { features, counts, before: counts.slice(), bits: new Uint8Array(Math.ceil((tokens * features) / 8)) };
    });
  }

  /** Shows the layers of the step that was run last. */
  show(see: OnSpikes): void {
    const { tokens, tokens4 } = this.#run.size;
    this.#layers.forEach((one, layer) => {
      if (one.counts.length === 0) one.counts = this.#run.rawCounts(layer); // memory has grown
      const { features, counts, before, bits } = one;
      bits.fill(0);
      for (let f = 0; f < features; f++) {
        for (let t = 0; t < tokens; t++) {
          const from = f * tokens4 + t;
          if (counts[from] === before[from]) continue;
          const to = t * features + f;
          bits[to >> 3] |= 1 << (to & 7);
        }
      }
      before.set(counts);
      see(layer, bits, this.#run.done);
    });
  }
}
