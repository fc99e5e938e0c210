/**
 * `eval glue`: a classifier over a task of GLUE.
 * @module
 */
import {
  evaluateGlue,
  GLUE_MAX_LENGTH,
  glueClassifier,
  type GlueRecord,
  type GlueResult,
  glueResult,
  type GlueRun,
  glueSplit,
  type GlueTask,
  glueTask,
  type MalformedLine,
  metricInterval,
  readGlue,
} from '../entries/eval.ts';
import type { Model } from '../model/model.ts';
import type { SpikingBertDescription } from '../architectures/spikingbert/description.ts';
import { type OptionTable, UsageError } from './args.ts';
import { classifyOptions, openClassifier, STEP_OPTIONS, type StepValues } from './classify-options.ts';
import { type Command, command, type Context, need } from './command.ts';
import { glueFile } from './compare-data.ts';
import { withSource } from './files.ts';
import { modelSum, sampleFile, surveyText } from './fingerprint.ts';
import { type LogFile, openLog } from './glue-log-file.ts';
import { mergeGlue, runShard } from './glue-shard.ts';
import { CLASSIFIER_MODEL, classifierPath, memoryOf, MODEL_OPTIONS, runtime } from './load.ts';
import { clock, rounded } from './output.ts';
import { SHARD_OPTIONS, shardOf } from './shards.ts';
import { withModel } from './stored.ts';

/** Malformed lines that are named; the others are counted. */
const NAMED = 10;
/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 100;
/** Characters of the bar. */
const BAR = 24;

const OPTIONS = {
  ...MODEL_OPTIONS,
  model: CLASSIFIER_MODEL,
  task: { kind: 'text', value: 'TASK', help: 'cola, sst2, mrpc, qqp, stsb, mnli, qnli, rte or wnli' },
  data: { kind: 'text', value: 'DIR', help: "folder with the task's files, or the GLUE folder that contains it" },
  split: { kind: 'text', help: 'train, dev, or for mnli dev-matched and dev-mismatched; default: dev' },
  limit: { kind: 'integer', least: 1, help: 'maximum number of samples; default: all' },
  malformed: {
    kind: 'choice',
    choices: ['skip', 'refuse'],
    help: 'malformed lines: skip and report them, or stop; default: skip',
  },
  log: { kind: 'text', value: 'FILE', help: 'write one line of JSON per sample' },
  resume: { kind: 'flag', help: 'resume from --log' },
  ...STEP_OPTIONS,
  ...SHARD_OPTIONS,
  'max-length': { kind: 'integer', least: 4, help: `truncate texts to N tokens; default: ${GLUE_MAX_LENGTH}` },
} as const satisfies OptionTable;

export const evalGlue: Command = command(
  {
    name: 'eval glue',
    summary: 'Evaluate a classifier on a GLUE task.',
    positionals: [],
    options: OPTIONS,
    notes: [
      'Reads files as GLUE publishes them: SST-2/dev.tsv and so on. Reports the metrics of GLUE; a correlation with a constant is null.',
      'To resume an interrupted run, repeat the command with --resume. A log of another model, task or options is refused.',
    ],
    examples: [
      'ternspike eval glue --task sst2 --data GLUE/SST-2 -m spikingbert/',
      'ternspike eval glue --task sst2 --data GLUE -m spikingbert/ --log log',
      'ternspike eval glue --task sst2 --data GLUE -m spikingbert/ --log log --resume',
    ],
  },
  async ({ values }, context) => {
    const { out, signal } = context;
    const shard = shardOf(values);
    if (values.merge) return await printMerged(values.merge, context);
    if (shard && values.log !== undefined) throw new UsageError('a shard has no --log; cut the work into more shards');
    const task = glueTask(need(values.task, '--task TASK'));
    const { split, file } = glueSplit(task, values.split ?? 'dev');
    const folder = need(values.data, '--data DIR');
    const options = classifyOptions(values);
    if (values.resume && values.log === undefined) throw new UsageError('--resume needs --log FILE');
    const path = classifierPath(values.model);
    const data = await glueFile(folder, task, file);
    const { sum, lines } = await withSource(data, signal, async (source) => {
      // what is wrong with the file shall be known before a model is loaded
      for await (const _ of readGlue(source, task, { malformed: values.malformed, signal })) break;
      return await surveyText(source, signal);
    });
    using model = await openClassifier(path, values, context);
    const maxLength = values['max-length'] ?? Math.min(GLUE_MAX_LENGTH, model.describe().trainedContext);
    const classify = glueClassifier(model, task, { ...options, maxLength });
    const run: GlueRun = {
      task: task.name,
      split,
      data: sum,
      model: await withModel(path, context, (source) => sampleFile(source, signal)),
      numbers: modelSum(model),
      ...effective(model, values),
      maxLength,
    };
    if (shard) {
      const { malformed, limit } = values;
      return await withSource(
        data,
        signal,
        (source) =>
          runShard(classify, readGlue(source, task, { malformed, signal }), { task, shard, limit, key: run }, context),
      );
    }
    const log = values.log === undefined
      ? undefined
      : await openLog(values.log, run, task, { resume: values.resume === true, signal });
    const malformed: MalformedLine[] = [];
    const samples = Math.max(lines - (task.columns.count === undefined ? 1 : 0), 1);
    const total = Math.min(values.limit ?? Infinity, samples);
    const records = [...(log?.records ?? [])];
    const resumed = Math.min(records.length, total);
    let result: GlueResult | undefined;
    const start = performance.now();
    const progress = progressLine(task, records, total, context);
    try {
      result = await withSource(data, signal, (source) =>
        evaluateGlue(
          classify,
          readGlue(source, task, {
            malformed: values.malformed,
            signal,
            onMalformed: (bad) => void malformed.push(bad),
          }),
          {
            task,
            limit: values.limit,
            done: log?.records,
            signal,
            onRecord: async (record) => {
              await log?.append(record);
              records.push(record);
              progress();
            },
          },
        ));
    } catch (error) {
      if (!signal.aborted || records.length === 0) throw error;
    } finally {
      await log?.close();
    }
    const seconds = (performance.now() - start) / 1000;
    for (const { line, reason } of malformed.slice(0, NAMED)) out.note(`${data}: line ${line} ${reason}; left out`);
    if (malformed.length > NAMED) {
      out.note(`${data}: ${malformed.length - NAMED} more lines are malformed and left out`);
    }
    const complete = result !== undefined;
    if (!complete) out.note(interrupted(records.length, log));
    result ??= glueResult(task, records);
    const { samples: count } = result;
    const intervals = Object.fromEntries(
      task.metrics.map((name) => [name, metricInterval(task, records.slice(0, count), name)] as const),
    );
    if (!out.json) {
      const shown = Object.entries(intervals).map(([name, ends]) =>
        `${name} ${ends ? ends.map((end) => end.toFixed(4)).join(' … ') : 'undefined'}`
      );
      out.note(`95 % intervals: ${shown.join(', ')}`);
    }
    await out.result(
      {
        ...result,
        intervals,
        secondsPerSample: rounded(result.secondsPerSample),
        title: task.title,
        split,
        file: data,
        complete,
        resumed,
        malformed: { lines: malformed.length, first: malformed.slice(0, NAMED) },
        options: run,
        log: values.log,
        seconds: rounded(seconds),
        loadMs: rounded(model.stats().loadMs),
        memory: memoryOf(model),
        build: model.stats().build,
        runtime: runtime(),
        model: path,
      },
      () => lineText(task, split, data, result as GlueResult),
    );
  },
);

