/**
 * Small llama-shaped GGUF files with random weights, every optional part by choice, together with the same weights as
 * plain numbers for the reference.
 * @module
 */
import { type BuiltTensor, ggufBytes, type MetaEntry } from './builders.ts';
import { normals, random } from './kernels/harness.ts';
import {
  bf16,
  f16,
  f16Bits,
  type Unpacked,
  unpackI2s,
  unpackQ1,
  unpackQ2,
  unpackQ8,
  unpackTq1,
  unpackTq2,
} from './reference.ts';
import type { ReferenceShape, SpanOf } from './reference-llama.ts';

/** A type of matrices; `Q2_0/128` is its older form. */
export type FileType = 'F32' | 'F16' | 'BF16' | 'Q8_0' | 'TQ1_0' | 'TQ2_0' | 'Q2_0' | 'Q2_0/128' | 'Q1_0' | 'I2_S';

/** What may be chosen. */
export interface LlamaChoices {
  architecture?: string;
  /** Type of the matrices of the layers; those of embedding and head are F32 unless `headType` says otherwise. */
  type?: FileType;
  headType?: FileType;
  vectorType?: 'F32' | 'F16' | 'BF16';
  tied?: boolean;
  biases?: boolean;
  outputBias?: boolean;
  qkNorms?: boolean;
  subNorms?: boolean;
  ropeFactors?: boolean;
  /** Biases of the feed-forward matrices. */
  ffnBiases?: boolean;
  /** A scale of one element beside every matrix of a layer. */
  scales?: boolean;
  /** As `hidden_activation` names it, instead of the architecture's own. */
  hiddenActivation?: string;
  /** More vectors, and more metadata: numbers as float32, texts as strings, lists as arrays of uint32. */
  extra?: Readonly<Record<string, Float32Array>>;
  more?: Readonly<Record<string, number | string | boolean>>;
  ropeLinear?: number;
  ropeDims?: number;
  seed?: number;
  shape?: Partial<ReferenceShape>;
}

/** A file and what it says. */
export interface LlamaFile {
  readonly metadata: MetaEntry[];
  readonly tensors: BuiltTensor[];
  readonly shape: ReferenceShape;
  /** The weights as the file's types hold them. */
  readonly values: Map<string, Float64Array>;
  /** How the engine rounds the activations that meet a matrix. */
  readonly spanOf: SpanOf;
  /** The bytes, as `metadata` and `tensors` now stand. */
  bytes(): Uint8Array;
}

/** Rows that are no multiple of four, columns that are no multiple of anything. */
const ODD: ReferenceShape = {
  layers: 2,
  width: 44,
  hidden: 70,
  heads: 4,
  kvHeads: 2,
  headDim: 12,
  vocab: 51,
  eps: 1e-5,
  theta: 10000,
  ropeDims: 12,
  ropeLinear: 1,
  neighbours: true,
  activation: 'silu',
};
const MATRICES = ['attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down'];

/** Whole blocks of every type. */
const WHOLE: Partial<ReferenceShape> = { width: 256, hidden: 256, headDim: 64 };

/** Architectures whose pairs lie half a head apart, and whose activation is relu². */
const HALVED = ['qwen2', 'qwen3', 'bitnet', 'bitnet-25', 'bitnet-b1.58'];
const RELU2 = ['bitnet-25', 'bitnet-b1.58'];

