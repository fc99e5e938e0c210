/** Vectors of texts by decoders: what the head reads, pooled; against transformers, and against each text's beginnings. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { join } from 'node:path';
import { readdirSync } from 'node:fs';
import { type Model, open } from '../../src/entries/index.ts';
import { randomModel } from '../../src/model/random.ts';
import { openTokenizer } from '../../src/tokenizer/open.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { utf8 } from '../builders.ts';
import { checkout } from '../house/checkout.ts';
import { builds } from '../kernels/harness.ts';
import { readSafetensors } from '../reference-bert.ts';
import { refuses } from '../refusal.ts';
import { json, shared, sharedTest } from '../shared.ts';

const test = suite('vectors by decoders');
const workerUrl = join(checkout(), 'dist/thread.js');

/** A tokenizer whose texts are numbers. */
const numbers = (end: number[] = []): Tokenizer => ({
  kind: 'bpe',
  vocabSize: 100,
  specials: { stop: end },
  addBos: false,
  encode: (text) => [...text.split(' ').filter((word) => word !== '').map(Number), ...end],
  decode: String,
  pieceBytes: () => new Uint8Array(),
  piece: String,
  stream: () => ({ push: () => '', flush: () => '' }),
});

/** Largest difference of a logit; folders.test.ts says why those of bf16 are not less. */
const BOUNDS = {
  'llama-f32-sharded': 1e-3,
  'qwen3-yarn-bf16': 2e-2,
  'gemma3-bf16': 5e-3,
  'bitnet-bf16-unpacked': 1e-2,
};

for (const [name, bound] of Object.entries(BOUNDS)) {
  const path = `conformance/hf/${name}`;
  sharedTest(test, `${name}: the head makes the logits of transformers of the vectors`, path, async (folder) => {
    const { ids, logits } = json<{ ids: number[]; logits: number[][] }>(shared(`${path}/reference.json`) as string);
    const tensors = new Map(
      readdirSync(folder).filter((file) => file.endsWith('.safetensors')).flatMap((
        file,
      ) => [...readSafetensors(join(folder, file))]),
    );
    const { tie_word_embeddings: tied = name.startsWith('gemma') } = json<{ tie_word_embeddings?: boolean }>(
      join(folder, 'config.json'),
    );
    const head = tensors.get(tied ? 'model.embed_tokens.weight' : 'lm_head.weight') as Float64Array;
    await using model = await open(folder, { threads: 1, kv: 'f32', tokenizer: numbers() });
    assert.is(model.defaultPooling, 'last');
    const { width } = model.describe();
    const own = await model.logits(ids, { from: ids.length - logits.length });
    for (const [i, right] of logits.entries()) {
      const vector = await model.embed(ids.slice(0, ids.length - logits.length + 1 + i).join(' '), {
        normalise: false,
      });
      assert.is(vector.length, width);
      let most = 0;
      right.forEach((logit, r) => {
        const said = vector.reduce((sum, value, c) => sum + value * head[r * width + c], 0);
        most = Math.max(most, Math.abs(said - logit));
        assert.ok(Math.abs(said - own[i][r]) < 1e-4, `${name}: ${said}, ${own[i][r]}`);
      });
      assert.ok(most < bound, `${name}: ${most}`);
    }
  });
}

test('the mean is that of the vectors of all beginnings; the first and the largest too', async () => {
  await using model = await open(await randomModel('tiny', 'f32', 2), { threads: 1, tokenizer: numbers() });
  const ids = Array.from({ length: 40 }, (_, t) => (t * 37 + 5) % 100);
  const raw = { normalise: false };
  const beginnings = await model.embed(ids.map((_, t) => ids.slice(0, t + 1).join(' ')), raw);
  const text = ids.join(' ');
  const mean = await model.embed(text, { ...raw, pooling: 'mean' });
  const max = await model.embed(text, { ...raw, pooling: 'max' });
  for (let i = 0; i < mean.length; i++) {
    assert.is(mean[i], Math.fround(beginnings.reduce((sum, row) => sum + row[i], 0) / ids.length));
    assert.is(max[i], Math.max(...beginnings.map((row) => row[i])));
  }
  assert.equal(await model.embed(text, { ...raw, pooling: 'cls' }), beginnings[0]);
  assert.equal(await model.embed(text, raw), beginnings[39]);
  const unit = await model.embed(text);
  assert.ok(Math.abs(Math.hypot(...unit) - 1) < 1e-6);
});

