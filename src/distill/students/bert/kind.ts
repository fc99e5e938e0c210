/**
 * Dense BERTs in training, as the common trainer sees them.
 * @module
 */
import { OptionError } from '../../../errors.ts';
import type { StudentKind } from '../../student.ts';
import { type DenseBert, denseSlots } from './config.ts';
import { DenseEngine, type DenseLooked, type DenseOptions } from './engine.ts';
import type { LabelledBatch } from './logit-loss.ts';

export const bertKind: StudentKind<DenseBert, LabelledBatch, object, DenseLooked, DenseOptions> = {
  name: 'bert',
  slots: denseSlots,
  // the first weights are those of the base; see finetune.ts
  initialise: () => {},
  round: () => {},
  checkBatch({ vocab, context, segments, classes }, { texts, length, ids, types, labels }) {
    const fail = (message: string): never => {
      throw new OptionError('OPTION', `batch: ${message}`);
    };
    if (length > context) fail(`${length} tokens, the model has ${context} positions`);
    if (ids.length !== texts * length || types.length !== ids.length || labels.length !== texts) {
      fail(`${ids.length} ids, ${types.length} segments and ${labels.length} labels of ${texts} texts × ${length}`);
    }
    const bad = ids.findIndex((id) => !(id >= 0 && id < vocab));
    if (bad >= 0) fail(`id ${ids[bad]} at ${bad}, the vocabulary has ${vocab}`);
    const type = types.findIndex((segment) => !(segment >= 0 && segment < segments));
    if (type >= 0) fail(`segment ${types[type]} at ${type}, there are ${segments}`);
    const label = labels.findIndex((label) => Number.isNaN(label) || (classes > 1 && !(label >= 0 && label < classes)));
    if (label >= 0) fail(`label ${labels[label]} of text ${label}, there are ${classes} classes`);
  },
  partName: () => 'the logits',
  engine: (options) => DenseEngine.start(options),
};
