/**
 * The trainer: latent f32 weights, rounded for every step as an exported file will hold them, gradients by `gradients.ts`,
 * and AdamW. All that decides numbers runs in a fixed order: a seed, the batches and the learning rates fix every bit on one
 * machine, whatever the number of threads.
 * @module
 */
import { DistillError, OptionError } from '../errors.ts';
import { type BatchReport, HARD_ONLY } from './gradients.ts';
import { projectionKey } from './losses.ts';
import type { AdamOptions } from './optimizer.ts';
import { WorkPool } from './pool.ts';
import { checkStudent, flatLength, initialise, type Slot, slotsOf, studentSlots } from './student.ts';
import type { Batch, LossWeights, StepReport, StudentConfig, Trainer, TrainerState } from './types.ts';
import { grown, roundWeights, type TrainingArrays, trainingArrays } from './update.ts';

/** How a student is trained, beside what each step says. */
export interface TrainerOptions extends Partial<AdamOptions> {
  /** Of the first weights; 1 by default. */
  readonly seed?: number;
  /** Batches of a step that are worked on at once; 1, the default, is the calling thread alone. */
  readonly threads?: number;
  /** Compiled module of a thread; by default the one beside this module. */
  readonly worker?: URL;
  /** Largest norm of all gradients together; 1 by default, Infinity for none. */
  readonly clip?: number;
  /** Rounds activations to int8 as the engine does; true by default. */
  readonly activations?: boolean;
}

const ADAM: AdamOptions = { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, weightDecay: 0.01 };
/** More threads than this have never been of use on the machines this runs on. */
const MAX_THREADS = 64;

/**
 * Makes a student of random weights and all that its training needs.
 * @throws {OptionError} `OPTION` for a number out of its range
 * @throws {DistillError} `TRAINER` where the runtime or an installed package is missing
 */
export async function createTrainer(config: StudentConfig, options: TrainerOptions = {}): Promise<Trainer> {
  checkStudent(config);
  const { threads = 1, activations = true } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    throw new OptionError('OPTION', `threads is ${threads}, expected a whole number from 1 to ${MAX_THREADS}`);
  }
  const entry = options.worker ?? new URL('./gradient-worker.js', import.meta.url);
  const pool = await WorkPool.start(threads, entry, { config, activations });
  return new StudentTrainer(config, options, pool);
}

class StudentTrainer implements Trainer {
  readonly config: StudentConfig;
  readonly parameters: number;
  readonly #adam: AdamOptions;
  readonly #clip: number;
  readonly #seed: number;
  readonly #pool: WorkPool;
  #slots: Slot[];
  #arrays: TrainingArrays;
  #step = 0;
  #busy = false;

