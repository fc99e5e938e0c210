/**
 * Qwen2ForCausalLM → `qwen2`, Qwen3ForCausalLM → `qwen3`, which normalises queries and keys.
 * @module
 */
import { DECODER_LAYER, DECODER_SIGNS, decoderMetadata, renameDecoder } from './decoder.ts';
import { ropeMetadata } from './rope.ts';
import type { HuggingFaceTable } from './table.ts';

const common: Pick<HuggingFaceTable, 'signs' | 'metadata'> = {
  signs: DECODER_SIGNS,
  metadata(config, to) {
    const { dims } = decoderMetadata(config, to);
    config.only('hidden_act', 'silu');
    config.only('use_sliding_window', false);
    ropeMetadata(config, config.object('rope_parameters'), dims, to);
  },
};

export const qwen2: HuggingFaceTable = {
  ...common,
  classes: ['Qwen2ForCausalLM', 'Qwen2Model'],
  types: ['qwen2'],
  architecture: 'qwen2',
  rename: (name, config) => renameDecoder(name, config),
};

const QWEN3_LAYER: Readonly<Record<string, string>> = {
  ...DECODER_LAYER,
  'self_attn.q_norm.weight': 'attn_q_norm.weight',
  'self_attn.k_norm.weight': 'attn_k_norm.weight',
};

export const qwen3: HuggingFaceTable = {
  ...common,
  classes: ['Qwen3ForCausalLM', 'Qwen3Model'],
  types: ['qwen3'],
  architecture: 'qwen3',
  rename: (name, config) => renameDecoder(name, config, QWEN3_LAYER),
};
