/** Dense BERT against transformers, and against itself: alone and among others, on one thread and several, in every build. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/entries/index.ts';
import { builds } from '../kernels/harness.ts';
import { checkout } from '../house/checkout.ts';
import { refuses } from '../refusal.ts';
import { json, shared, sharedTest } from '../shared.ts';

interface Case {
  readonly ids: number[];
  readonly typeIds: number[];
  readonly logits: number[];
}

interface Answers {
  readonly texts: { readonly text: string; readonly ids: number[]; readonly mean: number[] }[];
}

const test = suite('dense BERT');
const classifier = 'conformance/hf/bert-3-labels';
const workerUrl = join(checkout(), 'dist/thread.js');

sharedTest(
  test,
  'three labels: logits of transformers, the same bits on 1 to 3 threads and in every build',
  classifier,
  async (folder) => {
    const { cases } = json<{ cases: Case[] }>(shared(`${classifier}/reference.json`) as string);
    assert.ok(cases.length > 1);
    const seen: number[][] = [];
    for (const build of builds) {
      for (const threads of [1, 2, 3]) {
        await using model = await open(folder, { build, threads, workerUrl });
        for (const [i, { ids, typeIds, logits }] of cases.entries()) {
          const said = await model.classify({ ids, typeIds });
          logits.forEach((logit, c) =>
            assert.ok(Math.abs(said.logits[c] - logit) < 2e-6, `${said.logits[c]}, ${logit}`)
          );
          assert.is(said.labelId, logits.indexOf(Math.max(...logits)));
          assert.ok(Math.abs(said.scores.reduce((a, b) => a + b, 0) - 1) < 1e-6);
          seen[i] ??= [...said.logits];
          assert.equal(said.logits, seen[i], `${build}, ${threads} threads`);
        }
      }
    }
  },
);

sharedTest(test, 'padding, bad ids and options for spikes', classifier, async (folder) => {
  await using model = await open(folder, { threads: 1 });
  const { cases: [{ ids, logits }] } = json<{ cases: Case[] }>(shared(`${classifier}/reference.json`) as string);
  const mask = [...ids.map(() => 1), 0, 0];
  const padded = await model.classify({ ids: [...ids, 0, 0], mask });
  logits.forEach((logit, c) => assert.ok(Math.abs(padded.logits[c] - logit) < 2e-6));
  await refuses(model.classify({ ids: [1, 1e6] }), 'TOKEN', '1000000');
  await refuses(model.classify({ ids, typeIds: ids.map(() => 9) }), 'TOKEN', 'segment 9');
  await refuses(model.classify({ ids }, { steps: 4 }), 'OPTION', 'steps');
  await refuses(model.classify({ ids: new Array<number>(5000).fill(1) }), 'CONTEXT_OVERFLOW', '5000');
  await refuses(model.embed('a text'), 'TOKENIZER_MISSING');
});

sharedTest(test, 'a classifier of sentences reads text', 'models/minilm-sst2', async (folder) => {
  await using model = await open(folder, { threads: 1 });
  assert.is((await model.classify('a charming and often affecting journey')).label, 'positive');
  assert.is((await model.classify('a dull and often tedious mess')).label, 'negative');
  const texts = ['a cat sits outside', '', 'the new movie is awesome, and much longer than the other sentences here'];
  const together = await model.embed(texts);
  for (const [i, text] of texts.entries()) {
    const alone = await model.embed(text);
    assert.equal(alone, together[i], text);
    assert.ok(Math.abs(Math.hypot(...alone) - 1) < 1e-6);
  }
  assert.equal(await model.embed([]), []);
  const plain = await model.embed('a cat sits outside', { normalise: false, pooling: 'cls' });
  assert.is.not(Math.hypot(...plain).toFixed(3), '1.000');
  await refuses(model.embed('a', { pooling: 'median' as 'mean' }), 'OPTION', 'median');
  await refuses(model.embed('long '.repeat(600)), 'CONTEXT_OVERFLOW', 'maxLength');
  assert.is((await model.embed('long '.repeat(600), { maxLength: 16 })).length, model.describe().width);
});

const real = join(checkout(), 'build/real/all-MiniLM-L6-v2');
const answers = shared('conformance/real/minilm.json');

if (answers && existsSync(real)) {
  test('all-MiniLM-L6-v2: vectors of transformers, pooled by their mean', async () => {
    await using model = await open(real, { threads: 1 });
    const { texts } = json<Answers>(answers);
    for (const { text, mean } of texts) {
      const vector = await model.embed(text, { maxLength: 256 });
      const cosine = vector.reduce((sum, value, i) => sum + value * mean[i], 0);
      assert.ok(cosine >= 0.9999, `${JSON.stringify(text)}: ${cosine}`);
    }
  });
} else if (process.env.CI) {
  test('all-MiniLM-L6-v2', () => assert.unreachable('CI may not skip it: node test/real/fetch.mjs'));
} else {
  console.log('  skipped: all-MiniLM-L6-v2 (needs ../shared and node test/real/fetch.mjs)');
}

test.run();