  constructor(config: StudentConfig, options: TrainerOptions, pool: WorkPool) {
    this.config = config;
    this.#adam = { ...ADAM, ...definedOnly(options) };
    this.#clip = options.clip ?? 1;
    this.#seed = options.seed ?? 1;
    this.#pool = pool;
    this.#slots = studentSlots(config);
    this.parameters = this.#slots.reduce((sum, { size }) => sum + size, 0);
    this.#arrays = trainingArrays(flatLength(this.#slots));
    initialise(config, this.#slots, this.#arrays.latent, this.#seed);
    roundWeights(this.#slots, config, this.#arrays);
  }

  async step(batches: readonly Batch[], lr: number, weights: LossWeights): Promise<StepReport> {
    return await this.#alone(async () => {
      if (batches.length === 0) throw new OptionError('OPTION', 'a step needs at least one batch');
      for (const batch of batches) checkBatch(this.config, batch, weights);
      this.#project(batches[0], weights);
      this.#make(batches.length);
      const [slots, arrays, adam] = [this.#slots, this.#arrays, this.#adam];
      const reports = await this.#pool.gradients(slots, arrays, batches, weights);
      for (const report of reports) this.#checkForward(report);
      const norm = await this.#pool.average(slots, arrays, batches.length);
      if (!Number.isFinite(norm)) this.#checkGradients(arrays.gradients[0]);
      const scale = norm > this.#clip ? this.#clip / norm : 1;
      await this.#pool.update(slots, arrays, { adam, step: ++this.#step, lr, scale });
      const average = (of: (report: BatchReport) => number): number =>
        reports.reduce((sum, report) => sum + of(report), 0) / reports.length;
      return {
        loss: average(({ loss }) => loss),
        soft: average(({ soft }) => soft),
        hard: average(({ hard }) => hard),
        hidden: average(({ hidden }) => hidden),
        gradientNorm: norm,
        firingRates: reports[0].rates.map((_, layer) => average(({ rates }) => rates[layer])),
      };
    });
  }

  async evaluate(batch: Batch): Promise<{ loss: number; firingRates: readonly number[] }> {
    return await this.#alone(async () => {
      checkBatch(this.config, batch, HARD_ONLY);
      const { report } = this.#pool.local.forward(this.#slots, this.#arrays.rounded, batch);
      this.#checkForward(report);
      return { loss: report.hard, firingRates: report.rates };
    });
  }

  async forward(ids: ArrayLike<number>): Promise<{ logits: Float32Array; spikes: readonly Uint8Array[] }> {
    return await this.#alone(async () => {
      const batch = { batch: 1, length: ids.length, ids: Int32Array.from([...Array.from(ids), 0]) };
      checkBatch(this.config, batch, HARD_ONLY);
      const { logits, spikes, report } = this.#pool.local.forward(this.#slots, this.#arrays.rounded, batch);
      this.#checkForward(report);
      return { logits, spikes: spikes.map((layer) => Uint8Array.from(layer)) };
    });
  }

  save(): Promise<TrainerState> {
    const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
    for (const [prefix, flat] of this.#kept()) {
      for (const { key, shape, at, size } of this.#slots) {
        tensors.set(prefix + key, { shape, data: flat.slice(at, at + size) });
      }
    }
    return Promise.resolve({ step: this.#step, tensors });
  }

  async load({ step, tensors }: TrainerState): Promise<void> {
    await this.#alone(() => {
      const added = [...tensors].filter(([key]) => key.startsWith('projection.')).map(([key, { shape }]) =>
        [key, shape] as const
      );
      const own = studentSlots(this.config);
      const slots = [...own, ...slotsOf(added, flatLength(own))];
      for (const [prefix] of this.#kept()) {
        for (const { key, shape, size } of slots) {
          const given = tensors.get(prefix + key);
          if (!given || `${given.shape}` !== `${shape}` || given.data.length !== size) {
            const found = given ? `has shape [${given.shape}]` : 'is missing';
            throw new DistillError('TRAINER', `the state of a trainer: ${prefix}${key} ${found}, expected [${shape}]`);
          }
        }
      }
      this.#extend(slots);
      for (const [prefix, flat] of this.#kept()) {
        for (const { key, at } of slots) flat.set(tensors.get(prefix + key)!.data, at);
      }
      roundWeights(slots, this.config, this.#arrays);
      this.#step = step;
      return Promise.resolve();
    });
  }

  dispose(): void {
    this.#pool.dispose();
  }

  #kept(): [string, Float32Array][] {
    const { latent, first, second } = this.#arrays;
    return [['', latent], ['adam.m.', first], ['adam.v.', second]];
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy) throw new DistillError('TRAINER', 'the trainer is at work; wait for the call before');
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }

  /** Adds the projections that hidden losses need and that are not there yet. */
  #project(batch: Batch, { hidden, hiddenPairs }: LossWeights): void {
    if (hidden <= 0) return;
    const rows = batch.batch * batch.length;
    const wanted = hiddenPairs.map((_, n) =>
      [projectionKey(n), [batch.teacherHidden![n].length / rows, this.config.width]] as const
    );
    const missing = wanted.filter(([key, shape]) => {
      const slot = this.#slots.find((slot) => slot.key === key);
      if (slot && slot.shape[0] !== shape[0]) {
        throw new DistillError(
          'TRAINER',
          `${key} was learnt for a teacher ${slot.shape[0]} wide, this one is ${
            shape[0]
          }; use --hidden 0 or a new student`,
        );
      }
      return !slot;
    });
    if (missing.length === 0) return;
    const added = slotsOf(missing, flatLength(this.#slots));
    this.#extend([...this.#slots, ...added]);
    initialise(this.config, added, this.#arrays.latent, this.#seed + 1);
    roundWeights(added, this.config, this.#arrays);
  }

  #extend(slots: Slot[]): void {
    this.#slots = slots;
    this.#make(0);
  }

  /** Room for all slots, and for the gradients of so many batches. */
  #make(batches: number): void {
    const n = flatLength(this.#slots);
    const { latent, gradients } = this.#arrays;
    if (n === latent.length && gradients.length >= batches) return;
    this.#arrays = grown(this.#arrays, n, Math.max(batches, gradients.length));
  }

  #checkForward({ sizes, loss }: BatchReport): void {
    const at = sizes.findIndex((size) => !Number.isFinite(size));
    if (at < 0 && Number.isFinite(loss)) return;
    const where = at < 0 ? 'the loss' : at === sizes.length - 1 ? 'the logits' : `block ${at}`;
    throw new DistillError(
      'NOT_FINITE',
      `step ${
        this.#step + 1
      }: ${where} is not finite; take a smaller learning rate or clip gradients, and go on from the last checkpoint`,
    );
  }

  #checkGradients(gradients: Float32Array): void {
    const bad = this.#slots.find(({ at, size }) => gradients.subarray(at, at + size).some((g) => !Number.isFinite(g)));
    throw new DistillError(
      'NOT_FINITE',
      `step ${this.#step + 1}: the gradient of ${
        bad?.key ?? 'all tensors together'
      } is not finite; take a smaller learning rate, and go on from the last checkpoint`,
    );
  }
}

