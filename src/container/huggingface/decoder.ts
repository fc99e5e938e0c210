/**
 * What the configurations of all decoders of the llama shape have in common.
 * @module
 */
import { MAX_CONTEXT, MAX_HEADS, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH } from '../../limits.ts';
import type { Config } from './config.ts';
import { type Rename, renameLayer, type Translation } from './table.ts';

/** Numbers that tables go on with. */
export interface DecoderNumbers {
  readonly layers: number;
  readonly headDim: number;
  /** Rotated dimensions of a head. */
  readonly dims: number;
}

/** Writes sizes, norms and the shape of heads. @throws {DescriptionError} `DESCRIPTION` */
export function decoderMetadata(config: Config, to: Translation): DecoderNumbers {
  const layers = config.integer('num_hidden_layers', 1, MAX_LAYERS);
  const width = config.integer('hidden_size', 1, MAX_WIDTH);
  const heads = config.integer('num_attention_heads', 1, MAX_HEADS);
  if (!config.has('head_dim') && width % heads !== 0) {
    config.refuse(`hidden_size is ${width}, expected a multiple of num_attention_heads = ${heads}`);
  }
  const headDim = config.integer('head_dim', 1, MAX_WIDTH, width / heads);
  const partial = config.object('rope_parameters')?.number('partial_rotary_factor', 0, 1, 1) ?? 1;
  const dims = Math.floor(headDim * config.number('partial_rotary_factor', 0, 1, partial));
  if (dims % 2 !== 0) config.refuse(`${dims} dimensions of a head are rotated, expected an even number`);
  to.set('block_count', 'uint32', layers);
  to.set('context_length', 'uint32', config.integer('max_position_embeddings', 1, MAX_CONTEXT));
  to.set('embedding_length', 'uint32', width);
  to.set('feed_forward_length', 'uint32', config.integer('intermediate_size', 1, MAX_WIDTH));
  to.set('attention.head_count', 'uint32', heads);
  to.set('attention.head_count_kv', 'uint32', config.integer('num_key_value_heads', 1, MAX_HEADS, heads));
  to.set('attention.key_length', 'uint32', headDim);
  to.set('attention.value_length', 'uint32', headDim);
  to.set('rope.dimension_count', 'uint32', dims);
  const eps = config.number('rms_norm_eps', 1e-12, 1, 1e-6);
  to.set('attention.layer_norm_rms_epsilon', 'float32', Math.fround(eps));
  to.set('vocab_size', 'uint32', config.integer('vocab_size', 1, MAX_VOCAB));
  config.only('pretraining_tp', 1);
  // models of vectors that see both sides of a token
  config.only('use_bidirectional_attention', false);
  config.only('is_causal', true);
  return { layers, headDim, dims };
}

/** Names of a layer's tensors that all decoders share. */
export const DECODER_LAYER: Readonly<Record<string, string>> = {
  'input_layernorm.weight': 'attn_norm.weight',
  'post_attention_layernorm.weight': 'ffn_norm.weight',
  'self_attn.q_proj.weight': 'attn_q.weight',
  'self_attn.k_proj.weight': 'attn_k.weight',
  'self_attn.v_proj.weight': 'attn_v.weight',
  'self_attn.o_proj.weight': 'attn_output.weight',
  'self_attn.q_proj.bias': 'attn_q.bias',
  'self_attn.k_proj.bias': 'attn_k.bias',
  'self_attn.v_proj.bias': 'attn_v.bias',
  'self_attn.o_proj.bias': 'attn_output.bias',
  'mlp.gate_proj.weight': 'ffn_gate.weight',
  'mlp.up_proj.weight': 'ffn_up.weight',
  'mlp.down_proj.weight': 'ffn_down.weight',
  'mlp.gate_proj.bias': 'ffn_gate.bias',
  'mlp.up_proj.bias': 'ffn_up.bias',
  'mlp.down_proj.bias': 'ffn_down.bias',
};

/** One tensor of every decoder. */
export const DECODER_SIGNS: readonly string[] = ['model.embed_tokens.weight'];

/** @param layer names within a layer @param tied what `tie_word_embeddings` means where it is missing */
export function renameDecoder(
  given: string,
  config: Config,
  layer: Readonly<Record<string, string>> = DECODER_LAYER,
  tied: boolean = false,
): Rename | null | undefined {
  // models without a head, as those of vectors are, leave the prefix out
  const name = /^(model|lm_head)\./.test(given) ? given : `model.${given}`;
  if (name === 'model.embed_tokens.weight') return { name: 'token_embd.weight' };
  if (name === 'model.norm.weight') return { name: 'output_norm.weight' };
  // a tied head is the embedding, whatever else a file holds under its name
  if (name === 'lm_head.weight') return config.boolean('tie_word_embeddings', tied) ? null : { name: 'output.weight' };
  // frequencies that follow from the configuration, which old files hold as well
  if (name.endsWith('.rotary_emb.inv_freq')) return null;
  const renamed = renameLayer(name, 'model.layers.', layer);
  return renamed === undefined ? undefined : { name: renamed };
}
