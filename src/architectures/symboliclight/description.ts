/**
 * SymbolicLight V1 (arXiv 2605.21333): the configuration and the tensors of its two public variants → description.
 *
 * A PyTorch checkpoint carries the configuration of the public code (`config.embed_dim`, …); a GGUF file of this
 * architecture the same numbers under GGUF's names; a safetensors file those of the public code as strings of its
 * `__metadata__`. Tensors keep the names of the state dict in all three.
 * @module
 */
import { columnLayout } from '../../container/ggml-types.ts';
import type { Container, MetadataValue, TensorInfo } from '../../container/tensor.ts';
import { DescriptionError, ModelFileError } from '../../errors.ts';
import { MAX_CONTEXT, MAX_HEADS, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH } from '../../limits.ts';
import { Metadata, type ModelDescription, type RopeDescription } from '../../description/description.ts';
import { checkKeys, type KeyTable } from '../../description/keys.ts';
import { rowScaleName, rowScales } from '../../description/layout.ts';
import { SYMBOLICLIGHT } from './recognise.ts';

/** SymbolicLight V1: a spike encoder, blocks of a decay path, local attention and a spiking feed-forward, a head with a prior. */
export interface SymbolicLightDescription extends ModelDescription {
  readonly kind: 'symboliclight';
  /** Which public variant: they differ in the prior's weight and in how a temperature adapts. */
  readonly variant: '0.8b' | '194m';
  readonly hidden: number;
  readonly headDim: number;
  readonly normEps: number;
  readonly rope: RopeDescription;
  /** Membrane potential from which a neuron fires, in the encoder and in every block. */
  readonly threshold: number;
  /** What is left of the encoder's membrane after a step. */
  readonly leak: number;
  /** How many positions back attention sees, besides itself and the anchors. */
  readonly window: number;
  /** First positions that stay visible for good. */
  readonly anchors: number;
  /** Whether blocks have the attention path at all. */
  readonly attention: boolean;
  /** Whether the prior depends on the context. */
  readonly dynamicPrior: boolean;
}

/** A number of the configuration: its name in the public code, and in GGUF behind `symboliclight.`. */
export const SYMBOLICLIGHT_KEYS = {
  vocab: ['vocab_size', 'vocab_size'],
  width: ['embed_dim', 'embedding_length'],
  layers: ['n_layers', 'block_count'],
  heads: ['n_heads', 'attention.head_count'],
  headDim: ['head_dim', 'attention.key_length'],
  hidden: ['intermediate_dim', 'feed_forward_length'],
  trainedContext: ['max_seq_len', 'context_length'],
  threshold: ['spike_threshold', 'spike_threshold'],
  leak: ['leak_factor', 'leak_factor'],
  theta: ['rope_theta', 'rope.freq_base'],
  window: ['sparse_attn_window', 'attention.sliding_window'],
  anchors: ['n_global_anchors', 'attention.anchors'],
  attention: ['enable_sparse_attn', 'attention.enabled'],
  dynamicPrior: ['enable_dynamic_prior', 'dynamic_prior'],
} as const;

type Key = keyof typeof SYMBOLICLIGHT_KEYS;

/** The namespace is this project's own: what is not read is unknown. */
const KEYS: KeyTable = { neutral: {}, idle: [] };

/** Buffers of the public code that are recomputed here. */
const BUFFERS = /(^|\.)(v_mem|_cached_mask|rope\.inv_freq)$/;

/** LayerNorm of PyTorch. */
const NORM_EPS = 1e-5;
/** The membrane is clamped to ±3. */
export const MEMBRANE_LIMIT: number = 3;
/** Weight of the prior in the 194M variant, which has no parameter for it. */
export const FIXED_PRIOR_WEIGHT: number = 0.1;

