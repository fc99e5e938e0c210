/**
 * Which weights a llama-shaped model has, and where they lie once loaded.
 * @module
 */
import type { LlamaDescription } from './description.ts';
import { layerTensorName, LLAMA_LAYER_TENSORS, type LlamaLayerTensor, ROPE_FACTORS } from './description.ts';
import type { Arena, Ptr } from '../../wasm/arena.ts';
import type { Matrix, WeightLoader } from '../../wasm/weights.ts';

type MatrixName = (typeof MATRICES)[number];

/** Matrices, vectors as pointers (0 where the model has none), and `inputs`: lists of the matrices that read the same. */
export type LlamaLayer =
  & { readonly [name in MatrixName]: Matrix }
  & { readonly [name in Exclude<LlamaLayerTensor, MatrixName>]: Ptr }
  & {
    /** What the product of a matrix is multiplied by: 1, but in files that keep the scale of a ternary matrix beside it. */
    readonly factors: Record<MatrixName, number>;
  }
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
  const layers = Array.from({ length: d.layers }, (_, index) => {
    const layer: Partial<Record<LlamaLayerTensor, Matrix | Ptr>> = {};
    for (const [key, suffix] of Object.entries(LLAMA_LAYER_TENSORS) as [LlamaLayerTensor, string][]) {
      const name = layerTensorName(index, suffix);
      layer[key] = isMatrix(key) ? loader.matrix(name) : loader.vector(name);
    }
    const { q, k, v, o, gate, up, down } = layer as LlamaLayer;
    const factors = { q: 1, k: 1, v: 1, o: 1, gate: 1, up: 1, down: 1 };
    return {
      ...layer,
      factors,
      inputs: { qkv: loader.sharing(q, k, v), o: [o], gateUp: loader.sharing(gate, up), down: [down] },
    } as LlamaLayer;
  });
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
      for (const name of MATRICES) {
        const at = layer[`${name}Scale`];
        if (at) layer.factors[name] = arena.f32(at, 1)[0];
      }
    }
  };
  return { weights, finish };
}

const MATRICES = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const;

function isMatrix(key: LlamaLayerTensor): key is MatrixName {
  return (MATRICES as readonly string[]).includes(key);
}
