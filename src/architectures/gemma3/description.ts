/**
 * GGUF metadata and tensor names of Gemma 3 text decoders → `Gemma3Description`, and which tensor is which weight.
 *
 * Layers are local (they see a window of positions) or global. Files state the window; that every sixth layer is global,
 * and the rotary base of the local ones, they mostly leave to the reader, as llama.cpp does.
 * @module
 */
import { checkKeys, DECODER_IDLE, DECODER_NEUTRAL, type KeyTable } from '../../description/keys.ts';
import { layerTensorName } from '../../description/layer-tensors.ts';
import type { Container, TensorInfo } from '../../container/tensor.ts';
import { Metadata, type ModelDescription, type RopeDescription } from '../../description/description.ts';
import { DescriptionError } from '../../errors.ts';
import { MAX_CONTEXT, MAX_HEADS, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH } from '../../limits.ts';
import { GEMMA3 } from './recognise.ts';

export interface Gemma3Description extends ModelDescription {
  readonly kind: 'gemma3';
  readonly hidden: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly normEps: number;
  /** Of global layers. */
  readonly rope: RopeDescription;
  /** Of local layers. */
  readonly localRope: RopeDescription;
  /** Positions that a local layer sees, its own included; 0 where no layer is local. */
  readonly window: number;
  /** Per layer, whether it is local. */
  readonly local: readonly boolean[];
  /** What the product of a query and a key is multiplied by. */
  readonly scoreScale: number;
  /** The head is the embedding table. */
  readonly tied: boolean;
}

/** Tensors of one layer. */
export const GEMMA3_LAYER_TENSORS = {
  q: 'attn_q.weight',
  k: 'attn_k.weight',
  v: 'attn_v.weight',
  o: 'attn_output.weight',
  gate: 'ffn_gate.weight',
  up: 'ffn_up.weight',
  down: 'ffn_down.weight',
  attnNorm: 'attn_norm.weight',
  qNorm: 'attn_q_norm.weight',
  kNorm: 'attn_k_norm.weight',
  attnPostNorm: 'post_attention_norm.weight',
  ffnNorm: 'ffn_norm.weight',
  ffnPostNorm: 'post_ffw_norm.weight',
} as const;

/** Name of a weight inside a layer. */
export type Gemma3LayerTensor = keyof typeof GEMMA3_LAYER_TENSORS;

/** Every this many layers one is global, unless the file says otherwise. */
const PERIOD = 6;
/** Layers of the model of 27 billion weights, whose scores are scaled by its width per head. */
const LAYERS_27B = 62;

/**
 * Reads and checks the description of a Gemma 3 text model.
 * @throws {DescriptionError} `DESCRIPTION` for a field that is missing, out of range or not computed here,
 *   `DESCRIPTION_MISMATCH` where metadata and tensors disagree, `DESCRIPTION_TENSORS` for missing or unknown tensors
 */
export function describeGemma3(container: Container): Gemma3Description {
  const meta = new Metadata(container);
  const key = (name: string): string => `${GEMMA3}.${name}`;
  const layers = meta.integer(key('block_count'), 1, MAX_LAYERS);
  const width = meta.integer(key('embedding_length'), 1, MAX_WIDTH);
  const hidden = meta.perLayer(key('feed_forward_length'), 1, MAX_WIDTH, layers);
  const heads = meta.perLayer(key('attention.head_count'), 1, MAX_HEADS, layers);
  const kvHeads = meta.perLayer(key('attention.head_count_kv'), 1, MAX_HEADS, layers, heads);
  if (heads % kvHeads !== 0) refuse(key('attention.head_count'), heads, `a multiple of head_count_kv = ${kvHeads}`);
  const headDim = meta.integer(key('attention.key_length'), 1, MAX_WIDTH, 256);
  const valueDim = meta.integer(key('attention.value_length'), 1, MAX_WIDTH, headDim);
  if (valueDim !== headDim) refuse(key('attention.value_length'), valueDim, `the key length ${headDim}`);
  if (headDim % 4 !== 0) refuse(key('attention.key_length'), headDim, 'a multiple of 4');
  if (headDim * heads > MAX_WIDTH) refuse('heads × key length', headDim * heads, `at most ${MAX_WIDTH}`);
  const dims = meta.integer(key('rope.dimension_count'), 2, headDim, headDim);
  if (dims % 2 !== 0) refuse(key('rope.dimension_count'), dims, 'an even number');
  const window = meta.integer(key('attention.sliding_window'), 0, MAX_CONTEXT, 0);
  const perHead = layers === LAYERS_27B ? width / heads : headDim;
  const pair = { dims, pairing: 'halved' } as const;
  const tensors = [...container.tensors.values()];
  const numbers: Gemma3Description = {
    kind: 'gemma3',
    architecture: GEMMA3,
    name: meta.string('general.name', ''),
    layers,
    width,
    hidden,
    heads,
    kvHeads,
    headDim,
    vocab: meta.integer(key('vocab_size'), 1, MAX_VOCAB, vocabOf(container)),
    trainedContext: meta.integer(key('context_length'), 1, MAX_CONTEXT),
    normEps: meta.number(key('attention.layer_norm_rms_epsilon'), 1e-12, 1),
    rope: { theta: meta.number(key('rope.freq_base'), 1, 1e12, 1e6), linear: linearOf(meta, key), ...pair },
    localRope: { theta: meta.number(key('rope.freq_base_swa'), 1, 1e12, 1e4), linear: 1, ...pair },
    window,
    local: localLayers(meta, key('attention.sliding_window_pattern'), layers, window),
    scoreScale: meta.number(key('attention.scale'), 1e-6, 1e6, 1 / Math.sqrt(perHead)),
    tied: !container.tensors.has('output.weight'),
    parameters: tensors.reduce((n, t) => n + t.shape.reduce((a, b) => a * b, 1), 0),
  };
  const notices = checkKeys(meta, GEMMA3, keysOf(headDim));
  const description = notices.length > 0 ? { ...numbers, notices } : numbers;
  checkTensors(container, description);
  return Object.freeze(description);
}

