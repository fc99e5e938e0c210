/**
 * `distill`: training a spiking student from a teacher.
 * @module
 */
import process from 'node:process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { diskFolder } from '../distill/folder.ts';
import type { DistillEvent, DistillOptions, DistillResult } from '../distill/students/symboliclight/distill.ts';
import type { FinetuneEvent } from '../distill/students/bert/finetune.ts';
import type { ClassifierEvent } from '../distill/students/spikingbert/distill.ts';
import { UNLIMITED_STEPS } from '../distill/settings.ts';
import { type TrainSettings, trainSettings } from '../distill/students/symboliclight/settings.ts';
import { GLUE_TASKS } from '../eval/glue-tasks.ts';
import { OptionError, TernspikeError } from '../errors.ts';
import { samplingEntries } from '../sample/stated.ts';
import { type Command, command, type Context, need } from './command.ts';
import { checkKind, classifierJson, classifierLine, classifierLines, classifierOptions } from './distill-classifier.ts';
import { finetuneJson, finetuneLine, finetuneLines, finetuneOptions } from './finetune.ts';
import { CUSTOM } from './task-texts.ts';
import { UsageError, type Values } from './args.ts';
import { checkValue, number } from '../options.ts';
import { readText } from './files.ts';
import { bytesText, oneLine, rounded } from './output.ts';
import { localModel, STORE_OPTIONS } from './stored.ts';

