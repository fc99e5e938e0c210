/**
 * A loaded model as a classifier of a task of GLUE.
 * @module
 */
import type { ClassifyOptions } from '../forward/classifier.ts';
import { DescriptionError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import type { Classify } from './glue.ts';
import { GLUE_MAX_LENGTH, type GlueTask, labelOrder } from './glue-tasks.ts';

/**
 * A model as a classifier of a task: its outputs in the order of the task's labels, texts cut to 128 tokens unless told.
 * @throws {DescriptionError} `ARCHITECTURE` for a model that generates
 * @throws {OptionError} `OPTION` for a model with another number of outputs
 */
export function glueClassifier(model: Model, task: GlueTask, options: ClassifyOptions = {}): Classify {
  const description = model.describe();
  if (!description.labels) {
    throw new DescriptionError(
      'ARCHITECTURE',
      `${description.architecture} models do not classify; GLUE needs one that does`,
    );
  }
  const order = labelOrder(task, description.labels);
  const maxLength = options.maxLength ?? Math.min(GLUE_MAX_LENGTH, description.trainedContext);
  return async (text, pair, signal) => {
    const said = await model.classify(pair === undefined ? text : [text, pair], { ...options, maxLength, signal });
    const ordered = (values: readonly number[]): number[] =>
      order.length > 0 ? order.map((at) => values[at]) : [...values];
    return {
      logits: ordered(said.logits),
      scores: ordered(said.scores),
      spikes: said.spikes?.spikes,
      energy: said.spikes?.energy.compute.effective,
    };
  };
}
