/**
 * Fine-tuning: a dense BERT learns a task from labelled texts, and becomes a teacher. The measurement with the best score is kept.
 *
 * @example
 * import { finetune } from 'ternspike/distill';
 * const { score } = await finetune({ base: 'all-MiniLM-L6-v2/', task, train, dev, out: 'teacher.gguf', dir: 'run' });
 * @module
 */
import { memorySource } from '../../../bytes/memory.ts';
import { type ModelSource, resolveSource } from '../../../bytes/resolve.ts';
import { createFile } from '../../../bytes/sink.ts';
import { type GgufEntry, writeGguf } from '../../../container/gguf-write.ts';
import { readSafetensors } from '../../../container/safetensors.ts';
import { metadataBefore } from '../../../convert/pipeline.ts';
import { DistillError, OptionError } from '../../../errors.ts';
import type { GlueTask } from '../../../eval/glue-tasks.ts';
import type { Model } from '../../../model/model.ts';
import { open } from '../../../model/open-builtin.ts';
import {
  ANY,
  CALL,
  checkOptions,
  FLAG,
  LIST,
  number,
  OBJECT,
  type Rules,
  SIGNAL,
  TEXT,
  whole,
} from '../../../options.ts';
import { Rng } from '../../../sample/rng.ts';
import { builtinModule } from '../../../wasm/builtin.ts';
import { loadCheckpoint } from '../../checkpoint.ts';
import { diskFolder, type RunFolder } from '../../folder.ts';
import { pageOf } from '../../page.ts';
import { type Measured, train, type TrainEvent } from '../../run.ts';
import { safetensorsParts } from '../../safetensors-write.ts';
import { checkedNumbers } from '../../settings.ts';
import { startTrainer, type StudentTrainer } from '../../trainer.ts';
import type { StateTensor, TrainerState } from '../../types.ts';
import { allSlots, CLASSIFIER, type DenseBert, denseBert, denseSlots, isTable, POOLER, TABLES } from './config.ts';
import { batchOf, inBatches, type Sample, SampleFeed } from './data.ts';
import type { DenseLooked, DenseOptions } from './engine.ts';
import { bertKind } from './kind.ts';
import type { LabelledBatch } from './logit-loss.ts';
import { readBert, sharedFloats, type TeacherTables, teacherTensor, type TeacherWeights } from './teacher.ts';
import { type LabelledText, samplesOf, scoreOf, spreadOver } from './texts.ts';
import { vocabularyEntries } from './vocabulary-entries.ts';

/** Numbers of a run. */
export interface FinetuneSettings {
  /** How often every text is learnt from. */
  readonly epochs: number;
  /** Ends the run after so many minutes; the learning rate then follows the clock where that is ahead. 0: no limit. */
  readonly minutes: number;
  /** Highest learning rate; it rises over `warmup` of the run and falls in a line to 0. */
  readonly lr: number;
  /** A share of the run. */
  readonly warmup: number;
  readonly weightDecay: number;
  readonly dropout: number;
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
  readonly seed: number;
}

/** Those of the BERT paper (arXiv 1810.04805, appendix A.3), for batches of about 32 texts. */
export const FINETUNE_SETTINGS: FinetuneSettings = {
  epochs: 3,
  minutes: 0,
  lr: 5e-5,
  warmup: 0.1,
  weightDecay: 0.01,
  dropout: 0.1,
  batch: 16,
  tokens: 512,
  accumulate: 2,
  maxLength: 128,
  clip: 1,
  logEvery: 10,
  evalEvery: 500,
  evalSamples: 1000,
  saveEvery: 5,
  seed: 1,
};

const RULES: Rules<FinetuneSettings> = {
  epochs: number(1e-3, 1000),
  minutes: number(0, 1e6),
  lr: number(1e-9, 10),
  warmup: number(0, 1),
  weightDecay: number(0, 1),
  dropout: number(0, 0.9),
  batch: whole(1, 4096),
  tokens: whole(4, 65536),
  accumulate: whole(1, 4096),
  maxLength: whole(4, 8192),
  clip: number(1e-6, 1e6),
  logEvery: whole(1, 1e9),
  evalEvery: whole(1, 1e9),
  evalSamples: whole(1, 1e6),
  saveEvery: number(0, 1e6),
  seed: whole(0, Number.MAX_SAFE_INTEGER),
};

