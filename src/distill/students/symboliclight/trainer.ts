/**
 * The trainer of SymbolicLight students: what it measures on a batch, over the common one.
 * @module
 */
import { DistillError } from '../../../errors.ts';
import type { BatchReport } from '../../student.ts';
import { startTrainer, StudentTrainer, type TrainerOptions as CommonOptions } from '../../trainer.ts';
import { type GradientOptions, HARD_ONLY } from './gradients.ts';
import { checkBatch, type Forward, symbolicLightKind } from './kind.ts';
import { checkStudent } from './student.ts';
import type { Batch, LossWeights, StudentConfig, Trainer } from './types.ts';

export interface TrainerOptions extends CommonOptions {
  /** Rounds activations to int8 as the engine does; true by default. */
  readonly activations?: boolean;
}

/**
 * Makes a student of random weights and all that its training needs.
 * @throws {OptionError} `OPTION` for a number out of its range
 * @throws {DistillError} `TRAINER` where the runtime or an installed package is missing
 */
export async function createTrainer(config: StudentConfig, options: TrainerOptions = {}): Promise<Trainer> {
  checkStudent(config);
  const { activations = true } = options;
  return new SymbolicLightTrainer(await startTrainer(symbolicLightKind, config, { config, activations }, options));
}

type Common = StudentTrainer<StudentConfig, Batch, LossWeights, Forward, GradientOptions>;

class SymbolicLightTrainer implements Trainer {
  readonly #common: Common;
  readonly config: StudentConfig;
  readonly parameters: number;

  constructor(common: Common) {
    this.#common = common;
    this.config = common.config;
    this.parameters = common.parameters;
  }

  step: Trainer['step'] = (batches, lr, weights) => this.#common.step(batches, lr, weights);
  save: Trainer['save'] = () => this.#common.save();
  load: Trainer['load'] = (state) => this.#common.load(state);
  dispose: Trainer['dispose'] = () => this.#common.dispose();

  async evaluate(batch: Batch): Promise<{ loss: number; firingRates: readonly number[] }> {
    checkBatch(this.config, batch, HARD_ONLY);
    const [{ report }] = await this.#common.forward([batch]);
    this.#checkForward(report);
    return { loss: report.hard, firingRates: report.rates };
  }

  async forward(ids: ArrayLike<number>): Promise<{ logits: Float32Array; spikes: readonly Uint8Array[] }> {
    const batch = { batch: 1, length: ids.length, ids: Int32Array.from([...Array.from(ids), 0]) };
    checkBatch(this.config, batch, HARD_ONLY);
    const [{ logits, spikes, report }] = await this.#common.forward([batch]);
    this.#checkForward(report);
    return { logits, spikes: spikes.map((layer) => Uint8Array.from(layer)) };
  }

  #checkForward({ sizes, loss }: BatchReport): void {
    const at = sizes.findIndex((size) => !Number.isFinite(size));
    if (at < 0 && Number.isFinite(loss)) return;
    const where = at < 0 ? 'the loss' : symbolicLightKind.partName(at, sizes.length);
    throw new DistillError('NOT_FINITE', `${where} is not finite; take a smaller learning rate`);
  }
}
