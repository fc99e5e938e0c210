/**
 * Where the weights of a transformer decoder's layers are once they are loaded.
 * @module
 */
import { LAYER_MATRICES, type LayerMatrix, layerTensorName } from '../description/layer-tensors.ts';
import type { Ptr } from '../wasm/arena.ts';
import type { Matrix, WeightLoader } from '../wasm/weights.ts';

/** Matrices, vectors as pointers (0 where the model has none), and `inputs`: lists of the matrices that read the same. */
export type LayerWeights<Name extends string> =
  & { readonly [name in LayerMatrix]: Matrix }
  & { readonly [name in Exclude<Name, LayerMatrix>]: Ptr }
  & { readonly inputs: Readonly<Record<'qkv' | 'o' | 'gateUp' | 'down', readonly Matrix[]>> };

/** Reserves the weights of every layer. @param table the suffix of each tensor's name @throws {MemoryError} */
export function layerWeights<Name extends string>(
  loader: WeightLoader,
  layers: number,
  table: Readonly<Record<Name, string>>,
): LayerWeights<Name>[] {
  const isMatrix = (key: string): boolean => (LAYER_MATRICES as readonly string[]).includes(key);
  return Array.from({ length: layers }, (_, index) => {
    const layer: Record<string, Matrix | Ptr> = {};
    for (const [key, suffix] of Object.entries<string>(table)) {
      const name = layerTensorName(index, suffix);
      layer[key] = isMatrix(key) ? loader.matrix(name) : loader.vector(name);
    }
    const { q, k, v, o, gate, up, down } = layer as Record<LayerMatrix, Matrix>;
    const inputs = { qkv: loader.sharing(q, k, v), o: [o], gateUp: loader.sharing(gate, up), down: [down] };
    return { ...layer, inputs } as unknown as LayerWeights<Name>;
  });
}
