/**
 * A training run: batches, updates, measurements, checkpoints, until the steps or the minutes are used up. A run that was
 * cut off goes on from its last checkpoint to the same numbers.
 * @module
 */
import { DistillError, OptionError } from '../errors.ts';
import { type Checkpoint, notFinite, type RunState, saveCheckpoint } from './checkpoint.ts';
import type { Windows } from './data.ts';
import type { RunFolder } from './folder.ts';
import { type EvaluationRecord, Means, Metrics, type MetricsRecord } from './metrics.ts';
import { learningRate } from './schedule.ts';
import { lossWeights, type TrainSettings } from './settings.ts';
import type { Batch, LossWeights, StepReport, Trainer, TrainerState } from './types.ts';

/** What a run tells while it goes on. */
export type TrainEvent =
  | {
    readonly kind: 'step';
    readonly step: number;
    readonly steps: number;
    readonly report: StepReport;
    readonly lr: number;
    readonly tokensPerSecond: number;
    readonly secondsLeft: number;
  }
  | { readonly kind: 'evaluation'; readonly record: EvaluationRecord }
  | { readonly kind: 'checkpoint'; readonly step: number }
  | { readonly kind: 'note'; readonly text: string };

export interface TrainParts {
  readonly trainer: Trainer;
  readonly windows: Windows;
  /** Adds what the teacher says. @param ids batch × (seq + 1) */
  batch(ids: Int32Array): Promise<Batch>;
  /** Windows to measure on, of seq + 1 ids each. */
  readonly held: readonly Int32Array[];
  readonly hiddenPairs: LossWeights['hiddenPairs'];
  readonly folder: RunFolder;
  readonly settings: TrainSettings;
  /** Kept in checkpoints, for whoever takes the run up again. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly from?: Checkpoint;
  /** What a student in this state writes. */
  sample?(state: TrainerState): Promise<string>;
  /** The page of a run, made of its records. */
  page?(records: readonly MetricsRecord[], state: { readonly step: number; readonly done: boolean }): string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainEvent) => void;
}

export interface TrainResult {
  readonly steps: number;
  readonly seconds: number;
  readonly state: TrainerState;
  readonly last: EvaluationRecord;
  readonly records: readonly MetricsRecord[];
}

/**
 * Trains to the end.
 * @throws {DistillError} `NOT_FINITE` with step and place where a loss or a gradient is no number; the last checkpoint stays
 * @throws {OptionError} `OPTION` where too little text is left to measure on
 * @throws the signal's reason, after a checkpoint was written
 */
export async function train(parts: TrainParts): Promise<TrainResult> {
  return await new Run(parts).run();
}

/** Batches of an update, and where the order of the windows stands behind them. */
interface Prepared {
  readonly batches: readonly Batch[];
  readonly data: RunState['data'];
}

class Run {
  readonly #parts: TrainParts;
  readonly #metrics: Metrics;
  readonly #means: Means = new Means();
  #step = 0;
  /** Of all sittings, up to the last update. */
  #seconds = 0;
  #clock = 0;
  #savedAt = 0;
  #data: RunState['data'];
  /** The next update's batches, which the teacher answers while the trainer is at work on other threads. */
  #ahead: Promise<Prepared> | null = null;

  constructor(parts: TrainParts) {
    const { settings, held } = parts;
    if (held.length < settings.batch) {
      throw new OptionError(
        'OPTION',
        `the text that is kept for measuring has ${held.length} windows of ${settings.seq}, at least one batch of ` +
          `${settings.batch} is needed; use a longer text, a larger --holdout or --eval-data`,
      );
    }
    this.#parts = parts;
    this.#metrics = new Metrics(parts.folder, (text) => this.#tell({ kind: 'note', text }));
    this.#data = parts.windows.state();
  }

