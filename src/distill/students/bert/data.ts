/**
 * Labelled texts as batches of one length, in an order that a checkpoint can take up.
 * @module
 */
import { xxh32 } from '../../../bytes/xxh32.ts';
import { DistillError, OptionError } from '../../../errors.ts';
import { Rng } from '../../../sample/rng.ts';
import type { DataState } from '../../checkpoint.ts';
import type { Feed } from '../../run.ts';
import type { LabelledBatch } from './logit-loss.ts';

/** One text or pair. */
export interface Sample {
  readonly ids: readonly number[];
  readonly types: readonly number[];
  /** A class, or the value of a regression; NaN where there is none. */
  readonly label: number;
}

export interface FeedOptions {
  /** Texts of a pass, at most, and tokens. */
  readonly batch: number;
  readonly tokens: number;
  /** Passes of an update. */
  readonly accumulate: number;
  readonly seed: number;
}

/** Samples of one length. @param seed of the noise of the pass */
export function batchOf(samples: readonly Sample[], seed: number = 0): LabelledBatch {
  const length = samples[0].ids.length;
  return {
    texts: samples.length,
    length,
    ids: Int32Array.from(samples.flatMap(({ ids }) => ids)),
    types: Int32Array.from(samples.flatMap(({ types }) => types)),
    labels: Float32Array.from(samples, ({ label }) => label),
    seed,
  };
}

/** Samples in batches of equal length, in their order; places of samples beside each batch. */
export function inBatches(
  samples: readonly Sample[],
  { batch, tokens }: Pick<FeedOptions, 'batch' | 'tokens'>,
  order: ArrayLike<number> = samples.map((_, i) => i),
): number[][] {
  const open = new Map<number, number[]>();
  const full: number[][] = [];
  for (let i = 0; i < order.length; i++) {
    const at = order[i];
    const { length } = samples[at].ids;
    const members = open.get(length) ?? [];
    members.push(at);
    open.set(length, members);
    if (members.length < Math.max(1, Math.min(batch, Math.floor(tokens / length)))) continue;
    full.push(members);
    open.delete(length);
  }
  return [...full, ...open.values()];
}

/** A stretch of a run, as far as it chooses samples. */
export interface FeedPhase {
  /** Shorter texts are left out, framing counted. */
  readonly minTokens: number;
}

/**
 * Updates over epochs: each takes every sample once, in batches of equal length, in a seeded order. A phase begins an epoch of its
 * own.
 */
export class SampleFeed implements Feed<LabelledBatch> {
  readonly #samples: readonly Sample[];
  readonly #phaseOf: (step: number) => number;
  readonly #phases: readonly FeedPhase[];
  readonly #options: FeedOptions;
  readonly #digest: number;
  readonly #rng: Rng;
  #epoch = 0;
  #taken = 0;
  #phase = -1;
  #generator: DataState['generator'];
  #order: number[][] = [];

  /** @param phaseOf the phase of an update @throws {OptionError} `OPTION` where a phase leaves no samples */
  constructor(
    samples: readonly Sample[],
    phases: readonly FeedPhase[],
    phaseOf: (step: number) => number,
    options: FeedOptions,
  ) {
    phases.forEach(({ minTokens }, i) => {
      if (samples.some(({ ids }) => ids.length >= minTokens)) return;
      throw new OptionError('OPTION', `phase ${i} wants texts of ${minTokens} tokens, and there is none`);
    });
    this.#samples = samples;
    this.#phases = phases;
    this.#phaseOf = phaseOf;
    this.#options = options;
    this.#rng = new Rng(options.seed);
    this.#generator = this.#rng.state();
    this.#digest = samples.reduce((sum, { ids, types, label }) => {
      const words = Float64Array.of(...ids, ...types, label);
      return xxh32(new Uint8Array(words.buffer), sum);
    }, options.batch * 31 + options.tokens);
  }

  take(step: number): () => Promise<readonly LabelledBatch[]> {
    const batches: LabelledBatch[] = [];
    for (let i = 0; i < this.#options.accumulate; i++) {
      const phase = this.#phaseOf(step);
      if (phase !== this.#phase || this.#taken === this.#order.length) this.#begin(phase);
      const members = this.#order[this.#taken++];
      batches.push(batchOf(members.map((at) => this.#samples[at]), this.#rng.next() | 0));
    }
    return () => Promise.resolve(batches);
  }

  state(): DataState {
    return {
      epoch: this.#epoch,
      taken: this.#taken,
      generator: this.#generator,
      digest: this.#digest,
      phase: this.#phase,
    };
  }

  restore({ epoch, taken, generator, digest, phase = -1 }: DataState): void {
    if (digest !== this.#digest) {
      throw new DistillError('CHECKPOINT', 'the run was started with other data, --batch or --tokens; give the same');
    }
    this.#rng.restore(generator);
    this.#generator = generator;
    this.#phase = phase;
    this.#epoch = epoch;
    this.#taken = taken;
    if (phase < 0) return;
    this.#shuffle(phase);
    if (!Number.isInteger(taken) || taken < 0 || taken > this.#order.length) {
      throw new DistillError('CHECKPOINT', `the run is at batch ${taken} of ${this.#order.length}`);
    }
    for (let i = 0; i < taken; i++) this.#rng.next();
  }

  #begin(phase: number): void {
    if (this.#phase >= 0) this.#epoch++;
    this.#phase = phase;
    this.#taken = 0;
    this.#generator = this.#rng.state();
    this.#shuffle(phase);
  }

  #shuffle(phase: number): void {
    const { minTokens } = this.#phases[phase];
    const order = this.#samples.flatMap(({ ids }, i) => (ids.length >= minTokens ? [i] : []));
    this.#mix(order);
    this.#order = inBatches(this.#samples, this.#options, order);
    this.#mix(this.#order);
  }

  #mix(list: unknown[]): void {
    for (let i = list.length - 1; i > 0; i--) {
      const j = Math.floor(this.#rng.uniform() * (i + 1));
      [list[i], list[j]] = [list[j], list[i]];
    }
  }
}
