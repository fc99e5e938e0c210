/**
 * Llama-shaped models to GGUF. Folders of the `llama` class pair the dimensions that a rotary embedding turns by halves, where
 * llama.cpp expects neighbours: rows of queries and keys change places, so that every reader of GGUF runs the result.
 * @module
 */
import type { ByteSource } from '../../bytes/source.ts';
import type { GgufContainer } from '../../container/gguf.ts';
import type { ByteSink } from '../../container/gguf-write.ts';
import type { HuggingFaceContainer } from '../../container/huggingface/translate.ts';
import { convertGguf } from '../../convert/gguf.ts';
import { neighbours, reordered, type RowOrder } from '../../convert/row-order.ts';
import type { ConvertOptions, ConvertResult } from '../../convert/types.ts';
import { layerTensorName } from '../../description/layer-tensors.ts';
import type { KernelModules } from '../../wasm/instantiate.ts';
import { describeLlama, LLAMA_LAYER_TENSORS, PAIRING_KEY } from './description.ts';

/** Converts an opened model. See `convertModel`. */
export async function convertLlama(
  modules: KernelModules,
  source: ByteSource,
  container: GgufContainer | HuggingFaceContainer,
  sink: ByteSink,
  options: ConvertOptions,
): Promise<ConvertResult> {
  const orders = container.format === 'huggingface' ? headOrders(container) : null;
  if (!orders) return await convertGguf(modules, source, container, sink, options);
  const metadata = new Map(container.metadata);
  metadata.delete(PAIRING_KEY);
  const by = reordered(source, { ...container, metadata }, orders);
  return await convertGguf(modules, by.source, by.container, sink, options);
}

/** The new order of every tensor of queries and keys; null where the pairing is to stay as it is. */
function headOrders(container: HuggingFaceContainer): ReadonlyMap<string, RowOrder> | null {
  if (container.metadata.get(PAIRING_KEY) !== 'halved') return null;
  const { layers, headDim, rope, heads, kvHeads } = describeLlama(container);
  // packed matrices hold four rows to a byte: heads move as a whole only if every quarter has whole ones
  const packed = [...container.tensors.values()].some(({ type }) => type === 'U2_ROWS');
  if (rope.dims !== headDim || (packed && (heads % 4 !== 0 || kvHeads % 4 !== 0))) return null;
  const order = neighbours(headDim);
  const orders = new Map<string, RowOrder>();
  for (let layer = 0; layer < layers; layer++) {
    for (
      const suffix of [
        LLAMA_LAYER_TENSORS.q,
        LLAMA_LAYER_TENSORS.k,
        LLAMA_LAYER_TENSORS.qBias,
        LLAMA_LAYER_TENSORS.kBias,
      ]
    ) {
      const name = layerTensorName(layer, suffix);
      if (container.tensors.has(name)) orders.set(name, order);
    }
  }
  return orders;
}