export function llamaFile(choices: LlamaChoices = {}): LlamaFile {
  const { architecture = 'llama', type = 'F32', headType = 'F32', vectorType = 'F32' } = choices;
  const floats = ['F32', 'F16', 'BF16'].includes(type) && ['F32', 'F16', 'BF16'].includes(headType);
  const sized = { ...ODD, ...(floats ? {} : WHOLE), ...choices.shape };
  const s: ReferenceShape = {
    ...sized,
    ropeDims: choices.ropeDims ?? sized.headDim,
    ropeLinear: choices.ropeLinear ?? 1,
    neighbours: choices.shape?.neighbours ?? !HALVED.includes(architecture),
    activation: (choices.hiddenActivation ?? (RELU2.includes(architecture) ? 'relu2' : 'silu')) === 'silu'
      ? 'silu'
      : 'relu2',
  };
  const tensors: BuiltTensor[] = [];
  const values = new Map<string, Float64Array>();
  const spans = new Map<string, number>();
  let seed = (choices.seed ?? 1) * 1000;
  const matrix = (name: string, rows: number, cols: number, of: FileType = type): void => {
    const { stored, plain } = encoded(of, rows, cols, ++seed);
    tensors.push({ name, type: of === 'Q2_0/128' ? 'Q2_0' : of, shape: [rows, cols], data: stored });
    values.set(name, plain);
    spans.set(name, SPANS[of]);
  };
  const vector = (name: string, n: number, mean: number, size: number): void => {
    const x = normals(n, ++seed, size).map((v) => v + mean);
    const { stored, plain } = floatsOf(vectorType, x);
    tensors.push({ name, type: vectorType, shape: [n], data: stored });
    values.set(name, plain);
  };
  const q = s.heads * s.headDim;
  const kv = s.kvHeads * s.headDim;
  matrix('token_embd.weight', s.vocab, s.width, headType);
  if (choices.ropeFactors) vector('rope_freqs.weight', s.ropeDims / 2, 3, 0.5);
  for (let l = 0; l < s.layers; l++) {
    const at = `blk.${l}.`;
    vector(`${at}attn_norm.weight`, s.width, 1, 0.1);
    matrix(`${at}attn_q.weight`, q, s.width);
    matrix(`${at}attn_k.weight`, kv, s.width);
    matrix(`${at}attn_v.weight`, kv, s.width);
    if (choices.biases) {
      vector(`${at}attn_q.bias`, q, 0, 0.5);
      vector(`${at}attn_k.bias`, kv, 0, 0.5);
      vector(`${at}attn_v.bias`, kv, 0, 0.5);
    }
    if (choices.qkNorms) {
      vector(`${at}attn_q_norm.weight`, s.headDim, 1, 0.3);
      vector(`${at}attn_k_norm.weight`, s.headDim, 1, 0.3);
    }
    if (choices.subNorms) vector(`${at}attn_sub_norm.weight`, q, 1, 0.3);
    matrix(`${at}attn_output.weight`, s.width, q);
    if (choices.outputBias) vector(`${at}attn_output.bias`, s.width, 0, 0.5);
    vector(`${at}ffn_norm.weight`, s.width, 1, 0.1);
    matrix(`${at}ffn_gate.weight`, s.hidden, s.width);
    matrix(`${at}ffn_up.weight`, s.hidden, s.width);
    if (choices.subNorms) vector(`${at}ffn_sub_norm.weight`, s.hidden, 1, 0.3);
    matrix(`${at}ffn_down.weight`, s.width, s.hidden);
    if (choices.ffnBiases) {
      vector(`${at}ffn_gate.bias`, s.hidden, 0, 0.5);
      vector(`${at}ffn_up.bias`, s.hidden, 0, 0.5);
      vector(`${at}ffn_down.bias`, s.width, 0, 0.5);
    }
    for (const name of choices.scales ? MATRICES : []) vector(`${at}${name}.scale`, 1, 1.5, 0.4);
  }
  vector('output_norm.weight', s.width, 1, 0.1);
  for (const [name, x] of Object.entries(choices.extra ?? {})) {
    tensors.push({ name, type: 'F32', shape: [x.length], data: new Uint8Array(x.buffer) });
    values.set(name, Float64Array.from(x));
  }
  if (!choices.tied) matrix('output.weight', s.vocab, s.width, headType);
  const metadata: MetaEntry[] = [
    ['general.architecture', 'string', architecture],
    [`${architecture}.block_count`, 'uint32', s.layers],
    [`${architecture}.context_length`, 'uint32', 64],
    [`${architecture}.embedding_length`, 'uint32', s.width],
    [`${architecture}.feed_forward_length`, 'uint32', s.hidden],
    [`${architecture}.attention.head_count`, 'uint32', s.heads],
    [`${architecture}.attention.head_count_kv`, 'uint32', s.kvHeads],
    [`${architecture}.attention.key_length`, 'uint32', s.headDim],
    [`${architecture}.attention.layer_norm_rms_epsilon`, 'float64', s.eps],
    [`${architecture}.rope.dimension_count`, 'uint32', s.ropeDims],
    [`${architecture}.rope.freq_base`, 'float32', s.theta],
  ];
  if (choices.ropeLinear !== undefined) {
    metadata.push([`${architecture}.rope.scaling.type`, 'string', 'linear']);
    metadata.push([`${architecture}.rope.scaling.factor`, 'float32', s.ropeLinear]);
  }
  if (choices.hiddenActivation !== undefined) {
    metadata.push([`${architecture}.hidden_activation`, 'string', choices.hiddenActivation]);
  }
  for (const [key, value] of Object.entries(choices.more ?? {})) {
    metadata.push([key, typeof value === 'number' ? 'float32' : typeof value === 'string' ? 'string' : 'bool', value]);
  }
  return {
    metadata,
    tensors,
    shape: s,
    values,
    spanOf: (name) => spans.get(name) ?? 0,
    bytes: () => ggufBytes({ metadata, tensors }),
  };
}

