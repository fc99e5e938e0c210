/**
 * DistilBertModel and DistilBertForSequenceClassification → `bert`: no segments, no pooler, and a classifier of two layers with a
 * ReLU between them.
 * @module
 */
import { MAX_CONTEXT, MAX_HEADS, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH } from '../../limits.ts';
import { bothKinds, labelMetadata, withoutPrefix } from './encoder.ts';
import { type HuggingFaceTable, renameLayer } from './table.ts';

const TOP: Readonly<Record<string, string>> = {
  'embeddings.word_embeddings.weight': 'token_embd.weight',
  'embeddings.position_embeddings.weight': 'position_embd.weight',
  ...bothKinds([
    ['embeddings.LayerNorm', 'token_embd_norm'],
    ['pre_classifier', 'cls'],
    ['classifier', 'cls.output'],
  ]),
};

const LAYER = bothKinds([
  ['attention.q_lin', 'attn_q'],
  ['attention.k_lin', 'attn_k'],
  ['attention.v_lin', 'attn_v'],
  ['attention.out_lin', 'attn_output'],
  ['sa_layer_norm', 'attn_output_norm'],
  ['ffn.lin1', 'ffn_up'],
  ['ffn.lin2', 'ffn_down'],
  ['output_layer_norm', 'layer_output_norm'],
]);

/** Epsilon of the norms in the code of transformers. */
const EPS = 1e-12;

export const distilbert: HuggingFaceTable = {
  classes: ['DistilBertModel', 'DistilBertForSequenceClassification'],
  types: ['distilbert'],
  architecture: 'bert',
  signs: ['distilbert.embeddings.word_embeddings.weight'],
  metadata(config, to) {
    config.only('activation', 'gelu');
    to.set('block_count', 'uint32', config.integer('n_layers', 1, MAX_LAYERS));
    to.set('context_length', 'uint32', config.integer('max_position_embeddings', 1, MAX_CONTEXT));
    to.set('embedding_length', 'uint32', config.integer('dim', 1, MAX_WIDTH));
    to.set('feed_forward_length', 'uint32', config.integer('hidden_dim', 1, MAX_WIDTH));
    to.set('attention.head_count', 'uint32', config.integer('n_heads', 1, MAX_HEADS));
    to.set('attention.layer_norm_epsilon', 'float32', Math.fround(EPS));
    to.set('attention.causal', 'bool', false);
    to.set('vocab_size', 'uint32', config.integer('vocab_size', 1, MAX_VOCAB));
    to.setGlobal('ternspike.bert.head_activation', 'string', 'relu');
    labelMetadata(config, to, ['DistilBertForSequenceClassification']);
  },
  rename(given) {
    const name = withoutPrefix(given, 'distilbert.');
    const found = Object.hasOwn(TOP, name) ? TOP[name] : renameLayer(name, 'transformer.layer.', LAYER);
    return found === undefined ? undefined : { name: found };
  },
};