/** Prints the whole that shards are. */
async function printMerged(paths: readonly string[], context: Context): Promise<void> {
  const { task, key, records, result } = await mergeGlue(paths, context);
  const split = String(key.split);
  const intervals = Object.fromEntries(
    task.metrics.map((name) => [name, metricInterval(task, records, name)] as const),
  );
  const parts = `${paths.length} shards`;
  await context.out.result(
    { ...result, intervals, title: task.title, split, complete: true, options: key },
    () => lineText(task, split, parts, result),
  );
}

/** What a run depends on, by option or by model. */
function effective(model: Model, values: StepValues & { readonly activations?: string }): GlueRun {
  const d = model.describe() as SpikingBertDescription; // there would be no classifier of any other
  const { activations, rate, 'early-exit': earlyExit, 'exit-every': exitEvery } = values;
  const threshold = values['v-th'] ?? d.threshold;
  if (rate) return { threshold, rate, activations };
  const initial = values['v-init'] ?? d.initial;
  const run = { threshold, steps: values.steps ?? d.steps, leak: values.leak ?? d.leak, earlyExit, exitEvery };
  // logs from before this number was known are of runs without it
  return { ...run, ...(initial !== 0 && { initial }), activations };
}

/** A function that shows how far the run is. */
function progressLine(
  { labels }: GlueTask,
  records: readonly GlueRecord[],
  total: number,
  { out }: Context,
): () => void {
  const begin = performance.now();
  const before = records.length;
  let shown = 0;
  let correct = records.filter(({ label, predicted }) => label === predicted).length;
  return () => {
    const last = records[records.length - 1];
    if (last.label === last.predicted) correct++;
    const now = performance.now();
    if (now - shown < PROGRESS_MS) return;
    shown = now;
    const done = records.length;
    const each = (now - begin) / 1000 / (done - before);
    const full = Math.min(BAR, Math.floor((BAR * done) / total));
    const share = labels.length > 0 ? `  ${((100 * correct) / done).toFixed(2)} % correct` : '';
    out.progress(
      `[${'#'.repeat(full)}${'-'.repeat(BAR - full)}] ${done} of ${total}${share}  ` +
        `${each.toPrecision(3)} s each, ${clock(each * Math.max(total - done, 0))} left`,
    );
  };
}

function interrupted(done: number, log: LogFile | undefined): string {
  return `interrupted after ${done} samples: ` +
    (log ? 'repeat the command with --resume to continue' : '--log FILE lets you resume the run');
}

function lineText({ title, metrics: names }: GlueTask, split: string, file: string, result: GlueResult): string[] {
  const { samples, metrics, confusion, spikesPerSample, microjoulesPerSample, secondsPerSample } = result;
  const shown = names.map((name) => `${name} ${metrics[name]?.toFixed(4) ?? 'undefined'}`);
  if (names.length > 1) shown.push(`mean ${result.score?.toFixed(4) ?? 'undefined'}`);
  const lines = [`${title} ${split}: ${samples} samples of ${file}`, shown.join(', ')];
  if (confusion) {
    const { labels, counts } = confusion;
    const rows = [['label', ...labels.map((label) => `said ${label}`)], ...counts.map((row, i) => [labels[i], ...row])];
    const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => String(row[i]).length)));
    for (const row of rows) lines.push(row.map((cell, i) => String(cell).padStart(widths[i])).join('  '));
  }
  const each = [`${secondsPerSample.toPrecision(3)} s`];
  if (spikesPerSample !== null) each.push(`${Math.round(spikesPerSample)} spikes`);
  if (microjoulesPerSample !== null) {
    each.push(`${microjoulesPerSample.toPrecision(3)} µJ of operations (45 nm estimate)`);
  }
  return [...lines, `a sample: ${each.join(', ')}`];
}