test('the same bits on two threads, in every build, and beside an open session', async () => {
  const texts = ['5 6 7', '1', Array.from({ length: 70 }, (_, t) => t).join(' ')];
  let first: Float32Array[] | undefined;
  for (const build of builds) {
    for (const threads of [1, 2]) {
      const options = { build, threads, workerUrl, tokenizer: numbers() };
      await using model = await open(await randomModel('tiny', 'tq2_0', 2), options);
      using session = model.session();
      await session.prefill([1, 2, 3]);
      const vectors = await model.embed(texts, { pooling: 'mean' });
      first ??= vectors;
      assert.equal(vectors, first, `${build}, ${threads} threads`);
      assert.is(session.position, 3);
      for (const [i, text] of texts.entries()) assert.equal(await model.embed(text, { pooling: 'mean' }), first[i]);
    }
  }
});

test('an end token that the tokenizer adds is the last, and stays when a text is cut', async () => {
  const vocab = Object.fromEntries(['<end>', ...'abcdefgh'].map((piece, i) => [piece, i]));
  const tokenizer = openTokenizer(
    utf8(JSON.stringify({
      model: { type: 'BPE', vocab, merges: [] },
      added_tokens: [{ id: 0, content: '<end>', special: true }],
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '<end>', type_id: 0 } }],
        pair: [],
        special_tokens: { '<end>': { id: '<end>', ids: [0], tokens: ['<end>'] } },
      },
    })),
    'tokenizer.json',
    { config: JSON.stringify({ eos_token: '<end>' }) },
  );
  await using model = await open(await randomModel('tiny', 'f32', 1), { threads: 1, tokenizer });
  await using plain = await open(await randomModel('tiny', 'f32', 1), { threads: 1, tokenizer: numbers() });
  assert.equal(await model.embed('abc'), await plain.embed('1 2 3 0'));
  assert.equal(await model.embed('abcdefgh', { maxLength: 3 }), await plain.embed('1 2 0'));
  assert.equal(await model.embed(''), await plain.embed('0'));
});

test('texts that cannot be, and models that make no vectors, are refused', async () => {
  const source = await randomModel('tiny', 'f32', 1);
  const at = (options = {}): Promise<Model> =>
    open(source, { threads: 1, contextLength: 8, tokenizer: numbers(), ...options });
  await using model = await at();
  assert.is((await model.embed('1 2 3 4 5 6 7 8')).length, model.describe().width);
  await refuses(model.embed('1 2 3 4 5 6 7 8 9'), 'CONTEXT_OVERFLOW', '9', '8');
  await refuses(model.embed(''), 'TOKEN', 'empty');
  await refuses(model.embed('1', { maxLength: 9 }), 'OPTION', '9');
  await refuses(model.embed('1', { maxLength: 0 }), 'OPTION', '0');
  await refuses(model.embed('1', { pooling: 'sum' as 'mean' }), 'OPTION', 'sum');
  await refuses(model.embed(['1', 5] as never), 'OPTION', 'text 1', 'number');
  await refuses(model.encode('1'), 'ARCHITECTURE', 'BERTs do');
  assert.equal(await model.embed([]), []);
  const bare = await open(source, { threads: 1 });
  await refuses(bare.embed('1'), 'TOKENIZER_MISSING');
  await using spikes = await open(await randomModel('symboliclight-tiny', 'tq2_0', 1), { threads: 1 });
  assert.is(spikes.defaultPooling, null);
  await refuses(spikes.embed('1'), 'ARCHITECTURE', 'do not spike');
});

test('an abort ends the texts that are left', async () => {
  await using model = await open(await randomModel('tiny', 'f32', 2), { threads: 1, tokenizer: numbers() });
  const texts = new Array<string>(100_000).fill(Array.from({ length: 100 }, (_, t) => t).join(' '));
  const control = new AbortController();
  setTimeout(() => control.abort(new Error('enough')), 20);
  await model.embed(texts, { signal: control.signal }).then( // all of them would take minutes
    () => assert.unreachable('was not aborted'),
    (error: Error) => assert.is(error.message, 'enough'),
  );
  assert.is((await model.embed('1 2')).length, model.describe().width);
});

test.run();
