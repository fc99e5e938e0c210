/**
 * Gemma3ForCausalLM → `gemma3`: norms around both halves of a layer, stored as their distance from 1, and five layers of six
 * that look back a window only.
 * @module
 */
import { MAX_CONTEXT, MAX_LAYERS } from '../../limits.ts';
import type { Config } from './config.ts';
import { DECODER_LAYER, DECODER_SIGNS, decoderMetadata, renameDecoder } from './decoder.ts';
import { ropeMetadata } from './rope.ts';
import type { HuggingFaceTable, Translation } from './table.ts';

const LAYER: Readonly<Record<string, string>> = {
  ...DECODER_LAYER,
  'post_attention_layernorm.weight': 'post_attention_norm.weight',
  'pre_feedforward_layernorm.weight': 'ffn_norm.weight',
  'post_feedforward_layernorm.weight': 'post_ffw_norm.weight',
  'self_attn.q_norm.weight': 'attn_q_norm.weight',
  'self_attn.k_norm.weight': 'attn_k_norm.weight',
};

/** Every so many layers, one sees everything. */
const PATTERN = 6;

export const gemma3: HuggingFaceTable = {
  classes: ['Gemma3ForCausalLM', 'Gemma3TextModel'],
  types: ['gemma3_text'],
  architecture: 'gemma3',
  signs: DECODER_SIGNS,
  metadata(config, to) {
    const { layers, headDim, dims } = decoderMetadata(config, to);
    config.only('hidden_activation', 'gelu_pytorch_tanh');
    config.only('use_bidirectional_attention', false);
    for (const key of ['attn_logit_softcapping', 'final_logit_softcapping']) {
      if (config.has(key)) config.refuse(`${key} is set, which is not computed here`);
    }
    const scalar = config.number('query_pre_attn_scalar', 1, 1e6, 256);
    if (scalar !== headDim) to.set('attention.scale', 'float32', Math.fround(1 / Math.sqrt(scalar)));
    to.set('attention.sliding_window', 'uint32', config.integer('sliding_window', 1, MAX_CONTEXT, 4096));
    localLayers(config, layers, to);
    const ropes = config.object('rope_parameters');
    ropeMetadata(config, ropes?.object('full_attention') ?? null, dims, to);
    const local = ropes?.object('sliding_attention') ?? null;
    local?.only('rope_type', 'default');
    const base = local?.number('rope_theta', 1, 1e12) ?? config.number('rope_local_base_freq', 1, 1e12, 10000);
    to.set('rope.freq_base_swa', 'float32', Math.fround(base));
  },
  rename(name, config) {
    const renamed = renameDecoder(name, config, LAYER, true);
    return renamed?.name.endsWith('norm.weight') ? { ...renamed, transform: 'plus one' } : renamed;
  },
};

/** Which layers see a window only: as the configuration lists them, else all but every sixth. */
function localLayers(config: Config, layers: number, to: Translation): void {
  const period = config.integer('sliding_window_pattern', 1, MAX_LAYERS, PATTERN);
  const types = config.strings('layer_types', layers);
  if (types.length === 0) return to.set('attention.sliding_window_pattern', 'uint32', period);
  if (types.length !== layers) config.refuse(`layer_types names ${types.length} layers of ${layers}`);
  const local = types.map((type, layer) => {
    if (type === 'sliding_attention' || type === 'full_attention') return type === 'sliding_attention';
    return config.refuse(
      `layer_types of layer ${layer} is "${type.slice(0, 40)}", expected sliding_ or full_attention`,
    );
  });
  to.set('attention.sliding_window_pattern', 'bool[]', local);
}
