/**
 * A Hugging Face folder, `config.json` beside safetensors, under the names of GGUF: architectures then read it as they read
 * a GGUF file. The tables below pair the names of transformers with those of llama.cpp's converter.
 *
 * The rows of queries and keys stay as they are: transformers rotates halves of a head together, where GGUF files of the
 * `llama` architecture have neighbours. The key `ternspike.rope.pairing` says so.
 * @module
 */
import { DescriptionError, ModelFileError } from '../errors.ts';
import { quote } from './gguf-types.ts';
import type { Container, MetadataValue, TensorInfo } from './tensor.ts';

/** One model class of transformers. */
interface ModelClass {
  /** `general.architecture`. */
  readonly architecture: string;
  /** Prefix of a layer, and its tensors without `.weight` and `.bias`. */
  readonly layers: string;
  readonly layer: Readonly<Record<string, string>>;
  readonly outside: Readonly<Record<string, string>>;
  /** GGUF key behind `ARCHITECTURE.` → key of the config. */
  readonly keys: Readonly<Record<string, string>>;
  /** Metadata that is the same for all. */
  readonly fixed: Readonly<Record<string, MetadataValue>>;
}

const DECODER_KEYS = {
  block_count: 'num_hidden_layers',
  context_length: 'max_position_embeddings',
  embedding_length: 'hidden_size',
  feed_forward_length: 'intermediate_size',
  'attention.head_count': 'num_attention_heads',
  'attention.head_count_kv': 'num_key_value_heads',
  'attention.key_length': 'head_dim',
  'attention.value_length': 'head_dim',
  'attention.layer_norm_rms_epsilon': 'rms_norm_eps',
  vocab_size: 'vocab_size',
  hidden_activation: 'hidden_act',
} as const;

const decoder = (architecture: string): ModelClass => ({
  architecture,
  layers: 'model.layers.',
  layer: {
    input_layernorm: 'attn_norm',
    post_attention_layernorm: 'ffn_norm',
    'self_attn.q_proj': 'attn_q',
    'self_attn.k_proj': 'attn_k',
    'self_attn.v_proj': 'attn_v',
    'self_attn.o_proj': 'attn_output',
    'self_attn.q_norm': 'attn_q_norm',
    'self_attn.k_norm': 'attn_k_norm',
    'self_attn.attn_sub_norm': 'attn_sub_norm',
    'mlp.gate_proj': 'ffn_gate',
    'mlp.up_proj': 'ffn_up',
    'mlp.down_proj': 'ffn_down',
    'mlp.ffn_sub_norm': 'ffn_sub_norm',
  },
  outside: { 'model.embed_tokens': 'token_embd', 'model.norm': 'output_norm', lm_head: 'output' },
  keys: DECODER_KEYS,
  fixed: { 'ternspike.rope.pairing': 'halved' },
});

const CLASSES: Readonly<Record<string, ModelClass>> = {
  LlamaForCausalLM: decoder('llama'),
  MistralForCausalLM: decoder('llama'),
  Qwen2ForCausalLM: decoder('qwen2'),
  Qwen3ForCausalLM: decoder('qwen3'),
  BitNetForCausalLM: decoder('bitnet-b1.58'),
};

/** Buffers that older checkpoints list and that are recomputed. */
const IGNORED = /\.rotary_emb\.inv_freq$/;

/** Whether a checkpoint comes with the configuration of transformers. */
export function isHuggingFace({ metadata }: Pick<Container, 'metadata'>): boolean {
  return metadata.has('config.architectures') || metadata.has('config.model_type');
}

/**
 * The container under GGUF's names.
 * @param container of a checkpoint, with the entries of its `config.json` as metadata, see `withConfig`
 * @throws {DescriptionError} `ARCHITECTURE` for a class that is not supported, `DESCRIPTION` for a configuration that is not
 * @throws {ModelFileError} `TENSOR_SHAPE`, `TENSOR_TYPE` for packed weights that are malformed
 */
export function translated<T extends Container>(container: T): T {
  const config = (key: string): MetadataValue | undefined => container.metadata.get(`config.${key}`);
  const named = config('architectures');
  const name = String(Array.isArray(named) ? named[0] : named ?? config('model_type'));
  const known = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  if (!known) {
    throw new DescriptionError(
      'ARCHITECTURE',
      `config.json is of ${quote(name)}, which is not supported; supported are ${Object.keys(CLASSES).join(', ')}`,
    );
  }
  const { architecture } = known;
  const metadata = new Map(container.metadata);
  metadata.set('general.architecture', architecture);
  metadata.set('general.name', String(config('_name_or_path') ?? ''));
  for (const [key, value] of Object.entries(known.fixed)) metadata.set(key, value);
  for (const [key, from] of Object.entries(known.keys)) {
    const value = config(from);
    if (value !== undefined && value !== null) metadata.set(`${architecture}.${key}`, value);
  }
  for (const [key, value] of rope(config, architecture)) metadata.set(key, value);
  return { ...container, metadata, tensors: renamed(container, known, config) };
}

