/** Generation: how it ends, what fits, what slides, what repeats; and the same without a vocabulary. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type GenerateChunk, type GenerateOptions, type Model, open } from '../../src/entries/index.ts';
import { sameBits } from '../kernels/harness.ts';
import { type LlamaChoices, llamaFile } from '../llama-files.ts';
import { refuses } from '../refusal.ts';
import { relativeError } from '../reference-llama.ts';

/** 51 pieces: <unk>, <s>, </s>, 26 letters alone and 22 behind a space. */
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];
const PIECES = ['<unk>', '<s>', '</s>', ...LETTERS, ...LETTERS.slice(0, 22).map((letter) => `▁${letter}`)];

function modelOf(
  choices: LlamaChoices & { words?: boolean; kv?: 'f16' | 'f32'; context?: number } = {},
): Promise<Model> {
  const file = llamaFile(choices);
  if (choices.words !== false) {
    file.metadata.push(
      ['tokenizer.ggml.model', 'string', 'llama'],
      ['tokenizer.ggml.tokens', 'string[]', PIECES],
      ['tokenizer.ggml.scores', 'float32[]', PIECES.map((_, i) => -i)],
      ['tokenizer.ggml.token_type', 'int32[]', PIECES.map((_, i) => (i === 0 ? 2 : i < 3 ? 3 : 1))],
      ['tokenizer.ggml.bos_token_id', 'uint32', 1],
      ['tokenizer.ggml.eos_token_id', 'uint32', 2],
    );
  }
  return open(file.bytes(), { contextLength: choices.context ?? 16, kv: choices.kv });
}

interface Result {
  readonly text: string;
  readonly ids: number[];
  readonly last: GenerateChunk;
}

/** Everything of a generation. Bans eos unless `options` say otherwise. */
async function all(model: Model, prompt: string | number[], options: GenerateOptions = {}): Promise<Result> {
  const chunks: GenerateChunk[] = [];
  for await (const chunk of model.generate(prompt, { logitBias: { 2: -Infinity }, ...options })) chunks.push(chunk);
  const last = chunks[chunks.length - 1];
  assert.ok(chunks.every((chunk) => (chunk === last) === (chunk.finishReason !== null)));
  return {
    text: chunks.map((chunk) => chunk.text).join(''),
    ids: chunks.flatMap(({ id }) => (id === null ? [] : [id])),
    last,
  };
}

const test = suite('generate');

test('prompt and text read right together: the space between them is part of the text, unless told or in the beginning', async () => {
  using model = await modelOf();
  const words = {
    logitBias: Object.fromEntries(PIECES.flatMap((piece, id) => (/^▁/.test(piece) ? [] : [[id, -Infinity]]))),
  };
  const joined = await all(model, 'ab', { maxTokens: 2, ...words });
  assert.match(joined.text, /^ [a-z] [a-z]$/);
  assert.is(joined.text, ` ${model.tokenizer.decode(joined.ids)}`);
  assert.match((await all(model, 'ab', { maxTokens: 2, ...words, joined: false })).text, /^[a-z] [a-z]$/);
  assert.match((await all(model, '', { maxTokens: 2, ...words })).text, /^[a-z] [a-z]$/);
  assert.match((await all(model, [1], { maxTokens: 2, ...words, joined: true })).text, /^ [a-z] [a-z]$/);
});

test('complete gives at once what generate streams', async () => {
  using model = await modelOf();
  const options: GenerateOptions = { maxTokens: 6, seed: 4, logitBias: { 2: -Infinity } };
  const { text, ids, finishReason, usage } = await model.complete('ab', options);
  const streamed = await all(model, 'ab', options);
  assert.equal([text, ids, finishReason], [streamed.text, streamed.ids, 'length']);
  assert.equal([usage.completionTokens, usage.promptTokens], [6, streamed.last.usage?.promptTokens]);
  const stopped = await model.complete('ab', { ...options, stop: [text.slice(2, 4)] });
  assert.equal([stopped.finishReason, text.startsWith(stopped.text)], ['stop', true]);
  await refuses(model.complete('ab', { maxTokens: 99 }), 'CONTEXT_OVERFLOW');
});

test('a caller sees how much of the prompt has been read', async () => {
  using model = await modelOf({ context: 64 });
  const seen: (readonly [number, number])[] = [];
  await model.complete(Array.from({ length: 50 }, (_, i) => 3 + (i % 40)), {
    maxTokens: 3,
    onPrefill: ({ read, total }) => void seen.push([read, total]),
  });
  assert.ok(seen.length > 1, 'more than one batch');
  assert.equal(seen.at(-1), [50, 50]);
  assert.ok(seen.every(([read], i) => i === 0 || read > seen[i - 1][0]));
});

