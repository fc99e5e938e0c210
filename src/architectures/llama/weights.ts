/**
 * Which weights a llama-shaped model has, and where they lie once loaded.
 * @module
 */
import { LAYER_MATRICES, type LayerMatrix } from '../../description/layer-tensors.ts';
import { type LayerWeights, layerWeights } from '../../forward/layer-weights.ts';
import type { Arena, Ptr } from '../../wasm/arena.ts';
import type { Matrix, WeightLoader } from '../../wasm/weights.ts';
import { LLAMA_LAYER_TENSORS, type LlamaDescription, type LlamaLayerTensor, ROPE_FACTORS } from './description.ts';

export type LlamaLayer = LayerWeights<LlamaLayerTensor> & {
  /** What the product of a matrix is multiplied by: 1, but in files that keep the scale of a ternary matrix beside it. */
  readonly factors: Record<LayerMatrix, number>;
};

/** Read-only after load. */
export interface LlamaWeights {
  readonly embedding: Matrix;
  readonly layers: readonly LlamaLayer[];
  readonly outputNorm: Ptr;
  /** The embedding again where the model is tied. */
  readonly head: Matrix;
  readonly inputs: { readonly head: readonly Matrix[] };
  /** Frequency factors of the rotary embedding, 0 for none. */
  readonly ropeFactors: Ptr;
}

/**
 * Reserves every weight.
 * @param context positions of a session, which decide between the rotary factors for short and for long contexts
 * @returns the weights, and what remains to be done once `loader.fill()` has settled
 */
export function llamaWeights(
  d: LlamaDescription,
  loader: WeightLoader,
  context: number = d.trainedContext,
): { weights: LlamaWeights; finish(arena: Arena): void } {
  const embedding = loader.matrix('token_embd.weight');
  const layers = layerWeights(loader, d.layers, LLAMA_LAYER_TENSORS).map((layer): LlamaLayer => ({
    ...layer,
    factors: { q: 1, k: 1, v: 1, o: 1, gate: 1, up: 1, down: 1 },
  }));
  const outputNorm = loader.vector('output_norm.weight');
  const head = d.tied ? embedding : loader.matrix('output.weight');
  const [always, short, long] = ROPE_FACTORS.map((name) => loader.vector(name));
  const weights = {
    embedding,
    layers,
    outputNorm,
    head,
    inputs: { head: [head] },
    ropeFactors: always || (context > (d.rope.original ?? d.trainedContext) ? long : short),
  };
  const finish = (arena: Arena): void => {
    for (const layer of layers) {
      for (const name of LAYER_MATRICES) {
        const at = layer[`${name}Scale`];
        if (at) layer.factors[name] = arena.f32(at, 1)[0];
      }
    }
  };
  return { weights, finish };
}
