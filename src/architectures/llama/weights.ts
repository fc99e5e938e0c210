/**
 * Which weights a llama-shaped model has, and where they lie once loaded.
 * @module
 */
import type { LlamaDescription } from './description.ts';
import { layerTensorName, LLAMA_LAYER_TENSORS, type LlamaLayerTensor } from './description.ts';
import type { Ptr } from '../../wasm/arena.ts';
import type { Matrix, WeightLoader } from '../../wasm/weights.ts';

type MatrixName = 'q' | 'k' | 'v' | 'o' | 'gate' | 'up' | 'down';

/** Matrices, vectors as pointers (0 where the model has none), and `inputs`: lists of the matrices that read the same. */
export type LlamaLayer =
  & { readonly [name in MatrixName]: Matrix }
  & { readonly [name in Exclude<LlamaLayerTensor, MatrixName>]: Ptr }
  & { readonly inputs: Readonly<Record<'qkv' | 'o' | 'gateUp' | 'down', readonly Matrix[]>> };

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

/** Reserves every weight; they hold values once `loader.fill()` has settled. */
export function llamaWeights(d: LlamaDescription, loader: WeightLoader): LlamaWeights {
  const embedding = loader.matrix('token_embd.weight');
  const layers = Array.from({ length: d.layers }, (_, index) => {
    const layer: Partial<Record<LlamaLayerTensor, Matrix | Ptr>> = {};
    for (const [key, suffix] of Object.entries(LLAMA_LAYER_TENSORS) as [LlamaLayerTensor, string][]) {
      const name = layerTensorName(index, suffix);
      layer[key] = isMatrix(key) ? loader.matrix(name) : loader.vector(name);
    }
    const { q, k, v, o, gate, up, down } = layer as LlamaLayer;
    return { ...layer, inputs: { qkv: loader.sharing(q, k, v), o: [o], gateUp: loader.sharing(gate, up), down: [down] } } as LlamaLayer;
  });
  const outputNorm = loader.vector('output_norm.weight');
  const head = d.tied ? embedding : loader.matrix('output.weight');
  return {
    embedding,
    layers,
    outputNorm,
    head,
    inputs: { head: [head] },
    ropeFactors: loader.vector('rope_freqs.weight'),
  };
}

function isMatrix(key: LlamaLayerTensor): key is MatrixName {
  return ['q', 'k', 'v', 'o', 'gate', 'up', 'down'].includes(key);
}
