/**
 * Small random folders of the BERT family, and the same weights for the plain pass: written under the names of one class, known to
 * the other under those of BertForSequenceClassification.
 * @module
 */
import { memorySource } from '../src/bytes/memory.ts';
import type { ByteSource } from '../src/bytes/source.ts';
import { u64Bytes, utf8 } from './builders.ts';
import { normals } from './kernels/harness.ts';
import type { ReferenceBert } from './reference-bert.ts';

const [WIDTH, HIDDEN, LAYERS, HEADS, POSITIONS] = [16, 24, 2, 2, 40];
/** Ids below this are in the vocabulary. */
export const VOCAB = 50;
const CLASSES = 3;

/** How one class of transformers calls what BERT calls otherwise, and its configuration. */
interface Family {
  readonly config: Readonly<Record<string, unknown>>;
  /** Rows of its table of positions that serve no token. */
  readonly skipped?: number;
  readonly relu?: boolean;
  readonly segments: number;
  readonly pooler: boolean;
  rename(name: string): string;
}

const bertSizes = {
  hidden_size: WIDTH,
  intermediate_size: HIDDEN,
  num_hidden_layers: LAYERS,
  num_attention_heads: HEADS,
  vocab_size: VOCAB,
  hidden_act: 'gelu',
};
const id2label = { 0: 'no', 1: 'maybe', 2: 'yes' };
const DISTIL: Readonly<Record<string, string>> = {
  'attention.self.query': 'attention.q_lin',
  'attention.self.key': 'attention.k_lin',
  'attention.self.value': 'attention.v_lin',
  'attention.output.dense': 'attention.out_lin',
  'attention.output.LayerNorm': 'sa_layer_norm',
  'intermediate.dense': 'ffn.lin1',
  'output.dense': 'ffn.lin2',
  'output.LayerNorm': 'output_layer_norm',
};

export const FAMILIES: Readonly<Record<string, Family>> = {
  BertForSequenceClassification: {
    config: { model_type: 'bert', ...bertSizes, max_position_embeddings: POSITIONS, id2label },
    segments: 2,
    pooler: true,
    rename: (name) => (name.startsWith('classifier') ? name : `bert.${name}`),
  },
  BertModel: {
    config: { model_type: 'bert', ...bertSizes, max_position_embeddings: POSITIONS },
    segments: 2,
    pooler: true,
    rename: (name) => name,
  },
  DistilBertForSequenceClassification: {
    config: {
      model_type: 'distilbert',
      dim: WIDTH,
      hidden_dim: HIDDEN,
      n_layers: LAYERS,
      n_heads: HEADS,
      vocab_size: VOCAB,
      max_position_embeddings: POSITIONS,
      activation: 'gelu',
      id2label,
    },
    relu: true,
    segments: 0,
    pooler: true,
    rename(name) {
      const [, layer, rest] = /^encoder\.(layer\.\d+)\.(.+)\.\w+$/.exec(name) ?? [];
      if (layer) return `distilbert.transformer.${layer}.${DISTIL[rest]}.${name.split('.').pop()}`;
      if (name.startsWith('pooler')) return name.replace('pooler.dense', 'pre_classifier');
      return name.startsWith('classifier') ? name : `distilbert.${name}`;
    },
  },
  XLMRobertaForSequenceClassification: {
    config: {
      model_type: 'xlm-roberta',
      ...bertSizes,
      max_position_embeddings: POSITIONS + 2,
      type_vocab_size: 1,
      pad_token_id: 1,
      layer_norm_eps: 1e-12,
      id2label,
    },
    skipped: 2,
    segments: 1,
    pooler: true,
    rename(name) {
      if (name.startsWith('pooler')) return name.replace('pooler.dense', 'classifier.dense');
      return name.startsWith('classifier') ? name.replace('classifier', 'classifier.out_proj') : `roberta.${name}`;
    },
  },
};

