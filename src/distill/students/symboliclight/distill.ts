/**
 * Training a ternary spiking student to answer as a full-precision teacher does: `ternspike/distill`. The training itself
 * needs `@jax-js/jax` and Node from 22 on; see docs/distillation.md.
 *
 * @example
 * import { distill } from 'ternspike/distill';
 * const { perplexity } = await distill({ teacher: 't.gguf', texts: [text], out: 'student.gguf', dir: 'run' });
 * @module
 */
import type { ModelSource } from '../../../bytes/resolve.ts';
import { createFile } from '../../../bytes/sink.ts';
import { type Checkpoint, loadCheckpoint } from '../../checkpoint.ts';
import { studentConfig } from './config.ts';
import { documentEnd } from './data.ts';
import { exportStudent, studentMetadata } from './export.ts';
import { diskFolder, type RunFolder } from '../../folder.ts';
import { generateText } from './generate.ts';
import { pageOf } from '../../page.ts';
import { prepare, type TextOptions } from './prepare.ts';
import type { TrainEvent } from '../../run.ts';
import { train } from './run.ts';
import { joined } from '../../safetensors-write.ts';
import { hiddenPairs, SETTING_NAMES, TRAIN_RULES, type TrainSettings, trainSettings } from './settings.ts';
import { type FirstStudent, studentFromFile } from './student-file.ts';
import { layerNames } from './student.ts';
import { Teacher } from './teacher.ts';
import type { LossWeights, StudentConfig, Trainer, TrainerState } from './types.ts';
import { DistillError } from '../../../errors.ts';
import {
  ANY,
  CALL,
  checkOptions,
  FLAG,
  LIST,
  number,
  OBJECT,
  oneOf,
  type Rules,
  SIGNAL,
  TEXT,
  whole,
} from '../../../options.ts';
import { perplexity, type PerplexityResult, scoredIds } from '../../../eval/perplexity.ts';
import { open } from '../../../model/open-builtin.ts';
import type { Model } from '../../../model/model.ts';
import { builtinModule } from '../../../wasm/builtin.ts';

export interface DistillOptions extends Partial<TrainSettings>, TextOptions {
  readonly teacher: ModelSource;
  /** The student's shape; what is left out has its default. See `StudentConfig`. */
  readonly student?: Partial<StudentConfig>;
  /** Where the student is written, as GGUF. */
  readonly out: string;
  /** Folder of the run: checkpoints, measurements, the page, generated text. */
  readonly dir: string;
  /** Go on from the checkpoint in `dir`. Default false: a folder that has one is refused. */
  readonly resume?: boolean;
  /** Folder of a run whose student, as it was last saved, is the first of this one, moments of the optimiser included: for
   *  other text, or other weights of the loss. Or a student's file, `NAME.gguf`: its weights, with moments of 0. */
  readonly init?: string;
  /** Tokens that the teacher writes to be learnt from besides the texts; default 0. */
  readonly generate?: number;
  /** Temperature of that text; default 1. */
  readonly generateTemperature?: number;
  /** Folder where that text is kept, for other runs too; default `dir`. */
  readonly cache?: string;
  /** Type of ternary matrices in the file: `tq2_0` (default) or `tq1_0`, smaller; both hold the same weights. */
  readonly type?: 'tq2_0' | 'tq1_0';
  /** Which student blocks learn which teacher layers, where `hidden` is not 0; default: all, by their share of the depth. */
  readonly hiddenPairs?: LossWeights['hiddenPairs'];
  /** What the file says of itself. */
  readonly name?: string;
  readonly license?: string;
  /** How it says that it is sampled where nobody says otherwise, by GGUF's names, such as `{ penalty_repeat: 1.1 }`. */
  readonly sampling?: Readonly<Record<string, number>>;
  /** Tokens of a window of the perplexity at the end; default 256. */
  readonly perplexityContext?: number;
  /** Passes of an update that are worked on at once; default: all, as far as there are cores. Results do not depend on it. */
  readonly threads?: number;
  /** Another trainer than the one that is built in. */
  readonly trainer?: TrainerFactory;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: DistillEvent) => void;
}

