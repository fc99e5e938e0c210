/**
 * A dense BERT teaches a spiking BERT with ternary weights a task: from labelled texts to a file.
 *
 * @example
 * import { distillClassifier } from 'ternspike/distill';
 * const { score } = await distillClassifier({ teacher: 'minilm-sst2/', task, train, dev, out: 'student.gguf', dir: 'run' });
 * @module
 */
import { type ModelSource, resolveSource } from '../../../bytes/resolve.ts';
import { createFile } from '../../../bytes/sink.ts';
import type { GgufEntry } from '../../../container/gguf-write.ts';
import { DistillError, OptionError } from '../../../errors.ts';
import { type GlueTask, labelOrder } from '../../../eval/glue-tasks.ts';
import type { BertDescription } from '../../../architectures/bert/description.ts';
import type { Model } from '../../../model/model.ts';
import { open } from '../../../model/open-builtin.ts';
import { builtinModule } from '../../../wasm/builtin.ts';
import { type Checkpoint, loadCheckpoint } from '../../checkpoint.ts';
import { diskFolder, type RunFolder } from '../../folder.ts';
import type { EvaluationRecord } from '../../metrics.ts';
import { pageOf } from '../../page.ts';
import { type Measured, train, type TrainEvent } from '../../run.ts';
import { checkedNumbers } from '../../settings.ts';
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
import type { TrainerState } from '../../types.ts';
import { type Described, describeStudent, neuronLayers, type SpikingStudent } from './config.ts';
import { batchOf, inBatches, type Sample, SampleFeed } from './data.ts';
import type { Encoding, Looked } from './engine.ts';
import { exportSpikingStudent } from './export.ts';
import { roundTable } from './quantise.ts';
import { Recipe } from './recipe.ts';
import type { Tables } from './spikes.ts';
import { readTeacher, sharedFloats, type TeacherWeights } from './teacher.ts';
import { type LabelledText, samplesOf, scoreOf, spreadOver } from './texts.ts';
import { createSpikingTrainer, firstState, type SpikingTrainer } from './trainer.ts';
import { stagesOf, teacherSpread, transferred } from './transfer.ts';
import { type StudentVocabulary, studentVocabulary, usedPieces, vocabularyEntries } from './vocabulary.ts';

/** Numbers of a run besides its phases. */
export interface ClassifierSettings {
  /** Ends the run after so many minutes; phases then go by the clock where that is ahead of the steps. 0: no limit. */
  readonly minutes: number;
  /** Texts and tokens of a pass, at most; passes of an update. */
  readonly batch: number;
  readonly tokens: number;
  readonly accumulate: number;
  /** Tokens to which texts are cut. */
  readonly maxLength: number;
  /** Largest norm of all gradients together. */
  readonly clip: number;
  readonly logEvery: number;
  readonly evalEvery: number;
  /** Texts of a measurement, evenly spread; at the end all are measured. */
  readonly evalSamples: number;
  readonly saveEvery: number;
  /** Texts of which the teacher's states and its logits give the first weights. */
  readonly calibrate: number;
  readonly seed: number;
}

export const CLASSIFIER_SETTINGS: ClassifierSettings = {
  minutes: 0,
  batch: 24,
  tokens: 512,
  accumulate: 2,
  maxLength: 128,
  clip: 1,
  logEvery: 10,
  evalEvery: 200,
  evalSamples: 200,
  saveEvery: 5,
  calibrate: 2048,
  seed: 1,
};

/** Which values are right. */
const RULES: Rules<ClassifierSettings> = {
  minutes: number(0, 1e6),
  batch: whole(1, 4096),
  tokens: whole(4, 65536),
  accumulate: whole(1, 4096),
  maxLength: whole(4, 8192),
  clip: number(1e-6, 1e6),
  logEvery: whole(1, 1e9),
  evalEvery: whole(1, 1e9),
  evalSamples: whole(1, 1e6),
  saveEvery: number(0, 1e6),
  calibrate: whole(2, 1e6),
  seed: whole(0, Number.MAX_SAFE_INTEGER),
};

/** The settings among options. @throws {OptionError} `OPTION` for a number out of range */
export function classifierSettings(given: Partial<ClassifierSettings>): ClassifierSettings {
  return checkedNumbers(RULES, CLASSIFIER_SETTINGS, given);
}

