/**
 * `distill --task`: a dense BERT teaches a spiking BERT a task.
 * @module
 */
import { readFile, stat } from 'node:fs/promises';
import { memorySource } from '../bytes/memory.ts';
import type {
  ClassifierEvent,
  ClassifierResult,
  DistillClassifierOptions,
  LabelledText,
} from '../distill/students/spikingbert/distill.ts';
import { DatasetError, OptionError } from '../errors.ts';
import { readLines } from '../eval/glue-lines.ts';
import { readGlue } from '../eval/glue-read.ts';
import { glueSplit, type GlueTask, glueTask } from '../eval/glue-tasks.ts';
import { need } from './command.ts';
import { UsageError } from './args.ts';
import { glueFile } from './compare-data.ts';
import { withSource } from './files.ts';
import { bytesText, rounded } from './output.ts';

/** The name of the task whose texts and labels stand in plain lines. */
export const CUSTOM = 'custom';

/** What the command line gives a classifier. */
export interface ClassifierValues {
  readonly teacher?: string;
  readonly data?: string;
  readonly out?: string;
  readonly dir?: string;
  readonly init?: string;
  readonly task?: string;
  readonly texts?: string;
  readonly vocab?: string;
  readonly labels?: string;
  readonly 'eval-data'?: string;
  readonly minutes?: number;
  readonly batch?: number;
  readonly tokens?: number;
  readonly accumulate?: number;
  readonly clip?: number;
  readonly threads?: number;
  readonly seed?: number;
  readonly calibrate?: number;
  readonly 'max-length'?: number;
  readonly 'eval-every'?: number;
  readonly 'eval-samples'?: number;
  readonly 'log-every'?: number;
  readonly 'save-every'?: number;
  readonly type?: 'tq2_0' | 'tq1_0';
  readonly name?: string;
  readonly license?: string;
}

/** Options that a task takes the place of: its phases stand in the student's file. */
const OF_TEXT = [
  'steps',
  'seq',
  'lr',
  'warmup',
  'floor',
  'weight-decay',
  'alpha',
  'temperature',
  'hidden',
  'alpha-end',
  'hidden-end',
  'hidden-pairs',
  'rate',
  'target-rate',
  'generate',
  'generate-temp',
  'cache',
  'documents',
  'holdout',
  'eval-windows',
  'ctx',
] as const;
/** Options of a task alone. */
const OF_TASK = ['texts', 'vocab', 'labels', 'tokens', 'max-length', 'eval-samples', 'calibrate'] as const;

/** @throws {UsageError} for options that belong to the other kind of student */
export function checkKind(values: Readonly<Record<string, unknown>>): void {
  const given = (names: readonly string[]): string | undefined => names.find((name) => values[name] !== undefined);
  if (values.task === undefined) {
    const name = given(OF_TASK);
    if (name !== undefined) throw new UsageError(`--${name} needs --task`);
    return;
  }
  const name = given(OF_TEXT);
  if (name === undefined) return;
  throw new UsageError(
    `--${name} is for students that generate text; with --task, set the phases in the file of --student`,
  );
}

/** Options of the library. */
export async function classifierOptions(
  values: ClassifierValues,
  resume: boolean,
  student: object | undefined,
  signal: AbortSignal,
): Promise<Omit<DistillClassifierOptions, 'onEvent'>> {
  const name = need(values.task, '--task TASK');
  const out = need(values.out, '--out FILE');
  const data = need(values.data, '--data DIR');
  const teacher = need(values.teacher, '--teacher DIR');
  const task = name === CUSTOM ? customTask(values.labels) : glueTask(name);
  if (name !== CUSTOM && values.labels !== undefined) throw new UsageError('--labels is for --task custom');
  const files = (list: string | undefined): string[] => (list === undefined ? [] : list.split(','));
  const lines = async (paths: readonly string[]): Promise<LabelledText[]> =>
    (await Promise.all(paths.map((path) => readLabelled(path, task, signal)))).flat();
  let train: LabelledText[];
  let dev: LabelledText[];
  if (name === CUSTOM) {
    train = await lines(files(data));
    dev = await lines(files(need(values['eval-data'], '--eval-data FILES')));
  } else {
    train = await readSplit(data, task, 'train', signal);
    dev = values['eval-data'] === undefined
      ? await readSplit(data, task, 'dev', signal)
      : await lines(files(values['eval-data']));
  }
  train.push(...await lines(files(values.texts)));
  return {
    teacher,
    task,
    train,
    dev,
    student,
    out,
    dir: values.dir ?? `${out.replace(/\.gguf$/, '')}.run`,
    resume,
    init: values.init,
    vocabulary: await vocabulary(values.vocab),
    minutes: values.minutes,
    batch: values.batch,
    tokens: values.tokens,
    accumulate: values.accumulate,
    maxLength: values['max-length'],
    clip: values.clip,
    logEvery: values['log-every'],
    evalEvery: values['eval-every'],
    evalSamples: values['eval-samples'],
    saveEvery: values['save-every'],
    calibrate: values.calibrate,
    seed: values.seed,
    threads: values.threads,
    type: values.type,
    name: values.name,
    license: values.license,
    signal,
  };
}

