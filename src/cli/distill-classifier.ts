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
} from '../distill/students/spikingbert/distill.ts';
import { OptionError } from '../errors.ts';
import { readLines } from '../eval/glue-lines.ts';
import { need } from './command.ts';
import { UsageError } from './args.ts';
import { bytesText, rounded } from './output.ts';
import { taskTexts, type TaskValues } from './task-texts.ts';

/** What the command line gives a classifier. */
export interface ClassifierValues extends TaskValues {
  readonly teacher?: string;
  readonly out?: string;
  readonly dir?: string;
  readonly init?: string;
  readonly vocab?: string;
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
/** Options of fine-tuning alone, those among `OF_TEXT` that it has too, and those of a task that it has not. */
const OF_FINETUNING = ['epochs', 'dropout', 'freeze-embeddings'] as const;
const SHARED_WITH_TEXT: readonly string[] = ['lr', 'warmup', 'weight-decay'];
const NOT_FINETUNING = ['student', 'vocab', 'calibrate', 'type', 'init'] as const;

/** @throws {UsageError} for options that belong to another kind of run */
export function checkKind(values: Readonly<Record<string, unknown>>): void {
  const refuse = (names: readonly string[], why: string): void => {
    const name = names.find((name) => values[name] !== undefined);
    if (name !== undefined) throw new UsageError(`--${name} ${why}`);
  };
  if (values.task === undefined) refuse([...OF_TASK, 'finetune'], 'needs --task');
  if (!values.finetune) refuse(OF_FINETUNING, 'needs --finetune');
  if (values.task === undefined) return;
  if (!values.finetune) {
    return refuse(OF_TEXT, 'is for students that generate text; with --task, set the phases in the file of --student');
  }
  refuse(OF_TEXT.filter((name) => !SHARED_WITH_TEXT.includes(name)), 'is for students that write');
  refuse(NOT_FINETUNING, 'is for students; --finetune trains a dense BERT');
}

/** Options of the library. */
export async function classifierOptions(
  values: ClassifierValues,
  resume: boolean,
  student: object | undefined,
  signal: AbortSignal,
): Promise<Omit<DistillClassifierOptions, 'onEvent'>> {
  const { task, train, dev } = await taskTexts(values, signal);
  const out = need(values.out, '--out FILE');
  const teacher = need(values.teacher, '--teacher DIR');
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