export interface DistillClassifierOptions extends Partial<ClassifierSettings> {
  /** A BERT with a classifier: a folder of Hugging Face, or GGUF. */
  readonly teacher: ModelSource;
  /** What is learnt: its labels and its score. */
  readonly task: GlueTask;
  readonly train: readonly LabelledText[];
  /** To measure on, never learnt from. */
  readonly dev: readonly LabelledText[];
  /** The student and its phases; what is left out has its default. See docs/distillation.md. */
  readonly student?: object;
  readonly out: string;
  /** Folder of the run: checkpoints, measurements, the page. */
  readonly dir: string;
  /** Go on from the checkpoint in `dir`. Default false: a folder that has one is refused. */
  readonly resume?: boolean;
  /** Folder of a run whose student, as it was last saved, is the first of this one. */
  readonly init?: string;
  /** Word pieces that stay: all, those that occur so often in the texts to learn from, or those listed. */
  readonly vocabulary?: 'all' | number | readonly string[];
  /** Type of ternary matrices in the file: `tq2_0` (default) or `tq1_0`, smaller; both hold the same weights. */
  readonly type?: 'tq2_0' | 'tq1_0';
  readonly name?: string;
  readonly license?: string;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: ClassifierEvent) => void;
}

const OPTION_RULES: Rules<DistillClassifierOptions> = {
  ...RULES,
  teacher: ANY,
  task: OBJECT,
  train: LIST,
  dev: LIST,
  student: OBJECT,
  out: TEXT,
  dir: TEXT,
  resume: FLAG,
  init: TEXT,
  vocabulary: ANY,
  type: oneOf('tq2_0', 'tq1_0'),
  name: TEXT,
  license: TEXT,
  threads: whole(1),
  signal: SIGNAL,
  onEvent: CALL,
};

export type ClassifierEvent =
  | TrainEvent
  | { readonly kind: 'prepare'; readonly what: string }
  | {
    readonly kind: 'begin';
    readonly parameters: number;
    readonly samples: number;
    readonly heldSamples: number;
    readonly vocab: number;
    readonly step: number;
  }
  | { readonly kind: 'score'; readonly done: number; readonly all: number };

export interface ClassifierResult {
  readonly steps: number;
  /** Of training, over all sittings. */
  readonly seconds: number;
  readonly parameters: number;
  readonly samples: number;
  readonly heldSamples: number;
  readonly vocab: number;
  /** Of all texts to measure on: the student's file by the engine, at the steps it asks for; and the teacher. */
  readonly score: { readonly student: number | null; readonly teacher: number | null };
  readonly firingRates: readonly number[];
  readonly out: string;
  readonly bytes: number;
  readonly dir: string;
}

/** What a checkpoint keeps of the run besides its state. */
interface Kept {
  readonly settings: ClassifierSettings;
  readonly described: Described;
  readonly stages: readonly { readonly mean: readonly number[]; readonly radius: number }[];
  /** The teacher's ids of the pieces that stay; null for all. */
  readonly pieces: readonly number[] | null;
}

/**
 * Distils a teacher into a spiking student, from texts to a file.
 * @throws {OptionError} `OPTION`; {DistillError} `CHECKPOINT` for a folder that cannot be gone on from or holds another
 *   run, `NOT_FINITE`, `TRAINER`; what the teacher's file throws; the signal's reason, after a checkpoint was written
 */
