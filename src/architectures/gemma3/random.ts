/**
 * Gemma 3 of a published shape with random weights, made in memory. See llama/random.ts.
 * @module
 */
import type { GgufEntry } from '../../container/gguf-write.ts';
import { randomSource, type RandomTensor } from '../../container/random-source.ts';
import type { TensorType } from '../../container/tensor.ts';
import { wrongValue } from '../../options.ts';
import type { RandomModels } from '../architecture.ts';
import { layerTensorName } from '../../description/layer-tensors.ts';
import { GEMMA3_LAYER_TENSORS, type Gemma3LayerTensor } from './description.ts';

/** Gemma 3 270M. */
const SHAPE = { layers: 18, width: 640, hidden: 2048, heads: 4, kvHeads: 1, headDim: 256, vocab: 262144, window: 512 };

/** Types of the matrices of layers whose blocks divide the shape; the tied table is Q8_0, or of the same floats. */
const TYPES: Readonly<Record<string, TensorType>> = { q8_0: 'Q8_0', f16: 'F16', bf16: 'BF16', f32: 'F32' };

/** A GGUF file of a known shape with random weights. See `randomModel`. */
export const random: RandomModels = {
  types: Object.keys(TYPES),
  async make(shape, type, layers = SHAPE.layers, head) {
    if (head !== undefined) throw wrongValue('head', head, `none: ${shape} is not a spiking shape`);
    const metadata = metadataOf(layers, `random-${shape}-${type}`);
    return await randomSource({ metadata, tensors: tensorsOf(layers, TYPES[type]) });
  },
};

function metadataOf(layers: number, name: string): Map<string, GgufEntry> {
  const u32 = (value: number): GgufEntry => ({ type: 'uint32', value });
  return new Map<string, GgufEntry>([
    ['general.architecture', { type: 'string', value: 'gemma3' }],
    ['general.name', { type: 'string', value: name }],
    ['tokenizer.ggml.model', { type: 'string', value: 'none' }],
    ['gemma3.context_length', u32(32768)],
    ['gemma3.embedding_length', u32(SHAPE.width)],
    ['gemma3.block_count', u32(layers)],
    ['gemma3.feed_forward_length', u32(SHAPE.hidden)],
    ['gemma3.attention.head_count', u32(SHAPE.heads)],
    ['gemma3.attention.head_count_kv', u32(SHAPE.kvHeads)],
    ['gemma3.attention.key_length', u32(SHAPE.headDim)],
    ['gemma3.attention.value_length', u32(SHAPE.headDim)],
    ['gemma3.attention.layer_norm_rms_epsilon', { type: 'float32', value: 1e-6 }],
    ['gemma3.attention.sliding_window', u32(SHAPE.window)],
    ['gemma3.rope.freq_base', { type: 'float32', value: 1e6 }],
  ]);
}

function tensorsOf(layers: number, type: TensorType): RandomTensor[] {
  const { width, hidden, heads, kvHeads, headDim, vocab } = SHAPE;
  const [q, kv] = [heads * headDim, kvHeads * headDim];
  const shapes: Readonly<Record<Gemma3LayerTensor, readonly number[]>> = {
    q: [q, width],
    k: [kv, width],
    v: [kv, width],
    o: [width, q],
    gate: [hidden, width],
    up: [hidden, width],
    down: [width, hidden],
    attnNorm: [width],
    qNorm: [headDim],
    kNorm: [headDim],
    attnPostNorm: [width],
    ffnNorm: [width],
    ffnPostNorm: [width],
  };
  const list: RandomTensor[] = [{ name: 'token_embd.weight', type, shape: [vocab, width], mean: 0 }];
  for (let l = 0; l < layers; l++) {
    for (const [key, shape] of Object.entries(shapes) as [Gemma3LayerTensor, readonly number[]][]) {
      const matrix = shape.length === 2;
      const name = layerTensorName(l, GEMMA3_LAYER_TENSORS[key]);
      list.push({ name, type: matrix ? type : 'F32', shape: [...shape], mean: matrix ? 0 : 1 });
    }
  }
  list.push({ name: 'output_norm.weight', type: 'F32', shape: [width], mean: 1 });
  return list;
}