/** Files of a folder besides the weights. */
export type Files = Readonly<Record<string, unknown>>;

/** A folder of a class of `FAMILIES`, and its weights for `referenceBert`. @param change edits the tensors before they are written */
export function bertFolder(
  name: string,
  files: Files = {},
  change: (tensors: Map<string, Float32Array>) => void = () => {},
): { source: ByteSource; reference: ReferenceBert; files: ReadonlyMap<string, string | Uint8Array> } {
  const family = FAMILIES[name];
  const { skipped = 0, segments, pooler } = family;
  const shapes: [name: string, shape: number[]][] = [
    ['embeddings.word_embeddings.weight', [VOCAB, WIDTH]],
    ['embeddings.position_embeddings.weight', [POSITIONS + skipped, WIDTH]],
    ...(segments > 0 ? [['embeddings.token_type_embeddings.weight', [segments, WIDTH]] as [string, number[]]] : []),
  ];
  const linear = (part: string, rows: number, cols: number): number =>
    shapes.push([`${part}.weight`, [rows, cols]], [`${part}.bias`, [rows]]);
  const norm = (part: string): number => shapes.push([`${part}.weight`, [WIDTH]], [`${part}.bias`, [WIDTH]]);
  norm('embeddings.LayerNorm');
  for (let l = 0; l < LAYERS; l++) {
    const of = (part: string): string => `encoder.layer.${l}.${part}`;
    for (const part of ['query', 'key', 'value']) linear(of(`attention.self.${part}`), WIDTH, WIDTH);
    linear(of('attention.output.dense'), WIDTH, WIDTH);
    norm(of('attention.output.LayerNorm'));
    linear(of('intermediate.dense'), HIDDEN, WIDTH);
    linear(of('output.dense'), WIDTH, HIDDEN);
    norm(of('output.LayerNorm'));
  }
  if (pooler) linear('pooler.dense', WIDTH, WIDTH);
  if (family.config.id2label) linear('classifier', CLASSES, WIDTH);
  const tensors = new Map(shapes.map(([tensor, shape], i) => [tensor, normals(shape.reduce((a, b) => a * b, 1), i)]));
  change(tensors);
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [tensor, shape] of shapes) {
    const begin = end;
    end += (tensors.get(tensor) as Float32Array).byteLength;
    header[family.rename(tensor)] = { dtype: 'F32', shape, data_offsets: [begin, end] };
  }
  const text = utf8(JSON.stringify(header).padEnd(16384));
  const bytes = new Uint8Array(8 + text.length + end);
  bytes.set([...u64Bytes(text.length), ...text]);
  let at = 8 + text.length;
  for (const data of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  const all: Files = { 'config.json': { architectures: [name], ...family.config }, ...files };
  const source: ByteSource = {
    ...memorySource(bytes, 'model.safetensors'),
    beside: (file) => Promise.resolve(Object.hasOwn(all, file) ? utf8(textOf(all[file])) : null),
  };
  const written = new Map<string, string | Uint8Array>([['model.safetensors', bytes]]);
  for (const [file, content] of Object.entries(all)) written.set(file, textOf(content));
  const plain = new Map([...tensors].map(([tensor, data]) => [tensor, Float64Array.from(data)]));
  const eps = 1e-12;
  return {
    source,
    files: written,
    reference: { layers: LAYERS, heads: HEADS, eps, skipped, relu: family.relu, tensors: plain },
  };
}

function textOf(file: unknown): string {
  return typeof file === 'string' ? file : JSON.stringify(file);
}

/** A `vocab.txt` of as many pieces as there are rows: special ones, letters, letters within words, numbers. */
export function vocabulary(): string {
  const letters = [...'abcdefghijklmnopqrs'];
  const pieces = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...letters, ...letters.map((letter) => `##${letter}`)];
  while (pieces.length < VOCAB) pieces.push(`${pieces.length}`);
  return pieces.join('\n');
}