test('the number of tokens is kept to, 0 included; usage counts them', async () => {
  const model = await modelOf();
  for (const maxTokens of [0, 1, 5]) {
    const { ids, last, text } = await all(model, 'ab', { maxTokens, temperature: 0, joined: false });
    assert.is(ids.length, maxTokens);
    assert.is(last.finishReason, 'length');
    assert.is(last.usage?.completionTokens, maxTokens);
    assert.is(last.usage?.promptTokens, model.promptIds('ab').length);
    assert.is(text, model.tokenizer.decode(ids));
  }
  for (const maxTokens of [-1, 1.5, NaN, Infinity]) {
    await refuses(all(model, 'ab', { maxTokens }), 'OPTION', 'maxTokens');
  }
  model.dispose();
});

test('the context is used to its last position, and one token more is refused before any work', async () => {
  const model = await modelOf({ context: 16 });
  const prompt = [1, 5, 6, 7];
  // the last token is generated but never read
  assert.is((await all(model, prompt, { maxTokens: 13 })).ids.length, 13);
  await refuses(all(model, prompt, { maxTokens: 14 }), 'CONTEXT_OVERFLOW', '16');
  assert.is((await all(model, prompt)).ids.length, 13, 'the default fills the context');
  const full = Array.from({ length: 16 }, () => 4);
  assert.is((await all(model, full, { maxTokens: 1 })).ids.length, 1);
  await refuses(all(model, [...full, 4], { maxTokens: 1 }), 'CONTEXT_OVERFLOW');
  await refuses(all(model, [...full, 4]), 'CONTEXT_OVERFLOW');
  model.dispose();
});

test('the session that is given decides whether there is room: its position, its overflow', async () => {
  const model = await modelOf({ context: 16 });
  const session = model.session();
  await session.prefill([1, 2, 3, 4, 5, 6]);
  await refuses(all(model, [7], { session, maxTokens: 11 }), 'CONTEXT_OVERFLOW');
  await refuses(all(model, [7], { session, maxTokens: 11, overflow: 'slide' }), 'CONTEXT_OVERFLOW');
  assert.is((await all(model, [7], { session, maxTokens: 10 })).ids.length, 10);
  assert.is(session.position, 16);
  const sliding = model.session({ overflow: 'slide' });
  assert.is((await all(model, [7], { session: sliding, maxTokens: 40 })).ids.length, 40);
  model.dispose();
});

test('sliding goes far beyond the context, finite and repeatable; a prompt may be longer than the context', async () => {
  for (const kv of ['f16', 'f32'] as const) {
    const model = await modelOf({ context: 16, kv });
    const options = { maxTokens: 200, overflow: 'slide' as const, temperature: 1, seed: 3 };
    const first = await all(model, [1, 4, 5], options);
    assert.is(first.ids.length, 200);
    assert.equal((await all(model, [1, 4, 5], options)).ids, first.ids);
    const long = Array.from({ length: 100 }, (_, i) => 3 + (i % 40));
    assert.is((await all(model, long, { ...options, maxTokens: 3 })).ids.length, 3);
    model.dispose();
  }
});

for (
  const [name, choices] of Object.entries<LlamaChoices>({
    neighbours: {},
    halves: { architecture: 'qwen2' },
    'some dimensions, scaled': { architecture: 'qwen2', ropeDims: 8, ropeLinear: 2, ropeFactors: true },
  })
) {
  for (const keep of [0, 1, 3]) {
    test(`a slide (${name}, keep ${keep}) leaves what a fresh session has that read the kept and the remaining tokens`, async () => {
      // keys of one layer depend on nothing but their token and position, so that both must agree
      const model = await modelOf({ ...choices, shape: { layers: 1 }, kv: 'f32', context: 16 });
      const ids = Array.from({ length: 16 }, (_, i) => 3 + ((i * 11) % 40));
      const slid = model.session({ overflow: 'slide', keep });
      await slid.prefill(ids);
      const actual = await slid.step(9);
      const drop = Math.floor((16 - keep) / 2);
      const fresh = model.session();
      const expected = await fresh.prefill([...ids.slice(0, keep), ...ids.slice(keep + drop), 9]);
      assert.is(slid.position, 16 - drop + 1);
      assert.is(fresh.position, slid.position);
      const error = relativeError([actual], [expected]);
      assert.ok(error < 1e-5, String(error));
      const other = await model.session().prefill([...ids.slice(drop), 9]);
      if (keep > 0) assert.ok(relativeError([other], [expected]) > 1e-3, 'which tokens were kept is seen');
      model.dispose();
    });
  }
}

