/**
 * A small random spiking BERT as it is released: a folder of weights, config.json and vocab.txt.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spikingBertShapes } from '../../src/architectures/spikingbert/description.ts';
import { safetensorsBytes } from '../builders-torch.ts';
import { normals } from '../kernels/harness.ts';

/** Letters alone and within words, and a few words. */
export const VOCABULARY: readonly string[] = [
  ...['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '.', ',', "'", '"', '!', '?', '-'],
  ...'abcdefghijklmnopqrstuvwxyz0123456789',
  ...Array.from('abcdefghijklmnopqrstuvwxyz0123456789', (letter) => `##${letter}`),
  ...['the', 'a', 'film', 'good', 'bad', 'not', 'hello', 'world', '##s', '##ing'],
].filter((piece, i, all) => all.indexOf(piece) === i);

export interface ClassifierChoices {
  /** Outputs; 1 for a regression. */
  readonly classes?: number;
  /** More entries of config.json. */
  readonly config?: object;
  /** Start of the random weights. */
  readonly seed?: number;
}

/** Writes a model of one encoder into `folder`, and returns that. */
export function classifierFolder(folder: string, { classes = 2, config, seed = 11 }: ClassifierChoices = {}): string {
  const d = { layers: 1, width: 16, hidden: 32, vocab: VOCABULARY.length, trainedContext: 256, segments: 2, classes };
  const parts: Float32Array[] = [];
  let at = 0;
  const header = Object.fromEntries([...spikingBertShapes(d)].map(([name, shape], i) => {
    const mean = name.endsWith('LayerNorm.weight') ? 1 : 0;
    const size = name.startsWith('classification') ? 0.5 : shape.length === 1 ? 0.1 : 0.4;
    const data = normals(shape.reduce((a, b) => a * b, 1), 1000 * seed + i, size).map((w) => w + mean);
    parts.push(data);
    at += data.byteLength;
    return [name, { dtype: 'F32', shape, data_offsets: [at - data.byteLength, at] }];
  }));
  mkdirSync(folder, { recursive: true });
  const bytes = Buffer.concat(parts.map((data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)));
  writeFileSync(join(folder, 'model.safetensors'), safetensorsBytes(header, new Uint8Array(bytes)));
  const numbers = {
    hidden_size: d.width,
    num_hidden_layers: d.layers,
    num_attention_heads: 2,
    intermediate_size: d.hidden,
    vocab_size: d.vocab,
    max_position_embeddings: d.trainedContext,
    t_conv: 8,
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...numbers, ...config }));
  writeFileSync(join(folder, 'vocab.txt'), `${VOCABULARY.join('\n')}\n`);
  return folder;
}
