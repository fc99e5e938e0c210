/**
 * Which weights a Gemma 3 model has, and where they lie once loaded.
 * @module
 */
import type { Arena, Ptr } from '../../wasm/arena.ts';
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

/**
 * Reserves every weight.
 * @returns the weights, and what remains to be done once `loader.fill()` has settled
 */
export function gemma3Weights(
  d: Gemma3Description,
  loader: WeightLoader,
): { weights: Gemma3Weights; finish(arena: Arena): void } {
  const norms: { at: Ptr; n: number }[] = [];
  const norm = (name: string, n: number): Ptr => {
    const at = loader.vector(name);
    norms.push({ at, n });
    return at;
  };
  const embedding = loader.matrix('token_embd.weight');
  const layers = Array.from({ length: d.layers }, (_, index) => {
    const layer: Partial<Record<Gemma3LayerTensor, Matrix | Ptr>> = {};
    for (const [key, suffix] of Object.entries(GEMMA3_LAYER_TENSORS) as [Gemma3LayerTensor, string][]) {
      const name = layerTensorName(index, suffix);
      layer[key] = isMatrix(key) ? loader.matrix(name) : norm(name, key === 'qNorm' || key === 'kNorm' ? d.headDim : d.width);
    }
    const { q, k, v, o, gate, up, down } = layer as Gemma3Layer;
    const inputs = { qkv: loader.sharing(q, k, v), o: [o], gateUp: loader.sharing(gate, up), down: [down] };
    return { ...layer, inputs } as Gemma3Layer;
  });
  const outputNorm = norm('output_norm.weight', d.width);
  const head = d.tied ? embedding : loader.matrix('output.weight');
  const weights = { embedding, layers, outputNorm, head, inputs: { head: [head] } };
  const finish = (arena: Arena): void => {
    if (d.normOffset === 0) return;
    for (const { at, n } of norms) {
      const values = arena.f32(at, n);
      for (let i = 0; i < n; i++) values[i] += d.normOffset;
    }
  };
  return { weights, finish };
}

function isMatrix(key: Gemma3LayerTensor): key is MatrixName {
  return (MATRICES as readonly string[]).includes(key);
}
