/**
 * BertModel, RobertaModel, XLMRobertaModel and their classifiers → `bert`, with the names of llama.cpp: `cls` is the pooler,
 * `cls.output` the classifier.
 *
 * RoBERTa counts positions from behind its padding id: the first two rows of its table serve no token and are left out, as
 * llama.cpp leaves them. Its classifier has a layer of its own where BERT's has the pooler.
 * @module
 */
import { MAX_CONTEXT, MAX_HEADS, MAX_LAYERS, MAX_VOCAB, MAX_WIDTH } from '../../limits.ts';
import type { Config } from './config.ts';
import { bothKinds, labelMetadata, withoutPrefix } from './encoder.ts';
import { type HuggingFaceTable, type Rename, renameLayer, type Translation } from './table.ts';

const EMBEDDINGS: Readonly<Record<string, string>> = {
  'embeddings.word_embeddings.weight': 'token_embd.weight',
  'embeddings.position_embeddings.weight': 'position_embd.weight',
  'embeddings.token_type_embeddings.weight': 'token_types.weight',
  ...bothKinds([['embeddings.LayerNorm', 'token_embd_norm'], ['pooler.dense', 'cls']]),
};
const BERT_HEAD = bothKinds([['classifier', 'cls.output']]);
const ROBERTA_HEAD = bothKinds([['classifier.dense', 'cls'], ['classifier.out_proj', 'cls.output']]);

const LAYER = bothKinds([
  ['attention.self.query', 'attn_q'],
  ['attention.self.key', 'attn_k'],
  ['attention.self.value', 'attn_v'],
  ['attention.output.dense', 'attn_output'],
  ['attention.output.LayerNorm', 'attn_output_norm'],
  ['intermediate.dense', 'ffn_up'],
  ['output.dense', 'ffn_down'],
  ['output.LayerNorm', 'layer_output_norm'],
]);

const ROBERTA_CLASSIFIERS = ['RobertaForSequenceClassification', 'XLMRobertaForSequenceClassification'];
/** Rows of RoBERTa's positions that serve no token: its padding id is 1. */
const SKIPPED = 2;

function metadata(config: Config, to: Translation, skipped: number): void {
  config.only('hidden_act', 'gelu');
  config.only('is_decoder', false);
  config.only('position_embedding_type', 'absolute');
  const positions = config.integer('max_position_embeddings', 1 + skipped, MAX_CONTEXT);
  to.set('block_count', 'uint32', config.integer('num_hidden_layers', 1, MAX_LAYERS));
  to.set('context_length', 'uint32', positions - skipped);
  to.set('embedding_length', 'uint32', config.integer('hidden_size', 1, MAX_WIDTH));
  to.set('feed_forward_length', 'uint32', config.integer('intermediate_size', 1, MAX_WIDTH));
  to.set('attention.head_count', 'uint32', config.integer('num_attention_heads', 1, MAX_HEADS));
  const eps = config.number('layer_norm_eps', 1e-14, 1, 1e-12);
  to.set('attention.layer_norm_epsilon', 'float32', Math.fround(eps));
  to.set('attention.causal', 'bool', false);
  to.set('vocab_size', 'uint32', config.integer('vocab_size', 1, MAX_VOCAB));
}

/** @param prefix that checkpoints of classifiers have before the names of the model's own tensors */
function renamed(given: string, prefix: string, head: Readonly<Record<string, string>>): Rename | null | undefined {
  const name = withoutPrefix(given, prefix).replace(/\.gamma$/, '.weight').replace(/\.beta$/, '.bias');
  if (name === 'embeddings.position_ids') return null;
  const top = { ...EMBEDDINGS, ...head };
  const found = Object.hasOwn(top, name) ? top[name] : renameLayer(name, 'encoder.layer.', LAYER);
  return found === undefined ? undefined : { name: found };
}

export const bert: HuggingFaceTable = {
  classes: ['BertModel', 'BertForSequenceClassification'],
  types: ['bert'],
  architecture: 'bert',
  signs: ['bert.embeddings.word_embeddings.weight', 'embeddings.word_embeddings.weight'],
  metadata(config, to) {
    metadata(config, to, 0);
    labelMetadata(config, to, ['BertForSequenceClassification']);
  },
  rename: (given) => renamed(given, 'bert.', BERT_HEAD),
};

export const roberta: HuggingFaceTable = {
  classes: ['RobertaModel', 'XLMRobertaModel', ...ROBERTA_CLASSIFIERS],
  types: ['roberta', 'xlm-roberta'],
  architecture: 'bert',
  signs: ['roberta.embeddings.word_embeddings.weight'],
  metadata(config, to) {
    config.only('pad_token_id', SKIPPED - 1);
    metadata(config, to, SKIPPED);
    to.setGlobal('ternspike.bert.separators', 'uint32', 2);
    labelMetadata(config, to, ROBERTA_CLASSIFIERS);
  },
  rename(given, config) {
    const classifies = config.strings('architectures', 16).some((name) => ROBERTA_CLASSIFIERS.includes(name));
    if (classifies && given.startsWith('roberta.pooler.')) return null; // left from pretraining; the classifier does not read it
    const to = renamed(given, 'roberta.', ROBERTA_HEAD);
    return to?.name === 'position_embd.weight' ? { ...to, skipRows: SKIPPED } : to;
  },
};
