/**
 * Models of known shapes with random weights, made in memory: a GGUF file that is never written. They go through the
 * same loader as real files, and serve benchmarks and comparisons between hosts; what they say means nothing.
 *
 * A tensor repeats a tile of random blocks. Their scales are chosen so that activations keep a natural size.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import type { ByteSource } from '../bytes/source.ts';
import { tensorBytes, TYPE_LAYOUTS } from '../container/ggml-types.ts';
import { DEFAULT_ALIGNMENT } from '../container/gguf-types.ts';
import { type GgufEntry, type GgufTensor, writeGguf } from '../container/gguf-write.ts';
import type { TensorType } from '../container/tensor.ts';
import { OptionError } from '../errors.ts';
import { LLAMA_LAYER_TENSORS, layerTensorName } from '../model/llama.ts';
import {
  SPIKING_SHAPES, SPIKING_TYPES, spikingDescription, spikingMetadata, spikingTensors,
} from './random-symboliclight.ts';

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
  tiny: { layers: 3, width: 256, hidden: 768, heads: 4, kvHeads: 2, headDim: 64, vocab: 512, context: 512, theta: 10000 },
  tinyllama: {
    layers: 22, width: 2048, hidden: 5632, heads: 32, kvHeads: 4, headDim: 64, vocab: 32000, context: 2048, theta: 10000,
  },
  'falcon3-1b': {
    layers: 18, width: 2048, hidden: 8192, heads: 8, kvHeads: 4, headDim: 256, vocab: 131072, context: 8192, theta: 1000042,
  },
};

/** Names of all shapes, llama-shaped and spiking. */
export const RANDOM_SHAPES: readonly string[] = [...Object.keys(SHAPES), ...Object.keys(SPIKING_SHAPES)];

/** Types of the block matrices, by their spelling on the command line. Embedding and head of ternary and binary models
 *  are Q8_0, as in llama.cpp's conversions. */
export const RANDOM_TYPES: Readonly<Record<string, TensorType>> = {
  f32: 'F32', f16: 'F16', bf16: 'BF16', q8_0: 'Q8_0', tq1_0: 'TQ1_0', tq2_0: 'TQ2_0', q2_0: 'Q2_0', q1_0: 'Q1_0',
};

/** Bytes of a tile, rounded down to whole blocks. */
const TILE_BYTES = 1 << 16;

/**
 * A random model as a byte source for `open`.
 * @param layers fewer layers of the same shape
 * @throws {OptionError} for an unknown shape or type
 * @example
 * const model = await open(await randomModel('tinyllama', 'tq2_0'));
 */