const OPTIONS = {
  teacher: { kind: 'text', value: 'FILE', help: 'model to learn from; with --task, a BERT classifier' },
  data: {
    kind: 'text',
    value: 'FILES',
    help: 'training texts, separated by commas; for a GLUE task, its folder',
  },
  task: {
    kind: 'choice',
    choices: [...GLUE_TASKS, CUSTOM],
    help: 'train a spiking BERT on this GLUE task, or on your own data',
  },
  finetune: { kind: 'flag', help: 'train a dense BERT on the task, from the encoder --teacher, to become a teacher' },
  epochs: { kind: 'number', least: 0, help: 'of --finetune: times that every text is learnt from; default 3' },
  dropout: { kind: 'number', least: 0, help: 'of --finetune: share of the states left out; default 0.1' },
  'freeze-embeddings': { kind: 'flag', help: 'of --finetune: keep the tables of tokens and positions' },
  labels: { kind: 'text', value: 'A,B', help: '--task custom: class names, empty for a number; default: 0,1' },
  texts: {
    kind: 'text',
    value: 'FILES',
    help: 'with --task: additional training lines, with or without labels',
  },
  vocab: {
    kind: 'text',
    value: 'WHICH',
    help: 'with --task: pieces to keep: all, used, used:N (at least N times), or a file; default: all',
  },
  tokens: { kind: 'integer', least: 4, help: 'with --task: maximum number of tokens per pass; default: 512' },
  'max-length': { kind: 'integer', least: 4, help: 'with --task: truncate texts to N tokens; default: 128' },
  'eval-samples': { kind: 'integer', least: 1, help: 'with --task: texts per evaluation; default: 200' },
  calibrate: { kind: 'integer', least: 2, help: 'with --task: texts used to initialise the weights; default: 2048' },
  student: { kind: 'text', value: 'FILE', help: 'shape of the student, as JSON; see docs/distillation.md' },
  out: { kind: 'text', value: 'FILE', help: 'write the student here, as GGUF' },
  dir: { kind: 'text', value: 'DIR', help: 'folder of the run; default: --out with .run in place of .gguf' },
  resume: { kind: 'text', value: 'DIR', help: 'resume the run in this folder; options given now replace its own' },
  init: { kind: 'text', value: 'DIR', help: 'start from the student of the run in this folder, or from FILE.gguf' },
  steps: { kind: 'integer', least: 1, help: 'number of updates; default: 2000' },
  minutes: { kind: 'number', least: 0, help: 'stop after this time; the learning rate then follows the clock' },
  batch: {
    kind: 'integer',
    least: 1,
    help: 'windows per pass; default: 8; with --task, maximum number of texts; default: 24',
  },
  seq: { kind: 'integer', least: 2, help: 'tokens per window; default: 128' },
  accumulate: { kind: 'integer', least: 1, help: 'passes per update; default: 1; with --task, 2' },
  threads: {
    kind: 'integer',
    short: 't',
    least: 1,
    help: 'passes computed in parallel; default: all, up to one per core',
  },
  lr: { kind: 'number', least: 0, help: 'peak learning rate; default: 0.002; of --finetune 5e-5' },
  warmup: {
    kind: 'number',
    least: 0,
    help: 'updates until the peak is reached; default: 100; of --finetune a share of the run, default 0.1',
  },
  floor: { kind: 'number', least: 0, help: 'learning rate at the end, as a fraction of the peak; default: 0.05' },
  clip: { kind: 'number', least: 0, help: 'maximum gradient norm; default: 1' },
  'weight-decay': { kind: 'number', least: 0, help: 'weight decay; default: 0.01' },
  alpha: { kind: 'number', least: 0, help: "weight of the teacher's distribution, relative to the text; default: 0.9" },
  temperature: { kind: 'number', least: 0, help: 'temperature that softens both distributions; default: 1' },
  hidden: { kind: 'number', least: 0, help: 'weight of hidden states; default: 0' },
  'alpha-end': { kind: 'number', least: 0, help: 'value of --alpha at the end of the run (linear schedule)' },
  'hidden-end': { kind: 'number', least: 0, help: 'value of --hidden at the end of the run (linear schedule)' },
  'hidden-pairs': {
    kind: 'text',
    value: 'PAIRS',
    help: 'BLOCK:LAYER pairs of student and teacher, from 0, separated by commas; default: all, by depth',
  },
  rate: { kind: 'number', least: 0, help: 'weight of (firing rate - target)²; default: 0' },
  'target-rate': { kind: 'number', least: 0, help: 'target firing rate; default: 0.15' },
  generate: { kind: 'integer', least: 0, help: 'tokens that the teacher generates as additional text; default: 0' },
  'generate-temp': { kind: 'number', least: 0, help: 'temperature of that text; default: 1' },
  cache: { kind: 'text', value: 'DIR', help: 'folder for that text, to share it between runs; default: --dir' },
  documents: {
    kind: 'choice',
    choices: ['marker', 'line', 'whole'],
    help: 'documents end at <|endoftext|>, at a line feed, or with the file; default: marker if there is one',
  },
  'document-end': {
    kind: 'choice',
    choices: ['bos', 'eos'],
    help: 'token that ends a document: bos of the next, or eos; the model file names it as eos; default: bos',
  },
  'end-bias': {
    kind: 'number',
    least: -100,
    help: "bias on the teacher's logit of that token; above 0 for shorter documents; default: 0",
  },
  'eval-data': { kind: 'text', value: 'FILES', help: 'texts to evaluate on, instead of the end of --data' },
  holdout: {
    kind: 'number',
    least: 0,
    help: 'fraction of each text, at its end, held out for evaluation; default: 0.2',
  },
  'eval-every': { kind: 'integer', least: 1, help: 'updates between evaluations; default: 200' },
  'eval-windows': { kind: 'integer', least: 1, help: 'windows per evaluation; default: 64' },
  'log-every': { kind: 'integer', least: 1, help: 'updates between lines of metrics.jsonl; default: 10' },
  'save-every': { kind: 'number', least: 0, help: 'minutes between checkpoints; default: 5' },
  ctx: { kind: 'integer', least: 4, help: 'tokens per window of the final perplexity; default: 256' },
  type: { kind: 'choice', choices: ['tq2_0', 'tq1_0'], help: 'type of ternary matrices in the file; default: tq2_0' },
  name: { kind: 'text', value: 'TEXT', help: 'name of the model in the file' },
  license: { kind: 'text', value: 'TEXT', help: 'licence of the model' },
  sampling: {
    kind: 'text',
    value: 'PAIRS',
    help: "default sampling of the student, such as temp=0.8,penalty_repeat=1.1; default: the architecture's",
  },
  seed: { kind: 'integer', least: 0, help: 'random seed for weights, data order and generated text; default: 1' },
  ...STORE_OPTIONS,
} as const;

type Given = Values<typeof OPTIONS>;

