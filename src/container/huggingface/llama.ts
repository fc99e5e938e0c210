/**
 * LlamaForCausalLM and MistralForCausalLM → `llama`.
 * @module
 */
import { DECODER_SIGNS, decoderMetadata, renameDecoder } from './decoder.ts';
import { ropeMetadata } from './rope.ts';
import type { HuggingFaceTable } from './table.ts';

export const llama: HuggingFaceTable = {
  classes: ['LlamaForCausalLM', 'MistralForCausalLM', 'LlamaModel', 'MistralModel'],
  types: ['llama', 'mistral'],
  architecture: 'llama',
  signs: DECODER_SIGNS,
  metadata(config, to) {
    const { dims } = decoderMetadata(config, to);
    config.only('hidden_act', 'silu');
    if (config.string('model_type', 'llama') === 'mistral') refuseWindow(config);
    // GGUF files of this architecture have their rows of queries and keys permuted; these have not
    to.setGlobal('ternspike.rope.pairing', 'string', 'halved');
    ropeMetadata(config, config.object('rope_parameters'), dims, to);
  },
  rename: (name, config) => renameDecoder(name, config),
};

/** A window that is shorter than the context cuts what is seen, which is not computed here. */
function refuseWindow(config: Parameters<HuggingFaceTable['metadata']>[0]): void {
  if (!config.has('sliding_window')) return;
  const context = config.integer('max_position_embeddings', 1, 2 ** 31);
  const window = config.integer('sliding_window', 1, 2 ** 31);
  if (window < context) {
    config.refuse(
      `sliding_window is ${window} of ${context} positions; sliding windows are not computed for this class`,
    );
  }
}
