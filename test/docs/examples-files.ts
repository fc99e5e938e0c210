/**
 * A folder with every file that examples of the documentation and of `--help` name: small models of random weights and texts.
 * @module
 */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { SPIKING_SHAPES } from '../../src/architectures/symboliclight/random.ts';
import { safetensorsBytes } from '../builders-torch.ts';
import { speakingModel } from '../cli/cli.ts';
import { classifierFolder, VOCABULARY } from '../cli/classifier.ts';
import { checkout } from '../house/checkout.ts';
import { normals } from '../kernels/harness.ts';
import { released } from '../released.ts';
import { sentencePieceModel } from '../tokenizer/builders.ts';

const STORY = 'Once upon a time, there was a little dog. The dog had a ball, and it was happy in the park.\n'.repeat(
  40,
);
const SST2 = ['sentence\tlabel', 'a good film\t1', 'a bad film\t0', 'not a good film\t0'].join('\n');
const MNLI = [
  'index\tsentence1\tsentence2\tgold_label',
  '0\ta good film\ta film\tentailment',
  '1\ta bad film\ta good film\tcontradiction',
].join('\n');

/** Fills `folder`, and puts programs `ternspike` and `npx` into its bin/. @returns the path of that */
export async function exampleFiles(folder: string): Promise<string> {
  const at = (...path: string[]): string => join(folder, ...path);
  const write = (name: string, content: string | Uint8Array): void => writeFileSync(at(name), content);
  for (const name of ['model.gguf', 'chat.gguf', 'f32.gguf', 'q8_0.gguf', 'model-f32.gguf', 'model-q8_0.gguf']) {
    write(name, speakingModel());
  }
  for (const name of ['story.txt', 'stories.txt', 'wiki.txt']) write(name, STORY);
  write('reviews.txt', 'a good film\nnot good\n');
  write('prompts.txt', 'Once upon a time\nOne day, Tom\n');
  write('reviews.jsonl', '{"text":"a good film"}\n{"text":"not good"}\n');
  const body = { prompt: 'hello', max_tokens: 4 };
  const request = { custom_id: 'a', method: 'POST', url: '/v1/completions', body };
  write('requests.jsonl', `${JSON.stringify(request)}\n`);
  write('sentences.txt', 'a cat sits outside\na dog runs\n');
  write('tokenizer.model', sentencePieceModel());
  write('vocab.txt', `${VOCABULARY.join('\n')}\n`);
  const { source } = released(SPIKING_SHAPES['symboliclight-tiny']);
  const checkpoint = new Uint8Array(source.size);
  await source.read(checkpoint, 0);
  write('checkpoint.pt', checkpoint);
  for (const name of ['spikingbert', 'spikingbert-sst2', 'teacher', 'student']) classifierFolder(at(name));
  classifierFolder(at('mnli'), { classes: 3 });
  for (const name of ['bert', 'all-MiniLM-L6-v2']) bertFolder(at(name));
  bertFolder(at('minilm-sst2'), ['negative', 'positive']);
  for (const name of ['SST-2', 'MNLI']) mkdirSync(at('GLUE', name), { recursive: true });
  write('GLUE/SST-2/dev.tsv', `${SST2}\n`);
  write('GLUE/MNLI/dev_mismatched.tsv', `${MNLI}\n`);
  const suite = {
    models: { one: 'f32.gguf', two: 'q8_0.gguf' },
    data: { text: 'wiki.txt' },
    defaults: { ctx: 16, rounds: 1, prompts: 1, tokens: 4 },
    comparisons: [{ name: 'texts', a: 'one', b: 'two', data: 'text' }],
  };
  write('release.json', JSON.stringify(suite));
  write('g.json', JSON.stringify({ rules: [{ metric: 'perplexity.lnRatio', maxWorsening: 0.5 }] }));
  mkdirSync(at('bin'));
  const cli = join(checkout(), 'dist', 'cli.js');
  writeFileSync(at('bin', 'ternspike'), `#!/bin/sh\nexec "${process.execPath}" "${cli}" "$@"\n`, { mode: 0o755 });
  writeFileSync(at('bin', 'npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
  // as npm installs it: the files that the package names, and no more
  mkdirSync(at('node_modules', 'ternspike'), { recursive: true });
  for (const part of ['package.json', 'models']) {
    cpSync(join(checkout(), part), at('node_modules', 'ternspike', part), { recursive: true });
  }
  symlinkSync(join(checkout(), 'dist'), at('node_modules', 'ternspike', 'dist'));
  return at('bin');
}

/** A dense BERT of one layer as transformers writes it. @param labels of a classifier; none makes vectors only */
function bertFolder(folder: string, labels?: readonly string[]): void {
  const [width, hidden, positions] = [16, 32, 64];
  const linear = (name: string, rows: number, columns: number): [string, number[]][] => [
    [`${name}.weight`, [rows, columns]],
    [`${name}.bias`, [rows]],
  ];
  const norm = (name: string): [string, number[]][] => ['weight', 'bias'].map((kind) => [`${name}.${kind}`, [width]]);
  const layer = 'encoder.layer.0';
  const shapes: [string, number[]][] = [
    ['embeddings.word_embeddings.weight', [VOCABULARY.length, width]],
    ['embeddings.position_embeddings.weight', [positions, width]],
    ['embeddings.token_type_embeddings.weight', [2, width]],
    ...norm('embeddings.LayerNorm'),
    ...['query', 'key', 'value'].flatMap((name) => linear(`${layer}.attention.self.${name}`, width, width)),
    ...linear(`${layer}.attention.output.dense`, width, width),
    ...norm(`${layer}.attention.output.LayerNorm`),
    ...linear(`${layer}.intermediate.dense`, hidden, width),
    ...linear(`${layer}.output.dense`, width, hidden),
    ...norm(`${layer}.output.LayerNorm`),
    ...(labels ? [...linear('pooler.dense', width, width), ...linear('classifier', labels.length, width)] : []),
  ];
  let at = 0;
  const parts: Buffer[] = [];
  const header = Object.fromEntries(shapes.map(([name, shape], i) => {
    const data = normals(shape.reduce((a, b) => a * b, 1), 300 + i, 0.3);
    parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    at += data.byteLength;
    const full = labels && !/^classifier/.test(name) ? `bert.${name}` : name;
    return [full, { dtype: 'F32', shape, data_offsets: [at - data.byteLength, at] }];
  }));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'model.safetensors'), safetensorsBytes(header, new Uint8Array(Buffer.concat(parts))));
  const config = {
    architectures: [labels ? 'BertForSequenceClassification' : 'BertModel'],
    model_type: 'bert',
    hidden_size: width,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: hidden,
    max_position_embeddings: positions,
    type_vocab_size: 2,
    vocab_size: VOCABULARY.length,
    ...(labels && { id2label: Object.fromEntries(labels.map((label, i) => [i, label])) }),
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'vocab.txt'), `${VOCABULARY.join('\n')}\n`);
}
