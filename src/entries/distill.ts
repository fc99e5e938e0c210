/**
 * `ternspike/distill`: trains ternary or binary spiking students from full-precision teachers: ones that write, and ones that
 * classify.
 * @module
 */
export * from '../distill/students/symboliclight/distill.ts';
export {
  CLASSIFIER_SETTINGS,
  type ClassifierEvent,
  type ClassifierResult,
  type ClassifierSettings,
  classifierSettings,
  type Course,
  distillClassifier,
  type DistillClassifierOptions,
  type LabelledText,
  type Phase,
  type SpikingStudent,
} from '../distill/students/spikingbert/distill.ts';
export {
  type Best,
  finetune,
  FINETUNE_SETTINGS,
  type FinetuneEvent,
  type FinetuneOptions,
  type FinetuneResult,
  type FinetuneSettings,
} from '../distill/students/bert/finetune.ts';
export { type GlueColumns, type GlueMetric, type GlueTask, glueTask } from '../eval/glue-tasks.ts';
export type { ExportOptions } from '../distill/students/symboliclight/export.ts';
export type { EvaluationRecord } from '../distill/metrics.ts';
export type { TextOptions } from '../distill/students/symboliclight/prepare.ts';
export type { StudentQuantisation, Surrogate, TableQuantisation } from '../distill/students/symboliclight/types.ts';
export type { RunSettings } from '../distill/settings.ts';
export type { StudentTables, StudentWeights } from '../distill/students/spikingbert/config.ts';
export type { AnyTrainer, StateTensor } from '../distill/types.ts';