/**
 * Reads and checks the description.
 * @throws {DescriptionError} `DESCRIPTION` for a number missing or out of range, `DESCRIPTION_MISMATCH` where it
 *   contradicts a tensor, `DESCRIPTION_TENSORS` for missing or unknown tensors
 * @throws {ModelFileError} `TENSOR_TYPE` for types that cannot be run, and for I8 matrices without their scales
 */
export function describeSymbolicLight(container: Container): SymbolicLightDescription {
  const meta = new Metadata(container.format === 'safetensors' ? typed(container) : container);
  const gguf = container.metadata.get('general.architecture') === SYMBOLICLIGHT;
  const name = (
    key: Key,
  ): string => (gguf ? `${SYMBOLICLIGHT}.${SYMBOLICLIGHT_KEYS[key][1]}` : `config.${SYMBOLICLIGHT_KEYS[key][0]}`);
  const whole = (key: Key, min: number, max: number, absent?: number): number =>
    meta.integer(name(key), min, max, absent);
  const width = whole('width', 4, MAX_WIDTH);
  const heads = whole('heads', 1, MAX_HEADS);
  const headDim = whole('headDim', 4, MAX_WIDTH);
  if (headDim % 4 !== 0 || heads * headDim !== width) {
    throw new DescriptionError(
      'DESCRIPTION',
      `${heads} heads of ${headDim} do not make up a width of ${width}; heads are multiples of 4 wide`,
    );
  }
  const embedding = container.tensors.get('spike_encoder.frontend.text_embedding.weight');
  const adaptivePrior = container.tensors.has('output_head.prior_weight');
  const numbers: SymbolicLightDescription = {
    kind: 'symboliclight',
    architecture: SYMBOLICLIGHT,
    variant: adaptivePrior ? '0.8b' : '194m',
    name: gguf ? meta.string('general.name', '') : '',
    layers: whole('layers', 1, MAX_LAYERS),
    width,
    hidden: whole('hidden', 1, MAX_WIDTH),
    heads,
    headDim,
    vocab: whole('vocab', 1, MAX_VOCAB, embedding?.shape[0]),
    trainedContext: whole('trainedContext', 1, MAX_CONTEXT),
    normEps: NORM_EPS,
    rope: { theta: meta.number(name('theta'), 1, 1e12, 10000), dims: headDim, pairing: 'halved', linear: 1 },
    threshold: meta.number(name('threshold'), 1e-6, 1e6, 1),
    leak: meta.number(name('leak'), 0, 1, 0.95),
    window: whole('window', 1, MAX_CONTEXT, adaptivePrior ? 512 : 256),
    anchors: whole('anchors', 0, MAX_CONTEXT, 4),
    attention: meta.boolean(name('attention'), true),
    dynamicPrior: meta.boolean(name('dynamicPrior'), true),
    parameters: [...container.tensors].filter(([key]) => !BUFFERS.test(key) && !isRowScale(container, key))
      .reduce((n, [, { shape }]) => n + shape.reduce((a, b) => a * b, 1), 0),
  };
  const notices = checkKeys(meta, SYMBOLICLIGHT, KEYS);
  const description = notices.length > 0 ? { ...numbers, notices } : numbers;
  checkTensors(container, description);
  return Object.freeze(description);
}