export async function randomModel(shape: string, type: string, layers?: number): Promise<ByteSource> {
  known('shape', shape, RANDOM_SHAPES);
  known('type', type, randomTypes(shape));
  const name = `random-${shape}-${type}`;
  let parts: { metadata: Map<string, GgufEntry>; tensors: GgufTensor[] };
  if (Object.hasOwn(SPIKING_SHAPES, shape)) {
    const { [shape]: s } = SPIKING_SHAPES;
    const d = spikingDescription({ ...s, layers: layers ?? s.layers });
    parts = { metadata: spikingMetadata(d, name), tensors: spikingTensors(d, SPIKING_TYPES[type]) };
  } else {
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
  throw new OptionError('OPTION', `${what} is ${JSON.stringify(value.slice(0, 60))}, expected one of ${all.join(', ')}`);
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

function tensors(s: Shape, type: TensorType): GgufTensor[] {
  const head = ['F32', 'F16', 'BF16'].includes(type) ? type : 'Q8_0';
  const q = s.heads * s.headDim;
  const kv = s.kvHeads * s.headDim;
  const list: GgufTensor[] = [{ name: 'token_embd.weight', type: head, shape: [s.vocab, s.width] }];
  for (let layer = 0; layer < s.layers; layer++) {
    const add = (suffix: string, of: TensorType, ...shape: number[]): void => {
      list.push({ name: layerTensorName(layer, suffix), type: of, shape });
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
  list.push({ name: 'output_norm.weight', type: 'F32', shape: [s.width] });
  list.push({ name: 'output.weight', type: head, shape: [s.vocab, s.width] });
  return list;
}

/** A tensor and where it lies. */
interface Placed extends GgufTensor {
  readonly offset: number;
  readonly byteLength: number;
}

/** Header bytes, then tiles. */
class RandomSource implements ByteSource {
  readonly name = 'random model';
  readonly size: number;
  readonly #header: Uint8Array;
  readonly #tensors: readonly Placed[];
  readonly #tiles = new Map<string, Uint8Array>();

  constructor(header: Uint8Array, tensors: readonly GgufTensor[]) {
    this.#header = header;
    let end = header.length;
    this.#tensors = tensors.map((tensor) => {
      const offset = alignUp(end, DEFAULT_ALIGNMENT);
      const byteLength = tensorBytes(tensor.type, tensor.shape);
      end = offset + byteLength;
      return { ...tensor, offset, byteLength };
    });
    this.size = end;
  }

  read(into: Uint8Array, offset: number): Promise<number> {
    const n = Math.min(into.length, this.size - offset);
    into.fill(0, 0, Math.max(0, n)); // padding between tensors
    if (offset < this.#header.length) into.set(this.#header.subarray(offset, offset + n));
    for (const tensor of this.#tensors) {
      const from = Math.max(offset, tensor.offset);
      const to = Math.min(offset + n, tensor.offset + tensor.byteLength);
      if (from >= to) continue;
      const tile = this.#tile(tensor);
      for (let at = from; at < to;) {
        const start = (at - tensor.offset) % tile.length;
        const count = Math.min(tile.length - start, to - at);
        into.set(tile.subarray(start, start + count), at - offset);
        at += count;
      }
    }
    return Promise.resolve(Math.max(0, n));
  }

  #tile(tensor: Placed): Uint8Array {
    const cols = tensor.shape[tensor.shape.length - 1];
    const mean = tensor.shape.length === 2 ? 0 : meanOf(tensor.name);
    const key = `${tensor.type} ${mean} ${cols}`;
    let tile = this.#tiles.get(key);
    if (!tile) {
      tile = randomTile(tensor.type, mean, 1 / Math.sqrt(cols));
      this.#tiles.set(key, tile);
    }
    return tile;
  }
}

/** Mean of a vector: norms keep the size of activations, and decaying states fade within some tokens. */
function meanOf(name: string): number {
  if (name.endsWith('.decay_raw')) return 2;
  return name.endsWith('norm.weight') ? 1 : 0;
}

/** Whole blocks of `type` with weights around `mean`, of about `size`. */
function randomTile(type: TensorType, mean: number, size: number): Uint8Array {
  const { blockBytes } = TYPE_LAYOUTS[type];
  // an odd number of blocks, so that rows of any usual width begin at different places of the tile
  const blocks = Math.floor(TILE_BYTES / blockBytes / 2) * 2 - 1;
  const tile = new Uint8Array(blocks * blockBytes);
  const view = new DataView(tile.buffer);
  let state = 0x2545f491;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
  for (let b = 0; b < blocks; b++) {
    const at = b * blockBytes;
    const float = mean + (next() / 2 ** 23 - 1) * size;
    if (type === 'F32') view.setFloat32(at, float, true);
    else if (type === 'BF16') view.setUint16(at, floatBits(float) >>> 16, true);
    else if (type === 'F16') view.setUint16(at, halfBits(float), true);
    else quantisedBlock(type, tile, view, at, size, next);
  }
  return tile;
}

function quantisedBlock(
  type: TensorType, tile: Uint8Array, view: DataView, at: number, size: number, next: () => number,
): void {
  const { blockBytes } = TYPE_LAYOUTS[type];
  const scaleFirst = type === 'Q8_0' || type === 'Q2_0' || type === 'Q1_0';
  const codes = at + (scaleFirst ? 2 : 0);
  for (let i = 0; i < blockBytes - 2; i++) tile[codes + i] = randomByte(type, next);
  const largest = type === 'Q8_0' ? 127 : 1;
  // a few different scales, so that blocks are told apart
  view.setUint16(scaleFirst ? at : at + blockBytes - 2, halfBits((size / largest) * (1 + (next() % 4) / 8)), true);
}

function randomByte(type: TensorType, next: () => number): number {
  if (type === 'Q8_0') return (next() % 255) - 127;
  if (type === 'Q1_0') return next() & 255;
  if (type === 'TQ1_0') return Math.floor(((next() % 243) * 256 + 242) / 243);
  return (next() % 3) | ((next() % 3) << 2) | ((next() % 3) << 4) | ((next() % 3) << 6);
}

function floatBits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0];
}

/** f16 bits of a normal number, cut off rather than rounded. */
function halfBits(value: number): number {
  const bits = floatBits(value);
  const exponent = ((bits >>> 23) & 255) - 112;
  const sign = (bits >>> 16) & 0x8000;
  return exponent <= 0 ? sign : sign | (exponent << 10) | ((bits >>> 13) & 1023);
}
