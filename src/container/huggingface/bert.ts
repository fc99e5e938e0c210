/**
 * BertModel and BertForSequenceClassification → `bert`, with the names of llama.cpp: `cls` is the pooler, `cls.output` the
 * classifier.
 * @module
 */
import { MAX_CLASSES, MAX_CONTEXT, MAX_HEADS, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH } from '../../limits.ts';
import { type HuggingFaceTable, renameLayer } from './table.ts';

const TOP: Readonly<Record<string, string>> = {
  'embeddings.word_embeddings.weight': 'token_embd.weight',
  'embeddings.position_embeddings.weight': 'position_embd.weight',
  'embeddings.token_type_embeddings.weight': 'token_types.weight',
  'embeddings.LayerNorm.weight': 'token_embd_norm.weight',
  'embeddings.LayerNorm.bias': 'token_embd_norm.bias',
  'pooler.dense.weight': 'cls.weight',
  'pooler.dense.bias': 'cls.bias',
  'classifier.weight': 'cls.output.weight',
  'classifier.bias': 'cls.output.bias',
};

const PARTS: readonly (readonly [string, string])[] = [
  ['attention.self.query', 'attn_q'],
  ['attention.self.key', 'attn_k'],
  ['attention.self.value', 'attn_v'],
  ['attention.output.dense', 'attn_output'],
  ['attention.output.LayerNorm', 'attn_output_norm'],
  ['intermediate.dense', 'ffn_up'],
  ['output.dense', 'ffn_down'],
  ['output.LayerNorm', 'layer_output_norm'],
];

const LAYER: Readonly<Record<string, string>> = Object.fromEntries(
  PARTS.flatMap(([from, to]) => ['weight', 'bias'].map((kind) => [`${from}.${kind}`, `${to}.${kind}`])),
);

export const bert: HuggingFaceTable = {
  classes: ['BertModel', 'BertForSequenceClassification'],
  types: ['bert'],
  architecture: 'bert',
  signs: ['bert.embeddings.word_embeddings.weight', 'embeddings.word_embeddings.weight'],
  metadata(config, to) {
    config.only('hidden_act', 'gelu');
    config.only('is_decoder', false);
    config.only('position_embedding_type', 'absolute');
    to.set('block_count', 'uint32', config.integer('num_hidden_layers', 1, MAX_LAYERS));
    to.set('context_length', 'uint32', config.integer('max_position_embeddings', 1, MAX_CONTEXT));
    to.set('embedding_length', 'uint32', config.integer('hidden_size', 1, MAX_WIDTH));
    to.set('feed_forward_length', 'uint32', config.integer('intermediate_size', 1, MAX_WIDTH));
    to.set('attention.head_count', 'uint32', config.integer('num_attention_heads', 1, MAX_HEADS));
    const eps = config.number('layer_norm_eps', 1e-14, 1, 1e-12);
    to.set('attention.layer_norm_epsilon', 'float32', Math.fround(eps));
    to.set('attention.causal', 'bool', false);
    to.set('vocab_size', 'uint32', config.integer('vocab_size', 1, MAX_VOCAB));
    const labels = config.object('id2label');
    const count = labels?.keys().length ?? 0;
    if (labels === null || !config.strings('architectures', 16).includes('BertForSequenceClassification')) return;
    if (count > MAX_CLASSES) config.refuse(`id2label has ${count} entries, at most ${MAX_CLASSES} are read`);
    const names = Array.from({ length: count }, (_, i) => labels.string(String(i)));
    to.set('classifier.output_labels', 'string[]', names);
  },
  rename(given) {
    const name = given.replace(/^bert\./, '').replace(/\.gamma$/, '.weight').replace(/\.beta$/, '.bias');
    if (name === 'embeddings.position_ids') return null;
    const found = Object.hasOwn(TOP, name) ? TOP[name] : renameLayer(name, 'encoder.layer.', LAYER);
    return found === undefined ? undefined : { name: found };
  },
};
