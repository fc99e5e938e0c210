/**
 * Fine-tuning: a dense BERT learns a task from labelled texts, and becomes a teacher. The measurement with the best score is kept.
 *
 * @example
 * import { finetune } from 'ternspike/distill';
 * const { score } = await finetune({ base: 'all-MiniLM-L6-v2/', task, train, dev, out: 'teacher.gguf', dir: 'run' });
 * @module
 */
import { resolveSource } from '../../../bytes/resolve.ts';
import { DistillError, OptionError } from '../../../errors.ts';
import type { GlueTask } from '../../../eval/glue-tasks.ts';
import { open } from '../../../model/open-builtin.ts';
import { checkOptions } from '../../../options.ts';
import { builtinModule } from '../../../wasm/builtin.ts';
import { loadCheckpoint } from '../../checkpoint.ts';
import { diskFolder } from '../../folder.ts';
import { pageOf } from '../../page.ts';
import { type Measured, train } from '../../run.ts';
import { startTrainer, type StudentTrainer } from '../../trainer.ts';
import { BestKeeper } from './best.ts';
import { type DenseBert, denseBert } from './config.ts';
import { batchOf, inBatches, type Sample, SampleFeed } from './data.ts';
import type { DenseLooked, DenseOptions } from './engine.ts';
import { firstState, tablesOf } from './first.ts';
import { bertKind } from './kind.ts';
import type { LabelledBatch } from './logit-loss.ts';
import {
  type FinetuneOptions,
  type FinetuneResult,
  type FinetuneSettings,
  finetuneSettings,
  OPTION_RULES,
} from './options.ts';
import { readBert } from './teacher.ts';
import { engineLogits, inOrder, samplesOf, scoreOf, spreadOver } from './texts.ts';
import { writeBert } from './write.ts';

type Trainer = StudentTrainer<DenseBert, LabelledBatch, object, DenseLooked, DenseOptions>;

/**
 * Trains a dense BERT on a task, from texts to a file.
 * @throws {OptionError} `OPTION`; {DistillError} `CHECKPOINT`, `NOT_FINITE`, `TRAINER`; what the base's file throws; the signal's
 *   reason, after a checkpoint was written
 */
export async function finetune(options: FinetuneOptions): Promise<FinetuneResult> {
  checkOptions('finetune', options, OPTION_RULES, ['base', 'task', 'train', 'dev', 'out', 'dir']);
  const { signal, onEvent, task, out, dir, resume = false } = options;
  const settings = finetuneSettings(options);
  const folder = diskFolder(dir);
  const from = await loadCheckpoint(folder, (text) => onEvent?.({ kind: 'note', text }));
  if (resume && !from) throw new DistillError('CHECKPOINT', `${dir} contains no checkpoint to resume from`);
  if (!resume && from) {
    throw new DistillError(
      'CHECKPOINT',
      `${dir} contains a run of ${from.run.step} steps; resume it, or use another folder`,
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
    const bytes = await writeBert(config, base, best.tensors, model, task, options, name);
    await using tuned = await open(out, { signal });
    const tell = (done: number): void => onEvent?.({ kind: 'score', done, all: held.length });
    const { score } = scoreOf(task, held, await engineLogits(tuned, held, tell, signal), outputs);
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
  const logits = inOrder(order, looked, trainer.config.classes);
  return { ...scoreOf(task, samples, logits, outputs), firingRates: [] };
}

export type { Best } from './best.ts';
export {
  FINETUNE_SETTINGS,
  type FinetuneEvent,
  type FinetuneOptions,
  type FinetuneResult,
  type FinetuneSettings,
} from './options.ts';