export interface FinetuneOptions extends Partial<FinetuneSettings> {
  /** A BERT with word pieces, with or without a classifier: a folder of Hugging Face, or GGUF. */
  readonly base: ModelSource;
  readonly task: GlueTask;
  readonly train: readonly LabelledText[];
  /** To measure on and to choose the best state by; never learnt from. */
  readonly dev: readonly LabelledText[];
  /** The GGUF file, with weights in f32. */
  readonly out: string;
  /** Folder of the run: checkpoints, the best state, measurements, the page. */
  readonly dir: string;
  /** Go on from the checkpoint in `dir`. Default false: a folder that has one is refused. */
  readonly resume?: boolean;
  /** Keep the tables of tokens, positions and segments as they are: a third of the memory. Default false. */
  readonly freezeEmbeddings?: boolean;
  readonly name?: string;
  readonly license?: string;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: FinetuneEvent) => void;
}

const OPTION_RULES: Rules<FinetuneOptions> = {
  ...RULES,
  base: ANY,
  task: OBJECT,
  train: LIST,
  dev: LIST,
  out: TEXT,
  dir: TEXT,
  resume: FLAG,
  freezeEmbeddings: FLAG,
  name: TEXT,
  license: TEXT,
  threads: whole(1),
  signal: SIGNAL,
  onEvent: CALL,
};

export type FinetuneEvent =
  | TrainEvent
  | {
    readonly kind: 'begin';
    readonly parameters: number;
    readonly samples: number;
    readonly heldSamples: number;
    readonly vocab: number;
    readonly step: number;
  }
  | { readonly kind: 'score'; readonly done: number; readonly all: number };

export interface FinetuneResult {
  readonly steps: number;
  /** Of training, over all sittings. */
  readonly seconds: number;
  readonly parameters: number;
  readonly samples: number;
  readonly heldSamples: number;
  /** Score of all texts to measure on, by the engine from the file. */
  readonly score: number | null;
  /** The update of which the file has the weights, and its measurement. */
  readonly best: Best;
  readonly out: string;
  readonly bytes: number;
  readonly dir: string;
}

/** A measurement. */
export interface Best {
  readonly step: number;
  readonly score: number | null;
  readonly loss: number;
}

type Trainer = StudentTrainer<DenseBert, LabelledBatch, object, DenseLooked, DenseOptions>;

/**
 * Trains a dense BERT on a task, from texts to a file.
 * @throws {OptionError} `OPTION`; {DistillError} `CHECKPOINT`, `NOT_FINITE`, `TRAINER`; what the base's file throws; the signal's
 *   reason, after a checkpoint was written
 */
export async function finetune(options: FinetuneOptions): Promise<FinetuneResult> {
  checkOptions('finetune', options, OPTION_RULES, ['base', 'task', 'train', 'dev', 'out', 'dir']);
  const { signal, onEvent, task, out, dir, resume = false } = options;
  const settings = checkedNumbers(RULES, FINETUNE_SETTINGS, options);
  const folder = diskFolder(dir);
  const from = await loadCheckpoint(folder, (text) => onEvent?.({ kind: 'note', text }));
  if (resume && !from) throw new DistillError('CHECKPOINT', `${dir} holds no checkpoint to go on from`);
  if (!resume && from) {
    throw new DistillError(
      'CHECKPOINT',
      `${dir} holds a run of ${from.run.step} steps; resume it, or use another folder`,
    );
  }
  const source = await resolveSource(options.base, { signal });
  const base = await readBert((await builtinModule()).module, source, signal).finally(() => source.close?.());
  await using model = await open(options.base, { signal });
  const classes = Math.max(1, task.labels.length);
  const config = denseBert(base.d, {
    classes,
    dropout: settings.dropout,
    trainTables: !options.freezeEmbeddings,
  });
  const outputs = task.labels.map((_, i) => i);
  const maxLength = Math.min(settings.maxLength, config.context);
  const labelled = ({ label }: Sample): boolean => !Number.isNaN(label);
  const samples = samplesOf(options.train, model.tokenizer, maxLength, outputs).filter(labelled);
  const held = samplesOf(options.dev, model.tokenizer, maxLength, outputs).filter(labelled);
  if (samples.length === 0 || held.length === 0) {
    throw new OptionError(
      'OPTION',
      `there are ${samples.length} labelled texts to learn from and ${held.length} to measure on`,
    );
  }
  const perEpoch = inBatches(samples, settings).length / settings.accumulate;
  const steps = Math.max(1, Math.ceil(settings.epochs * perEpoch));
  const feed = new SampleFeed(samples, [{ minTokens: 0 }], () => 0, settings);
  if (from) feed.restore(from.run.data);
  const threads = options.threads ?? Math.min(settings.accumulate, globalThis.navigator?.hardwareConcurrency ?? 1);
  const tables = config.trainTables ? null : tablesOf(config, base);
  const { weightDecay, clip, seed } = settings;
  const trainer = await startTrainer(bertKind, config, { model: config, tables }, {
    ...{ weightDecay, clip, seed, threads },
    beta2: 0.999,
  });
  try {
    if (!from) await trainer.load(firstState(config, base, seed));
    const { parameters } = trainer;
    const counts = { samples: samples.length, heldSamples: held.length };
    onEvent?.({ kind: 'begin', parameters, ...counts, vocab: config.vocab, step: from?.run.step ?? 0 });
    const keeper = new BestKeeper(folder);
    await keeper.load();
    const name = options.name ?? `${base.d.name || 'bert'}-${task.name}`;
    const result = await train<LabelledBatch, object>({
      trainer,
      feed,
      tokens: ({ ids }) => ids.length,
      plan: (step, progress) => ({
        lr: settings.lr * slope((step + 1) / steps, progress, settings.warmup),
        losses: {},
      }),
      async measure() {
        const measured = await scored(trainer, task, spreadOver(held, settings.evalSamples), outputs, settings);
        await keeper.see(measured, () => trainer.save());
        return measured;
      },
      layerName: (layer) => `layer ${layer}`,
      folder,
      settings: { ...settings, steps },
      options: { settings, finetune: true },
      from: from ?? undefined,
      page: (records, state) =>
        pageOf(records, {
          ...state,
          ...{ name, parameters, config, layerNames: [], kind: 'score' },
          settings: { ...settings, steps },
        }),
      signal,
      onEvent,
    });
    const best = await keeper.load() ??
      { tensors: result.state.tensors, at: { step: result.steps, score: null, loss: 0 } };
    const bytes = await write(config, base, best.tensors, model, task, options, name);
    const score = await engineScore(out, task, held, outputs, { signal, onEvent });
    const { at } = best;
    return {
      steps: result.steps,
      seconds: Math.round(result.seconds),
      parameters,
      ...counts,
      score,
      best: at,
      out,
      bytes,
      dir,
    };
  } finally {
    trainer.dispose();
  }
}

