/**
 * The keys of an architecture's own namespace. Each is read; or refused where it asks for what is not computed; or known to change
 * nothing. Any other is named in a notice: the file may mean a model that is not quite the one that runs.
 * @module
 */
import type { MetadataValue } from '../container/tensor.ts';
import { DescriptionError } from '../errors.ts';
import type { Metadata } from './description.ts';

/** The values of a key that ask for nothing: one, several, or what a function accepts. */
export type Neutral = MetadataValue | readonly MetadataValue[] | ((value: MetadataValue) => boolean);

/** What an architecture does with the keys that its description does not read. */
export interface KeyTable {
  /** Keys that change the arithmetic and are not computed, with the values that ask for nothing. */
  readonly neutral: Readonly<Record<string, Neutral>>;
  /** Keys that change nothing of what is computed here. */
  readonly idle: readonly string[];
}

/** Notices that name more keys than this say how many there are. */
const SHOWN = 8;

const zeros: Neutral = (value) => [value].flat().every((item) => item === 0);
const FACTOR: Neutral = [0, 1];

/** Keys of the GGUF specification and of llama.cpp that ask a decoder for something else than attention over all earlier positions and a
 *  gated feed-forward. */
export const DECODER_NEUTRAL: KeyTable['neutral'] = {
  'attention.causal': true,
  'attention.clamp_kqv': 0,
  'attention.max_alibi_bias': 0,
  'attention.scale': 0,
  'attention.output_scale': FACTOR,
  'attention.temperature_length': 0,
  'attention.temperature_scale': 0,
  'attention.q_lora_rank': 0,
  'attention.kv_lora_rank': 0,
  'attention.key_length_mla': 0,
  'attention.value_length_mla': 0,
  'attention.relative_buckets_count': 0,
  'attention.shared_kv_layers': 0,
  'attention.sliding_window': 0,
  'rope.dimension_sections': zeros,
  'rope.scaling.alpha': FACTOR,
  'rope.scaling.yarn_log_multiplier': 0,
  attn_logit_softcapping: 0,
  final_logit_softcapping: 0,
  router_logit_softcapping: 0,
  logit_scale: FACTOR,
  embedding_scale: FACTOR,
  residual_scale: FACTOR,
  activation_sparsity_scale: zeros,
  expert_count: zeros,
  expert_shared_count: zeros,
  leading_dense_block_count: 0,
  moe_every_n_layers: 0,
  interleave_moe_layer_step: 0,
  nextn_predict_layers: 0,
  n_deepstack_layers: 0,
  token_shift_count: 0,
  rescale_every_n_layers: 0,
  swin_norm: false,
  use_parallel_residual: false,
};

/** Keys of decoders that say nothing about the arithmetic, or only about experts that are not there. */
export const DECODER_IDLE: readonly string[] = [
  'vocab_size',
  'pooling_type', // of vectors, which read it by themselves: forward/pooling.ts
  'tensor_data_layout',
  'rope.scaling.finetuned',
  'expert_used_count',
  'expert_feed_forward_length',
  'expert_shared_feed_forward_length',
  'expert_group_count',
  'expert_group_used_count',
  'expert_gating_func',
  'expert_weights_scale',
  'expert_weights_norm',
];

function isNeutral(neutral: Neutral, value: MetadataValue): boolean {
  if (typeof neutral === 'function') return neutral(value);
  return Array.isArray(neutral) ? neutral.includes(value) : value === neutral;
}

/**
 * Looks at every key of the namespace that has not been read.
 * @param meta after the description has been read from it
 * @returns notices for a description, empty where every key is known
 * @throws {DescriptionError} `DESCRIPTION` naming a key that the forward pass would have to obey and does not
 */
export function checkKeys(meta: Metadata, architecture: string, { neutral, idle }: KeyTable): readonly string[] {
  const unknown: string[] = [];
  for (const [key, value] of meta.unread(`${architecture}.`)) {
    const name = key.slice(architecture.length + 1);
    if (Object.hasOwn(neutral, name)) {
      if (!isNeutral(neutral[name], value)) throw refusal(key, value, neutral[name]);
    } else if (!idle.includes(name)) unknown.push(key);
  }
  if (unknown.length === 0) return [];
  const more = unknown.length > SHOWN ? ` and ${unknown.length - SHOWN} more` : '';
  const names = unknown.slice(0, SHOWN).map((key) => `"${key.slice(0, 80)}"`).join(', ');
  return [
    `metadata ${names}${more} ${
      unknown.length === 1 ? 'is' : 'are'
    } not read: it is not known whether it changes the model`,
  ];
}

function refusal(key: string, value: MetadataValue, neutral: Neutral): DescriptionError {
  const found = Array.isArray(value) ? `[${value.slice(0, 8).join(', ')}]` : String(value);
  const supported = typeof neutral === 'function' ? '0' : [neutral].flat().join(' or ');
  return new DescriptionError(
    'DESCRIPTION',
    `metadata "${key}" is ${found.slice(0, 60)}, which this architecture does not compute; supported is ${supported}`,
  );
}
