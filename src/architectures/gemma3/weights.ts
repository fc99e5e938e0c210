/**
 * Which weights a Gemma 3 model has, and where they lie once loaded.
 * @module
 */
import type { Ptr } from '../../wasm/arena.ts';
import type { Matrix, WeightLoader } from '../../wasm/weights.ts';
import {
  GEMMA3_LAYER_TENSORS,
  type Gemma3Description,
  type Gemma3LayerTensor,
  layerTensorName,
} from './description.ts';

const MATRICES = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const;
type MatrixName = (typeof MATRICES)[number];
type NormName = Exclude<Gemma3LayerTensor, MatrixName>;

/** Matrices, norms as pointers, and `inputs`: lists of the matrices that read the same. */
export type Gemma3Layer =
  & { readonly [name in MatrixName]: Matrix }
  & { readonly [name in NormName]: Ptr }
  & { readonly inputs: Readonly<Record<'qkv' | 'o' | 'gateUp' | 'down', readonly Matrix[]>> };

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
  const layers = Array.from({ length: d.layers }, (_, index) => {
    const layer: Partial<Record<Gemma3LayerTensor, Matrix | Ptr>> = {};
    for (const [key, suffix] of Object.entries(GEMMA3_LAYER_TENSORS) as [Gemma3LayerTensor, string][]) {
      const name = layerTensorName(index, suffix);
      layer[key] = isMatrix(key) ? loader.matrix(name) : loader.vector(name);
    }
    const { q, k, v, o, gate, up, down } = layer as Gemma3Layer;
    const inputs = { qkv: loader.sharing(q, k, v), o: [o], gateUp: loader.sharing(gate, up), down: [down] };
    return { ...layer, inputs } as Gemma3Layer;
  });
  const outputNorm = loader.vector('output_norm.weight');
  const head = d.tied ? embedding : loader.matrix('output.weight');
  return { embedding, layers, outputNorm, head, inputs: { head: [head] } };
}

function isMatrix(key: Gemma3LayerTensor): key is MatrixName {
  return (MATRICES as readonly string[]).includes(key);
}