/** Rise and fall of the learning rate, by the steps or the clock, whichever is ahead. */
function slope(byStep: number, byClock: number, warmup: number): number {
  const at = Math.min(1, Math.max(byStep, byClock));
  return at < warmup ? at / warmup : (1 - at) / Math.max(1 - warmup, 1e-9);
}

/** Spread of the first weights of a head (BERT's `initializer_range`). */
const HEAD_SPREAD = 0.02;

/** The base's weights, a new head where it has none for this task, and moments of 0. */
function firstState(config: DenseBert, base: TeacherWeights, seed: number): TrainerState {
  const rng = new Rng(seed);
  const tables = tablesOf(config, base);
  const given = (key: string): Float32Array | null => {
    if (isTable(key)) return [tables.words, tables.positions, tables.segments][TABLES.indexOf(key as typeof TABLES[0])];
    if (key.startsWith(CLASSIFIER) && base.d.classes !== config.classes) return null;
    return teacherTensor(base, key);
  };
  const tensors = new Map<string, StateTensor>();
  for (const { key, shape, size } of denseSlots(config)) {
    const head = key.startsWith(`${POOLER}.`) && key.endsWith('.weight');
    const fresh = (): Float32Array => Float32Array.from({ length: size }, () => (head ? HEAD_SPREAD * gauss(rng) : 0));
    tensors.set(key, { shape, data: given(key)?.slice() ?? fresh() });
    for (const moment of ['adam.m.', 'adam.v.']) tensors.set(moment + key, { shape, data: new Float32Array(size) });
  }
  return { step: 0, tensors };
}

/** A normal number, by Box and Muller. */
function gauss(rng: Rng): number {
  return Math.sqrt(-2 * Math.log(1 - rng.uniform())) * Math.cos(2 * Math.PI * rng.uniform());
}

/** The tables with as many segments as the model in training has. */
function tablesOf({ segments, width }: DenseBert, { words, positions, segments: own }: TeacherWeights): TeacherTables {
  if (own.length === segments * width) return { words, positions, segments: own };
  const all = sharedFloats(segments * width);
  all.set(own.subarray(0, all.length));
  return { words, positions, segments: all };
}

