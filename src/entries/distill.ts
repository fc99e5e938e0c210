/**
 * `ternspike/distill`: trains a ternary or binary spiking student from a full-precision teacher.
 * @module
 */
export * from '../distill/distill.ts';
export type { ExportOptions } from '../distill/export.ts';
export type { EvaluationRecord } from '../distill/metrics.ts';
export type { TextOptions } from '../distill/prepare.ts';
export type { StudentQuantisation, Surrogate, TableQuantisation } from '../distill/types.ts';
