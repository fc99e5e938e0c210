/**
 * A training run: batches, updates, measurements, checkpoints, until the steps or the minutes are used up. A run that was
 * cut off goes on from its last checkpoint to the same numbers.
 * @module
 */
import { DistillError } from '../errors.ts';
import { type Checkpoint, type DataState, notFinite, type RunState, saveCheckpoint } from './checkpoint.ts';
import type { RunFolder } from './folder.ts';
import { type EvaluationRecord, Means, Metrics, type MetricsRecord } from './metrics.ts';
import type { RunSettings } from './settings.ts';
import type { AnyTrainer, StepReport, TrainerState } from './types.ts';

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

/** Where batches come from, in an order that a checkpoint can take up. */
export interface Feed<B> {
  /** Draws the batches of update `step`, from 0 on; they are made when the result is called. */
  take(step: number): () => Promise<readonly B[]>;
  state(): DataState;
  /** @throws {DistillError} `CHECKPOINT` for the state of other data */
  restore(state: DataState): void;
}

/** What a measurement finds, besides where and when. */
export type Measured = Omit<EvaluationRecord, 'kind' | 'step' | 'seconds'>;

/** What an update is done with. */
export interface Plan<L> {
  readonly lr: number;
  readonly losses: L;
}

/** A run over a student whose batches are B and whose losses L. */
export interface TrainParts<B, L> {
  // deno-lint-ignore no-explicit-any
  readonly trainer: AnyTrainer<any, B, L>;
  readonly feed: Feed<B>;
  /** Tokens of a batch, for the speed. */
  tokens(batch: B): number;
  /** Learning rate and losses of update `step`. @param progress share of the run that is behind, 0 … 1 */
  plan(step: number, progress: number): Plan<L>;
  /** Looks at what is not learnt from. */
  measure(): Promise<Measured>;
  /** Which part of the student a layer of neurons is of, for messages. */
  layerName(layer: number): string;
  readonly folder: RunFolder;
  readonly settings: RunSettings;
  /** Kept in checkpoints, for whoever takes the run up again. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly from?: Checkpoint;
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
 * @throws the signal's reason, after a checkpoint was written
 */
export async function train<B, L>(parts: TrainParts<B, L>): Promise<TrainResult> {
  return await new Run(parts).run();
}

/** Batches of an update, and where their order stands behind them. */
interface Prepared<B> {
  readonly batches: readonly B[];
  readonly data: RunState['data'];
}

class Run<B, L> {
  readonly #parts: TrainParts<B, L>;
  readonly #metrics: Metrics;
  readonly #means: Means = new Means();
  #step = 0;
  /** Of all sittings, up to the last update. */
  #seconds = 0;
  #clock = 0;
  #savedAt = 0;
  #data: RunState['data'];
  /** The next update's batches, which the teacher answers while the trainer is at work on other threads. */
  #ahead: Promise<Prepared<B>> | null = null;

  constructor(parts: TrainParts<B, L>) {
    this.#parts = parts;
    this.#metrics = new Metrics(parts.folder, (text) => this.#tell({ kind: 'note', text }));
    this.#data = parts.feed.state();
  }

  async run(): Promise<TrainResult> {
    const { trainer, feed, settings, from, signal } = this.#parts;
    if (from) {
      await trainer.load(from.trainer);
      feed.restore(from.run.data);
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
    const { trainer, settings, plan, tokens, layerName } = this.#parts;
    const start = performance.now();
    const { batches, data } = await (this.#ahead ?? this.#prepare(this.#step));
    this.#ahead = null;
    if (this.#step + 1 < settings.steps) {
      this.#ahead = this.#prepare(this.#step + 1);
      this.#ahead.catch(() => {}); // it is looked at when it is its turn
    }
    const { lr, losses } = plan(this.#step, this.#progress());
    const report = await trainer.step(batches, lr, losses);
    if (!Number.isFinite(report.loss) || !Number.isFinite(report.gradientNorm)) {
      const state = await trainer.save();
      throw new DistillError(
        'NOT_FINITE',
        `step ${this.#step + 1}: loss ${report.loss}, norm of the gradients ${report.gradientNorm}; ` +
          `${notFinite(state) ?? silentLayer(report, layerName)}; the last checkpoint is good, try a smaller --lr`,
      );
    }
    this.#step++;
    this.#data = data;
    this.#tick();
    const read = batches.reduce((sum, batch) => sum + tokens(batch), 0);
    const tokensPerSecond = (read / (performance.now() - start)) * 1000;
    const { loss, soft, hard, hidden, attention, gradientNorm, firingRates } = report;
    const more = attention === undefined ? [] : [attention];
    this.#means.add([loss, soft, hard, hidden, gradientNorm, tokensPerSecond, ...more], firingRates);
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

  async #prepare(step: number): Promise<Prepared<B>> {
    const { feed } = this.#parts;
    const make = feed.take(step);
    const data = feed.state();
    return { batches: await make(), data };
  }

  async #log(lr: number): Promise<void> {
    const { values: [loss, soft, hard, hidden, gradientNorm, tokensPerSecond, attention], rates } = this.#means.take();
    await this.#metrics.add({
      kind: 'step',
      step: this.#step,
      seconds: Math.round(this.#seconds),
      lr,
      loss,
      soft,
      hard,
      hidden,
      ...(attention !== undefined && { attention }),
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
    const measured = await this.#parts.measure();
    if (!Number.isFinite(measured.loss)) {
      throw new DistillError(
        'NOT_FINITE',
        `step ${this.#step}: the loss on the held-out data is ${measured.loss}`,
      );
    }
    const record: EvaluationRecord = {
      kind: 'evaluation',
      step: this.#step,
      seconds: Math.round(this.#seconds),
      ...measured,
      firingRates: measured.firingRates.map((rate) => Number(rate.toPrecision(6))),
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
function silentLayer({ firingRates }: StepReport, layerName: (layer: number) => string): string {
  const at = firingRates.findIndex((rate) => !Number.isFinite(rate));
  return at < 0 ? 'all weights are finite, the gradients overflowed' : `${layerName(at)} overflowed`;
}