export async function distillClassifier(options: DistillClassifierOptions): Promise<ClassifierResult> {
  checkOptions('distillClassifier', options, OPTION_RULES, ['teacher', 'task', 'train', 'dev', 'out', 'dir']);
  const { signal, onEvent, task, out, dir } = options;
  const folder = diskFolder(dir);
  const from = await begin(folder, options);
  const earlier = from ?? (await earlierRun(options));
  const before = earlier?.run.options as unknown as Kept | undefined;
  const settings = classifierSettings({ ...(from && before?.settings), ...givenSettings(options) });
  const { module } = await builtinModule();
  onEvent?.({ kind: 'prepare', what: 'the teacher is read' });
  const source = await resolveSource(options.teacher, { signal });
  const teacher = await readTeacher(module, source, signal).finally(() => source.close?.());
  await using model = await open(options.teacher, { signal });
  const outputs = labelOrder(task, teacher.d.classes === 1 ? [] : teacher.d.labels ?? []);
  const vocabulary = vocabularyOf(model, options, before, settings);
  const samples = samplesOf(options.train, vocabulary.tokenizer, settings.maxLength, outputs);
  const held = samplesOf(options.dev, vocabulary.tokenizer, settings.maxLength, outputs);
  if (samples.length === 0 || held.length === 0) {
    throw new OptionError('OPTION', `there are ${samples.length} texts to learn from and ${held.length} to measure on`);
  }
  const described = describedStudent(options, before, teacher.d, vocabulary, settings);
  const { student } = described;
  const recipe = new Recipe(
    described.phases,
    from && settings.minutes > 0 ? from.run.seconds / (60 * settings.minutes) : 0,
  );
  const feed = new SampleFeed(samples, described.phases, (step) => recipe.phaseOf(step), settings);
  if (from) feed.restore(from.run.data); // other data are refused now, before the options given are written down
  const real = studentTables(student, teacher, vocabulary.from);
  const tables = roundedTables(real, student);
  const pieces = vocabulary.from.length === teacher.d.vocab ? null : vocabulary.from;
  const first = earlier ? null : await firstWeights(student, teacher, pieces, samples, settings, options);
  const stages = first?.stages ?? stagesBack((before as Kept).stages);
  const threads = options.threads ?? Math.min(settings.accumulate, globalThis.navigator?.hardwareConcurrency ?? 1);
  const trainer = await createSpikingTrainer(
    { student, teacher, tables, from: pieces, stages },
    { seed: settings.seed, clip: settings.clip, threads },
  );
  try {
    if (first) {
      await trainer.load(first.state);
      const noise = described.phases[0].kind !== 'rates';
      if (noise) await trainer.fitNorms(first.batches[0]);
      await trainer.fitClassifier(first.batches, first.logits, noise);
    } else if (earlier && !from) await trainer.load({ ...earlier.trainer, step: 0 });
    onEvent?.({
      kind: 'begin',
      parameters: trainer.parameters,
      samples: samples.length,
      heldSamples: held.length,
      vocab: student.vocab,
      step: from?.run.step ?? 0,
    });
    const kept: Kept = {
      settings,
      described,
      stages: stages.map(({ mean, radius }) => ({ mean: [...mean], radius })),
      pieces: pieces && [...pieces],
    };
    const name = options.name ?? `${teacher.d.name || task.title}-spiking`;
    const result = await train({
      trainer,
      feed,
      tokens: ({ ids }) => ids.length,
      plan: (step, progress) => recipe.plan(step, progress),
      measure: () => measured(trainer, task, spreadOver(held, settings.evalSamples), outputs, settings),
      layerName: (layer) => `layer ${layer} (${neuronLayers(student)[layer]})`,
      folder,
      settings: { ...settings, steps: recipe.steps },
      options: { ...kept },
      from: from ?? undefined,
      page: (records, state) =>
        pageOf(records, {
          ...state,
          settings: { ...settings, steps: recipe.steps },
          config: described,
          parameters: trainer.parameters,
          name,
          layerNames: neuronLayers(student),
          kind: 'score',
        }),
      signal,
      onEvent,
    });
    const bytes = await write(student, real, result.state, vocabulary, teacher.d, options, name);
    const score = await finalScores(model, options, held, outputs, vocabulary);
    return {
      steps: result.steps,
      seconds: Math.round(result.seconds),
      parameters: trainer.parameters,
      samples: samples.length,
      heldSamples: held.length,
      vocab: student.vocab,
      score,
      firingRates: result.last.firingRates,
      out,
      bytes,
      dir,
    };
  } finally {
    trainer.dispose();
  }
}

function givenSettings(options: DistillClassifierOptions): Partial<ClassifierSettings> {
  const names = Object.keys(RULES) as (keyof ClassifierSettings)[];
  return Object.fromEntries(names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));
}

/** The checkpoint to go on from, if that is wanted. */
async function begin(folder: RunFolder, { resume, onEvent }: DistillClassifierOptions): Promise<Checkpoint | null> {
  const found = await loadCheckpoint(folder, (text) => onEvent?.({ kind: 'note', text }));
  if (resume) return ofKind(found, folder);
  if (found === null) return null;
  throw new DistillError(
    'CHECKPOINT',
    `${folder.path} contains a run of ${found.run.step} steps; resume it, or use another folder`,
  );
}

