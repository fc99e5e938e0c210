/**
 * Spiking BERTs for tests: the conformance cases, and small random ones in the containers they come in.
 * @module
 */
import { memorySource } from '../src/bytes/memory.ts';
import { openContainer } from '../src/container/open.ts';
import { safetensorsBytes, torchBytes, torchTensor } from './builders-torch.ts';
import { normals } from './kernels/harness.ts';
import type { SpikingBertConfig, SpikingBertWeights } from './reference-spikingbert.ts';
import { json, shared } from './shared.ts';

/** What `reference.json` of a conformance case holds. */
export interface SpikingBertCase {
  config: { hidden_size: number; intermediate_size: number; num_attention_heads: number; num_hidden_layers: number };
  t_conv: number;
  v_th: number;
  leaky: number;
  input_ids: number[];
  token_type_ids: number[];
  attention_mask: number[];
  logits: number[];
  /** Layer, position, feature. */
  spike_counts: number[][][];
  firing_rate: number[];
}

/** Names of the conformance cases. */
export const CASES: readonly string[] = ['float-t16', 'ternary-t16', 'ternary-leaky-t12', 'binary-t8'];

/** Path of a file of a case below the conformance material. */
export const caseFile = (name: string, file: string): string => `conformance/spikingbert/${name}/${file}`;

/** The expected numbers of a case. */
export function spikingCase(name: string): SpikingBertCase {
  return json<SpikingBertCase>(shared(caseFile(name, 'reference.json')) as string);
}

/** The numbers of a case as the reference takes them. */
export function caseConfig(
  { config, t_conv: steps, v_th: threshold, leaky: leak }: SpikingBertCase,
): SpikingBertConfig {
  return {
    layers: config.num_hidden_layers,
    width: config.hidden_size,
    hidden: config.intermediate_size,
    heads: config.num_attention_heads,
    steps,
    threshold,
    leak,
  };
}

/** F32 tensors of a checkpoint by name, straight from its bytes. */
export async function weightsOf(bytes: Uint8Array): Promise<SpikingBertWeights> {
  const { tensors } = await openContainer(memorySource(bytes));
  const read = new Map<string, Float32Array>();
  return (name) => {
    const info = tensors.get(name);
    if (info?.type !== 'F32') throw new Error(`no F32 tensor "${name}"`);
    let values = read.get(name);
    if (!values) {
      values = new Float32Array(bytes.slice(info.offset, info.offset + info.byteLength).buffer);
      read.set(name, values);
    }
    return values;
  };
}

// ---- random models ----

/** A `config.json`. */
export const SMALL = {
  vocab_size: 60,
  hidden_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 72,
  max_position_embeddings: 24,
  type_vocab_size: 2,
  hidden_act: 'gelu',
  t_conv: 10,
  v_th: 0.8,
  leaky: 0.95,
};
export type Config = typeof SMALL;

