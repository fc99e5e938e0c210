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
export const ACTIVATION_TYPES = ['int8', 'int16', 'f32'] as const;
export type ActivationType = (typeof ACTIVATION_TYPES)[number];

export interface LoadOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** How int8 matrices take their inputs: quantised to int8 (default) or int16, or as they are. */
  readonly activations?: ActivationType;
}