async function earlierRun({ init, onEvent }: DistillClassifierOptions): Promise<Checkpoint | null> {
  if (init === undefined) return null;
  const folder = diskFolder(init);
  return ofKind(await loadCheckpoint(folder, (text) => onEvent?.({ kind: 'note', text })), folder);
}

function ofKind(found: Checkpoint | null, { path }: RunFolder): Checkpoint {
  if (found === null) throw new DistillError('CHECKPOINT', `${path} contains no checkpoint to resume from`);
  if (found.run.options.described === undefined) {
    throw new DistillError('CHECKPOINT', `${path} contains a run of another kind of student`);
  }
  return found;
}

function vocabularyOf(
  model: Model,
  { vocabulary = 'all', train }: DistillClassifierOptions,
  before: Kept | undefined,
  { maxLength }: ClassifierSettings,
): StudentVocabulary {
  const { tokenizer } = model;
  const entries = vocabularyEntries(model.container, tokenizer);
  if (before) {
    const kept = before.pieces && new Set(before.pieces);
    return studentVocabulary(entries, kept && ((_, id) => kept.has(id)));
  }
  if (vocabulary === 'all') return studentVocabulary(entries, null);
  if (typeof vocabulary === 'number') {
    const ids = samplesOf(train, tokenizer, maxLength, []).map((sample) => sample.ids);
    return studentVocabulary(entries, usedPieces(ids, vocabulary, tokenizer.vocabSize));
  }
  const listed = new Set(vocabulary);
  return studentVocabulary(entries, (piece) => listed.has(piece));
}

function describedStudent(
  { student: given = {}, resume }: DistillClassifierOptions,
  before: Kept | undefined,
  d: BertDescription,
  { tokenizer }: StudentVocabulary,
  { maxLength }: ClassifierSettings,
): Described {
  const { width, hidden, heads, segments, classes, layers, trainedContext } = d;
  const context = Math.min(trainedContext, maxLength);
  // pairs have two segments, whether the teacher tells them apart or not
  const shape = { width, hidden, heads, segments: Math.max(2, segments), classes, layers, context };
  const fresh = describeStudent(given, { ...shape, vocab: tokenizer.vocabSize });
  if (!before) return fresh;
  const kept = before.described;
  for (const [name, value] of Object.entries(kept.student)) {
    const own = fresh.student[name as keyof SpikingStudent];
    if (own === value || !Object.hasOwn(given, name)) continue;
    throw new DistillError('CHECKPOINT', `the run was begun with ${name} ${String(value)}, not ${String(own)}`);
  }
  const phases = resume && !Object.hasOwn(given, 'phases') ? kept.phases : fresh.phases;
  return { student: kept.student, phases };
}

/** The teacher's rows of the pieces and positions that stay. */
function studentTables({ width, context }: SpikingStudent, teacher: TeacherWeights, from: Int32Array): Tables {
  const words = sharedFloats(from.length * width);
  from.forEach((id, at) => words.set(teacher.words.subarray(id * width, (id + 1) * width), at * width));
  const positions = sharedFloats(context * width);
  positions.set(teacher.positions.subarray(0, context * width));
  return { words, positions, segments: teacher.segments };
}

/** As the engine reads them from the file. */
function roundedTables({ words, positions, segments }: Tables, { width, tables }: SpikingStudent): Tables {
  const shared = (table: Float32Array): Float32Array => {
    const rounded = roundTable(table, width, tables);
    if (rounded === table) return table;
    const to = sharedFloats(rounded.length);
    to.set(rounded);
    return to;
  };
  return { words: shared(words), positions: shared(positions), segments };
}

function stagesBack(stages: Kept['stages']): Encoding[] {
  return stages.map(({ mean, radius }) => ({ mean: Float32Array.from(mean), radius }));
}

/** Texts of a calibration pass. */
const CALIBRATION = { batch: 32, tokens: 1024 };

