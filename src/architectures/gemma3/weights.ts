/**
 * Which weights a Gemma 3 model has, and where they are once loaded.
 * @module
 */
import { type LayerWeights, layerWeights } from '../../forward/layer-weights.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { Matrix, WeightLoader } from '../../wasm/weights.ts';
import { GEMMA3_LAYER_TENSORS, type Gemma3Description, type Gemma3LayerTensor } from './description.ts';

export type Gemma3Layer = LayerWeights<Gemma3LayerTensor>;

/** Read-only after load. */
export interface Gemma3Weights {
  readonly embedding: Matrix;
  readonly layers: readonly Gemma3Layer[];
  readonly outputNorm: Ptr;
  /** The embedding again where the model is tied. */
  readonly head: Matrix;
  readonly inputs: { readonly head: readonly Matrix[] };
}

/** Reserves every weight; they are valid once `loader.fill()` has settled. @throws {MemoryError} */
export function gemma3Weights(d: Gemma3Description, loader: WeightLoader): Gemma3Weights {
  const embedding = loader.matrix('token_embd.weight');
  const layers = layerWeights(loader, d.layers, GEMMA3_LAYER_TENSORS);
  const outputNorm = loader.vector('output_norm.weight');
  const head = d.tied ? embedding : loader.matrix('output.weight');
  return { embedding, layers, outputNorm, head, inputs: { head: [head] } };
}