/** Keys of the namespace that are not read above. */
const keysOf = (headDim: number): KeyTable => ({
  neutral: {
    ...DECODER_NEUTRAL,
    'rope.scaling.attn_factor': 1,
    'attention.key_length_swa': headDim,
    'attention.value_length_swa': headDim,
  },
  idle: [...DECODER_IDLE, 'rope.scaling.original_context_length'],
});

function refuse(what: string, found: number, expected: string): never {
  throw new DescriptionError('DESCRIPTION', `${what} is ${found}, expected ${expected}`);
}

function vocabOf({ tensors }: Container): number {
  const shape = tensors.get('token_embd.weight')?.shape;
  if (shape?.length === 2) return Math.min(shape[0], MAX_VOCAB);
  throw new DescriptionError('DESCRIPTION_TENSORS', 'tensor "token_embd.weight" is missing or not a matrix');
}

/** What positions of global layers are divided by. */
function linearOf(meta: Metadata, key: (name: string) => string): number {
  const type = meta.string(key('rope.scaling.type'), 'linear');
  if (type === 'none') return 1;
  if (type === 'linear') return meta.number(key('rope.scaling.factor'), 1, 1024, 1);
  throw new DescriptionError(
    'DESCRIPTION',
    `metadata "${key('rope.scaling.type')}" is "${type.slice(0, 40)}"; supported are none and linear`,
  );
}

/** Which layers are local: all but every n-th, or as a list says. */
function localLayers(meta: Metadata, key: string, layers: number, window: number): boolean[] {
  const pattern = meta.get(key);
  if (Array.isArray(pattern)) {
    if (pattern.length === layers && pattern.every((item) => typeof item === 'boolean')) {
      return pattern.map((item) => item === true && window > 0);
    }
    throw new DescriptionError(
      'DESCRIPTION',
      `metadata "${key}" is a list, expected true or false for ${layers} layers`,
    );
  }
  const period = meta.integer(key, 1, MAX_LAYERS, PERIOD);
  return Array.from({ length: layers }, (_, l) => window > 0 && l % period < period - 1);
}

/** The shape each tensor must have, given the numbers. */
function expectedShapes(d: Gemma3Description): Record<Gemma3LayerTensor, readonly number[]> {
  const q = d.heads * d.headDim;
  const kv = d.kvHeads * d.headDim;
  const norm = [d.width];
  return {
    q: [q, d.width],
    k: [kv, d.width],
    v: [kv, d.width],
    o: [d.width, q],
    gate: [d.hidden, d.width],
    up: [d.hidden, d.width],
    down: [d.width, d.hidden],
    attnNorm: norm,
    qNorm: [d.headDim],
    kNorm: [d.headDim],
    attnPostNorm: norm,
    ffnNorm: norm,
    ffnPostNorm: norm,
  };
}

/** Types of norms. */
const VECTOR_TYPES: readonly TensorInfo['type'][] = ['F32', 'F16', 'BF16'];

/** Every tensor that must be there is there with its shape, and nothing is there that would be silently ignored. */
function checkTensors({ tensors }: Container, d: Gemma3Description): void {
  const expected = new Map<string, readonly number[]>([
    ['token_embd.weight', [d.vocab, d.width]],
    ['output_norm.weight', [d.width]],
  ]);
  if (!d.tied) expected.set('output.weight', [d.vocab, d.width]);
  const shapes = Object.entries(expectedShapes(d)) as [Gemma3LayerTensor, readonly number[]][];
  for (let l = 0; l < d.layers; l++) {
    for (const [name, shape] of shapes) expected.set(layerTensorName(l, GEMMA3_LAYER_TENSORS[name]), shape);
  }
  for (const [name, shape] of expected) {
    const info = tensors.get(name);
    if (!info) throw new DescriptionError('DESCRIPTION_TENSORS', `tensor "${name}" is missing`);
    if (info.shape.join() !== shape.join()) {
      throw new DescriptionError(
        'DESCRIPTION_MISMATCH',
        `tensor "${name}" is ${info.shape.join(' × ')}, the metadata ask for ${shape.join(' × ')}`,
      );
    }
    if (shape.length === 1 && !VECTOR_TYPES.includes(info.type)) {
      throw new DescriptionError('DESCRIPTION', `vector "${name}" is ${info.type}; F32, F16, BF16 are supported`);
    }
  }
  const unknown = [...tensors.keys()].find((name) => !expected.has(name));
  if (unknown === undefined) return;
  throw new DescriptionError(
    'DESCRIPTION_TENSORS',
    `unexpected: ${unknown.slice(0, 80)}; of a "gemma3" file the text decoder is supported`,
  );
}
