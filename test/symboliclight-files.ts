/**
 * Small SymbolicLight models of random weights in the containers they are released in.
 * @module
 */
import { safetensorsBytes, torchBytes, torchTensor } from './builders-torch.ts';
import { normals } from './kernels/harness.ts';

/** The configuration of the public code. */
export type Config = typeof SMALL;

/** Rows are whole blocks of every type, but those behind the prior's bottleneck. */
export const SMALL = {
  vocab_size: 300,
  embed_dim: 256,
  n_layers: 2,
  n_heads: 4,
  head_dim: 64,
  intermediate_dim: 512,
  max_seq_len: 64,
  spike_threshold: 0.9,
  leak_factor: 0.95,
  rope_theta: 10000,
  sparse_attn_window: 6,
  n_global_anchors: 2,
  enable_sparse_attn: true,
  enable_dynamic_prior: true,
};

/** Name of the embedding. */
export const EMBEDDING: string = 'spike_encoder.frontend.text_embedding.weight';

/** Tensors by name. */
export type Weights = Map<string, { shape: readonly number[]; data: Float32Array }>;

/** Random weights of every tensor, from a fixed seed. */
export function randomWeights(config: Config): Weights {
  const { vocab_size: vocab, embed_dim: width, intermediate_dim: hidden, n_heads: heads } = config;
  const all: Weights = new Map();
  const add = (name: string, shape: readonly number[], scale: number, mean = 0): void => {
    const data = normals(shape.reduce((a, b) => a * b, 1), all.size + 1, scale).map((w) => w + mean);
    all.set(name, { shape, data });
  };
  add(EMBEDDING, [vocab, width], 1);
  const norm = (name: string): void => {
    add(`${name}.weight`, [width], 0.1, 1);
    add(`${name}.bias`, [width], 0.1);
  };
  norm('spike_encoder.norm');
  for (let i = 0; i < config.n_layers; i++) {
    const tcam = `blocks.${i}.tcam`;
    add(`${tcam}.decay_raw`, [heads], 1);
    add(`${tcam}.attn_gate`, [1], 1);
    for (const part of ['tcam_proj', 'out_proj', 'sparse_attn.q_proj', 'sparse_attn.k_proj', 'sparse_attn.v_proj']) {
      add(`${tcam}.${part}.weight`, [width, width], 0.06);
    }
    norm(`${tcam}.norm`);
    add(`blocks.${i}.ffn.up.weight`, [hidden, width], 0.06);
    add(`blocks.${i}.ffn.down.weight`, [width, hidden], 0.06);
    norm(`blocks.${i}.ffn.norm`);
  }
  add('output_head.output_proj.weight', [vocab, width], 0.05);
  add('output_head.prior_weight', [], 0.1, 0.3);
  add('output_head.prior_net.0.weight', [width / 4, width], 0.05);
  add('output_head.prior_net.2.weight', [vocab, width / 4], 0.05);
  return all;
}

const u8 = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A checkpoint as the public code saves it, with a buffer and the prefix of a wrapper. */
export function checkpointBytes(config: Config, all: Weights): Uint8Array {
  const entries = [...all].map(([name, { shape }], i) =>
    [`module.${name}`, torchTensor({ shape, key: String(i) })] as const
  );
  const storages = Object.fromEntries([...all.values()].map(({ data }, i) => [String(i), u8(data)]));
  const freqs = torchTensor({ shape: [32], key: '999' });
  const state = Object.fromEntries([...entries, ['module.blocks.0.tcam.sparse_attn.rope.inv_freq', freqs]]);
  return torchBytes({ config, model: state }, { ...storages, '999': new Uint8Array(128) });
}

/** The same as safetensors, with the configuration as strings. */
export function checkpointSafetensors(config: Config, all: Weights): Uint8Array {
  let at = 0;
  const entries = [...all].map(([name, { shape, data }]) => {
    const entry = { dtype: 'F32', shape, data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
    return [name, entry];
  });
  const entriesOfConfig = Object.entries(config).map(([key, value]) => [`config.${key}`, String(value)]);
  const header = { __metadata__: Object.fromEntries(entriesOfConfig), ...Object.fromEntries(entries) };
  return safetensorsBytes(header, new Uint8Array(Buffer.concat([...all.values()].map(({ data }) => u8(data)))));
}