export const distillCommand: Command = command(
  {
    name: 'distill',
    summary: 'Train a ternary spiking student to answer or classify as a teacher does.',
    positionals: [],
    options: OPTIONS,
    notes: [
      'Students that generate text need the package @jax-js/jax and Node 22 or later. The folder of the run contains checkpoints, metrics.jsonl and ' +
      'index.html with curves and samples. An interrupt saves a checkpoint; --resume DIR continues to the same numbers.',
    ],
    examples: [
      'ternspike distill --teacher model.gguf --data story.txt --out student.gguf',
      'ternspike distill --teacher bert/ --task sst2 --data SST-2/ --out sst2.gguf',
      'ternspike distill --finetune --teacher b/ --task sst2 --data d/ --out t.gguf',
      'ternspike distill --resume student.run --steps 20',
    ],
  },
  async ({ values }, context) => {
    if (values.resume !== undefined && values.init !== undefined) {
      throw new UsageError('--resume continues a run, --init starts another; give one of them');
    }
    const asked = values.resume === undefined ? values : await resumed(values.resume, values);
    checkKind(asked);
    const given = asked.teacher === undefined ? asked : { ...asked, teacher: await localModel(asked.teacher, context) };
    if (given.finetune) return await finetuning(given, values.resume !== undefined, context);
    if (given.task !== undefined) return await classifier(given, values.resume !== undefined, context);
    trainSettings(settingsOf(given)); // out of range: refused before any file is read
    checkValue('holdout', given.holdout, number(0, 0.9));
    const { distill } = await import('../distill/students/symboliclight/distill.ts');
    const options = await read(given, values.resume !== undefined, context);
    const keeper = keeping(options.dir, given, context);
    const onEvent = (event: DistillEvent): void => {
      keeper.see(event);
      options.onEvent?.(event);
    };
    try {
      const result = await distill({ ...options, onEvent });
      await context.out.result(jsonOf(result), () => lines(result));
    } finally {
      await keeper.done();
    }
  },
);

/** Teaches a task. */
async function classifier(given: Given, resume: boolean, context: Context): Promise<void> {
  const { out, signal } = context;
  const { distillClassifier } = await import('../distill/students/spikingbert/distill.ts');
  const student = given.student === undefined ? undefined : await studentFile(given.student, signal);
  const options = await classifierOptions(given, resume, student, signal);
  const keeper = keeping(options.dir, given, context);
  const report = reporter(out);
  const onEvent = (event: ClassifierEvent): void => {
    keeper.see(event);
    const line = classifierLine(event);
    if (line === null) report(event as DistillEvent);
    else if (line.note !== undefined) out.note(line.note);
    else out.progress(line.now ?? '');
  };
  try {
    const result = await distillClassifier({ ...options, onEvent });
    await out.result(classifierJson(result), () => classifierLines(result));
  } finally {
    await keeper.done();
  }
}

/** Trains a teacher. */
async function finetuning(given: Given, resume: boolean, context: Context): Promise<void> {
  const { out, signal } = context;
  const { finetune } = await import('../distill/students/bert/finetune.ts');
  const options = await finetuneOptions(given, resume, signal);
  const keeper = keeping(options.dir, given, context);
  const report = reporter(out);
  const onEvent = (event: FinetuneEvent): void => {
    keeper.see(event);
    const line = finetuneLine(event);
    if (line === null) report(event as DistillEvent);
    else if (line.note !== undefined) out.note(line.note);
    else out.progress(line.now ?? '');
  };
  try {
    const result = await finetune({ ...options, onEvent });
    await out.result(finetuneJson(result), () => finetuneLines(result));
  } finally {
    await keeper.done();
  }
}

/** Writes the options down once a run has begun: one that is refused leaves no folder, or the options it was begun with. */
function keeping(
  dir: string,
  given: Given,
  { out }: Context,
): { see(event: { readonly kind: string }): void; done(): Promise<void> } {
  let kept: Promise<void> | undefined;
  return {
    see({ kind }) {
      if (kind !== 'evaluation' && kind !== 'step') return;
      kept ??= keep(dir, given).catch((error: Error) => out.note(`the options were not saved: ${error.message}`));
    },
    async done() {
      await kept;
    },
  };
}

/** File in which the options of a run are kept. */
const COMMAND_FILE = 'command.json';

