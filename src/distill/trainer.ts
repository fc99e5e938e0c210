/**
 * The trainer: latent f32 weights, rounded for every step as an exported file will hold them, gradients by `gradients.ts`,
 * and AdamW. All that decides numbers runs in a fixed order: a seed, the batches and the learning rates fix every bit on one
 * machine, whatever the number of threads.
 * @module
 */
import { DistillError, OptionError } from '../errors.ts';
import type { AdamOptions } from './optimizer.ts';
import { WorkPool } from './pool.ts';
import { flatLength, type Slot, slotsOf } from './slots.ts';
import type { BatchReport, StudentKind } from './student.ts';
import type { AnyTrainer, StateTensor, StepReport, TrainerState } from './types.ts';
import { grown, type TrainingArrays, trainingArrays } from './update.ts';

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
}

const ADAM: AdamOptions = { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, weightDecay: 0.01 };
/** More threads than this have never been of use on the machines this runs on. */
const MAX_THREADS = 64;

/**
 * Makes a student with its first weights, and all that its training needs.
 * @param engine what a thread needs to know
 * @throws {OptionError} `OPTION` for a number out of its range
 * @throws {DistillError} `TRAINER` where the runtime or an installed package is missing
 */
export async function startTrainer<C, B, L, F, O>(
  kind: StudentKind<C, B, L, F, O>,
  config: C,
  engine: O,
  options: TrainerOptions = {},
): Promise<StudentTrainer<C, B, L, F, O>> {
  const { threads = 1 } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    throw new OptionError('OPTION', `threads is ${threads}, expected a whole number from 1 to ${MAX_THREADS}`);
  }
  const entry = options.worker ?? new URL('./gradient-worker.js', import.meta.url);
  const pool = await WorkPool.start(threads, entry, { type: 'start', kind: kind.name, config, options: engine });
  return new StudentTrainer(kind, config, engine, options, pool);
}

export class StudentTrainer<C, B, L, F, O> implements AnyTrainer<C, B, L> {
  readonly config: C;
  readonly parameters: number;
  readonly #kind: StudentKind<C, B, L, F, O>;
  readonly #engine: O;
  readonly #adam: AdamOptions;
  readonly #clip: number;
  readonly #seed: number;
  readonly #pool: WorkPool;
  #slots: Slot[];
  #arrays: TrainingArrays;
  #step = 0;
  #busy = false;

  constructor(kind: StudentKind<C, B, L, F, O>, config: C, engine: O, options: TrainerOptions, pool: WorkPool) {
    this.config = config;
    this.#kind = kind;
    this.#engine = engine;
    this.#adam = { ...ADAM, ...definedOnly(options) };
    this.#clip = options.clip ?? 1;
    this.#seed = options.seed ?? 1;
    this.#pool = pool;
    this.#slots = kind.slots(config);
    this.parameters = this.#slots.reduce((sum, { size }) => sum + size, 0);
    this.#arrays = trainingArrays(flatLength(this.#slots));
    kind.initialise(config, this.#slots, this.#arrays.latent, this.#seed, engine);
    kind.round(config, this.#slots, this.#arrays);
  }

  async step(batches: readonly B[], lr: number, weights: L): Promise<StepReport> {
    return await this.#alone(async () => {
      if (batches.length === 0) throw new OptionError('OPTION', 'a step needs at least one batch');
      for (const batch of batches) this.#kind.checkBatch(this.config, batch, weights);
      this.#add(batches[0], weights);
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
        ...(reports[0].attention !== undefined && { attention: average(({ attention }) => attention as number) }),
        gradientNorm: norm,
        firingRates: reports[0].rates.map((_, layer) => average(({ rates }) => rates[layer])),
      };
    });
  }

  /** Forward passes of batches with the present weights, without learning. */
  async forward(batches: readonly B[]): Promise<F[]> {
    return await this.#alone(async () => await this.#pool.forward(this.#slots, this.#arrays, batches) as F[]);
  }

  save(): Promise<TrainerState> {
    const tensors = new Map<string, StateTensor>();
    for (const [prefix, flat] of this.#kept()) {
      for (const { key, shape, at, size } of this.#slots) {
        tensors.set(prefix + key, { shape, data: flat.slice(at, at + size) });
      }
    }
    return Promise.resolve({ step: this.#step, tensors });
  }

  async load({ step, tensors }: TrainerState): Promise<void> {
    await this.#alone(() => {
      const added = [...tensors].filter(([key]) => this.#kind.isAdded?.(key)).map(([key, { shape }]) =>
        [key, shape] as const
      );
      const own = this.#kind.slots(this.config);
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
      this.#kind.round(this.config, slots, this.#arrays);
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
    if (this.#busy) throw new DistillError('TRAINER', 'the trainer is busy; await the previous call');
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }

  /** Adds the tensors that a loss needs and that are not there yet. */
  #add(batch: B, weights: L): void {
    const wanted = this.#kind.added?.(this.config, batch, weights) ?? [];
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
    this.#kind.initialise(this.config, added, this.#arrays.latent, this.#seed + 1, this.#engine);
    this.#kind.round(this.config, added, this.#arrays);
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
    const where = at < 0 ? 'the loss' : this.#kind.partName(at, sizes.length);
    throw new DistillError(
      'NOT_FINITE',
      `step ${
        this.#step + 1
      }: ${where} is not finite; use a smaller learning rate or clip gradients, and resume from the last checkpoint`,
    );
  }

  #checkGradients(gradients: Float32Array): void {
    const bad = this.#slots.find(({ at, size }) => gradients.subarray(at, at + size).some((g) => !Number.isFinite(g)));
    throw new DistillError(
      'NOT_FINITE',
      `step ${this.#step + 1}: the gradient of ${
        bad?.key ?? 'all tensors together'
      } is not finite; use a smaller learning rate, and resume from the last checkpoint`,
    );
  }
}

function definedOnly({ beta1, beta2, epsilon, weightDecay }: Partial<AdamOptions>): Partial<AdamOptions> {
  return Object.fromEntries(
    Object.entries({ beta1, beta2, epsilon, weightDecay }).filter(([, value]) => value !== undefined),
  );
}
