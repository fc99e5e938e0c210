/**
 * Two classifiers over the same samples: what each gets right, where they part, and whether that could be chance.
 * @module
 */
import { DatasetError } from '../../errors.ts';
import { type Classify, type GlueRecord, glueResult, recordOf } from '../glue.ts';
import { type Confusion, confusionMatrix } from '../glue-metrics.ts';
import type { GlueSample } from '../glue-read.ts';
import type { GlueMetric, GlueTask } from '../glue-tasks.ts';
import { step, type Work } from './journal.ts';
import { bootstrap, type BootstrapOptions, type Interval, mcnemarExact, wilson } from './statistics.ts';

/** Characters of a sentence that are kept where the two part; the line of the data file has it whole. */
const MOST_TEXT = 400;
/** Sentences that are kept with their text. */
const MOST_PARTED = 2000;

/** A sample, and what both sides said of it. */
export interface PairedRecord {
  readonly a: GlueRecord;
  readonly b: GlueRecord;
  /** Kept where the two part. */
  readonly text?: string;
}

/** A metric of both sides over the same samples. */
export interface PairedMetric {
  readonly a: number | null;
  readonly b: number | null;
  /** b − a. */
  readonly difference: number | null;
  /** Paired bootstrap of the difference; null where the metric is undefined. */
  readonly interval: Interval | null;
  /** Of each side: Wilson's for accuracy, else the bootstrap's. */
  readonly aInterval: Interval | null;
  readonly bInterval: Interval | null;
}

/** A sample on which the two part. */
export interface Parted {
  readonly index: number;
  readonly line: number;
  readonly text: string;
  readonly label: number;
  readonly a: number;
  readonly b: number;
}

export interface ClassifierQuality {
  readonly task: string;
  readonly samples: number;
  readonly labels: readonly string[];
  readonly metrics: Readonly<Partial<Record<GlueMetric, PairedMetric>>>;
  /** Share of samples with the same answer, and its Wilson interval; null of regressions. */
  readonly agreement: number | null;
  readonly agreementInterval: Interval | null;
  /** Samples by who has them right; null of regressions. */
  readonly correct: {
    readonly both: number;
    readonly onlyA: number;
    readonly onlyB: number;
    readonly neither: number;
  } | null;
  /** Exact two-sided probability that as uneven a split comes by chance; null of regressions. */
  readonly mcnemar: { readonly onlyA: number; readonly onlyB: number; readonly p: number } | null;
  /** Answers of A, a row each, by answers of B; null of regressions. */
  readonly answers: Confusion | null;
  /** Each against the labels; null of regressions. */
  readonly confusion: { readonly a: Confusion; readonly b: Confusion } | null;
  readonly parted: readonly Parted[];
  /** For each sample what both said. */
  readonly items: readonly {
    readonly line: number;
    readonly label: number;
    readonly a: number;
    readonly b: number;
  }[];
}

export interface PairedSamplesOptions extends Work {
  readonly task: GlueTask;
  /** Samples at most. */
  readonly limit?: number;
  /** How many there will be, where that is known, for progress. */
  readonly total?: number;
}

/**
 * Asks both sides in turns, and every second time B first, so that neither is always measured on a colder machine.
 * @throws {DatasetError} `DATASET` without a sample; what samples and classifiers throw
 */
export async function pairedSamples(
  a: Classify,
  b: Classify,
  samples: AsyncIterable<GlueSample> | Iterable<GlueSample>,
  options: PairedSamplesOptions,
): Promise<PairedRecord[]> {
  const { task, limit = Infinity, total, signal, onProgress } = options;
  const records: PairedRecord[] = [];
  let [agreed, rightA, rightB] = [0, 0, 0];
  for await (const sample of samples) {
    const record = await step(options, 'sample', sample.index, async () => {
      const asked = async (classify: Classify): Promise<GlueRecord> => {
        const start = performance.now();
        const said = await classify(sample.text, sample.pair, signal);
        return recordOf(task, sample, said, performance.now() - start);
      };
      const turned = sample.index % 2 === 1;
      const first = await asked(turned ? b : a);
      const second = await asked(turned ? a : b);
      const [left, right] = turned ? [second, first] : [first, second];
      const parts = left.predicted !== right.predicted && task.labels.length > 0;
      const whole = sample.pair === undefined ? sample.text : `${sample.text} ⇥ ${sample.pair}`;
      return { a: left, b: right, ...(parts && { text: whole.slice(0, MOST_TEXT) }) };
    });
    if (record.a.line !== sample.line || record.a.label !== sample.label) {
      throw new DatasetError('EVAL_LOG', `record ${sample.index} is not of line ${sample.line}; start a new log`);
    }
    records.push(record);
    if (record.a.predicted === record.b.predicted) agreed++;
    if (record.a.predicted === record.a.label) rightA++;
    if (record.b.predicted === record.b.label) rightB++;
    const done = records.length;
    await onProgress?.({
      phase: 'score',
      done,
      total: Math.max(done, Math.min(limit, total ?? done)),
      note: task.labels.length > 0 ? `${((100 * agreed) / done).toFixed(2)} % agreed` : '',
      ...(task.labels.length > 0 && { figure: 'accuracy so far', values: { a: rightA / done, b: rightB / done } }),
    });
    if (done >= limit) break;
  }
  if (records.length === 0) throw new DatasetError('DATASET', `${task.title}: no sample was compared`);
  return records;
}