/** Writes options down for whoever resumes the run; on a full disk the old ones stay. */
async function keep(dir: string, given: Given): Promise<void> {
  const { resume: _, ...kept } = { ...given, ...absolute(given) };
  const text = new TextEncoder().encode(`${JSON.stringify(kept, null, 2)}\n`);
  await diskFolder(dir).replace(COMMAND_FILE, [text]);
}

/** The paths among the options as they are from any folder; URLs stay. */
function absolute(given: Given): Partial<Given> {
  const paths = ['teacher', 'data', 'eval-data', 'texts', 'student', 'init', 'out', 'cache'] as const;
  const whole = (path: string): string => (/^[a-z]+:\/\//i.test(path) ? path : resolve(path));
  return Object.fromEntries(paths.map((name) => [name, given[name]?.split(',').map(whole).join(',')]));
}

/** The options of a run, and over them those that are given now. */
async function resumed(dir: string, values: Given): Promise<Given> {
  let text: string;
  try {
    text = await readFile(join(dir, COMMAND_FILE), 'utf8');
  } catch (cause) {
    throw new TernspikeError('CHECKPOINT', `${dir} contains no run of ternspike distill: ${String(cause)}`, {
      cause,
    });
  }
  const kept = JSON.parse(text) as Given;
  return { ...kept, ...Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)), dir };
}

/** The numbers among the options, by the library's names. */
function settingsOf(given: Given): Partial<TrainSettings> {
  return {
    steps: given.steps,
    minutes: given.minutes,
    batch: given.batch,
    seq: given.seq,
    accumulate: given.accumulate,
    lr: given.lr,
    warmup: given.warmup,
    floor: given.floor,
    clip: given.clip,
    weightDecay: given['weight-decay'],
    alpha: given.alpha,
    temperature: given.temperature,
    endBias: given['end-bias'],
    hidden: given.hidden,
    alphaEnd: given['alpha-end'],
    hiddenEnd: given['hidden-end'],
    rate: given.rate,
    targetRate: given['target-rate'],
    logEvery: given['log-every'],
    evalEvery: given['eval-every'],
    evalWindows: given['eval-windows'],
    saveEvery: given['save-every'],
    seed: given.seed,
  };
}

/** `0:1,2:4` → pairs. @throws {UsageError} */
function pairsOf(text: string): DistillOptions['hiddenPairs'] {
  return text.split(',').map((part) => {
    const found = /^(\d{1,4}):(\d{1,4})$/.exec(part.trim());
    if (!found) throw new UsageError(`--hidden-pairs has ${JSON.stringify(part.slice(0, 40))}, expected BLOCK:LAYER`);
    return { student: Number(found[1]), teacher: Number(found[2]) };
  });
}

/** `temp=0.8,top_k=40` → an object. @throws {UsageError} for another form, a name that is not known, a value out of range */
function samplingOf(text: string): Record<string, number> {
  const sampling = Object.fromEntries(
    text.split(',').map((part): [string, number] => {
      const found = /^([a-z_]{1,40})=(-?\d[\d.]{0,20})$/.exec(part.trim());
      if (!found) throw new UsageError(`--sampling has ${JSON.stringify(part.slice(0, 40))}, expected NAME=NUMBER`);
      return [found[1], Number(found[2])];
    }),
  );
  samplingEntries(sampling);
  return sampling;
}

/** Options of the library. */
async function read(given: Given, resume: boolean, { out, signal }: Context): Promise<DistillOptions> {
  const teacher = need(given.teacher, '--teacher FILE');
  const target = need(given.out, '--out FILE');
  const files = need(given.data, '--data FILES').split(',');
  const texts = (paths: readonly string[]): Promise<string[]> =>
    Promise.all(paths.map((path) => readText(path, undefined, signal)));
  return {
    ...settingsOf(given),
    teacher,
    out: target,
    dir: given.dir ?? `${target.replace(/\.gguf$/, '')}.run`,
    resume,
    init: given.init,
    texts: await texts(files),
    evalTexts: given['eval-data'] === undefined ? undefined : await texts(given['eval-data'].split(',')),
    student: given.student === undefined ? undefined : await studentFile(given.student, signal),
    hiddenPairs: given['hidden-pairs'] === undefined ? undefined : pairsOf(given['hidden-pairs']),
    generate: given.generate,
    generateTemperature: given['generate-temp'],
    cache: given.cache,
    documents: given.documents,
    documentEnd: given['document-end'],
    holdout: given.holdout,
    threads: given.threads,
    perplexityContext: given.ctx,
    type: given.type,
    name: given.name,
    license: given.license,
    sampling: given.sampling === undefined ? undefined : samplingOf(given.sampling),
    signal,
    onEvent: reporter(out),
  };
}

