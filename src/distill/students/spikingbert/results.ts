/**
 * What a run comes to: measurements on the way, the file, and its score by the engine.
 * @module
 */
import type { BertDescription } from '../../../architectures/bert/description.ts';
import { createFile } from '../../../bytes/sink.ts';
import type { GgufEntry } from '../../../container/gguf-write.ts';
import type { GlueTask } from '../../../eval/glue-tasks.ts';
import type { Model } from '../../../model/model.ts';
import { open } from '../../../model/open-builtin.ts';
import { builtinModule } from '../../../wasm/builtin.ts';
import type { EvaluationRecord } from '../../metrics.ts';
import type { Measured } from '../../run.ts';
import type { TrainerState } from '../../types.ts';
import { batchOf, inBatches, type Sample } from '../bert/data.ts';
import { engineLogits, inOrder, scoreOf } from '../bert/texts.ts';
import type { SpikingStudent } from './config.ts';
import type { Looked } from './engine.ts';
import { exportSpikingStudent } from './export.ts';
import type { ClassifierResult, ClassifierSettings, DistillClassifierOptions } from './options.ts';
import type { Tables } from './spikes.ts';
import type { SpikingTrainer } from './trainer.ts';
import type { StudentVocabulary } from './vocabulary.ts';

/** Score by spikes and by rates of some texts. */
export async function measured(
  trainer: SpikingTrainer,
  task: GlueTask,
  samples: readonly Sample[],
  outputs: readonly number[],
  { batch, tokens }: ClassifierSettings,
): Promise<Measured> {
  const order = inBatches(samples, { batch, tokens });
  const batches = order.map((members) => batchOf(members.map((at) => samples[at])));
  const { classes } = trainer.config;
  const logitsOf = (looked: readonly Looked[]): Float32Array[] => inOrder(order, looked, classes);
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
export async function write(
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
export async function finalScores(
  teacher: Model,
  { out, task, signal, onEvent }: DistillClassifierOptions,
  held: readonly Sample[],
  outputs: readonly number[],
  { from }: StudentVocabulary,
): Promise<ClassifierResult['score']> {
  await using student = await open(out, { signal });
  const tell = (offset: number) => (done: number): void =>
    onEvent?.({ kind: 'score', done: offset + done, all: 2 * held.length });
  const score = (logits: readonly (readonly number[])[]): number | null => scoreOf(task, held, logits, outputs).score;
  const inTeacher = held.map((sample) => ({ ...sample, ids: sample.ids.map((id) => from[id]) }));
  return {
    student: score(await engineLogits(student, held, tell(0), signal)),
    teacher: score(await engineLogits(teacher, inTeacher, tell(held.length), signal)),
  };
}
