/**
 * What becomes of a step's gradients, tensor by tensor: their mean, AdamW, and the weights rounded anew. Tensors depend on one
 * another only through the norm of all gradients, so that threads can share them.
 * @module
 */
import { type AdamOptions, adamw, squareSum } from './optimizer.ts';
import type { Slot } from './slots.ts';
import type { AnyKind } from './student.ts';

/** All numbers of a student in training, each array with every tensor in its slot. */
export interface TrainingArrays {
  readonly latent: Float32Array;
  /** Moments of the gradients. */
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** The latent weights as an exported file will hold them. */
  readonly rounded: Float32Array;
  /** Of each batch of a step. */
  readonly gradients: readonly Float32Array[];
}

/** One update, once the norm of all gradients is known. */
export interface Update {
  readonly adam: AdamOptions;
  /** From 1. */
  readonly step: number;
  readonly lr: number;
  /** Multiplies the gradients: clipping. */
  readonly scale: number;
}

/** Arrays of n elements, in memory that threads can share where the runtime has such. */
export function trainingArrays(n: number): TrainingArrays {
  return { latent: shared(n), first: shared(n), second: shared(n), rounded: shared(n), gradients: [] };
}

/** The same numbers in arrays of n elements, and room for the gradients of `batches` batches. */
export function grown(arrays: TrainingArrays, n: number, batches: number): TrainingArrays {
  const longer = (flat: Float32Array): Float32Array => {
    if (flat.length === n) return flat;
    const out = shared(n);
    out.set(flat.subarray(0, Math.min(n, flat.length)));
    return out;
  };
  const { latent, first, second, rounded, gradients } = arrays;
  const room = Array.from({ length: batches }, (_, i) => gradients[i]?.length === n ? gradients[i] : shared(n));
  return {
    latent: longer(latent),
    first: longer(first),
    second: longer(second),
    rounded: longer(rounded),
    gradients: room,
  };
}

function shared(n: number): Float32Array {
  return typeof SharedArrayBuffer === 'undefined'
    ? new Float32Array(n)
    : new Float32Array(new SharedArrayBuffer(n * 4));
}

/**
 * Mean over the first `count` gradients, in their order, in the place of the first.
 * @returns Σ g² of each slot
 */
export function averageGradients(slots: readonly Slot[], { gradients }: TrainingArrays, count: number): number[] {
  const [sum, ...rest] = gradients.slice(0, count);
  const share = 1 / count;
  return slots.map(({ at, size }) => {
    if (rest.length > 0) {
      for (let i = at; i < at + size; i++) {
        let total = sum[i];
        for (let n = 0; n < rest.length; n++) total += rest[n][i];
        sum[i] = total * share;
      }
    }
    return squareSum(sum, at, at + size);
  });
}

/** Moves the latent weights of `slots` by their mean gradient, and rounds them. */
export function updateWeights<C>(
  kind: AnyKind,
  config: C,
  slots: readonly Slot[],
  arrays: TrainingArrays,
  { adam, step, lr, scale }: Update,
): void {
  const { latent, first, second, gradients } = arrays;
  for (const slot of slots) {
    const { at, size, shape } = slot;
    const decay = shape.length > 1 ? adam.weightDecay : 0;
    const rate = lr * (kind.share?.(slot, latent) ?? 1);
    adamw(latent, gradients[0], first, second, at, at + size, scale, rate, decay, step, adam);
  }
  kind.round(config, slots, arrays);
}