async function studentFile(path: string, signal: AbortSignal): Promise<DistillOptions['student']> {
  const text = await readText(path, undefined, signal);
  try {
    return JSON.parse(text) as DistillOptions['student'];
  } catch (cause) {
    throw new OptionError('OPTION', `${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Seconds between two lines on a stderr that is no terminal. */
const LINE_SECONDS = 15;

function reporter(out: Context['out']): (event: DistillEvent) => void {
  let lastLine = -Infinity;
  /** A line that is written over; now and then a line of its own where nothing can be. */
  const now = (line: string): void => {
    out.progress(line);
    const seconds = performance.now() / 1000;
    if (process.stderr.isTTY || seconds - lastLine < LINE_SECONDS) return;
    lastLine = seconds;
    out.note(line);
  };
  return (event) => {
    switch (event.kind) {
      case 'begin':
        return out.note(
          `${event.parameters} weights; ${event.trainTokens} tokens to learn from, ${event.heldTokens} held out` +
            (event.step > 0 ? `; going on from step ${event.step}` : ''),
        );
      case 'generate':
        return now(`the teacher writes: ${event.tokens} of ${event.wanted} tokens`);
      case 'perplexity':
        return now(`perplexity of the ${event.of}: window ${event.chunk} of ${event.chunks}`);
      case 'checkpoint':
        return out.note(`saved at step ${event.step}`);
      case 'note':
        return out.note(event.text);
      case 'evaluation': {
        const { step, loss, perplexity, score, rateScore, sample } = event.record;
        const told = perplexity === undefined
          ? `score ${score?.toFixed(4) ?? 'undefined'} by spikes, ${rateScore?.toFixed(4) ?? 'undefined'} by rates`
          : `perplexity ${perplexity.toFixed(3)}`;
        out.note(`step ${step}: held-out loss ${loss.toFixed(4)}, ${told}`);
        return sample === undefined ? undefined : out.note(`  ${oneLine(sample, 160)}`);
      }
      case 'step':
        return now(stepLine(event));
    }
  };
}

function stepLine(
  { step, steps, report, tokensPerSecond, secondsLeft }: Extract<DistillEvent, { kind: 'step' }>,
): string {
  const of = steps === UNLIMITED_STEPS ? '' : ` of ${steps}`;
  const { loss, hard, gradientNorm, firingRates } = report;
  const rate = firingRates.reduce((sum, x) => sum + x, 0) / Math.max(1, firingRates.length);
  const left = Number.isFinite(secondsLeft) ? `${Math.ceil(secondsLeft / 60)} min left` : '';
  return `step ${step}${of}  loss ${loss.toFixed(4)} (text ${hard.toFixed(4)})  gradient ${
    gradientNorm.toPrecision(3)
  }  ` +
    `firing ${(100 * rate).toFixed(1)} %  ${Math.round(tokensPerSecond)} tokens/s  ${left}`;
}

function jsonOf(result: DistillResult): object {
  return {
    ...result,
    heldOut: { loss: rounded(result.heldOut.loss), perplexity: rounded(result.heldOut.perplexity) },
    firingRates: result.firingRates.map((rate) => rounded(rate)),
  };
}

function lines({ out, bytes, steps, seconds, perplexity, firingRates, dir }: DistillResult): string[] {
  const rate = firingRates.reduce((sum, x) => sum + x, 0) / Math.max(1, firingRates.length);
  return [
    `${out}: ${bytesText(bytes)}, ${steps} steps in ${(seconds / 60).toFixed(1)} min`,
    `perplexity of the text held out: student ${perplexity.student.ppl.toFixed(4)} ± ${
      perplexity.student.stderr.toFixed(4)
    }, ` +
    `teacher ${perplexity.teacher.ppl.toFixed(4)}`,
    `mean firing rate ${(100 * rate).toFixed(1)} %; curves and samples in ${dir}/index.html`,
  ];
}