async function firstWeights(
  student: SpikingStudent,
  teacher: TeacherWeights,
  from: Int32Array | null,
  samples: readonly Sample[],
  { calibrate }: ClassifierSettings,
  { signal, onEvent }: DistillClassifierOptions,
): Promise<{
  readonly state: TrainerState;
  readonly stages: readonly Encoding[];
  readonly batches: ReturnType<typeof batchOf>[];
  readonly logits: Float32Array[];
}> {
  const chosen = spreadOver(samples, calibrate);
  const batches = inBatches(chosen, CALIBRATION).map((members) => batchOf(members.map((at) => chosen[at])));
  const logits: Float32Array[] = [];
  const spread = await teacherSpread(teacher, from, batches, (done, said) => {
    signal?.throwIfAborted();
    logits.push(said);
    onEvent?.({ kind: 'prepare', what: `the teacher's states: ${done} of ${batches.length} passes` });
  });
  const state = firstState(student, transferred(student, teacher, spread));
  return { state, stages: stagesOf(student, spread), batches, logits };
}

/** Score by spikes and by rates of some texts. */
async function measured(
  trainer: SpikingTrainer,
  task: GlueTask,
  samples: readonly Sample[],
  outputs: readonly number[],
  { batch, tokens }: ClassifierSettings,
): Promise<Measured> {
  const order = inBatches(samples, { batch, tokens });
  const batches = order.map((members) => batchOf(members.map((at) => samples[at])));
  const logitsOf = (looked: readonly Looked[]): Float32Array[] => {
    const all = new Array<Float32Array>(samples.length);
    const classes = trainer.config.classes;
    looked.forEach(({ logits }, i) =>
      order[i].forEach((at, b) => (all[at] = logits.subarray(b * classes, (b + 1) * classes)))
    );
    return all;
  };
  const rates = await trainer.look(batches, { steps: 0, noise: true });
  const spikes = await trainer.look(batches, { steps: trainer.config.steps });
  const byRates = scoreOf(task, samples, logitsOf(rates), outputs);
  const bySpikes = scoreOf(task, samples, logitsOf(spikes), outputs);
  const weigh = batches.map(({ ids }) => ids.length);
  const all = weigh.reduce((a, b) => a + b, 0);
  const firingRates = spikes[0].firing.map((_, j) =>
    spikes.reduce((sum, { firing }, i) => sum + firing[j] * weigh[i], 0) / all
  );
  // without labels there is no loss to show, and nothing is wrong
  const loss = Number.isNaN(bySpikes.loss) ? 0 : bySpikes.loss;
  return { loss, score: bySpikes.score, rateScore: byRates.score, firingRates } satisfies Partial<EvaluationRecord>;
}

/** Writes the file. @returns its size */
async function write(
  student: SpikingStudent,
  tables: Tables,
  state: TrainerState,
  { entries }: StudentVocabulary,
  d: BertDescription,
  { out, type = 'tq2_0', task, license, signal }: DistillClassifierOptions,
  name: string,
): Promise<number> {
  const { module } = await builtinModule();
  const text = (value: string): GgufEntry => ({ type: 'string', value });
  const metadata = new Map([
    ...entries,
    ['general.name', text(name)],
    ['general.description', text(`spiking student of ${d.name || 'a BERT'} for ${task.title}`)],
    ...(license === undefined ? [] : [['general.license', text(license)] as const]),
  ] as [string, GgufEntry][]);
  const sink = await createFile(out);
  try {
    const labels = d.labels ?? [];
    const { bytes } = await exportSpikingStudent(module, student, tables, state, sink, {
      type,
      labels,
      task: task.name,
      metadata,
      signal,
    });
    await sink.commit();
    return bytes.out;
  } finally {
    await sink.discard();
  }
}

/** Scores of all texts to measure on, by the engine: student as it was written, and teacher. */
async function finalScores(
  teacher: Model,
  { out, task, signal, onEvent }: DistillClassifierOptions,
  held: readonly Sample[],
  outputs: readonly number[],
  { from }: StudentVocabulary,
): Promise<ClassifierResult['score']> {
  await using student = await open(out, { signal });
  const score = async (model: Model, id: (id: number) => number, offset: number): Promise<number | null> => {
    const logits: (readonly number[])[] = [];
    for (const [i, { ids, types }] of held.entries()) {
      const said = await model.classify({ ids: ids.map(id), typeIds: [...types] }, { signal });
      logits.push(said.logits);
      onEvent?.({ kind: 'score', done: offset + i + 1, all: 2 * held.length });
    }
    return scoreOf(task, held, logits, outputs).score;
  };
  return {
    student: await score(student, (id) => id, 0),
    teacher: await score(teacher, (id) => from[id], held.length),
  };
}

export type { LabelledText } from './texts.ts';
export type { Course, Phase, SpikingStudent } from './config.ts';
