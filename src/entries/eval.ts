/**
 * Evaluation of classifiers: `ternspike/eval`. Sources of samples are whatever `open` takes: paths, Blobs, bytes.
 *
 * @example
 * import { evaluateGlue, glueClassifier, glueTask, openSource, readGlue } from 'ternspike/eval';
 * const task = glueTask('sst2');
 * const samples = readGlue(await openSource('SST-2/dev.tsv'), task);
 * const { metrics } = await evaluateGlue(glueClassifier(model, task), samples, { task });
 * @module
 */
import type { ClassifyOptions } from '../forward/classifier.ts';
import { DescriptionError } from '../errors.ts';
import type { Classify } from '../eval/glue.ts';
import { GLUE_MAX_LENGTH, type GlueTask, labelOrder } from '../eval/glue-tasks.ts';
import type { Model } from '../model/model.ts';

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

export { resolveSource as openSource } from '../bytes/resolve.ts';
export {
  type Classified,
  type Classify,
  evaluateGlue,
  type EvaluateGlueOptions,
  type GlueRecord,
  type GlueResult,
  glueResult,
} from '../eval/glue.ts';
export { type GlueLog, glueLogHeader, glueLogLine, type GlueRun, readGlueLog } from '../eval/glue-log.ts';
export { accuracy, type Confusion, confusionMatrix, f1, matthews, pearson, spearman } from '../eval/glue-metrics.ts';
export { type GlueSample, type MalformedLine, readGlue, type ReadGlueOptions } from '../eval/glue-read.ts';
export {
  GLUE_MAX_LENGTH,
  GLUE_TASKS,
  type GlueColumns,
  type GlueMetric,
  glueSplit,
  type GlueTask,
  glueTask,
  labelOrder,
} from '../eval/glue-tasks.ts';
