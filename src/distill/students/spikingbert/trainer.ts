/**
 * The trainer of spiking BERT students: the common one, its first state, and what it measures.
 * @module
 */
import { OptionError } from '../../../errors.ts';
import { startTrainer, StudentTrainer, type TrainerOptions } from '../../trainer.ts';
import type { AnyTrainer, StateTensor, StepReport, TrainerState } from '../../types.ts';
import type { SpikingStudent } from './config.ts';
import type { Look, Looked, SpikingOptions } from './engine.ts';
import { spikingBertKind } from './kind.ts';
import type { LabelledBatch } from '../bert/logit-loss.ts';
import type { SpikingLosses } from './losses.ts';
import { fitRows } from './quantise.ts';
import { CLASSIFIER, normName, scaleSlot, spikingSlots } from './tensors.ts';
import { ridge } from './transfer.ts';

/** What trains a spiking BERT. */
export interface SpikingTrainer extends AnyTrainer<SpikingStudent, LabelledBatch, SpikingLosses> {
  /** Forward passes alone. */
  look(batches: readonly LabelledBatch[], look: Look): Promise<Looked[]>;
  /** Raises the gains of norms that begin to see the variance of spikes, so that they put out as much as before. */
  fitNorms(batch: LabelledBatch): Promise<void>;
  /** Makes the classifier fit these logits by squares, from the rates of the first tokens. @param noise whether the variance counts */
  fitClassifier(batches: readonly LabelledBatch[], logits: readonly Float32Array[], noise?: boolean): Promise<void>;
}

/** No decay: latent weights grow and shrink with what they have to turn over. */
const DECAY = 0;

/**
 * Makes a trainer whose weights are still 0.
 * @throws {OptionError} `OPTION` for a number out of its range; {DistillError} `TRAINER`
 */
export async function createSpikingTrainer(
  engine: SpikingOptions,
  options: TrainerOptions = {},
): Promise<SpikingTrainer> {
  const { width, hidden, heads } = engine.student;
  if (width % (4 * heads) !== 0 || hidden % 4 !== 0) {
    throw new OptionError(
      'OPTION',
      `a width of ${width} in ${heads} heads and ${hidden}: heads are multiples of 4 wide`,
    );
  }
  const trainer = await startTrainer(spikingBertKind, engine.student, engine, { weightDecay: DECAY, ...options });
  return new Fitting(trainer);
}

type Common = StudentTrainer<
  SpikingStudent,
  LabelledBatch & { readonly look?: Look },
  SpikingLosses,
  Looked,
  SpikingOptions
>;

class Fitting implements SpikingTrainer {
  readonly #common: Common;
  readonly config: SpikingStudent;
  readonly parameters: number;

  constructor(common: Common) {
    this.#common = common;
    this.config = common.config;
    this.parameters = common.parameters;
  }

  async step(batches: readonly LabelledBatch[], lr: number, losses: SpikingLosses): Promise<StepReport> {
    if (losses.fit) await this.fitNorms(batches[0]);
    return await this.#common.step(batches, lr, losses);
  }

  save(): Promise<TrainerState> {
    return this.#common.save();
  }

  load(state: TrainerState): Promise<void> {
    return this.#common.load(state);
  }

  dispose(): void {
    this.#common.dispose();
  }

  look(batches: readonly LabelledBatch[], look: Look): Promise<Looked[]> {
    return this.#common.forward(batches.map((batch) => ({ ...batch, look })));
  }

  async fitClassifier(
    batches: readonly LabelledBatch[],
    logits: readonly Float32Array[],
    noise: boolean = false,
  ): Promise<void> {
    const looked = await this.look(batches, { steps: 0, neurons: true, noise });
    const join = (parts: readonly Float32Array[]): Float32Array => Float32Array.from(parts.flatMap((p) => [...p]));
    const inputs = join(looked.map(({ first }) => first as Float32Array));
    const { weight, bias } = ridge(inputs, join(logits), this.config.width);
    await this.#change((tensors) => {
      tensors.get(`${CLASSIFIER}.weight`)?.data.set(weight);
      tensors.get(`${CLASSIFIER}.bias`)?.data.set(bias);
    });
  }

  async fitNorms(batch: LabelledBatch): Promise<void> {
    const [{ gains = [] }] = await this.look([batch], { steps: 0, noise: true });
    await this.#change((tensors) => {
      gains.forEach((gain, i) => {
        const name = normName(Math.floor(i / 2), i % 2 === 0 ? 'out' : 'down');
        const { data } = tensors.get(`${name}.weight`) as StateTensor;
        for (let j = 0; j < data.length; j++) data[j] *= gain;
      });
    });
  }

  async #change(by: (tensors: ReadonlyMap<string, StateTensor>) => void): Promise<void> {
    const state = await this.#common.save();
    by(state.tensors);
    await this.#common.load(state);
  }
}

/** A state of real weights before the first update: latent rows, their scales, and moments of 0. */
export function firstState(student: SpikingStudent, real: ReadonlyMap<string, Float32Array>): TrainerState {
  const slots = spikingSlots(student);
  const tensors = new Map<string, StateTensor>();
  for (const slot of slots) {
    const { key, shape } = slot;
    if (key.endsWith('.scale')) continue;
    const values = real.get(key);
    if (!values) throw new OptionError('OPTION', `the student's ${key} has no initial value`);
    const scale = student.weights === 'none' ? null : scaleSlot(slots, slot);
    if (student.weights === 'none' || !scale) {
      tensors.set(key, { shape, data: values });
      continue;
    }
    const { latent, scales } = fitRows(student.weights, values, shape[1]);
    tensors.set(key, { shape, data: latent });
    tensors.set(scale.key, { shape: scale.shape, data: scales });
  }
  for (const { key, shape, size } of slots) {
    for (const moment of ['adam.m.', 'adam.v.']) tensors.set(moment + key, { shape, data: new Float32Array(size) });
  }
  return { step: 0, tensors };
}