/** Which values are right. */
const DISTILL_RULES: Rules<DistillOptions> = {
  ...TRAIN_RULES,
  texts: LIST,
  evalTexts: LIST,
  holdout: number(0, 0.9),
  documents: oneOf('marker', 'line', 'whole'),
  documentEnd: oneOf('bos', 'eos'),
  teacher: ANY,
  student: OBJECT,
  out: TEXT,
  dir: TEXT,
  resume: FLAG,
  init: TEXT,
  generate: whole(0),
  generateTemperature: number(0, 100),
  cache: TEXT,
  type: oneOf('tq2_0', 'tq1_0'),
  hiddenPairs: LIST,
  name: TEXT,
  license: TEXT,
  sampling: OBJECT,
  perplexityContext: whole(4),
  threads: whole(1),
  trainer: CALL,
  signal: SIGNAL,
  onEvent: CALL,
};

/** Makes a trainer with random weights. */
export type TrainerFactory = (
  config: StudentConfig,
  options: {
    readonly seed: number;
    readonly clip: number;
    readonly weightDecay: number;
    readonly threads: number;
  },
) => Promise<Trainer>;

export type DistillEvent =
  | TrainEvent
  | { readonly kind: 'generate'; readonly tokens: number; readonly wanted: number }
  | {
    readonly kind: 'begin';
    readonly parameters: number;
    readonly trainTokens: number;
    readonly heldTokens: number;
    readonly step: number;
  }
  | {
    readonly kind: 'perplexity';
    readonly of: 'teacher' | 'student';
    readonly chunk: number;
    readonly chunks: number;
  };

export interface DistillResult {
  readonly steps: number;
  /** Of training, over all sittings. */
  readonly seconds: number;
  readonly parameters: number;
  readonly trainTokens: number;
  readonly heldTokens: number;
  /** Mean loss of the last evaluation in nats, and firing rates of every layer of neurons. */
  readonly heldOut: { readonly loss: number; readonly perplexity: number };
  readonly firingRates: readonly number[];
  /** Of the text kept apart, by the engine: student as exported, and teacher. */
  readonly perplexity: { readonly student: PerplexityResult; readonly teacher: PerplexityResult };
  readonly out: string;
  readonly bytes: number;
  readonly dir: string;
}

/** Tokens of a window of the perplexity at the end, unless told. */
const PERPLEXITY_CONTEXT = 256;
/** Tokens of the sample at an evaluation. */
const SAMPLE_TOKENS = 120;

/** The trainer over jax-js, which nothing else loads. */
async function builtIn(): Promise<TrainerFactory> {
  const { createTrainer } = await import('./trainer.ts');
  return createTrainer;
}

/**
 * Distils a teacher into a student, from texts to a file.
 * @throws {OptionError} `OPTION`; {DistillError} `CHECKPOINT` for a folder that cannot be gone on from or holds another
 *   run, `NOT_FINITE`, `TRAINER` without jax-js; the signal's reason, after a checkpoint was written
 */
