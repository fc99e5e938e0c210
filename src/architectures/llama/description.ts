/**
 * GGUF metadata and tensor names of llama-shaped decoders → `LlamaDescription`, and which tensor is which weight.
 *
 * Key names follow the GGUF specification; the pairing of rotated dimensions and the activation are properties of the
 * architecture that no key states.
 * @module
 */
import { checkKeys, DECODER_IDLE, DECODER_NEUTRAL, type KeyTable } from '../../description/keys.ts';
import { layerTensorName } from '../../description/layer-tensors.ts';
import type { Container, TensorInfo } from '../../container/tensor.ts';
import { DescriptionError } from '../../errors.ts';
import { MAX_CONTEXT, MAX_HEADS, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH } from '../../limits.ts';
import {
  Metadata,
  type ModelDescription,
  type RopeDescription,
  type RopePairing,
} from '../../description/description.ts';

/** A decoder of the llama shape: RMSNorm, rotary attention with grouped keys, gated feed-forward. */
export interface LlamaDescription extends ModelDescription {
  readonly kind: 'llama';
  readonly hidden: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly normEps: number;
  readonly rope: RopeDescription;
  readonly activation: 'silu' | 'relu2';
  /** The head is the embedding table. */
  readonly tied: boolean;
}

interface Family {
  readonly pairing: RopePairing;
  readonly activation: LlamaDescription['activation'];
}

/** Architectures of this shape. llama files have their query and key rows permuted, so that pairs are neighbours. */
const FAMILIES: ReadonlyMap<string, Family> = new Map<string, Family>([
  ['llama', { pairing: 'adjacent', activation: 'silu' }],
  ['qwen2', { pairing: 'halved', activation: 'silu' }],
  ['qwen3', { pairing: 'halved', activation: 'silu' }],
  ['bitnet', { pairing: 'halved', activation: 'silu' }],
  ['bitnet-25', { pairing: 'halved', activation: 'relu2' }],
  ['bitnet-b1.58', { pairing: 'halved', activation: 'relu2' }],
]);

/** Names of the architectures `describeLlama` accepts. */
const LLAMA_ARCHITECTURES: readonly string[] = [...FAMILIES.keys()];

/** Tensors of one layer: matrices, then vectors. Those with a `?` may be absent. */
export const LLAMA_LAYER_TENSORS = {
  q: 'attn_q.weight',
  k: 'attn_k.weight',
  v: 'attn_v.weight',
  o: 'attn_output.weight',
  gate: 'ffn_gate.weight',
  up: 'ffn_up.weight',
  down: 'ffn_down.weight',
  attnNorm: 'attn_norm.weight',
  ffnNorm: 'ffn_norm.weight',
  qBias: 'attn_q.bias?',
  kBias: 'attn_k.bias?',
  vBias: 'attn_v.bias?',
  oBias: 'attn_output.bias?',
  qNorm: 'attn_q_norm.weight?',
  kNorm: 'attn_k_norm.weight?',
  attnSubNorm: 'attn_sub_norm.weight?',
  ffnSubNorm: 'ffn_sub_norm.weight?',
  gateBias: 'ffn_gate.bias?',
  upBias: 'ffn_up.bias?',
  downBias: 'ffn_down.bias?',
  qScale: 'attn_q.scale?',
  kScale: 'attn_k.scale?',
  vScale: 'attn_v.scale?',
  oScale: 'attn_output.scale?',
  gateScale: 'ffn_gate.scale?',
  upScale: 'ffn_up.scale?',
  downScale: 'ffn_down.scale?',
} as const;

/** Factors of the rotary frequencies: of all contexts; of short and of long ones. */
export const ROPE_FACTORS = ['rope_freqs.weight', 'rope_factors_short.weight', 'rope_factors_long.weight'] as const;

/** Types of norms, biases and frequency factors. */
const VECTOR_TYPES: readonly TensorInfo['type'][] = ['F32', 'F16', 'BF16'];

/** Name of a weight inside a layer. */
export type LlamaLayerTensor = keyof typeof LLAMA_LAYER_TENSORS;

