/**
 * A dense BERT teaches a spiking BERT with ternary weights a task: from labelled texts to a file.
 *
 * @example
 * import { distillClassifier } from 'ternspike/distill';
 * const { score } = await distillClassifier({ teacher: 'minilm-sst2/', task, train, dev, out: 'student.gguf', dir: 'run' });
 * @module
 */
import { resolveSource } from '../../../bytes/resolve.ts';
import { OptionError } from '../../../errors.ts';
import { labelOrder } from '../../../eval/glue-tasks.ts';
import { open } from '../../../model/open-builtin.ts';
import { checkOptions } from '../../../options.ts';
import { builtinModule } from '../../../wasm/builtin.ts';
import { diskFolder } from '../../folder.ts';
import { pageOf } from '../../page.ts';
import { train } from '../../run.ts';
import { SampleFeed } from '../bert/data.ts';
import { readTeacher } from '../bert/teacher.ts';
import { samplesOf, spreadOver } from '../bert/texts.ts';
import { neuronLayers } from './config.ts';
import { begin, earlierRun, type Kept } from './earlier.ts';
import {
  type ClassifierResult,
  classifierSettings,
  type DistillClassifierOptions,
  givenSettings,
  OPTION_RULES,
} from './options.ts';
import { describedStudent, firstWeights, roundedTables, stagesBack, studentTables, vocabularyOf } from './prepare.ts';
import { Recipe } from './recipe.ts';
import { finalScores, measured, write } from './results.ts';
import { createSpikingTrainer } from './trainer.ts';

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

export type { LabelledText } from '../bert/texts.ts';
export type { Course, Phase, SpikingStudent } from './config.ts';
export {
  CLASSIFIER_SETTINGS,
  type ClassifierEvent,
  type ClassifierResult,
  type ClassifierSettings,
  classifierSettings,
  type DistillClassifierOptions,
} from './options.ts';
