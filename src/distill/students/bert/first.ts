/**
 * The first weights of a BERT in training: those of its base, and a new head.
 * @module
 */
import { Rng } from '../../../sample/rng.ts';
import type { StateTensor, TrainerState } from '../../types.ts';
import { CLASSIFIER, type DenseBert, denseSlots, isTable, POOLER, TABLES } from './config.ts';
import { sharedFloats, type TeacherTables, teacherTensor, type TeacherWeights } from './teacher.ts';

/** Spread of the first weights of a head (BERT's `initializer_range`). */
const HEAD_SPREAD = 0.02;

/** The base's weights, a new head where it has none for this task, and moments of 0. */
export function firstState(config: DenseBert, base: TeacherWeights, seed: number): TrainerState {
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
export function tablesOf(
  { segments, width }: DenseBert,
  { words, positions, segments: own }: TeacherWeights,
): TeacherTables {
  if (own.length === segments * width) return { words, positions, segments: own };
  const all = sharedFloats(segments * width);
  all.set(own.subarray(0, all.length));
  return { words, positions, segments: all };
}
