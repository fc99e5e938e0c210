/**
 * BitNetForCausalLM → `bitnet-b1.58`: norms before the last matrices of attention and feed-forward, squared ReLU.
 * @module
 */
import { DECODER_LAYER, DECODER_SIGNS, decoderMetadata, renameDecoder } from './decoder.ts';
import { ropeMetadata } from './rope.ts';
import type { HuggingFaceTable } from './table.ts';

const LAYER: Readonly<Record<string, string>> = {
  ...DECODER_LAYER,
  'self_attn.attn_sub_norm.weight': 'attn_sub_norm.weight',
  'mlp.ffn_sub_norm.weight': 'ffn_sub_norm.weight',
};

export const bitnet: HuggingFaceTable = {
  classes: ['BitNetForCausalLM'],
  types: ['bitnet'],
  architecture: 'bitnet-b1.58',
  signs: DECODER_SIGNS,
  metadata(config, to) {
    const { dims } = decoderMetadata(config, to);
    config.only('hidden_act', 'relu2');
    ropeMetadata(config, config.object('rope_parameters'), dims, to);
  },
  rename: (name, config) => renameDecoder(name, config, LAYER),
};