function definedOnly({ beta1, beta2, epsilon, weightDecay }: Partial<AdamOptions>): Partial<AdamOptions> {
  return Object.fromEntries(
    Object.entries({ beta1, beta2, epsilon, weightDecay }).filter(([, value]) => value !== undefined),
  );
}

/** @throws {OptionError} `OPTION` for lengths that contradict each other, ids outside the vocabulary, what a loss lacks */
function checkBatch({ vocab, context, layers }: StudentConfig, batch: Batch, weights: LossWeights): void {
  const { batch: rows, length, ids, teacherLogits, teacherHidden } = batch;
  const fail = (message: string): never => {
    throw new OptionError('OPTION', `batch: ${message}`);
  };
  if (!(Number.isInteger(rows) && rows > 0 && Number.isInteger(length) && length > 0)) {
    fail(`${rows} rows of ${length} positions, expected at least one of each`);
  }
  if (length > context) fail(`${length} positions, the student's context is ${context}`);
  if (ids.length !== rows * (length + 1)) fail(`${ids.length} ids, expected ${rows} × ${length + 1}`);
  const bad = ids.findIndex((id) => !(id >= 0 && id < vocab));
  if (bad >= 0) fail(`id ${ids[bad]} at ${bad}, the vocabulary has ${vocab}`);
  if (weights.alpha > 0 && teacherLogits?.length !== rows * length * vocab) {
    fail(`${teacherLogits?.length ?? 'no'} logits of the teacher, expected ${rows * length * vocab}`);
  }
  if (weights.hidden > 0) {
    weights.hiddenPairs.forEach(({ student }, n) => {
      const values = teacherHidden?.[n]?.length ?? 0;
      if (values === 0 || values % (rows * length) !== 0) fail(`${values} hidden values of pair ${n}`);
      if (!(student >= 0 && student < layers)) fail(`pair ${n} names block ${student} of ${layers}`);
    });
  }
}