/**
 * Reads and checks the description of a llama-shaped model.
 * @throws {DescriptionError} `ARCHITECTURE` for another architecture, `DESCRIPTION` for a field that is missing or out of
 *   range, `DESCRIPTION_MISMATCH` where metadata and tensors disagree, `DESCRIPTION_TENSORS` for missing or unknown tensors
 */
export function describeLlama(container: Container): LlamaDescription {
  const meta = new Metadata(container);
  const architecture = meta.string('general.architecture', '');
  const family = FAMILIES.get(architecture);
  if (!family) {
    throw new DescriptionError(
      'ARCHITECTURE',
      `general.architecture is ${
        architecture === '' ? 'missing' : `"${architecture.slice(0, 40)}", which is not supported`
      }; supported are ${LLAMA_ARCHITECTURES.join(', ')}`,
    );
  }
  const key = (name: string): string => `${architecture}.${name}`;
  const layers = meta.integer(key('block_count'), 1, MAX_LAYERS);
  const width = meta.integer(key('embedding_length'), 1, MAX_WIDTH);
  const hidden = meta.perLayer(key('feed_forward_length'), 1, MAX_WIDTH, layers);
  const heads = meta.perLayer(key('attention.head_count'), 1, MAX_HEADS, layers);
  const kvHeads = meta.perLayer(key('attention.head_count_kv'), 1, MAX_HEADS, layers, heads);
  if (heads % kvHeads !== 0) refuse(key('attention.head_count'), heads, `a multiple of head_count_kv = ${kvHeads}`);
  if (!meta.has(key('attention.key_length')) && width % heads !== 0) {
    refuse(key('embedding_length'), width, `a multiple of head_count = ${heads}`);
  }
  const headDim = meta.integer(key('attention.key_length'), 1, MAX_WIDTH, width / heads);
  const valueDim = meta.integer(key('attention.value_length'), 1, MAX_WIDTH, headDim);
  if (valueDim !== headDim) refuse(key('attention.value_length'), valueDim, `the key length ${headDim}`);
  if (headDim % 4 !== 0) refuse('head dimension', headDim, 'a multiple of 4');
  if (headDim * heads > MAX_WIDTH) refuse('heads × head dimension', headDim * heads, `at most ${MAX_WIDTH}`);
  const dims = meta.integer(key('rope.dimension_count'), 0, headDim, headDim);
  if (dims % 2 !== 0) refuse(key('rope.dimension_count'), dims, 'an even number');

  const embedding = tensor(container, 'token_embd.weight', 2);
  const vocab = meta.integer(key('vocab_size'), 1, MAX_VOCAB, Math.min(embedding.shape[0], MAX_VOCAB));
  const trainedContext = meta.integer(key('context_length'), 1, MAX_CONTEXT);
  const numbers: LlamaDescription = {
    kind: 'llama',
    architecture,
    name: meta.string('general.name', ''),
    layers,
    width,
    hidden,
    heads,
    kvHeads,
    headDim,
    vocab,
    trainedContext,
    normEps: meta.number(key('attention.layer_norm_rms_epsilon'), 1e-12, 1),
    rope: {
      theta: meta.number(key('rope.freq_base'), 1, 1e12, 10000),
      dims,
      pairing: pairingOf(meta, family),
      ...ropeScaling(container, meta, key, trainedContext),
    },
    activation: activationOf(meta, key('hidden_activation'), family),
    tied: !container.tensors.has('output.weight'),
    parameters: [...container.tensors.values()].reduce((n, t) => n + t.shape.reduce((a, b) => a * b, 1), 0),
  };
  const notices = checkKeys(meta, architecture, keys(trainedContext));
  const description = notices.length > 0 ? { ...numbers, notices } : numbers;
  checkTensors(container, description);
  return Object.freeze(description);
}

function refuse(what: string, found: number, expected: string): never {
  throw new DescriptionError('DESCRIPTION', `${what} is ${found}, expected ${expected}`);
}

/** Keys of the namespace that are not read below. A window is none where it is as long as the context. */
const keys = (context: number): KeyTable => ({
  neutral: { ...DECODER_NEUTRAL, 'attention.sliding_window': (value) => value === 0 || Number(value) >= context },
  idle: DECODER_IDLE,
});

