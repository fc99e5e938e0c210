/**
 * A tiny dense BERT as a teacher, and students of it.
 * @module
 */
import type { BertDescription } from '../../src/architectures/bert/description.ts';
import { BERT_MATRICES } from '../../src/architectures/bert/description.ts';
import { slotsOf } from '../../src/distill/slots.ts';
import { describeStudent, type SpikingStudent } from '../../src/distill/students/spikingbert/config.ts';
import { batchOf, type Sample } from '../../src/distill/students/bert/data.ts';
import type { SpikingOptions } from '../../src/distill/students/spikingbert/engine.ts';
import type { SpikingLosses } from '../../src/distill/students/spikingbert/losses.ts';
import { roundTable } from '../../src/distill/students/spikingbert/quantise.ts';
import type { TeacherWeights } from '../../src/distill/students/bert/teacher.ts';
import { firstState } from '../../src/distill/students/spikingbert/trainer.ts';
import { stagesOf, teacherSpread, transferred } from '../../src/distill/students/spikingbert/transfer.ts';
import type { TrainerState } from '../../src/distill/types.ts';
import { Rng } from '../../src/sample/rng.ts';

export const SHAPE = { width: 16, hidden: 32, heads: 2, vocab: 40, context: 12, segments: 2, classes: 3, layers: 3 };

/** Standard normal numbers, times and plus. */
export function gauss(n: number, seed: number, spread: number = 1, mean: number = 0): Float32Array {
  const rng = new Rng(seed);
  const one = (): number => Math.sqrt(-2 * Math.log(1 - rng.uniform())) * Math.cos(2 * Math.PI * rng.uniform());
  return Float32Array.from({ length: n }, () => mean + spread * one());
}

/** Random weights that do something. */
export function tinyTeacher(classes: number = SHAPE.classes): TeacherWeights {
  const { width, hidden, heads, vocab, context, segments, layers } = SHAPE;
  const d: BertDescription = {
    kind: 'bert',
    architecture: 'bert',
    name: 'tiny',
    layers,
    width,
    hidden,
    heads,
    headDim: width / heads,
    vocab,
    trainedContext: context,
    segments,
    normEps: 1e-12,
    pooling: 'mean',
    normalise: true,
    headActivation: 'tanh',
    separators: 1,
    classes,
    labels: Array.from({ length: classes }, (_, i) => `label ${i}`),
    parameters: 0,
  };
  const shapes: [string, number[]][] = [['token_embd_norm.weight', [width]], ['token_embd_norm.bias', [width]]];
  for (let l = 0; l < layers; l++) {
    for (const [key, name] of Object.entries(BERT_MATRICES)) {
      const [rows, cols] = [key === 'up' ? hidden : width, key === 'down' ? hidden : width];
      shapes.push([`blk.${l}.${name}.weight`, [rows, cols]], [`blk.${l}.${name}.bias`, [rows]]);
    }
    for (const name of ['attn_output_norm', 'layer_output_norm']) {
      shapes.push([`blk.${l}.${name}.weight`, [width]], [`blk.${l}.${name}.bias`, [width]]);
    }
  }
  shapes.push(['cls.weight', [width, width]], ['cls.bias', [width]]);
  shapes.push(['cls.output.weight', [classes, width]], ['cls.output.bias', [classes]]);
  const slots = slotsOf(shapes);
  const flat = new Float32Array(slots.reduce((end, { at, size }) => Math.max(end, at + size), 0));
  slots.forEach(({ key, shape, at, size }, i) => {
    const gain = key.endsWith('norm.weight');
    const spread = shape.length === 2 ? 1.2 / Math.sqrt(shape[1]) : 0.15;
    flat.set(gauss(size, i + 1, gain ? 0.1 : spread, gain ? 1 : 0), at);
  });
  return {
    d,
    slots,
    flat,
    words: gauss(vocab * width, 101),
    positions: gauss(context * width, 102, 0.3),
    segments: gauss(segments * width, 103, 0.2),
  };
}

/** Random texts of some lengths. */
export function tinySamples(count: number, lengths: readonly number[] = [5, 7]): Sample[] {
  const rng = new Rng(7);
  return Array.from({ length: count }, (_, i) => {
    const length = lengths[i % lengths.length];
    const ids = Array.from({ length }, () => Math.floor(rng.uniform() * SHAPE.vocab));
    const types = ids.map((_, t) => Number(t > length / 2));
    return { ids, types, label: Math.floor(rng.uniform() * SHAPE.classes) };
  });
}

export const LOSSES: SpikingLosses = {
  kind: 'noise',
  timeSteps: 4,
  hidden: 1,
  attention: 0.5,
  soft: 1,
  hard: 0.5,
  rate: 0.3,
  temperature: 1.5,
  targetRate: 0.2,
  fit: false,
};

/** A student of the tiny teacher, with its first state. */
export async function tinyStudent(
  choices: object = {},
  teacher: TeacherWeights = tinyTeacher(),
): Promise<{ options: SpikingOptions; student: SpikingStudent; state: TrainerState }> {
  const { student } = describeStudent({ tables: 'none', ...choices }, { ...SHAPE, classes: teacher.d.classes });
  const batches = [0, 1].map((i) => batchOf(tinySamples(40, [5 + i])));
  const spread = await teacherSpread(teacher, null, batches);
  const round = (table: Float32Array): Float32Array => roundTable(table, SHAPE.width, student.tables);
  const { words, positions, segments } = teacher;
  const tables = { words: round(words), positions: round(positions), segments };
  return {
    student,
    options: { student, teacher, tables, from: null, stages: stagesOf(student, spread), build: 'base' },
    state: firstState(student, transferred(student, teacher, spread)),
  };
}
