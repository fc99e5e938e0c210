/**
 * Small Gemma 3 files with random weights, together with the same weights as plain numbers for the reference.
 * @module
 */
import { type BuiltTensor, ggufBytes, type MetaEntry } from './builders.ts';
import { normals } from './kernels/harness.ts';
import { encoded, type FileType } from './llama-files.ts';
import type { Gemma3Shape } from './reference-gemma3.ts';

/** Rows and columns that are no multiple of anything; three layers, of which the second is global. */
const ODD: Gemma3Shape = {
  layers: 3,
  width: 44,
  hidden: 70,
  heads: 4,
  kvHeads: 2,
  headDim: 12,
  vocab: 51,
  eps: 1e-6,
  theta: 1e6,
  localTheta: 1e4,
  linear: 1,
  window: 7,
  period: 2,
};

export interface Gemma3Choices {
  readonly type?: FileType;
  readonly shape?: Partial<Gemma3Shape>;
  readonly more?: readonly MetaEntry[];
}

export interface Gemma3File {
  readonly shape: Gemma3Shape;
  readonly values: Map<string, Float64Array>;
  readonly metadata: MetaEntry[];
  readonly tensors: BuiltTensor[];
  bytes(): Uint8Array;
}

export function gemma3File({ type = 'F32', shape, more = [] }: Gemma3Choices = {}): Gemma3File {
  const s = { ...ODD, ...shape };
  const tensors: BuiltTensor[] = [];
  const values = new Map<string, Float64Array>();
  let seed = 77;
  const matrix = (name: string, rows: number, cols: number): void => {
    const { stored, plain } = encoded(type, rows, cols, ++seed);
    tensors.push({ name, type: type as BuiltTensor['type'], shape: [rows, cols], data: stored });
    values.set(name, plain);
  };
  const norm = (name: string, n: number): void => {
    const stored = normals(n, ++seed, 0.2).map((v) => v + 1);
    tensors.push({ name, type: 'F32', shape: [n], data: new Uint8Array(stored.buffer) });
    values.set(name, Float64Array.from(stored));
  };
  const [q, kv] = [s.heads * s.headDim, s.kvHeads * s.headDim];
  matrix('token_embd.weight', s.vocab, s.width);
  for (let l = 0; l < s.layers; l++) {
    const at = `blk.${l}.`;
    norm(`${at}attn_norm.weight`, s.width);
    matrix(`${at}attn_q.weight`, q, s.width);
    matrix(`${at}attn_k.weight`, kv, s.width);
    matrix(`${at}attn_v.weight`, kv, s.width);
    norm(`${at}attn_q_norm.weight`, s.headDim);
    norm(`${at}attn_k_norm.weight`, s.headDim);
    matrix(`${at}attn_output.weight`, s.width, q);
    norm(`${at}post_attention_norm.weight`, s.width);
    norm(`${at}ffn_norm.weight`, s.width);
    matrix(`${at}ffn_gate.weight`, s.hidden, s.width);
    matrix(`${at}ffn_up.weight`, s.hidden, s.width);
    matrix(`${at}ffn_down.weight`, s.width, s.hidden);
    norm(`${at}post_ffw_norm.weight`, s.width);
  }
  norm('output_norm.weight', s.width);
  const metadata: MetaEntry[] = [
    ['general.architecture', 'string', 'gemma3'],
    ['gemma3.block_count', 'uint32', s.layers],
    ['gemma3.context_length', 'uint32', 512],
    ['gemma3.embedding_length', 'uint32', s.width],
    ['gemma3.feed_forward_length', 'uint32', s.hidden],
    ['gemma3.attention.head_count', 'uint32', s.heads],
    ['gemma3.attention.head_count_kv', 'uint32', s.kvHeads],
    ['gemma3.attention.key_length', 'uint32', s.headDim],
    ['gemma3.attention.layer_norm_rms_epsilon', 'float64', s.eps],
    ['gemma3.attention.sliding_window', 'uint32', s.window],
    ['gemma3.attention.sliding_window_pattern', 'uint32', s.period],
    ['gemma3.rope.freq_base', 'float32', s.theta],
    ['gemma3.rope.freq_base_swa', 'float32', s.localTheta],
    ...(s.linear === 1 ? [] : [['gemma3.rope.scaling.factor', 'float32', s.linear] as MetaEntry]),
    ...more,
  ];
  return { shape: s, values, metadata, tensors, bytes: () => ggufBytes({ metadata, tensors }) };
}
