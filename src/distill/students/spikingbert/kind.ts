/**
 * Spiking BERT students, as the common trainer sees them.
 * @module
 */
import { OptionError } from '../../../errors.ts';
import type { Slot } from '../../slots.ts';
import type { StudentKind } from '../../student.ts';
import { neuronLayers, type SpikingStudent } from './config.ts';
import { type Look, type Looked, SpikingEngine, type SpikingOptions } from './engine.ts';
import type { LabelledBatch } from '../bert/logit-loss.ts';
import type { SpikingLosses } from './losses.ts';
import { CLASSIFIER, spikingSlots } from './tensors.ts';

/** Steps of the optimiser beside those of latent matrices, whose rows have a mean size of 1. */
const SHARES = { scale: 0.25, vector: 0.3, classifier: 0.5 };

export const spikingBertKind: StudentKind<
  SpikingStudent,
  LabelledBatch & { readonly look?: Look },
  SpikingLosses,
  Looked,
  SpikingOptions
> = {
  name: 'spikingbert',
  slots: spikingSlots,
  // the first weights come from the teacher; see transfer.ts
  initialise: () => {},
  // threads round for themselves: a matrix and its scales may be another thread's to move
  round: () => {},
  share(slot, latent) {
    const { key, shape } = slot;
    if (key.startsWith(CLASSIFIER)) return SHARES.classifier;
    if (key.endsWith('.scale')) return SHARES.scale * meanSize(slot, latent);
    if (shape.length < 2) return SHARES.vector;
    return meanSize(slot, latent);
  },
  checkBatch({ vocab, segments, context, classes }, { texts, length, ids, types, labels }) {
    const fail = (message: string): never => {
      throw new OptionError('OPTION', `batch: ${message}`);
    };
    if (!(texts > 0 && length > 0)) fail(`${texts} texts of ${length} tokens, expected at least one of each`);
    if (length > context) fail(`${length} tokens, the student has ${context} positions`);
    if (ids.length !== texts * length || types.length !== ids.length) {
      fail(`${ids.length} ids and ${types.length} segments, expected ${texts} × ${length}`);
    }
    const bad = ids.findIndex((id) => !(id >= 0 && id < vocab));
    if (bad >= 0) fail(`id ${ids[bad]} at ${bad}, the vocabulary has ${vocab}`);
    const type = types.findIndex((segment) => !(segment >= 0 && segment < segments));
    if (type >= 0) fail(`segment ${types[type]} at ${type}, there are ${segments}`);
    if (labels.length !== texts) fail(`${labels.length} labels of ${texts} texts`);
    const label = labels.findIndex((label) => classes > 1 && !Number.isNaN(label) && !(label >= 0 && label < classes));
    if (label >= 0) fail(`label ${labels[label]} of text ${label}, there are ${classes} classes`);
  },
  partName(index, count) {
    if (index === count - 1) return 'the logits';
    const layers = (count - 2) / 6;
    return `layer ${index} (${neuronLayers({ layers })[index]})`;
  },
  engine: (options) => SpikingEngine.start(options),
};

function meanSize({ at, size }: Slot, latent: Float32Array): number {
  let sum = 0;
  for (let i = at; i < at + size; i++) sum += Math.abs(latent[i]);
  return sum / size;
}
