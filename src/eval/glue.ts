/**
 * GLUE over any classifier: samples in, records and metrics out.
 * @module
 */
import { DatasetError, OptionError } from '../errors.ts';
import { CALL, checkOptions, LIST, number, OBJECT, type Rules, SIGNAL } from '../options.ts';
import { accuracy, type Confusion, confusionMatrix, f1, matthews, pearson, spearman } from './glue-metrics.ts';
import type { GlueSample } from './glue-read.ts';
import type { GlueMetric, GlueTask } from './glue-tasks.ts';

/** What a classifier says of one text or pair. */
export interface Classified {
  /** One for each label of the task, in its order; the largest is predicted. Of a regression the number itself. */
  readonly logits: ArrayLike<number>;
  /** Probabilities of the classes, for the record; of a regression the number itself. Default: the softmax of `logits`. */
  readonly scores?: ArrayLike<number>;
  /** Spikes of all neurons in all time steps. */
  readonly spikes?: number;
  /** Microjoules, as `energy.compute.effective` of a spike report. */
  readonly energy?: number;
}

/** A classifier; `pair` is there in tasks of pairs. */
export type Classify = (
  text: string,
  pair: string | undefined,
  signal?: AbortSignal,
) => Classified | Promise<Classified>;

/** What is kept of a sample. */
export interface GlueRecord {
  readonly index: number;
  readonly line: number;
  /** The class, or the score of a regression. */
  readonly label: number;
  readonly predicted: number;
  readonly scores: readonly number[];
  readonly spikes?: number;
  readonly energy?: number;
  /** Milliseconds that the classifier took. */
  readonly ms: number;
}

export interface EvaluateGlueOptions {
  readonly task: GlueTask;
  /** Samples at most. */
  readonly limit?: number;
  /** Records of the first samples, from a run that was interrupted: these samples are not classified again. */
  readonly done?: readonly GlueRecord[];
  /** Is given every new record before the next sample is looked at. */
  readonly onRecord?: (record: GlueRecord) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

/** The result of a run over a task. */
export interface GlueResult {
  readonly task: string;
  readonly samples: number;
  /** Those that GLUE reports for the task; a correlation is null where it is undefined. */
  readonly metrics: Readonly<Partial<Record<GlueMetric, number | null>>>;
  /** Their mean; null where one of them is. */
  readonly score: number | null;
  /** Null for a regression. */
  readonly confusion: { readonly labels: readonly string[]; readonly counts: Confusion } | null;
  /** Means over the samples; null for classifiers that do not spike. */
  readonly spikesPerSample: number | null;
  readonly microjoulesPerSample: number | null;
  readonly secondsPerSample: number;
}

/** Which values are right. */
const GLUE_RULES: Rules<EvaluateGlueOptions> = {
  task: OBJECT,
  limit: number(1),
  done: LIST,
  onRecord: CALL,
  signal: SIGNAL,
};

/**
 * Classifies sample by sample.
 * @throws {OptionError} `OPTION` for a classifier with another number of outputs, or outputs that are no numbers
 * @throws {DatasetError} `EVAL_LOG` where `done` is not of these samples; `DATASET` without a sample; what the samples throw,
 *   what the classifier throws; the signal's reason
 * @example
 * const task = glueTask('sst2');
 * const samples = readGlue(source, task);
 * const { score } = await evaluateGlue((text) => ({ logits: [text.length % 2, 0.5] }), samples, { task });
 */
export async function evaluateGlue(
  classify: Classify,
  samples: AsyncIterable<GlueSample> | Iterable<GlueSample>,
  options: EvaluateGlueOptions,
): Promise<GlueResult> {
  checkOptions('evaluateGlue', options, GLUE_RULES, ['task']);
  const { task, limit = Infinity, done = [], onRecord, signal } = options;
  const records = done.slice(0, limit);
  signal?.throwIfAborted();
  let seen = 0;
  if (records.length < limit) {
    for await (const sample of samples) {
      signal?.throwIfAborted();
      seen++;
      if (sample.index < done.length) {
        checkSame(done[sample.index], sample);
        continue;
      }
      const start = performance.now();
      const said = await classify(sample.text, sample.pair, signal);
      const record = recordOf(task, sample, said, performance.now() - start);
      await onRecord?.(record);
      if (records.push(record) >= limit) break;
    }
    if (seen < done.length) throw notThese(done[seen]);
  }
  return glueResult(task, records);
}

/** Metrics and means of records. @throws {DatasetError} `DATASET` without any */
export function glueResult(task: GlueTask, records: readonly GlueRecord[]): GlueResult {
  if (records.length === 0) throw new DatasetError('DATASET', `${task.title}: no sample was evaluated`);
  const [predicted, labels] = [records.map((record) => record.predicted), records.map((record) => record.label)];
  const counts = task.labels.length > 0 ? confusionMatrix(predicted, labels, task.labels.length) : [];
  const metrics = Object.fromEntries(task.metrics.map((name) => [name, METRICS[name](counts, predicted, labels)]));
  const values = Object.values(metrics);
  const mean = (values: readonly (number | undefined)[]): number | null =>
    values.includes(undefined) ? null : (values as number[]).reduce((a, b) => a + b, 0) / values.length;
  return {
    task: task.name,
    samples: records.length,
    metrics,
    score: mean(values.map((value) => value ?? undefined)),
    confusion: task.labels.length > 0 ? { labels: task.labels, counts } : null,
    spikesPerSample: mean(records.map((record) => record.spikes)),
    microjoulesPerSample: mean(records.map((record) => record.energy)),
    secondsPerSample: (mean(records.map((record) => record.ms)) as number) / 1000,
  };
}

const METRICS: Readonly<
  Record<GlueMetric, (counts: Confusion, predicted: readonly number[], labels: readonly number[]) => number | null>
> = {
  accuracy: (counts) => accuracy(counts),
  f1: (counts) => f1(counts),
  matthews: (counts) => matthews(counts),
  pearson: (_, predicted, labels) => pearson(predicted, labels),
  spearman: (_, predicted, labels) => spearman(predicted, labels),
};

/** What is kept of a classifier's answer. @throws {OptionError} `OPTION` for other outputs than the task has */
export function recordOf(
  { title, labels }: GlueTask,
  { index, line, label }: GlueSample,
  { logits, scores, spikes, energy }: Classified,
  ms: number,
): GlueRecord {
  const outputs = Math.max(labels.length, 1);
  if (logits.length !== outputs || !Array.from(logits).every(Number.isFinite)) {
    const shown = Array.from(logits).slice(0, 8).join(', ');
    throw new OptionError(
      'OPTION',
      `line ${line}: the classifier answered ${shown || 'nothing'}; expected ${outputs} finite numbers for ${title}`,
    );
  }
  const answer = Array.from(logits);
  return {
    index,
    line,
    label,
    // the lowest of equals
    predicted: labels.length > 0 ? answer.indexOf(Math.max(...answer)) : answer[0],
    scores: labels.length === 0 ? answer : scores ? Array.from(scores) : softmax(answer),
    spikes,
    energy,
    ms,
  };
}

function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((x) => Math.exp(x - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / total);
}

function checkSame(record: GlueRecord, { index, line, label }: GlueSample): void {
  if (record.line !== line || record.label !== label || record.index !== index) throw notThese(record);
}

function notThese({ index, line }: GlueRecord): DatasetError {
  return new DatasetError(
    'EVAL_LOG',
    `record ${index}, of line ${line}, does not belong to these samples; start a new log`,
  );
}
