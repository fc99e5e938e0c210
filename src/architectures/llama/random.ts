/**
 * Models of known shapes with random weights, made in memory: a GGUF file that is never written. They go through the
 * same loader as real files, and serve benchmarks and comparisons between hosts; what they say means nothing.
 * @module
 */
import type { GgufEntry } from '../../container/gguf-write.ts';
import type { TensorType } from '../../container/tensor.ts';
import { layerTensorName } from '../../description/layer-tensors.ts';
import { wrongValue } from '../../options.ts';
import { LLAMA_LAYER_TENSORS } from './description.ts';
import { randomSource, type RandomTensor } from '../../container/random-source.ts';
import type { RandomModels } from '../architecture.ts';

interface Shape {
  readonly layers: number;
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocab: number;
  readonly context: number;
  readonly theta: number;
}

/** Shapes of published models; `tiny` is the one of tests. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  tiny: {
    layers: 3,
    width: 256,
    hidden: 768,
    heads: 4,
    kvHeads: 2,
    headDim: 64,
    vocab: 512,
    context: 512,
    theta: 10000,
  },
  tinyllama: {
    layers: 22,
    width: 2048,
    hidden: 5632,
    heads: 32,
    kvHeads: 4,
    headDim: 64,
    vocab: 32000,
    context: 2048,
    theta: 10000,
  },
  'falcon3-1b': {
    layers: 18,
    width: 2048,
    hidden: 8192,
    heads: 8,
    kvHeads: 4,
    headDim: 256,
    vocab: 131072,
    context: 8192,
    theta: 1000042,
  },
};

/** Types of the block matrices, by their spelling on the command line. Embedding and head of ternary and binary models
 *  are Q8_0, as in llama.cpp's conversions. */
export const RANDOM_TYPES: Readonly<Record<string, TensorType>> = {
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
  q8_0: 'Q8_0',
  q4_0: 'Q4_0',
  q4_k: 'Q4_K',
  tq1_0: 'TQ1_0',
  tq2_0: 'TQ2_0',
  q2_0: 'Q2_0',
  q1_0: 'Q1_0',
};

/** A GGUF file of a known shape with random weights. See `randomModel`. */
export const random: RandomModels = {
  types: ['tq2_0', ...Object.keys(RANDOM_TYPES).filter((type) => type !== 'tq2_0')],
  async make(shape, type, layers, head) {
    if (head !== undefined) throw wrongValue('head', head, `none: ${shape} is not a spiking shape`);
    const { [shape]: s } = SHAPES;
    const dims = { ...s, layers: layers ?? s.layers };
    const parts = { metadata: metadata(dims, `random-${shape}-${type}`), tensors: tensors(dims, RANDOM_TYPES[type]) };
    return await randomSource(parts);
  },
};

function metadata(s: Shape, name: string): Map<string, GgufEntry> {
  const u32 = (value: number): GgufEntry => ({ type: 'uint32', value });
  return new Map<string, GgufEntry>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['general.name', { type: 'string', value: name }],
    ['tokenizer.ggml.model', { type: 'string', value: 'none' }],
    ['llama.context_length', u32(s.context)],
    ['llama.embedding_length', u32(s.width)],
    ['llama.block_count', u32(s.layers)],
    ['llama.feed_forward_length', u32(s.hidden)],
    ['llama.attention.head_count', u32(s.heads)],
    ['llama.attention.head_count_kv', u32(s.kvHeads)],
    ['llama.attention.key_length', u32(s.headDim)],
    ['llama.attention.value_length', u32(s.headDim)],
    ['llama.rope.dimension_count', u32(s.headDim)],
    ['llama.rope.freq_base', { type: 'float32', value: s.theta }],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'float32', value: 1e-5 }],
    ['llama.vocab_size', u32(s.vocab)],
  ]);
}

function tensors(s: Shape, type: TensorType): RandomTensor[] {
  const head = ['F32', 'F16', 'BF16'].includes(type) ? type : 'Q8_0';
  const q = s.heads * s.headDim;
  const kv = s.kvHeads * s.headDim;
  const list: RandomTensor[] = [{ name: 'token_embd.weight', type: head, shape: [s.vocab, s.width], mean: 0 }];
  for (let layer = 0; layer < s.layers; layer++) {
    const add = (suffix: string, of: TensorType, ...shape: number[]): void => {
      list.push({ name: layerTensorName(layer, suffix), type: of, shape, mean: shape.length === 1 ? 1 : 0 });
    };
    const names = LLAMA_LAYER_TENSORS;
    add(names.attnNorm, 'F32', s.width);
    add(names.q, type, q, s.width);
    add(names.k, type, kv, s.width);
    add(names.v, type, kv, s.width);
    add(names.o, type, s.width, q);
    add(names.ffnNorm, 'F32', s.width);
    add(names.gate, type, s.hidden, s.width);
    add(names.up, type, s.hidden, s.width);
    add(names.down, type, s.width, s.hidden);
  }
  list.push({ name: 'output_norm.weight', type: 'F32', shape: [s.width], mean: 1 });
  list.push({ name: 'output.weight', type: head, shape: [s.vocab, s.width], mean: 0 });
  return list;
}