/** The activation: what the file names, else that of the family. */
function activationOf(meta: Metadata, key: string, family: Family): LlamaDescription['activation'] {
  if (!meta.has(key)) return family.activation;
  const name = meta.string(key);
  const known = ({ silu: 'silu', swish: 'silu', relu2: 'relu2', relu_squared: 'relu2', relu_sqr: 'relu2' } as const)[
    name as 'silu'
  ];
  if (known) return known;
  throw new DescriptionError(
    'DESCRIPTION',
    `metadata "${key}" is "${name.slice(0, 40)}"; supported are silu and relu2`,
  );
}

/**
 * Numbers of YaRN that a `config.json` states and these architectures do not take from GGUF: llama.cpp leaves
 * `rope.scaling.yarn_…` of such files unread and runs with 32 and 1, and so do we.
 */
export const YARN_BETA_FAST = 'ternspike.rope.yarn.beta_fast';
export const YARN_BETA_SLOW = 'ternspike.rope.yarn.beta_slow';
export const YARN_MAGNITUDE = 'ternspike.rope.yarn.magnitude';

/** By how much a context may be extended. */
const MAX_FACTOR = 1024;

/**
 * How positions are scaled. A factor alone means linear, and older files call it `scale_linear`, as llama.cpp reads them.
 * @param trained positions of the extended model
 */
function ropeScaling(
  container: Container,
  meta: Metadata,
  key: (name: string) => string,
  trained: number,
): Pick<RopeDescription, 'linear' | 'yarn' | 'llama3' | 'attnFactor' | 'original'> {
  const scaling = (name: string): string => key(`rope.scaling.${name}`);
  const factor = meta.number(scaling('attn_factor'), 1e-3, 1e3, 1);
  const attn = factor === 1 ? {} : { attnFactor: factor };
  const type = meta.string(scaling('type'), 'linear');
  if (type === 'none') return { linear: 1, ...attn };
  if (type === 'llama3') {
    const numbers = container.metadata.get('ternspike.rope.llama3');
    if (numbers === undefined) return { linear: 1, ...attn }; // its factors are a tensor
    const good = Array.isArray(numbers) && numbers.length === 4 &&
      numbers.every((x) => typeof x === 'number' && x > 0 && x <= MAX_CONTEXT);
    const [factor, low, high, original] = numbers as number[];
    if (good && high > low) return { linear: 1, ...attn, llama3: { factor, low, high, original } };
    throw new DescriptionError('DESCRIPTION', 'the numbers of llama3 rope scaling are not four positive numbers');
  }
  if (type === 'longrope') {
    return { linear: 1, ...attn, original: meta.integer(scaling('original_context_length'), 1, MAX_CONTEXT, trained) };
  }
  const older = meta.number(key('rope.scale_linear'), 1, MAX_FACTOR, 1);
  const linear = meta.number(scaling('factor'), 1, MAX_FACTOR, older);
  if (type === 'linear') return { linear, ...attn };
  if (type === 'yarn') {
    const yarn = {
      original: meta.integer(scaling('original_context_length'), 1, MAX_CONTEXT, trained),
      betaFast: meta.number(YARN_BETA_FAST, 1e-3, 1e4, 32),
      betaSlow: meta.number(YARN_BETA_SLOW, 1e-3, 1e4, 1),
      ...(meta.has(YARN_MAGNITUDE) && { magnitude: meta.number(YARN_MAGNITUDE, 1e-3, 1e3) }),
    };
    return { linear, yarn, ...attn };
  }
  throw new DescriptionError(
    'DESCRIPTION',
    `metadata "${scaling('type')}" is "${type.slice(0, 40)}"; supported are none, linear, yarn, longrope and llama3`,
  );
}

/** Metadata key of our own: how the dimensions of a head are paired, where the architecture's name does not say. */
export const PAIRING_KEY = 'ternspike.rope.pairing';

