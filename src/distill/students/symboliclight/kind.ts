/**
 * SymbolicLight students, as the common trainer sees them.
 * @module
 */
import { OptionError } from '../../../errors.ts';
import type { BatchReport, StudentKind } from '../../student.ts';
import { type GradientOptions, Gradients } from './gradients.ts';
import { loadJax } from './jax.ts';
import { projectionKey } from './losses.ts';
import { quantise, storedAs } from './quantise.ts';
import { initialise, studentSlots } from './student.ts';
import type { Batch, LossWeights, StudentConfig } from './types.ts';

/** What a forward pass alone gives. */
export interface Forward {
  readonly report: BatchReport;
  readonly logits: Float32Array;
  readonly spikes: readonly Float32Array[];
}

export const symbolicLightKind: StudentKind<StudentConfig, Batch, LossWeights, Forward, GradientOptions> = {
  name: 'symboliclight',
  slots: studentSlots,
  initialise,
  round(config, slots, { latent, rounded }) {
    for (const { key, shape, at, size } of slots) {
      const stored = storedAs(key, shape, config);
      quantise(stored, latent.subarray(at, at + size), shape[1] ?? 1, rounded.subarray(at, at + size));
    }
  },
  checkBatch,
  added: ({ width }, batch, { hidden, hiddenPairs }) => {
    if (hidden <= 0) return [];
    const rows = batch.batch * batch.length;
    return hiddenPairs.map((_, n) => [projectionKey(n), [batch.teacherHidden![n].length / rows, width]]);
  },
  isAdded: (key) => key.startsWith('projection.'),
  partName: (index, count) => (index === count - 1 ? 'the logits' : `block ${index}`),
  engine: async (options) => new Gradients(await loadJax(), options),
};

/** @throws {OptionError} `OPTION` for lengths that contradict each other, ids outside the vocabulary, what a loss lacks */
export function checkBatch({ vocab, context, layers }: StudentConfig, batch: Batch, weights: LossWeights): void {
  const { batch: rows, length, ids, teacherLogits, teacherHidden } = batch;
  const fail = (message: string): never => {
    throw new OptionError('OPTION', `batch: ${message}`);
  };
  if (!(Number.isInteger(rows) && rows > 0 && Number.isInteger(length) && length > 0)) {
    fail(`${rows} rows of ${length} positions, expected at least one of each`);
  }
  if (length > context) fail(`${length} positions, the student's context is ${context}`);
  if (ids.length !== rows * (length + 1)) fail(`${ids.length} ids, expected ${rows} × ${length + 1}`);
  const bad = ids.findIndex((id) => !(id >= 0 && id < vocab));
  if (bad >= 0) fail(`id ${ids[bad]} at ${bad}, the vocabulary has ${vocab}`);
  if (weights.alpha > 0 && teacherLogits?.length !== rows * length * vocab) {
    fail(`${teacherLogits?.length ?? 'no'} logits of the teacher, expected ${rows * length * vocab}`);
  }
  if (weights.hidden > 0) {
    weights.hiddenPairs.forEach(({ student }, n) => {
      const values = teacherHidden?.[n]?.length ?? 0;
      if (values === 0 || values % (rows * length) !== 0) fail(`${values} hidden values of pair ${n}`);
      if (!(student >= 0 && student < layers)) fail(`pair ${n} names block ${student} of ${layers}`);
    });
  }
}
