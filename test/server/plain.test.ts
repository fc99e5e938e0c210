/** The endpoints that do not generate: models, health, figures, tokens, vectors, classes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from '../../src/entries/index.ts';
import { classifierFolder } from '../cli/classifier.ts';
import { type Answer, chatModel, serving, stories } from './asking.ts';

const test = suite('plain endpoints');

test('models, health and properties', async () => {
  await serving(stories(), {}, async ({ json }) => {
    const { object, data: [card] } = await json('/v1/models');
    assert.equal([object, card.id, card.object, card.owned_by], ['list', 'default', 'model', 'ternspike']);
    assert.equal([card.meta.n_vocab, card.meta.architecture], [512, 'symboliclight']);
    assert.equal(await json('/v1/models/default'), card);
    assert.equal(await json('/health'), { status: 'ok' });
    const props = await json('/props');
    assert.equal([props.total_slots, props.models[0].total_slots], [4, 4]);
    assert.ok(props.models[0].state_bytes > 0);
  });
});

test('figures for Prometheus count requests, tokens and spikes, and hold no text', async () => {
  await serving(stories(), {}, async ({ json, ask }) => {
    await json('/v1/completions', { prompt: 'Once upon a time', max_tokens: 5, seed: 1 });
    await json('/v1/completions', { prompt: 'Once', n: 0 }, 400);
    await ask('/nowhere/secret');
    const response = await ask('/metrics');
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    for (
      const line of [
        'ternspike_requests_total{path="/v1/completions",status="200"} 1',
        'ternspike_requests_total{path="/v1/completions",status="400"} 1',
        'ternspike_prompt_tokens_total{model="default"} 5',
        'ternspike_completion_tokens_total{model="default"} 5',
        'ternspike_slots{model="default"} 4',
        'ternspike_first_token_seconds_count{model="default"} 1',
      ]
    ) assert.ok(text.includes(`${line}\n`), line);
    assert.match(text, /ternspike_spikes_total\{model="default"\} [1-9]/);
    assert.not.match(text, /secret|Once/);
  });
});

test('texts, ids and templates', async () => {
  await serving(chatModel(), {}, async ({ json, model }) => {
    const { tokens } = await json('/tokenize', { content: 'the dog' });
    assert.equal(tokens, model.tokenizer.encode('the dog'));
    assert.equal(
      (await json('/tokenize', { content: 'the dog', add_special: true })).tokens,
      model.tokenizer.encode('the dog', { special: true }),
    );
    const pieces = (await json('/tokenize', { content: 'the dog', with_pieces: true })).tokens;
    assert.equal(pieces.map(({ id }: Answer) => id), tokens);
    assert.is((await json('/detokenize', { tokens })).content, 'the dog');
    assert.is((await json('/apply-template', { messages: [{ role: 'user', content: 'x' }] })).prompt, 'u:x a:');
    assert.is((await json('/detokenize', { tokens: [99_999] }, 400)).error.code, 'token');
    for (const tokens of [undefined, 'a', [1.5], [-1]]) {
      assert.is((await json('/detokenize', { tokens }, 400)).error.param, 'tokens');
    }
    assert.is((await json('/tokenize', {}, 400)).error.param, 'content');
  });
});

test('vectors are the library’s, as floats and as bytes; models that make none say so', async () => {
  await serving(chatModel(), {}, async ({ json, model }) => {
    const said = await json('/v1/embeddings', { input: ['the dog', 'a'] });
    const vectors = await model.embed(['the dog', 'a']);
    assert.equal(said.data.map(({ embedding }: Answer) => embedding), vectors.map((vector) => Array.from(vector)));
    assert.ok(said.usage.prompt_tokens > 2);
    const { data: [{ embedding }] } = await json('/v1/embeddings', { input: 'the dog', encoding_format: 'base64' });
    const bytes = Uint8Array.from(atob(embedding), (char) => char.charCodeAt(0));
    assert.equal(Array.from(new Float32Array(bytes.buffer)), Array.from(vectors[0]));
    for (const input of [undefined, '', [], [''], [5], [[1, 2]], Array(2049).fill('a')]) {
      assert.match((await json('/v1/embeddings', { input }, 400)).error.param ?? '', /^input/);
    }
    assert.is((await json('/v1/embeddings', { input: 'a', dimensions: 3 }, 400)).error.param, 'dimensions');
    assert.is((await json('/v1/classify', { input: 'a' }, 400)).error.param, 'model');
  });
  await serving(stories(), {}, async ({ json }) => {
    assert.is((await json('/v1/embeddings', { input: 'a' }, 400)).error.param, 'model');
  });
});

test('classes are the library’s, of texts and of pairs; a classifier writes no text', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ternspike-server-'));
  try {
    classifierFolder(folder);
    await serving(open(folder, { threads: 1 }), {}, async ({ json, model }) => {
      const said = await json('/v1/classify', { input: ['a good film', ['a film', 'not good']] });
      const [one, two] = [await model.classify('a good film'), await model.classify(['a film', 'not good'])];
      assert.equal(said.data.map(({ probs }: Answer) => probs), [one.scores, two.scores]);
      assert.equal(said.data.map(({ label }: Answer) => label), [one.label, two.label]);
      assert.is(said.usage.prompt_tokens, one.tokens + two.tokens);
      for (const input of [undefined, 5, [], [[1]], [['a', 'b', 'c']]]) {
        assert.match((await json('/v1/classify', { input }, 400)).error.param ?? '', /^input/);
      }
      assert.is((await json('/v1/completions', { prompt: 'a' }, 400)).error.param, 'model');
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
