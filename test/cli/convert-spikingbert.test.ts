/** A folder with a spiking BERT on the command line: it becomes a GGUF file that says the same. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/entries/index.ts';
import { checkpointBytes, randomWeights, SMALL, VOCABULARY } from '../spikingbert-files.ts';
import { folder, json, refused, ternspike } from './cli.ts';

interface Converted {
  bytes: { in: number; out: number };
  tensors: { name: string; from: string; to: string; maxError: number }[];
}

const test = suite('cli convert spiking BERT');
const files = folder();
test.after(() => files.remove());

const from = join(files.path, 'checkpoint');
mkdirSync(from);
writeFileSync(join(from, 'pytorch_model.bin'), checkpointBytes(randomWeights()));
writeFileSync(join(from, 'config.json'), JSON.stringify({ ...SMALL, id2label: { 0: 'bad', 1: 'good' } }));
writeFileSync(join(from, 'vocab.txt'), `${VOCABULARY.join('\n')}\n`);

const TEXT = 'a good film, not bad';

test('a folder becomes a file with its vocabulary, its labels and its numbers', async () => {
  const out = join(files.path, 'f32.gguf');
  const { tensors } = await json<Converted>(['convert', from, out, '--type', 'f32']);
  assert.ok(tensors.every(({ to, maxError }) => to === 'F32' && maxError === 0));
  using whole = await open(from);
  using file = await open(out);
  assert.equal({ ...file.describe() }, { ...whole.describe() });
  assert.is(file.tokenizer.decode(file.tokenizer.encode(TEXT)), TEXT.replace(',', ' ,'));
  const [a, b] = await Promise.all([whole.classify([TEXT, 'hello']), file.classify([TEXT, 'hello'])]);
  assert.equal(a, b);
  assert.ok(['bad', 'good'].includes(String(a.label)));
});

test('types, tables and numbers as they are asked for', async () => {
  const out = join(files.path, 'tq2_0.gguf');
  const command = [
    'convert',
    from,
    out,
    '--type',
    'tq2_0',
    '--embedding',
    'i8',
    '--scale',
    'row',
    '--ternary',
    'spikelm',
  ];
  const numbers = ['--steps', '6', '--v-th', '0.75', '--leak', '1', '--task', 'QNLI', '--labels', 'yes,no'];
  const { tensors } = await json<Converted>([...command, ...numbers]);
  const types = new Map(tensors.map(({ name, to }) => [name, to]));
  assert.is(types.get('network_s5.dense.weight'), 'TQ2_0');
  assert.is(types.get('network_x.word_embeddings.weight'), 'I8');
  assert.is(types.get('classification.weight'), 'F32');
  const { description, plan } = await json<{ description: Record<string, unknown>; plan: { totalBytes: number } }>(
    ['inspect', out],
  );
  const { steps, threshold, leak, task, labels } = description;
  assert.equal([steps, threshold, leak, task, labels], [6, 0.75, 1, 'qnli', ['yes', 'no']]);
  assert.ok(plan.totalBytes > 0);
  // a checkpoint is described by the configuration beside it
  const looked = await json<{ description: { steps: number }; refusal: null }>(['inspect', from]);
  assert.is(looked.description.steps, SMALL.t_conv);
});

test('what does not fit is refused', async () => {
  const out = join(files.path, 'refused.gguf');
  const args = ['convert', from, out, '--type', 'tq2_0'];
  refused(await ternspike([...args, '--labels', 'one']), 1, 'DESCRIPTION_MISMATCH', '1 names');
  refused(await ternspike([...args, '--head', 'f32']), 1, 'OPTION', 'head');
  refused(await ternspike([...args, '--steps', '0']), 2, '--steps');
  const short = files.file('vocab.txt', '[PAD]\n[UNK]\n[CLS]\n[SEP]\n');
  refused(await ternspike([...args, '--tokenizer', short]), 1, 'DESCRIPTION_MISMATCH', '4 tokens');
  const bare = files.file('pytorch_model.bin', checkpointBytes(randomWeights()));
  refused(await ternspike(['convert', bare, out, '--type', 'f32']), 1, 'DESCRIPTION', 'config.json');
});

test.run();