  async run(): Promise<TrainResult> {
    const { trainer, windows, settings, from, signal } = this.#parts;
    if (from) {
      await trainer.load(from.trainer);
      windows.restore(from.run.data);
      this.#data = from.run.data;
      this.#step = from.run.step;
      this.#seconds = from.run.seconds;
      if (from.run.means) this.#means.state = from.run.means;
    }
    await this.#metrics.load(this.#step);
    this.#clock = performance.now();
    this.#savedAt = this.#clock;
    let last = this.#metrics.records.findLast((record): record is EvaluationRecord => record.kind === 'evaluation');
    try {
      // a run that is taken up where it would have measured may have been cut off before it did
      if (!last || (last.step !== this.#step && this.#step % settings.evalEvery === 0)) {
        last = await this.#evaluate(false);
      }
      while (!this.#over()) {
        signal?.throwIfAborted();
        await this.#update();
        const minutes = (performance.now() - this.#savedAt) / 60_000;
        if (minutes >= settings.saveEvery || this.#over()) await this.#save();
        if (this.#step % settings.evalEvery === 0 || this.#over()) last = await this.#evaluate(this.#over());
      }
      // a run may be over before its first update: taken up with fewer minutes than it has had
      if (last.step !== this.#step) last = await this.#evaluate(true);
    } catch (error) {
      if (signal?.aborted) await this.#save();
      throw error;
    }
    const state = await trainer.save();
    return { steps: this.#step, seconds: this.#seconds, state, last, records: this.#metrics.records };
  }

  #over(): boolean {
    const { steps, minutes } = this.#parts.settings;
    return this.#step >= steps || (minutes > 0 && this.#seconds >= 60 * minutes);
  }

  /** Share of the run that is behind. */
  #progress(): number {
    const { steps, minutes } = this.#parts.settings;
    return Math.max(this.#step / steps, minutes > 0 ? this.#seconds / (60 * minutes) : 0);
  }

  async #update(): Promise<void> {
    const { trainer, settings, hiddenPairs } = this.#parts;
    const start = performance.now();
    const { batches, data } = await (this.#ahead ?? this.#prepare());
    this.#ahead = null;
    if (this.#step + 1 < settings.steps) {
      this.#ahead = this.#prepare();
      this.#ahead.catch(() => {}); // it is looked at when it is its turn
    }
    const lr = learningRate(
      { rate: settings.lr, warmup: settings.warmup, floor: settings.floor },
      this.#step,
      this.#progress(),
    );
    const weights = lossWeights(settings, hiddenPairs, this.#progress());
    const report = await trainer.step(batches, lr, weights);
    if (!Number.isFinite(report.loss) || !Number.isFinite(report.gradientNorm)) {
      const state = await trainer.save();
      throw new DistillError(
        'NOT_FINITE',
        `step ${this.#step + 1}: loss ${report.loss}, norm of the gradients ${report.gradientNorm}; ` +
          `${notFinite(state) ?? silentLayer(report)}; the last checkpoint is good, try a smaller --lr`,
      );
    }
    this.#step++;
    this.#data = data;
    this.#tick();
    const tokens = settings.accumulate * settings.batch * settings.seq;
    const tokensPerSecond = (tokens / (performance.now() - start)) * 1000;
    const { loss, soft, hard, hidden, gradientNorm, firingRates } = report;
    this.#means.add([loss, soft, hard, hidden, gradientNorm, tokensPerSecond], firingRates);
    this.#tell({
      kind: 'step',
      step: this.#step,
      steps: settings.steps,
      report,
      lr,
      tokensPerSecond,
      secondsLeft: this.#left(),
    });
    if (this.#step % settings.logEvery === 0 || this.#over()) await this.#log(lr);
  }

  async #prepare(): Promise<Prepared> {
    const { windows, settings, batch } = this.#parts;
    const rows = Array.from({ length: settings.accumulate }, () => windows.take(settings.batch));
    const data = windows.state();
    const batches: Batch[] = [];
    for (const ids of rows) batches.push(await batch(ids));
    return { batches, data };
  }

  async #log(lr: number): Promise<void> {
    const { values: [loss, soft, hard, hidden, gradientNorm, tokensPerSecond], rates } = this.#means.take();
    await this.#metrics.add({
      kind: 'step',
      step: this.#step,
      seconds: Math.round(this.#seconds),
      lr,
      loss,
      soft,
      hard,
      hidden,
      gradientNorm,
      tokensPerSecond,
      firingRates: rates,
    });
  }

  /** Moves the time that has passed to the run. */
  #tick(): void {
    const now = performance.now();
    this.#seconds += (now - this.#clock) / 1000;
    this.#clock = now;
  }

  /** Seconds to the end, from the pace so far. */
  #left(): number {
    const progress = this.#progress();
    return progress > 0 ? (this.#seconds / progress) * (1 - Math.min(1, progress)) : Infinity;
  }

  async #evaluate(done: boolean): Promise<EvaluationRecord> {
    const { trainer, held, settings, sample, signal } = this.#parts;
    const { batch, seq } = settings;
    let loss = 0;
    let rates: number[] = [];
    const passes = Math.floor(Math.min(held.length, Math.max(batch, settings.evalWindows)) / batch);
    for (let i = 0; i < passes; i++) {
      signal?.throwIfAborted();
      const ids = new Int32Array(batch * (seq + 1));
      for (let b = 0; b < batch; b++) ids.set(held[i * batch + b], b * (seq + 1));
      const result = await trainer.evaluate({ batch, length: seq, ids });
      loss += result.loss / passes;
      rates = result.firingRates.map((rate, layer) => (rates[layer] ?? 0) + rate / passes);
    }
    if (!Number.isFinite(loss)) {
      throw new DistillError('NOT_FINITE', `step ${this.#step}: the loss of the text kept apart is ${loss}`);
    }
    this.#tick();
    const text = sample && (await sample(await trainer.save()));
    const record: EvaluationRecord = {
      kind: 'evaluation',
      step: this.#step,
      seconds: Math.round(this.#seconds),
      loss,
      perplexity: Math.exp(loss),
      firingRates: rates.map((rate) => Number(rate.toPrecision(6))),
      ...(text !== undefined && { sample: text }),
    };
    await this.#metrics.add(record);
    this.#tell({ kind: 'evaluation', record });
    await this.#show(done);
    this.#tick();
    return record;
  }

  async #show(done: boolean): Promise<void> {
    const { page, folder } = this.#parts;
    if (!page) return;
    const html = page(this.#metrics.records, { step: this.#step, done });
    await this.#try('the page', () => folder.replace('index.html', [new TextEncoder().encode(html)]));
  }

  /** Saves; a full disk is told of and tried again later, as the run itself is well. */
  async #save(): Promise<void> {
    const { trainer, folder, options } = this.#parts;
    const { state: means } = this.#means;
    const run: RunState = { step: this.#step, seconds: this.#seconds, data: this.#data, means, options };
    const state = await trainer.save();
    this.#savedAt = performance.now();
    const saved = await this.#try('a checkpoint', () => saveCheckpoint(folder, { run, trainer: state }));
    if (saved) this.#tell({ kind: 'checkpoint', step: this.#step });
    await this.#show(this.#over());
  }

  async #try(what: string, write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
      return true;
    } catch (error) {
      if (error instanceof DistillError) throw error;
      this.#tell({ kind: 'note', text: `${what} is not written: ${(error as Error).message}` });
      return false;
    }
  }

  #tell(event: TrainEvent): void {
    this.#parts.onEvent?.(event);
  }
}

/** Which layer's firing rate is no number, where the weights are still whole. */
function silentLayer({ firingRates }: StepReport): string {
  const at = firingRates.findIndex((rate) => !Number.isFinite(rate));
  if (at < 0) return 'all weights are finite, the gradients overflowed';
  if (at === 0) return 'the encoder overflowed';
  return `block ${Math.floor((at - 1) / 3)} overflowed`;
}
