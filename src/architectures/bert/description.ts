/**
 * Dense BERT (arXiv 1810.04805): metadata and tensors under the names of llama.cpp → description. `cls` is the pooler,
 * `cls.output` the classifier; both are optional.
 * @module
 */
import type { Container, TensorInfo } from '../../container/tensor.ts';
import { checkKeys, type KeyTable } from '../../description/keys.ts';
import { Metadata, type ModelDescription } from '../../description/description.ts';
import { DescriptionError } from '../../errors.ts';
import { type Pooling, statedPooling } from '../../forward/pooling.ts';
import { MAX_CLASSES, MAX_CONTEXT, MAX_HEADS, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH } from '../../limits.ts';
import { BERT } from './recognise.ts';

export interface BertDescription extends ModelDescription {
  readonly kind: 'bert';
  readonly hidden: number;
  readonly headDim: number;
  /** Segments that the embedding tells apart: 2 for pairs of texts. */
  readonly segments: number;
  readonly normEps: number;
  /** As the files ask for; mean where they do not. */
  readonly pooling: Pooling;
  /** Whether vectors are scaled to length 1: as the files ask for, else they are. */
  readonly normalise: boolean;
  /** What stands between the layers of the classifier. */
  readonly headActivation: 'tanh' | 'relu';
  /** Separators between the texts of a pair. */
  readonly separators: number;
  /** Outputs of the classifier; 0 where there is none. */
  readonly classes: number;
}

/** Matrices and their vectors, inside a layer. */
export const BERT_MATRICES = {
  q: 'attn_q',
  k: 'attn_k',
  v: 'attn_v',
  o: 'attn_output',
  up: 'ffn_up',
  down: 'ffn_down',
} as const;
export const BERT_NORMS = { attnNorm: 'attn_output_norm', outputNorm: 'layer_output_norm' } as const;

/**
 * Reads and checks the description.
 * @throws {DescriptionError} `DESCRIPTION` for a number missing or out of range, `DESCRIPTION_MISMATCH` where it contradicts a
 *   tensor, `DESCRIPTION_TENSORS` for missing or unknown tensors
 */
export function describeBert(container: Container): BertDescription {
  const meta = new Metadata(container);
  const key = (name: string): string => `${BERT}.${name}`;
  const width = meta.integer(key('embedding_length'), 4, MAX_WIDTH);
  const layers = meta.integer(key('block_count'), 1, MAX_LAYERS);
  const heads = meta.perLayer(key('attention.head_count'), 1, MAX_HEADS, layers);
  const headDim = width / heads;
  if (headDim % 4 !== 0) {
    throw new DescriptionError('DESCRIPTION', `a width of ${width} is not ${heads} heads of a multiple of 4`);
  }
  if (meta.boolean(key('attention.causal'), false)) {
    throw new DescriptionError('DESCRIPTION', `metadata "${key('attention.causal')}" is true; a BERT sees both sides`);
  }
  const rows = (name: string): number => Math.min(container.tensors.get(name)?.shape[0] ?? 1, MAX_VOCAB);
  const { pooling = 'mean', normalise = true } = statedPooling(container);
  const headActivation = meta.string('ternspike.bert.head_activation', 'tanh');
  if (headActivation !== 'tanh' && headActivation !== 'relu') {
    throw new DescriptionError(
      'DESCRIPTION',
      `metadata "ternspike.bert.head_activation" is ${
        JSON.stringify(headActivation.slice(0, 40))
      }, expected tanh or relu`,
    );
  }
  const classes = container.tensors.get('cls.output.weight')?.shape[0] ?? 0;
  if (classes > MAX_CLASSES) {
    throw new DescriptionError('DESCRIPTION', `the classifier has ${classes} outputs, at most ${MAX_CLASSES} are read`);
  }
  const stated = meta.get(key('classifier.output_labels'));
  const labels = Array.isArray(stated) && stated.length === classes
    ? stated.map(String)
    : Array.from({ length: classes }, (_, i) => String(i));
  const numbers: BertDescription = {
    kind: 'bert',
    architecture: BERT,
    name: meta.string('general.name', ''),
    layers,
    width,
    hidden: meta.perLayer(key('feed_forward_length'), 1, MAX_WIDTH, layers),
    heads,
    headDim,
    vocab: meta.integer(key('vocab_size'), 1, MAX_VOCAB, rows('token_embd.weight')),
    trainedContext: meta.integer(key('context_length'), 1, MAX_CONTEXT),
    segments: rows('token_types.weight'),
    normEps: meta.number(key('attention.layer_norm_epsilon'), 1e-14, 1),
    pooling,
    normalise,
    headActivation,
    separators: meta.integer('ternspike.bert.separators', 1, 2, 1),
    classes,
    ...(classes > 0 && { labels: classes === 1 ? [] : labels }),
    parameters: [...container.tensors.values()].reduce((n, t) => n + t.shape.reduce((a, b) => a * b, 1), 0),
  };
  const notices = checkKeys(meta, BERT, keysOf(heads, headDim, numbers.segments));
  const description = notices.length > 0 ? { ...numbers, notices } : numbers;
  checkTensors(container, description);
  return Object.freeze(description);
}