/** Strings that spell numbers, true or false become them: all that safetensors can hold are strings. */
function typed(container: Container): Container {
  const value = (text: MetadataValue): MetadataValue => {
    if (typeof text !== 'string') return text;
    if (/^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
    return /^-?\d/.test(text) && Number.isFinite(Number(text)) ? Number(text) : text;
  };
  return { ...container, metadata: new Map([...container.metadata].map(([key, text]) => [key, value(text)])) };
}

/** Every tensor of the model with its shape; a scalar is []. */
export function symbolicLightShapes(
  d: Pick<
    SymbolicLightDescription,
    'variant' | 'layers' | 'width' | 'hidden' | 'heads' | 'vocab' | 'attention' | 'dynamicPrior'
  >,
): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const square = [d.width, d.width];
  shapes.set('spike_encoder.frontend.text_embedding.weight', [d.vocab, d.width]);
  shapes.set('spike_encoder.norm.weight', [d.width]);
  shapes.set('spike_encoder.norm.bias', [d.width]);
  for (let i = 0; i < d.layers; i++) {
    const tcam = `blocks.${i}.tcam`;
    shapes.set(`${tcam}.decay_raw`, [d.heads]);
    shapes.set(`${tcam}.attn_gate`, [1]);
    shapes.set(`${tcam}.tcam_proj.weight`, square);
    shapes.set(`${tcam}.out_proj.weight`, square);
    for (const part of ['weight', 'bias']) shapes.set(`${tcam}.norm.${part}`, [d.width]);
    if (d.attention) {
      for (const part of ['q', 'k', 'v']) shapes.set(`${tcam}.sparse_attn.${part}_proj.weight`, square);
    }
    shapes.set(`blocks.${i}.ffn.up.weight`, [d.hidden, d.width]);
    shapes.set(`blocks.${i}.ffn.down.weight`, [d.width, d.hidden]);
    for (const part of ['weight', 'bias']) shapes.set(`blocks.${i}.ffn.norm.${part}`, [d.width]);
  }
  shapes.set('output_head.output_proj.weight', [d.vocab, d.width]);
  if (d.variant === '0.8b') shapes.set('output_head.prior_weight', []);
  if (d.dynamicPrior) {
    const bottleneck = Math.floor(d.width / 4);
    shapes.set('output_head.prior_net.0.weight', [bottleneck, d.width]);
    shapes.set('output_head.prior_net.2.weight', [d.vocab, bottleneck]);
  } else {
    shapes.set('output_head.log_prior', [d.vocab]);
  }
  return shapes;
}

/** Whether a vector is the scales of an I8 matrix of this model. */
function isRowScale(container: Container, name: string): boolean {
  const info = container.tensors.get(`${name.replace(/\.scale$/, '')}.weight`);
  return info !== undefined && rowScaleName(info) === name;
}

/** Types of norms, gates and other vectors. */
const VECTOR_TYPES: readonly TensorInfo['type'][] = ['F32', 'F16', 'BF16'];

function checkTensors(container: Container, d: SymbolicLightDescription): void {
  const shapes = symbolicLightShapes(d);
  const missing: string[] = [];
  for (const [name, shape] of shapes) {
    const info = container.tensors.get(name);
    if (!info) {
      missing.push(name);
    } else if (size(info.shape) !== size(shape) || (shape.length > 1 && info.shape.join() !== shape.join())) {
      throw new DescriptionError(
        'DESCRIPTION_MISMATCH',
        `tensor "${name}" is ${info.shape.join(' × ') || 'a scalar'}, the configuration asks for ${
          shape.join(' × ') || 'a scalar'
        }`,
      );
    } else if (shape.length < 2 && !VECTOR_TYPES.includes(info.type)) {
      throw new ModelFileError(
        'TENSOR_TYPE',
        `vector "${name}" is ${info.type}; ${VECTOR_TYPES.join(', ')} are supported`,
      );
    } else if (shape.length === 2) {
      columnLayout(info); // refuses types that take no spikes
      rowScales(container, info);
    }
  }
  const unexpected = [...container.tensors.keys()].filter((name) =>
    !shapes.has(name) && !BUFFERS.test(name) && !isRowScale(container, name)
  );
  if (missing.length + unexpected.length === 0) return;
  const list = (names: string[]): string =>
    names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
  throw new DescriptionError(
    'DESCRIPTION_TENSORS',
    [missing.length ? `missing: ${list(missing)}` : '', unexpected.length ? `unexpected: ${list(unexpected)}` : '']
      .filter(Boolean).join('; ') + '; this is not a checkpoint of SymbolicLight V1',
  );
}

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
