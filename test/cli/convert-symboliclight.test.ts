/** SymbolicLight on the command line: a released checkpoint becomes a GGUF file with its vocabulary. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sharedTest } from '../shared.ts';
import { checkpointBytes, randomWeights, SMALL } from '../symboliclight-files.ts';
import { folder, json, refused, ternspike } from './cli.ts';

interface Converted {
  bytes: { in: number; out: number };
  tensors: { name: string; to: string; rmsError: number }[];
}

const test = suite('cli convert SymbolicLight');
const files = folder();
test.after(() => files.remove());

const small = files.file('small.pt', checkpointBytes(SMALL, randomWeights(SMALL)));

test('every type is written with its errors, and the file is smaller by as much', async () => {
  const least = { f32: 0.9, i8: 1.5, tq2_0: 3, q1_0: 3.5 };
  for (const [type, ratio] of Object.entries(least)) {
    const out = join(files.path, `${type}.gguf`);
    const { bytes, tensors } = await json<Converted>(['convert', small, out, '--type', type]);
    assert.ok(bytes.in / bytes.out > ratio, `${type}: ${bytes.in} → ${bytes.out}`);
    const error = tensors.find(({ name }) => name === 'blocks.0.ffn.down.weight')!.rmsError;
    assert.ok(type === 'f32' ? error === 0 : error > 0 && error < 0.06, `${type}: ${error}`);
  }
});

test('a tokenizer that is none, and options of other models, are refused', async () => {
  const out = join(files.path, 'refused.gguf');
  const args = ['convert', small, out, '--type', 'i8'];
  refused(await ternspike([...args, '--tokenizer', small]), 1, 'TOKENIZER', 'small.pt');
});

sharedTest(
  test,
  'the vocabulary is written into the file and read from it',
  'tokenizers/symboliclight-194m.model',
  async (vocabulary) => {
    const config = { ...SMALL, vocab_size: 48_000, embed_dim: 32, n_heads: 1, head_dim: 32, intermediate_dim: 64 };
    const from = files.file('wide.pt', checkpointBytes(config, randomWeights(config)));
    const out = join(files.path, 'wide.gguf');
    await json(['convert', from, out, '--type', 'i8', '--tokenizer', vocabulary]);
    const text = 'Once upon a time ﬁ <|user|>';
    const [own, given] = await Promise.all([
      json<{ ids: number[] }>(['tokenize', '-m', out, text]),
      json<{ ids: number[] }>(['tokenize', '--tokenizer', vocabulary, text]),
    ]);
    assert.equal(own.ids, given.ids);
    assert.equal(own.ids.slice(0, 6), [7767, 413, 3027, 287, 284, 4893]);
    const too = ['convert', small, join(files.path, 'too.gguf'), '--type', 'i8', '--tokenizer', vocabulary];
    refused(await ternspike(too), 1, 'DESCRIPTION_MISMATCH', '48000', '300');
  },
);

test.run();
