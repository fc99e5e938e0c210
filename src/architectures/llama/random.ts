/**
 * Models of known shapes with random weights, made in memory: a GGUF file that is never written. They go through the
 * same loader as real files, and serve benchmarks and comparisons between hosts; what they say means nothing.
 * @module
 */
import type { ByteSource } from '../../bytes/source.ts';
import { type GgufEntry, writeGguf } from '../../container/gguf-write.ts';
import type { TensorType } from '../../container/tensor.ts';
import { OptionError } from '../../errors.ts';
import { layerTensorName, LLAMA_LAYER_TENSORS } from './description.ts';
import { RandomSource, type RandomTensor } from '../../container/random-source.ts';
import { SPIKING_SHAPES, SPIKING_TYPES, spikingMetadata, spikingTensors } from '../symboliclight/random.ts';

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

/** Names of all shapes, llama-shaped and spiking. */
export const RANDOM_SHAPES: readonly string[] = [...Object.keys(SHAPES), ...Object.keys(SPIKING_SHAPES)];

/** Types of the block matrices, by their spelling on the command line. Embedding and head of ternary and binary models
 *  are Q8_0, as in llama.cpp's conversions. */
export const RANDOM_TYPES: Readonly<Record<string, TensorType>> = {
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
  q8_0: 'Q8_0',
  tq1_0: 'TQ1_0',
  tq2_0: 'TQ2_0',
  q2_0: 'Q2_0',
  q1_0: 'Q1_0',
};

/**
 * A random model as a byte source for `open`.
 * @param layers fewer layers of the same shape
 * @param head type of the head of a spiking model instead of the one that goes with `type`
 * @throws {OptionError} for an unknown shape or type
 * @example
 * const model = await open(await randomModel('tinyllama', 'tq2_0'));
 */
export async function randomModel(shape: string, type: string, layers?: number, head?: string): Promise<ByteSource> {
  known('shape', shape, RANDOM_SHAPES);
  known('type', type, randomTypes(shape));
  const name = `random-${shape}-${type}`;
  let parts: { metadata: Map<string, GgufEntry>; tensors: RandomTensor[] };
  if (Object.hasOwn(SPIKING_SHAPES, shape)) {
    const { [shape]: s } = SPIKING_SHAPES;
    if (head !== undefined) known('head', head, randomTypes(shape));
    const headType = head === undefined ? undefined : SPIKING_TYPES[head];
    const d = { ...s, layers: layers ?? s.layers };
    parts = { metadata: spikingMetadata(d, name), tensors: spikingTensors(d, SPIKING_TYPES[type], headType) };
  } else {
    if (head !== undefined) throw new OptionError('OPTION', `head is for spiking shapes, ${shape} is none`);
    const { [shape]: s } = SHAPES;
    const dims = { ...s, layers: layers ?? s.layers };
    parts = { metadata: metadata(dims, name), tensors: tensors(dims, RANDOM_TYPES[type]) };
  }
  let header = new Uint8Array(0);
  await writeGguf({ write: async (bytes) => void (header = bytes.slice()) }, parts);
  return new RandomSource(header, parts.tensors);
}

/** Types that a shape can have, the default first. */
export function randomTypes(shape: string): readonly string[] {
  if (Object.hasOwn(SPIKING_SHAPES, shape)) return Object.keys(SPIKING_TYPES);
  return ['tq2_0', ...Object.keys(RANDOM_TYPES).filter((type) => type !== 'tq2_0')];
}

function known(what: string, value: string, all: readonly string[]): void {
  if (all.includes(value)) return;
  throw new OptionError(
    'OPTION',
    `${what} is ${JSON.stringify(value.slice(0, 60))}, expected one of ${all.join(', ')}`,
  );
}

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