/** Keys of the namespace that are not read above. */
const keysOf = (heads: number, headDim: number, segments: number): KeyTable => ({
  neutral: {
    'attention.head_count_kv': (value) => [value].flat().every((item) => item === heads),
    'attention.key_length': headDim,
    'attention.value_length': headDim,
    'attention.clamp_kqv': 0,
    'attention.max_alibi_bias': 0,
    'attention.scale': 0,
    'attention.relative_buckets_count': 0,
    'attention.sliding_window': 0,
    'rope.dimension_count': 0,
    token_type_count: segments,
    expert_count: 0,
    moe_every_n_layers: 0,
    use_parallel_residual: false,
  },
  idle: ['tensor_data_layout', 'expert_used_count', 'pooling_type'], // the last is read by statedPooling
});

/** Every tensor by name, with its shape, and whether it may be absent. */
function* shapes(d: BertDescription): Generator<readonly [name: string, shape: readonly number[], optional: boolean]> {
  yield ['token_embd.weight', [d.vocab, d.width], false];
  yield ['position_embd.weight', [d.trainedContext, d.width], false];
  yield ['token_types.weight', [d.segments, d.width], true];
  for (const kind of ['weight', 'bias']) yield [`token_embd_norm.${kind}`, [d.width], false];
  const [rows, cols] = [{ up: d.hidden }, { down: d.hidden }] as Record<string, number>[];
  for (let l = 0; l < d.layers; l++) {
    for (const [matrix, name] of Object.entries(BERT_MATRICES)) {
      yield [`blk.${l}.${name}.weight`, [rows[matrix] ?? d.width, cols[matrix] ?? d.width], false];
      yield [`blk.${l}.${name}.bias`, [rows[matrix] ?? d.width], true];
    }
    for (const name of Object.values(BERT_NORMS)) {
      for (const kind of ['weight', 'bias']) yield [`blk.${l}.${name}.${kind}`, [d.width], false];
    }
  }
  yield ['cls.weight', [d.width, d.width], true];
  yield ['cls.bias', [d.width], true];
  yield ['cls.output.weight', [d.classes, d.width], true];
  yield ['cls.output.bias', [d.classes], true];
}

function checkTensors({ tensors }: Container, d: BertDescription): void {
  const known = new Set<string>();
  for (const [name, shape, optional] of shapes(d)) {
    known.add(name);
    const info: TensorInfo | undefined = tensors.get(name);
    if (!info && !optional) throw new DescriptionError('DESCRIPTION_TENSORS', `tensor "${name}" is missing`);
    if (!info || (info.shape.length === shape.length && info.shape.every((n, i) => n === shape[i]))) continue;
    throw new DescriptionError(
      'DESCRIPTION_MISMATCH',
      `tensor "${name}" is ${info.shape.join(' × ')}, the metadata ask for ${shape.join(' × ')}`,
    );
  }
  const unknown = [...tensors.keys()].filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new DescriptionError(
    'DESCRIPTION_TENSORS',
    `unexpected: ${unknown.slice(0, 5).join(', ')}${unknown.length > 5 ? ` and ${unknown.length - 5} more` : ''}; ` +
      'a "bert" file of this kind is not supported',
  );
}