/** Elements of an activation that share an int8 scale, by the type of the matrix it meets; 0: it stays a float. */
const SPANS: Record<FileType, number> = {
  F32: 0,
  F16: 0,
  BF16: 0,
  Q8_0: 32,
  TQ1_0: 256,
  TQ2_0: 256,
  Q2_0: 256,
  'Q2_0/128': 256,
  Q1_0: 256,
  I2_S: Infinity,
};

/** Block bytes, where the scale lies, elements, reader, and what is taken from a code. */
const BLOCKS: Partial<
  Record<FileType, [bytes: number, scaleAt: number, elements: number, (b: Uint8Array) => Unpacked, minus: number]>
> = {
  Q8_0: [34, 0, 32, unpackQ8, 0],
  TQ1_0: [54, 52, 256, unpackTq1, 1],
  TQ2_0: [66, 64, 256, unpackTq2, 1],
  Q2_0: [18, 0, 64, (b) => unpackQ2(b, 64), 1],
  'Q2_0/128': [34, 0, 128, (b) => unpackQ2(b, 128), 1],
  Q1_0: [18, 0, 128, unpackQ1, 0.5],
};

/** A random matrix of about unit gain: stored bytes, and what they stand for. */
export function encoded(
  type: FileType,
  rows: number,
  cols: number,
  seed: number,
): { stored: Uint8Array; plain: Float64Array } {
  if (type === 'F32' || type === 'F16' || type === 'BF16') {
    return floatsOf(type, normals(rows * cols, seed, 1 / Math.sqrt(cols)));
  }
  const u = random(seed);
  const trits = type === 'TQ2_0' || type === 'I2_S';
  const trit = (): number => Math.floor(u() * 3);
  const noise = (bytes: number): Uint8Array => {
    const out = new Uint8Array(bytes);
    for (let i = 0; i < bytes; i++) out[i] = trits ? trit() | (trit() << 2) | (trit() << 4) | (trit() << 6) : u() * 256;
    return out;
  };
  const plain = new Float64Array(rows * cols);
  if (type === 'I2_S') {
    const codeBytes = (rows * cols) / 4;
    const stored = noise(codeBytes + 32);
    const scale = Math.fround(1.2 / Math.sqrt(cols));
    new DataView(stored.buffer).setFloat32(codeBytes, scale, true);
    const { codes } = unpackI2s(stored.subarray(0, codeBytes));
    for (let i = 0; i < plain.length; i++) plain[i] = scale * (codes[i] - 1);
    return { stored, plain };
  }
  const block = BLOCKS[type];
  if (!block) throw new Error(`${type} has no blocks`);
  const [blockBytes, scaleAt, elements, read, minus] = block;
  const stored = noise((plain.length / elements) * blockBytes);
  const size = (type === 'Q8_0' ? 1 / 73 : type === 'Q1_0' ? 1 : 1.2) / Math.sqrt(cols);
  for (let at = scaleAt; at < stored.length; at += blockBytes) {
    const bits = f16Bits(size * (0.5 + u()));
    stored[at] = bits & 255;
    stored[at + 1] = bits >> 8;
  }
  const { codes, scales } = read(stored);
  for (let b = 0; b < scales.length; b++) {
    const scale = f16(scales[b]) * (type === 'Q1_0' ? 2 : 1);
    for (let i = b * elements; i < (b + 1) * elements; i++) plain[i] = scale * (codes[i] - minus);
  }
  return { stored, plain };
}

function floatsOf(type: 'F32' | 'F16' | 'BF16', x: Float32Array): { stored: Uint8Array; plain: Float64Array } {
  if (type === 'F32') return { stored: new Uint8Array(x.buffer), plain: Float64Array.from(x) };
  const bits = type === 'F16'
    ? Uint16Array.from(x, f16Bits)
    : Uint16Array.from(new Uint32Array(x.buffer), (b) => b >>> 16);
  return { stored: new Uint8Array(bits.buffer), plain: Float64Array.from(bits, type === 'F16' ? f16 : bf16) };
}