/** What records come to. */
export function pairedAnswers(
  task: GlueTask,
  records: readonly PairedRecord[],
  options: BootstrapOptions = {},
): ClassifierQuality {
  const { labels } = task;
  const [left, right] = [records.map(({ a }) => a), records.map(({ b }) => b)];
  const classes = labels.length > 0;
  const n = records.length;
  const right01 = (list: readonly GlueRecord[]): boolean[] => list.map(({ predicted, label }) => predicted === label);
  const [hitsA, hitsB] = [right01(left), right01(right)];
  const count = (test: (i: number) => boolean): number => hitsA.reduce((sum, _, i) => sum + (test(i) ? 1 : 0), 0);
  const agreed = count((i) => left[i].predicted === right[i].predicted);
  const [onlyA, onlyB] = [count((i) => hitsA[i] && !hitsB[i]), count((i) => !hitsA[i] && hitsB[i])];
  const predicted = (list: readonly GlueRecord[]): number[] => list.map((record) => record.predicted);
  const truth = left.map(({ label }) => label);
  const matrix = (answers: readonly number[], by: readonly number[]): Confusion =>
    confusionMatrix(answers, by, labels.length);
  return {
    task: task.name,
    samples: n,
    labels,
    metrics: metricsOf(task, left, right, options),
    agreement: classes ? agreed / n : null,
    agreementInterval: classes ? wilson(agreed, n, options.confidence) : null,
    correct: classes
      ? { both: count((i) => hitsA[i] && hitsB[i]), onlyA, onlyB, neither: count((i) => !hitsA[i] && !hitsB[i]) }
      : null,
    mcnemar: classes ? { onlyA, onlyB, p: mcnemarExact(onlyA, onlyB) } : null,
    answers: classes ? matrix(predicted(right), predicted(left)) : null,
    confusion: classes ? { a: matrix(predicted(left), truth), b: matrix(predicted(right), truth) } : null,
    parted: records.filter(({ text }) => text !== undefined).slice(0, MOST_PARTED).map(({ a, b, text = '' }) => ({
      index: a.index,
      line: a.line,
      text,
      label: a.label,
      a: a.predicted,
      b: b.predicted,
    })),
    items: records.map(({ a, b }) => ({ line: a.line, label: a.label, a: a.predicted, b: b.predicted })),
  };
}

function metricsOf(
  task: GlueTask,
  left: readonly GlueRecord[],
  right: readonly GlueRecord[],
  options: BootstrapOptions,
): ClassifierQuality['metrics'] {
  const [a, b] = [glueResult(task, left).metrics, glueResult(task, right).metrics];
  const n = left.length;
  return Object.fromEntries(task.metrics.map((name): [GlueMetric, PairedMetric] => {
    const [valueA, valueB] = [a[name] ?? null, b[name] ?? null];
    const of = (records: readonly GlueRecord[], at: Uint32Array): number =>
      glueResult(task, Array.from(at, (i) => records[i])).metrics[name] ?? NaN;
    const hit = (record: GlueRecord): number => (record.predicted === record.label ? 1 : 0);
    const gains = Int8Array.from(left, (record, i) => hit(right[i]) - hit(record));
    const difference = (at: Uint32Array): number => {
      if (name !== 'accuracy') return of(right, at) - of(left, at);
      let sum = 0;
      for (const i of at) sum += gains[i];
      return sum / n;
    };
    return [name, {
      a: valueA,
      b: valueB,
      difference: valueA === null || valueB === null ? null : valueB - valueA,
      interval: valueA === null || valueB === null ? null : bootstrap(n, difference, options),
      aInterval: metricInterval(task, left, name, options),
      bInterval: metricInterval(task, right, name, options),
    }];
  }));
}

/** An interval of a metric of one run: Wilson's of accuracy, else a seeded bootstrap over the samples. */
export function metricInterval(
  task: GlueTask,
  records: readonly GlueRecord[],
  name: GlueMetric,
  options: BootstrapOptions = {},
): Interval | null {
  const { metrics } = glueResult(task, records);
  const value = metrics[name] ?? null;
  const n = records.length;
  if (value === null) return null;
  if (name === 'accuracy') return wilson(Math.round(value * n), n, options.confidence);
  return bootstrap(n, (at) => glueResult(task, Array.from(at, (i) => records[i])).metrics[name] ?? NaN, options);
}