export async function distill(options: DistillOptions): Promise<DistillResult> {
  checkOptions('distill', options, DISTILL_RULES, ['teacher', 'texts', 'out', 'dir']);
  const { signal, onEvent } = options;
  const folder = diskFolder(options.dir);
  const from = await begin(folder, options);
  const first = from ? firstOf(from) : await earlier(options);
  const settings = trainSettings({ ...(from?.run.options.settings as Partial<TrainSettings>), ...given(options) });
  const contextLength = Math.max(512, settings.seq, options.perplexityContext ?? 0);
  await using teacher = await open(options.teacher, { signal, contextLength, kv: 'f32' });
  const { vocab, name: teacherName, layers } = teacher.describe();
  const config = studentConfig(first?.student ?? options.student ?? {}, vocab);
  const pairs = hiddenPairs(settings, config.layers, layers, options.hiddenPairs);
  const more = await generated(teacher, folder, options, settings.seed);
  const data = prepare(teacher.tokenizer, options, more, settings);
  scoredIds(teacher.tokenizer, data.heldText, options.perplexityContext ?? PERPLEXITY_CONTEXT); // refuses now, not at the end
  const create = options.trainer ?? await builtIn();
  const { seed, clip, weightDecay, accumulate } = settings;
  const threads = options.threads ?? Math.min(accumulate, globalThis.navigator?.hardwareConcurrency ?? 1);
  const trainer = await create(config, { seed, clip, weightDecay, threads });
  try {
    if (first && !from) await trainer.load(first.trainer);
    const { parameters } = trainer;
    const { trainTokens, heldTokens } = data;
    onEvent?.({ kind: 'begin', parameters, trainTokens, heldTokens, step: from?.run.step ?? 0 });
    const end = documentEnd(teacher.tokenizer, options.documentEnd);
    const answers = new Teacher(teacher, vocab, pairs.map((pair) => pair.teacher), {
      id: end,
      begin: teacher.tokenizer.specials.bos,
      bias: settings.endBias,
    });
    const name = options.name ?? `${teacherName || 'teacher'}-spiking`;
    const result = await train({
      trainer,
      windows: data.windows,
      held: data.held,
      batch: (ids) => answers.batch(ids, settings.seq, signal),
      hiddenPairs: pairs,
      folder,
      settings,
      options: { student: config, settings },
      from: from ?? undefined,
      sample: (state) => sampleOf(teacher, config, state, options),
      page: (records, state) =>
        pageOf(records, {
          ...state,
          settings,
          config,
          parameters,
          name,
          layerNames: layerNames(config),
          kind: 'perplexity',
        }),
      signal,
      onEvent,
    });
    const about = {
      name,
      license: options.license,
      sampling: options.sampling,
      end,
      description: `spiking student of ${teacherName || 'a teacher'}, ${result.steps} steps`,
    };
    const bytes = await write(teacher, config, result.state, options, about);
    const scores = await measure(teacher, data.heldText, options);
    const { loss, firingRates } = result.last;
    const perplexity = result.last.perplexity as number;
    return {
      steps: result.steps,
      seconds: Math.round(result.seconds),
      parameters,
      trainTokens,
      heldTokens,
      heldOut: { loss, perplexity },
      firingRates,
      perplexity: scores,
      out: options.out,
      bytes,
      dir: options.dir,
    };
  } finally {
    trainer.dispose();
  }
}

/** The settings among the options, without what is undefined. */
function given(options: DistillOptions): Partial<TrainSettings> {
  return Object.fromEntries(
    SETTING_NAMES.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  );
}

/** The checkpoint to go on from, if that is wanted. */
async function begin(folder: RunFolder, options: DistillOptions): Promise<Checkpoint | null> {
  const found = await checkpointIn(folder, options);
  if (options.resume) return ofShape(found, folder, options);
  if (found === null) return null;
  throw new DistillError(
    'CHECKPOINT',
    `${folder.path} contains a run of ${found.run.step} steps; resume it, or use another folder`,
  );
}

/** The student that is to be the first of this run, if there is such. */
async function earlier(options: DistillOptions): Promise<FirstStudent | null> {
  const { init, signal } = options;
  if (init === undefined) return null;
  if (/\.gguf$/i.test(init)) {
    const found = await studentFromFile(init, signal);
    const student = { ...options.student, ...found.student };
    sameShape(student, options);
    return { ...found, student };
  }
  const folder = diskFolder(init);
  return firstOf(ofShape(await checkpointIn(folder, options), folder, options));
}

function firstOf({ run, trainer }: Checkpoint): FirstStudent {
  return { student: (run.options.student ?? {}) as Partial<StudentConfig>, trainer };
}

function checkpointIn(folder: RunFolder, { onEvent }: DistillOptions): Promise<Checkpoint | null> {
  return loadCheckpoint(folder, (text) => onEvent?.({ kind: 'note', text }));
}

/** @throws {DistillError} `CHECKPOINT` where there is none, or one of another student than the options describe */
function ofShape(found: Checkpoint | null, { path }: RunFolder, options: DistillOptions): Checkpoint {
  if (found === null) throw new DistillError('CHECKPOINT', `${path} contains no checkpoint to resume from`);
  sameShape(found.run.options.student as Partial<StudentConfig> | undefined, options);
  return found;
}

