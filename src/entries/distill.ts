/**
 * `ternspike/distill`: trains a ternary or binary spiking student from a full-precision teacher.
 * @module
 */
export * from '../distill/students/symboliclight/distill.ts';