/** Loss and score of texts that are not learnt from. */
async function scored(
  trainer: Trainer,
  task: GlueTask,
  samples: readonly Sample[],
  outputs: readonly number[],
  settings: Pick<FinetuneSettings, 'batch' | 'tokens'>,
): Promise<Measured> {
  const order = inBatches(samples, settings);
  const looked = await trainer.forward(order.map((members) => batchOf(members.map((at) => samples[at]))));
  const logits = new Array<Float32Array>(samples.length);
  const { classes } = trainer.config;
  looked.forEach((batch, i) =>
    order[i].forEach((at, b) => (logits[at] = batch.logits.subarray(b * classes, (b + 1) * classes)))
  );
  return { ...scoreOf(task, samples, logits, outputs), firingRates: [] };
}

const BEST = 'best.safetensors';

/** Keeps the weights of the best measurement in the folder of the run: the higher score, or the lower loss of equal scores. */
class BestKeeper {
  readonly #folder: RunFolder;
  #at: Best | null = null;

  constructor(folder: RunFolder) {
    this.#folder = folder;
  }

  /** What is kept, or null. @throws {DistillError} `CHECKPOINT` where it cannot be read */
  async load(): Promise<{ readonly at: Best; readonly tensors: ReadonlyMap<string, StateTensor> } | null> {
    const bytes = await this.#folder.read(BEST);
    if (bytes === null) return null;
    const { metadata, tensors } = await readSafetensors(memorySource(bytes, BEST));
    const stated = metadata.get('best');
    if (typeof stated !== 'string') throw new DistillError('CHECKPOINT', `${BEST} has no measurement`);
    const state = new Map<string, StateTensor>();
    for (const { name, shape, offset, byteLength } of tensors.values()) {
      state.set(name, { shape, data: new Float32Array(bytes.slice(offset, offset + byteLength).buffer) });
    }
    this.#at = JSON.parse(stated) as Best;
    return { at: this.#at, tensors: state };
  }

  async see({ score = null, loss }: Measured, state: () => Promise<TrainerState>): Promise<void> {
    const better = this.#at === null || (score ?? -1) > (this.#at.score ?? -1) ||
      (score === this.#at.score && loss < this.#at.loss);
    if (!better) return;
    const { step, tensors } = await state();
    const at = { step, score, loss };
    const weights = new Map([...tensors].filter(([key]) => !key.startsWith('adam.')));
    await this.#folder.replace(
      BEST,
      safetensorsParts(weights, { format: 'ternspike-distill', best: JSON.stringify(at) }),
    );
    this.#at = at;
  }
}

/** Writes the file. @returns its size */
async function write(
  config: DenseBert,
  base: TeacherWeights,
  tensors: ReadonlyMap<string, StateTensor>,
  model: Model,
  task: GlueTask,
  { out, license }: FinetuneOptions,
  name: string,
): Promise<number> {
  const text = (value: string): GgufEntry => ({ type: 'string', value });
  const { labels } = task;
  const metadata = new Map<string, GgufEntry>([
    ...metadataBefore(model.container),
    ...vocabularyEntries(model.container, model.tokenizer),
    ['general.name', text(name)],
    ['general.description', text(`${base.d.name || 'a BERT'}, fine-tuned for ${task.title}`)],
    ['bert.classifier.output_labels', { type: 'string[]', value: [...labels] }],
    ...(license === undefined ? [] : [['general.license', text(license)] as const]),
  ]);
  metadata.delete('general.file_type');
  if (labels.length === 0) metadata.delete('bert.classifier.output_labels');
  const tables = tablesOf(config, base);
  const kept = new Map(TABLES.map((key, i) => [key as string, [tables.words, tables.positions, tables.segments][i]]));
  const slots = allSlots(config);
  const sink = await createFile(out);
  try {
    const header = { metadata, tensors: slots.map(({ key, shape }) => ({ name: key, type: 'F32' as const, shape })) };
    const writer = await writeGguf(sink, header);
    for (const { key } of slots) {
      const data = tensors.get(key)?.data ?? kept.get(key);
      if (!data) throw new DistillError('CHECKPOINT', `the best state has no ${key}`);
      await writer.write(key, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    await writer.finish();
    await sink.commit();
    return writer.bytesWritten;
  } finally {
    await sink.discard();
  }
}

/** Score of the file by the engine. */
async function engineScore(
  out: string,
  task: GlueTask,
  held: readonly Sample[],
  outputs: readonly number[],
  { signal, onEvent }: Pick<FinetuneOptions, 'signal' | 'onEvent'>,
): Promise<number | null> {
  await using model = await open(out, { signal });
  const logits: (readonly number[])[] = [];
  for (const [i, { ids, types }] of held.entries()) {
    const said = await model.classify({ ids: [...ids], typeIds: [...types] }, { signal });
    logits.push(said.logits);
    onEvent?.({ kind: 'score', done: i + 1, all: held.length });
  }
  return scoreOf(task, held, logits, outputs).score;
}
