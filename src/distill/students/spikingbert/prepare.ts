/**
 * What a run begins with: vocabulary, shape, tables and first weights, from the teacher and the texts.
 * @module
 */
import type { BertDescription } from '../../../architectures/bert/description.ts';
import { DistillError } from '../../../errors.ts';
import type { Model } from '../../../model/model.ts';
import type { TrainerState } from '../../types.ts';
import { batchOf, inBatches, type Sample } from '../bert/data.ts';
import { sharedFloats, type TeacherWeights } from '../bert/teacher.ts';
import { samplesOf, spreadOver } from '../bert/texts.ts';
import { vocabularyEntries } from '../bert/vocabulary-entries.ts';
import { type Described, describeStudent, type SpikingStudent } from './config.ts';
import type { Kept } from './earlier.ts';
import type { Encoding } from './engine.ts';
import type { ClassifierSettings, DistillClassifierOptions } from './options.ts';
import { roundTable } from './quantise.ts';
import type { Tables } from './spikes.ts';
import { firstState } from './trainer.ts';
import { stagesOf, teacherSpread, transferred } from './transfer.ts';
import { type StudentVocabulary, studentVocabulary, usedPieces } from './vocabulary.ts';

/** The student's vocabulary: that of the run before, else the pieces that are asked for. */
export function vocabularyOf(
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
  // a list may spell pieces as vocab.txt does: `the`, `##ing`; the file has `▁the`, `ing`
  const asInVocabTxt = (piece: string): string => (piece.startsWith('\u2581') ? piece.slice(1) : `##${piece}`);
  return studentVocabulary(entries, (piece) => listed.has(piece) || listed.has(asInVocabTxt(piece)));
}

/** The student and its phases. @throws {DistillError} `CHECKPOINT` where those of the run before are others */
export function describedStudent(
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
export function studentTables({ width, context }: SpikingStudent, teacher: TeacherWeights, from: Int32Array): Tables {
  const words = sharedFloats(from.length * width);
  from.forEach((id, at) => words.set(teacher.words.subarray(id * width, (id + 1) * width), at * width));
  const positions = sharedFloats(context * width);
  positions.set(teacher.positions.subarray(0, context * width));
  return { words, positions, segments: teacher.segments };
}

/** As the engine reads them from the file. */
export function roundedTables({ words, positions, segments }: Tables, { width, tables }: SpikingStudent): Tables {
  const shared = (table: Float32Array): Float32Array => {
    const rounded = roundTable(table, width, tables);
    if (rounded === table) return table;
    const to = sharedFloats(rounded.length);
    to.set(rounded);
    return to;
  };
  return { words: shared(words), positions: shared(positions), segments };
}

/** Stages as they were kept. */
export function stagesBack(stages: Kept['stages']): Encoding[] {
  return stages.map(({ mean, radius }) => ({ mean: Float32Array.from(mean), radius }));
}

/** Texts of a calibration pass. */
const CALIBRATION = { batch: 32, tokens: 1024 };

/** The student's first state from the teacher's, over some texts, with the teacher's logits of them. */
export async function firstWeights(
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
