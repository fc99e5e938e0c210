/**
 * How weights are loaded.
 * @module
 */

/** Progress of a load, in bytes of tensors. */
export interface LoadProgress {
  readonly loaded: number;
  readonly total: number;
}

/** Activations of int8 matrices: int8 in blocks of 32, or f32. */
export type ActivationType = 'int8' | 'f32';

export interface LoadOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** How int8 matrices take their inputs: quantised (default) or as they are. */
  readonly activations?: ActivationType;
}