/** A vocabulary as large as `SMALL` has it: letters alone and within words, and a few words. */
export const VOCABULARY: readonly string[] = [
  ...['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ',', '.'],
  ...'abcdefghijklmnopqrstuvwxyz',
  ...Array.from('aeioutnsr', (letter) => `##${letter}`),
  ...['the', 'good', 'bad', 'film', 'not', 'hello', 'world', 'very', 'dull', 'funny', 'and', 'but', 'was', 'is', 'it'],
  ...['##ing', '##ed', '##ly'],
];

/** The numbers of a configuration as the reference takes them. */
export function referenceConfig(config: Config): SpikingBertConfig {
  return {
    layers: config.num_hidden_layers,
    width: config.hidden_size,
    hidden: config.intermediate_size,
    heads: config.num_attention_heads,
    steps: config.t_conv,
    threshold: config.v_th,
    leak: config.leaky,
  };
}

/** Tensors by name. */
export type Weights = Map<string, { shape: readonly number[]; data: Float32Array }>;

/** Whether weights of this name are a matrix that takes spikes. */
export const isLinear = (name: string): boolean => /^network_s\d+\.(dense|query)\.weight$/.test(name);

/** Random weights of every tensor that is read, from a fixed seed, which spike neither always nor never. */
export function randomWeights(config: Config = SMALL, classes = 2): Weights {
  const { hidden_size: width, intermediate_size: hidden } = config;
  const all: Weights = new Map();
  const add = (name: string, shape: readonly number[], scale: number, mean = 0): void => {
    const data = normals(shape.reduce((a, b) => a * b, 1), all.size + 1, scale).map((w) => w + mean);
    all.set(name, { shape, data });
  };
  const norm = (part: string): void => {
    add(`${part}.LayerNorm.weight`, [width], 0.1, 1);
    add(`${part}.LayerNorm.bias`, [width], 0.1);
  };
  const linear = (part: string, rows: number, cols: number): void => {
    add(`${part}.weight`, [rows, cols], 1.5 / Math.sqrt(cols));
    add(`${part}.bias`, [rows], 0.1);
  };
  add('network_x.word_embeddings.weight', [config.vocab_size, width], 0.5);
  add('network_x.position_embeddings.weight', [config.max_position_embeddings, width], 0.2);
  add('network_x.token_type_embeddings.weight', [config.type_vocab_size, width], 0.2);
  norm('network_x');
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const net = (n: number): string => `network_s${6 * i + n}`;
    linear(`${net(1)}.dense`, width, width);
    linear(`${net(2)}.dense`, width, width);
    linear(`${net(3)}.query`, width, width);
    linear(`${net(4)}.dense`, width, width);
    norm(net(4));
    linear(`${net(5)}.dense`, hidden, width);
    linear(`${net(6)}.dense`, width, hidden);
    norm(net(6));
  }
  linear('classification', classes, width);
  return all;
}

const u8 = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A checkpoint as the public code saves it: other names of the same storages, a stale copy, and parts that only training has. */
export function checkpointBytes(all: Weights, more: Readonly<Record<string, readonly number[]>> = {}): Uint8Array {
  const list = [...all];
  const state: [string, ReturnType<typeof torchTensor>][] = [];
  for (const prefix of ['', 'snn_func.', 'snn_ide_conv.snn_func.']) {
    list.forEach(([name, { shape }], i) => {
      if (prefix === '' || name.startsWith('network')) state.push([prefix + name, torchTensor({ shape, key: `${i}` })]);
    });
  }
  const word = torchTensor({ shape: [2, 2], key: '999' });
  for (
    const name of ['snn_func_copy.network_x.word_embeddings.weight', 'fit_dense.weight', 'pooler_layer.dense.weight']
  ) {
    state.push([name, word]);
  }
  for (const [name, shape] of Object.entries(more)) state.push([name, torchTensor({ shape, key: '998' })]);
  const storages = Object.fromEntries(list.map(([, { data }], i) => [`${i}`, u8(data)]));
  const elements = Math.max(0, ...Object.values(more).map((shape) => shape.reduce((a, b) => a * b, 1)));
  return torchBytes(new Map(state), { ...storages, 999: new Uint8Array(16), 998: new Uint8Array(4 * elements) });
}

/** The same as safetensors, with nothing but what is read. */
export function safetensorsOf(all: Weights): Uint8Array {
  const header: Record<string, unknown> = {};
  let at = 0;
  for (const [name, { shape, data }] of all) {
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at += data.byteLength] };
  }
  return safetensorsBytes(header, new Uint8Array(Buffer.concat([...all.values()].map(({ data }) => u8(data)))));
}

/** The tensors of a checkpoint that are read. */
export async function usedWeights(bytes: Uint8Array): Promise<Weights> {
  const { tensors } = await openContainer(memorySource(bytes));
  const read = await weightsOf(bytes);
  const names = [...tensors.keys()].filter((name) => /^(network_(x|s\d+)|classification)\./.test(name));
  return new Map(
    names.filter((name) => !name.endsWith('.fc.weight')).map((name) => [
      name,
      { shape: tensors.get(name)!.shape, data: read(name) },
    ]),
  );
}