/** Which halves of a head are rotated together: what the file says, else as its family has them. */
function pairingOf(meta: Metadata, family: Family): RopePairing {
  const pairing = meta.string(PAIRING_KEY, family.pairing);
  if (pairing === 'adjacent' || pairing === 'halved') return pairing;
  throw new DescriptionError(
    'DESCRIPTION',
    `metadata "${PAIRING_KEY}" is "${pairing.slice(0, 40)}"; supported are adjacent and halved`,
  );
}

function tensor(container: Container, name: string, dims: number): TensorInfo {
  const info = container.tensors.get(name);
  if (!info) throw new DescriptionError('DESCRIPTION_TENSORS', `tensor "${name}" is missing`);
  if (info.shape.length === dims) return info;
  throw new DescriptionError(
    'DESCRIPTION_MISMATCH',
    `tensor "${name}" has ${info.shape.length} dimensions, expected ${dims}`,
  );
}

/** The shape each tensor must have, given the numbers. */
function expectedShapes(d: LlamaDescription): Record<LlamaLayerTensor, readonly number[]> {
  const q = d.heads * d.headDim;
  const kv = d.kvHeads * d.headDim;
  return {
    q: [q, d.width],
    k: [kv, d.width],
    v: [kv, d.width],
    o: [d.width, q],
    gate: [d.hidden, d.width],
    up: [d.hidden, d.width],
    down: [d.width, d.hidden],
    attnNorm: [d.width],
    ffnNorm: [d.width],
    qBias: [q],
    kBias: [kv],
    vBias: [kv],
    oBias: [d.width],
    qNorm: [d.headDim],
    kNorm: [d.headDim],
    attnSubNorm: [q],
    ffnSubNorm: [d.hidden],
    gateBias: [d.hidden],
    upBias: [d.hidden],
    downBias: [d.width],
    qScale: [1],
    kScale: [1],
    vScale: [1],
    oScale: [1],
    gateScale: [1],
    upScale: [1],
    downScale: [1],
  };
}

/** Every tensor that must be there is there with its shape, and nothing is there that would be silently ignored. */
function checkTensors(container: Container, d: LlamaDescription): void {
  const missing: string[] = [];
  const known = new Set<string>();
  const expect = (name: string, shape: readonly number[], optional: boolean): void => {
    known.add(name);
    const info = container.tensors.get(name);
    if (info?.type === 'U2_ROWS') known.add(`${name}_scale`);
    if (!info) {
      if (!optional) missing.push(name);
    } else if (info.shape.length !== shape.length || info.shape.some((n, i) => n !== shape[i])) {
      throw new DescriptionError(
        'DESCRIPTION_MISMATCH',
        `tensor "${name}" is ${info.shape.join(' × ')}, the metadata ask for ${shape.join(' × ')}`,
      );
    } else if (shape.length === 1 && !VECTOR_TYPES.includes(info.type)) {
      throw new DescriptionError(
        'DESCRIPTION',
        `vector "${name}" is ${info.type}; ${VECTOR_TYPES.join(', ')} are supported`,
      );
    }
  };
  expect('token_embd.weight', [d.vocab, d.width], false);
  expect('output_norm.weight', [d.width], false);
  expect('output.weight', [d.vocab, d.width], true);
  for (const factors of ROPE_FACTORS) expect(factors, [d.rope.dims / 2], true);
  const shapes = expectedShapes(d);
  for (let layer = 0; layer < d.layers; layer++) {
    for (const [key, suffix] of Object.entries(LLAMA_LAYER_TENSORS)) {
      expect(layerTensorName(layer, suffix), shapes[key as LlamaLayerTensor], suffix.endsWith('?'));
    }
  }
  const unexpected = [...container.tensors.keys()].filter((name) => !known.has(name));
  if (missing.length + unexpected.length > 0) {
    const list = (names: string[]): string =>
      names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
    throw new DescriptionError(
      'DESCRIPTION_TENSORS',
      [missing.length ? `missing: ${list(missing)}` : '', unexpected.length ? `unexpected: ${list(unexpected)}` : '']
        .filter(Boolean).join('; ') + `; a "${d.architecture}" file of this kind is not supported`,
    );
  }
}