test('stop strings end the text before them, also across pieces; without them it goes on', async () => {
  const model = await modelOf({ context: 64 });
  const options = { maxTokens: 40, temperature: 1, seed: 5 };
  const whole = await all(model, 'a', options);
  const stop = whole.text.slice(10, 13);
  const { text, last } = await all(model, 'a', { ...options, stop: ['never', stop] });
  assert.is(text, whole.text.slice(0, whole.text.indexOf(stop)));
  assert.is(last.finishReason, 'stop');
  assert.is((await all(model, 'a', { ...options, stop: ['~~~'] })).text, whole.text);
  await refuses(all(model, 'a', { stop: [''] }), 'OPTION');
  model.dispose();
});

test('an end token ends it and is not part of it; banned tokens never come; with all banned it is refused', async () => {
  const model = await modelOf({ context: 64 });
  const { ids, last } = await all(model, 'a', { logitBias: { 2: 10000 }, temperature: 0 });
  assert.equal(ids, []);
  assert.is(last.finishReason, 'stop');
  const ban = new Map(Array.from({ length: 49 }, (_, i) => [i, -Infinity] as const));
  const some = await all(model, 'a', { logitBias: ban, maxTokens: 30, seed: 1 });
  assert.ok(some.ids.every((id) => id === 49 || id === 50));
  ban.set(49, -Infinity).set(50, -Infinity);
  await refuses(all(model, 'a', { logitBias: ban }), 'NO_CANDIDATE');
  model.dispose();
});

test('one seed gives one text, another seed another', async () => {
  const model = await modelOf({ context: 64 });
  const options = { maxTokens: 30, temperature: 2, topK: 0, seed: 11 };
  const first = await all(model, 'hello', options);
  assert.equal((await all(model, 'hello', options)).ids, first.ids);
  assert.is.not((await all(model, 'hello', { ...options, seed: 12 })).text, first.text);
  const [a, b] = await Promise.all([all(model, 'hello', options), all(model, 'other', options)]);
  assert.equal(a.ids, first.ids, 'another generation at the same time changes nothing');
  assert.equal(b.ids, (await all(model, 'other', options)).ids);
  model.dispose();
});

test('a session goes on: after a generation the next prompt begins with its last id', async () => {
  const model = await modelOf({ context: 64 });
  const whole = await all(model, [1, 4], { maxTokens: 12, temperature: 0 });
  const session = model.session();
  const first = await all(model, [1, 4], { session, maxTokens: 5, temperature: 0 });
  assert.is(session.position, 6);
  const next = await all(model, first.ids.slice(-1), { session, maxTokens: 7, temperature: 0 });
  assert.equal([...first.ids, ...next.ids], whole.ids);
  const control = model.session();
  sameBits(await session.prefill([4]), await control.prefill([1, 4, ...whole.ids.slice(0, -1), 4]), 'state');
  model.dispose();
});

test('without a vocabulary ids go in and come out, with empty text; text is refused', async () => {
  const words = await modelOf({ context: 64 });
  const bare = await modelOf({ words: false, context: 64 });
  const options = { maxTokens: 10, temperature: 0 };
  const { ids, text, last } = await all(bare, [1, 4, 5], options);
  assert.equal(ids, (await all(words, [1, 4, 5], options)).ids);
  assert.is(text, '');
  assert.is(last.finishReason, 'length');
  await refuses(all(bare, 'text'), 'TOKENIZER_MISSING');
  await refuses(all(bare, [1], { stop: ['x'] }), 'TOKENIZER_MISSING');
  await refuses(all(bare, []), 'TOKEN');
  await refuses(all(bare, [51]), 'TOKEN', '51');
  words.dispose();
  bare.dispose();
});
test('rows without a piece are never drawn unless that is asked for', async () => {
  const file = llamaFile({ seed: 3 });
  const pieces = PIECES.slice(0, 12);
  file.metadata.push(
    ['tokenizer.ggml.model', 'string', 'llama'],
    ['tokenizer.ggml.tokens', 'string[]', pieces],
    ['tokenizer.ggml.scores', 'float32[]', pieces.map((_, i) => -i)],
    ['tokenizer.ggml.token_type', 'int32[]', pieces.map((_, i) => (i === 0 ? 2 : i < 3 ? 3 : 1))],
    ['tokenizer.ggml.bos_token_id', 'uint32', 1],
    ['tokenizer.ggml.eos_token_id', 'uint32', 2],
  );
  const model = await open(file.bytes(), { contextLength: 64 });
  assert.is(model.describe().vocab, 51);
  const flat = { temperature: 100, topK: 0, topP: 1, minP: 0, seed: 1, maxTokens: 60 };
  const { ids } = await all(model, [1], flat);
  assert.is(ids.length, 60);
  assert.ok(ids.every((id) => id < 12), `ids ${ids}`);
  assert.ok((await all(model, [1], { ...flat, vocabLimit: 51 })).ids.some((id) => id >= 12));
  await refuses(all(model, [1], { vocabLimit: 52 }), 'OPTION', '52', '51');
  model.dispose();
});

test.run();