/** @throws {DistillError} `CHECKPOINT` where the options describe another student than was kept */
function sameShape(kept: Partial<StudentConfig> | undefined, { student }: DistillOptions): void {
  for (const [name, value] of Object.entries(student ?? {})) {
    const own = kept?.[name as keyof StudentConfig];
    if (kept === undefined || own === value) continue;
    throw new DistillError('CHECKPOINT', `the student to continue with has ${name} ${own}, not ${String(value)}`);
  }
}

async function generated(
  teacher: Model,
  folder: RunFolder,
  options: DistillOptions,
  seed: number,
): Promise<Int32Array> {
  const { generate = 0, generateTemperature = 1, cache, signal, onEvent } = options;
  if (generate === 0) return new Int32Array(0);
  return await generateText(teacher, cache === undefined ? folder : diskFolder(cache), {
    tokens: generate,
    temperature: generateTemperature,
    length: GENERATED_LENGTH,
    eos: options.documentEnd === 'eos' ? documentEnd(teacher.tokenizer, 'eos') : undefined,
    seed,
    signal,
    onProgress: ({ tokens, wanted }) => onEvent?.({ kind: 'generate', tokens, wanted }),
  });
}

/** Most tokens of a document that the teacher writes. */
const GENERATED_LENGTH = 512;

/** What the student of this state writes behind bos, by the engine and from its file. */
async function sampleOf(
  teacher: Model,
  config: StudentConfig,
  state: TrainerState,
  { type, signal }: DistillOptions,
): Promise<string> {
  const { module } = await builtinModule();
  const parts: Uint8Array[] = [];
  const sink = { write: (bytes: Uint8Array) => Promise.resolve(void parts.push(bytes.slice())) };
  const metadata = studentMetadata(teacher.container, { name: 'student', description: '' });
  await exportStudent(module, config, state, sink, { type, metadata, signal });
  await using student = await open(joined(parts), { signal });
  const { tokenizer } = teacher;
  const prompt = tokenizer.specials.bos === undefined ? [0] : [tokenizer.specials.bos];
  const ids: number[] = [];
  const draw = { maxTokens: SAMPLE_TOKENS, temperature: 0.8, topK: 0, topP: 0.95, seed: 1, signal };
  for await (const { id } of student.generate(prompt, draw)) if (id !== null) ids.push(id);
  return tokenizer.decode(ids);
}

/** Writes the file. @returns its size */
async function write(
  teacher: Model,
  config: StudentConfig,
  state: TrainerState,
  { out, type, signal }: DistillOptions,
  about: Parameters<typeof studentMetadata>[1],
): Promise<number> {
  const { module } = await builtinModule();
  const sink = await createFile(out);
  try {
    const metadata = studentMetadata(teacher.container, about);
    const { bytes } = await exportStudent(module, config, state, sink, { type, metadata, signal });
    await sink.commit();
    return bytes.out;
  } finally {
    await sink.discard();
  }
}

/** Perplexities of the text kept apart, student and teacher by the same protocol. */
async function measure(
  teacher: Model,
  text: string,
  { out, perplexityContext: contextLength = PERPLEXITY_CONTEXT, signal, onEvent }: DistillOptions,
): Promise<DistillResult['perplexity']> {
  await using student = await open(out, { signal, contextLength: Math.max(512, contextLength) });
  const score = (model: Model, of: 'teacher' | 'student'): Promise<PerplexityResult> =>
    perplexity(model, text, {
      contextLength,
      signal,
      onProgress: ({ chunk, chunks }) => onEvent?.({ kind: 'perplexity', of, chunk, chunks }),
    });
  return { student: await score(student, 'student'), teacher: await score(teacher, 'teacher') };
}

export { studentConfig } from './config.ts';
export { exportStudent, studentMetadata } from './export.ts';
export type { DocumentEndRule, DocumentRule } from './data.ts';
export type { TrainEvent } from '../../run.ts';
export { DEFAULT_SETTINGS, type TrainSettings } from './settings.ts';
export type { Batch, LossWeights, StepReport, StudentConfig, Trainer, TrainerState } from './types.ts';
