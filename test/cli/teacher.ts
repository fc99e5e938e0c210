/**
 * A small random BertForSequenceClassification as transformers writes it, with the vocabulary of `classifier.ts`.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { safetensorsBytes } from '../builders-torch.ts';
import { normals } from '../kernels/harness.ts';
import { VOCABULARY } from './classifier.ts';

const WIDTH = 16;
const HIDDEN = 32;
const LAYERS = 2;
const POSITIONS = 64;

/** Writes the model into `folder`, and returns that. @param labels none for a regression; null: an encoder without a head */
export function teacherFolder(folder: string, labels: readonly string[] | null): string {
  const classes = Math.max(1, labels?.length ?? 0);
  const shapes: [string, number[]][] = [
    ['bert.embeddings.word_embeddings.weight', [VOCABULARY.length, WIDTH]],
    ['bert.embeddings.position_embeddings.weight', [POSITIONS, WIDTH]],
    ['bert.embeddings.token_type_embeddings.weight', [2, WIDTH]],
  ];
  const linear = (name: string, rows: number, cols: number): void => {
    shapes.push([`${name}.weight`, [rows, cols]], [`${name}.bias`, [rows]]);
  };
  const norm = (name: string): void => void shapes.push([`${name}.weight`, [WIDTH]], [`${name}.bias`, [WIDTH]]);
  norm('bert.embeddings.LayerNorm');
  for (let l = 0; l < LAYERS; l++) {
    const at = `bert.encoder.layer.${l}`;
    for (const name of ['query', 'key', 'value']) linear(`${at}.attention.self.${name}`, WIDTH, WIDTH);
    linear(`${at}.attention.output.dense`, WIDTH, WIDTH);
    norm(`${at}.attention.output.LayerNorm`);
    linear(`${at}.intermediate.dense`, HIDDEN, WIDTH);
    linear(`${at}.output.dense`, WIDTH, HIDDEN);
    norm(`${at}.output.LayerNorm`);
  }
  if (labels) {
    linear('bert.pooler.dense', WIDTH, WIDTH);
    linear('classifier', classes, WIDTH);
  }
  const parts: Float32Array[] = [];
  let at = 0;
  const header = Object.fromEntries(shapes.map(([name, shape], i) => {
    const mean = name.endsWith('LayerNorm.weight') ? 1 : 0;
    const size = shape.length === 1 ? 0.1 : 0.4;
    const data = normals(shape.reduce((a, b) => a * b, 1), 500 + i, size).map((w) => w + mean);
    parts.push(data);
    at += data.byteLength;
    return [name, { dtype: 'F32', shape, data_offsets: [at - data.byteLength, at] }];
  }));
  mkdirSync(folder, { recursive: true });
  const bytes = Buffer.concat(parts.map((data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)));
  writeFileSync(join(folder, 'model.safetensors'), safetensorsBytes(header, new Uint8Array(bytes)));
  const names = labels?.length ? labels : ['LABEL_0'];
  const config = {
    architectures: [labels ? 'BertForSequenceClassification' : 'BertModel'],
    model_type: 'bert',
    hidden_act: 'gelu',
    hidden_size: WIDTH,
    intermediate_size: HIDDEN,
    num_hidden_layers: LAYERS,
    num_attention_heads: 2,
    vocab_size: VOCABULARY.length,
    max_position_embeddings: POSITIONS,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    id2label: Object.fromEntries(names.map((name, i) => [String(i), name])),
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'vocab.txt'), `${VOCABULARY.join('\n')}\n`);
  return folder;
}