/** Numbers of the rotary embedding, in the spelling of transformers 5 (`rope_parameters`) or before (`rope_scaling`). */
function* rope(
  config: (key: string) => MetadataValue | undefined,
  architecture: string,
): Generator<[string, MetadataValue]> {
  const of = (key: string): MetadataValue | undefined =>
    config(`rope_parameters.${key}`) ?? config(`rope_scaling.${key}`);
  const theta = of('rope_theta') ?? config('rope_theta');
  if (theta !== undefined) yield [`${architecture}.rope.freq_base`, theta];
  const partial = of('partial_rotary_factor') ?? config('partial_rotary_factor');
  if (partial !== undefined && partial !== 1) {
    throw new DescriptionError('DESCRIPTION', `partial_rotary_factor is ${String(partial)}, supported is 1`);
  }
  const type = of('rope_type') ?? of('type') ?? 'default';
  if (type === 'default') return;
  const scaling = `${architecture}.rope.scaling`;
  const number = (key: string, absent?: number): number => {
    const value = of(key) ?? absent;
    if (typeof value === 'number') return value;
    throw new DescriptionError('DESCRIPTION', `rope_parameters.${key} is ${String(value)}, expected a number`);
  };
  yield [`${scaling}.type`, type];
  switch (type) {
    case 'linear':
      return yield [`${scaling}.factor`, number('factor')];
    case 'yarn': {
      yield [`${scaling}.factor`, number('factor')];
      const original = of('original_max_position_embeddings');
      if (original !== undefined) yield [`${scaling}.original_context_length`, original];
      yield ['ternspike.rope.yarn.beta_fast', number('beta_fast', 32)];
      yield ['ternspike.rope.yarn.beta_slow', number('beta_slow', 1)];
      const magnitude = of('attention_factor');
      if (typeof magnitude === 'number') yield ['ternspike.rope.yarn.magnitude', magnitude];
      return;
    }
    case 'llama3':
      return yield [
        'ternspike.rope.llama3',
        ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'].map((key) => number(key)),
      ];
    default:
      throw new DescriptionError(
        'DESCRIPTION',
        `rope_type is ${quote(String(type))}; supported are default, linear, yarn and llama3`,
      );
  }
}

/** The tensors under GGUF's names; those without one keep theirs, so that the description refuses them by it. */
function renamed(
  { tensors }: Container,
  { layers, layer, outside }: ModelClass,
  config: (key: string) => MetadataValue | undefined,
): Map<string, TensorInfo> {
  const packed = config('quantization_config.quant_method') === 'bitnet';
  const out = new Map<string, TensorInfo>();
  for (const [name, info] of tensors) {
    if (IGNORED.test(name) || (name === 'lm_head.weight' && config('tie_word_embeddings') === true)) continue;
    const [, stem, kind] = /^(.*?)\.(weight|bias|weight_scale)$/.exec(name) ?? [, name, ''];
    let to = outside[stem];
    if (stem.startsWith(layers)) {
      const [, index, rest] = /^(\d+)\.(.*)$/.exec(stem.slice(layers.length)) ?? [];
      if (rest !== undefined && Object.hasOwn(layer, rest)) to = `blk.${index}.${layer[rest]}`;
    }
    const renamed = to === undefined ? name : `${to}.${kind}`;
    out.set(renamed, { ...(packed && info.type === 'U8' ? unpacked(info) : info), name: renamed });
  }
  return out;
}

/** Four rows lie in a row of bytes: byte (r, c) holds the codes of rows r, r + n/4, r + n/2 and r + 3n/4, lowest bits first. */
function unpacked(info: TensorInfo): TensorInfo {
  const [rows, cols] = info.shape;
  if (info.shape.length !== 2) {
    throw new ModelFileError(
      'TENSOR_SHAPE',
      `tensor ${quote(info.name)} is packed and has ${info.shape.length} dimensions, expected 2`,
    );
  }
  return { ...info, type: 'U2_ROWS', shape: [4 * rows, cols], blockElements: 0 };
}