/** A task of one's own: classes by name, or a number where there are no names. */
function customTask(labels: string | undefined): GlueTask {
  const names = labels === undefined ? ['0', '1'] : labels === '' ? [] : labels.split(',');
  if (names.length === 1) {
    throw new UsageError('--labels has one name; give at least two, or an empty list for a number');
  }
  return {
    name: CUSTOM,
    title: CUSTOM,
    labels: names,
    columns: { text: 0, label: 1 },
    files: {},
    metrics: names.length === 0 ? ['pearson', 'spearman'] : ['accuracy'],
  };
}

async function readSplit(folder: string, task: GlueTask, split: string, signal: AbortSignal): Promise<LabelledText[]> {
  const path = await glueFile(folder, task, glueSplit(task, split).file);
  return await withSource(path, signal, async (source) => {
    const texts: LabelledText[] = [];
    for await (const { text, pair, label } of readGlue(source, task, { signal })) texts.push({ text, pair, label });
    return texts;
  });
}

/**
 * Lines of `text`, `text<TAB>label` or `text<TAB>pair<TAB>label`; an empty label is none.
 * @throws {DatasetError} `DATASET_LINE`
 */
export async function readLabelled(path: string, task: GlueTask, signal: AbortSignal): Promise<LabelledText[]> {
  return await withSource(path, signal, async (source) => {
    const texts: LabelledText[] = [];
    for await (const { number, text: line, problem } of readLines(source, signal)) {
      if (line === '') continue;
      const bad = (what: string): never => {
        throw new DatasetError('DATASET_LINE', `${path}: line ${number} ${what}`);
      };
      const fields = line?.split('\t') ?? bad(problem ?? 'cannot be read');
      if (fields.length > 3) {
        bad(`has ${fields.length} columns, expected text, or text and label, or text, pair and label`);
      }
      const given = fields.length > 1 ? (fields.at(-1) as string).trim() : '';
      const numeric = task.labels.length === 0;
      const label = given === '' ? undefined : numeric ? Number(given) : task.labels.indexOf(given);
      if (label !== undefined && !(numeric ? Number.isFinite(label) : label >= 0)) {
        bad(
          `has the label ${JSON.stringify(given.slice(0, 40))}, expected ${
            numeric ? 'a number' : `one of ${task.labels.join(', ')}`
          }`,
        );
      }
      texts.push({ text: fields[0], ...(fields.length === 3 && { pair: fields[1] }), label });
    }
    return texts;
  });
}

/** `all`, `used`, `used:N`, or a file with a piece on each line. */
async function vocabulary(given: string | undefined): Promise<DistillClassifierOptions['vocabulary']> {
  if (given === undefined || given === 'all') return 'all';
  const used = /^used(?::(\d{1,9}))?$/.exec(given);
  if (used) return Math.max(1, Number(used[1] ?? 1));
  const file = await stat(given).catch(() => null);
  if (!file?.isFile()) throw new UsageError(`--vocab is ${given}, expected all, used, used:N or a file of word pieces`);
  const text = new TextDecoder().decode(await readFile(given));
  const lines: string[] = [];
  for await (const { text: line } of readLines(memorySource(new TextEncoder().encode(text), given))) {
    if (line) lines.push(line);
  }
  if (lines.length === 0) throw new OptionError('OPTION', `${given} contains no word pieces`);
  return lines;
}

/** Lines about a run; null for events that every run has. */
export function classifierLine(event: ClassifierEvent): { readonly note?: string; readonly now?: string } | null {
  switch (event.kind) {
    case 'prepare':
      return { now: event.what };
    case 'begin': {
      const { parameters, samples, heldSamples, vocab, step } = event;
      const on = step > 0 ? `; going on from step ${step}` : '';
      return { note: `${parameters} weights, ${vocab} pieces; ${samples} texts, ${heldSamples} held out${on}` };
    }
    case 'score':
      return { now: `score: text ${event.done} of ${event.all}` };
    default:
      return null;
  }
}

export function classifierJson(result: ClassifierResult): object {
  const { student, teacher } = result.score;
  const short = (score: number | null): number | null => (score === null ? null : rounded(score));
  return {
    ...result,
    score: { student: short(student), teacher: short(teacher) },
    firingRates: result.firingRates.map((rate) => rounded(rate)),
  };
}

export function classifierLines({ out, bytes, steps, seconds, score, firingRates, dir }: ClassifierResult): string[] {
  const rate = firingRates.reduce((sum, x) => sum + x, 0) / Math.max(1, firingRates.length);
  const said = (value: number | null): string => value?.toFixed(4) ?? 'undefined';
  return [
    `${out}: ${bytesText(bytes)}, ${steps} steps in ${(seconds / 60).toFixed(1)} min`,
    `score of the texts held out: student ${said(score.student)}, teacher ${said(score.teacher)}`,
    `mean firing rate ${(100 * rate).toFixed(1)} %; curves in ${dir}/index.html`,
  ];
}
