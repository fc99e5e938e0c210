/**
 * How weights are loaded.
 * @module
 */

/** Progress of a load, in bytes of tensors. */
export interface LoadProgress {
  readonly loaded: number;
  readonly total: number;
}

/** Activations of int8 matrices: int8 or int16 in blocks of 32, or f32. */
export type ActivationType = 'int8' | 'int16' | 'f32';

export interface LoadOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** How int8 matrices take their inputs: quantised to int8 (default) or int16, or as they are. */
  readonly activations?: ActivationType;
}
