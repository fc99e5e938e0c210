/** Texts that go on: what a request says, what comes back, whole and as a stream. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chatModel, serving, stories } from './asking.ts';

const test = suite('completions');
const PATH = '/v1/completions';
const ONCE = { prompt: 'Once upon a time', seed: 1, max_tokens: 12 };

// case: S18
test('a completion is what the library says with the same options', async () => {
  await serving(stories(), {}, async ({ json, model }) => {
    const said = await json(PATH, ONCE);
    const { text } = await model.complete(ONCE.prompt, { seed: 1, maxTokens: 12 });
    assert.is(said.object, 'text_completion');
    assert.is(said.choices[0].text, text);
    assert.is(said.choices[0].finish_reason, 'length');
    assert.is(said.choices[0].logprobs, null);
    assert.is(said.model, 'default');
    assert.match(said.system_fingerprint, /^fp_[0-9a-f]{16}$/);
    assert.equal([said.usage.prompt_tokens, said.usage.completion_tokens, said.usage.total_tokens], [5, 12, 17]);
    const other = await json(PATH, { ...ONCE, temperature: 0.3, top_k: 5, top_p: 0.5, min_p: 0.1, seed: 7 });
    const options = { temperature: 0.3, topK: 5, topP: 0.5, minP: 0.1, seed: 7, maxTokens: 12 };
    assert.is(other.choices[0].text, (await model.complete(ONCE.prompt, options)).text);
  });
});

// case: S18
test('a stream says the same as the whole answer, token by token, and usage where it is asked for', async () => {
  await serving(stories(), {}, async ({ json, events }) => {
    const whole = await json(PATH, ONCE);
    const plain = await events(PATH, ONCE);
    const text = (said: typeof plain): string => said.map(({ choices: [choice] }) => choice?.text ?? '').join('');
    assert.is(text(plain), whole.choices[0].text);
    assert.ok(plain.length > 8, `${plain.length} events`);
    assert.is(plain.at(-1)?.choices[0].finish_reason, 'length');
    assert.ok(plain.every(({ usage }) => usage === undefined));
    const counted = await events(PATH, { ...ONCE, stream_options: { include_usage: true } });
    assert.equal(counted.at(-1)?.choices, []);
    assert.is(counted.at(-1)?.usage.completion_tokens, 12);
    assert.ok(counted.slice(0, -1).every(({ usage }) => usage === null));
    assert.is(new Set(counted.map(({ id }) => id)).size, 1);
  });
});

test('several prompts and several answers: each is the one that its prompt and seed have alone', async () => {
  await serving(stories(), {}, async ({ json, events }) => {
    const alone: string[] = [];
    for (const prompt of ['One day, Tom', 'Lily had a dog.']) {
      for (const seed of [5, 6]) alone.push((await json(PATH, { prompt, seed, max_tokens: 8 })).choices[0].text);
    }
    const asked = { prompt: ['One day, Tom', 'Lily had a dog.'], n: 2, seed: 5, max_tokens: 8 };
    const said = await json(PATH, asked);
    assert.equal(said.choices.map(({ index }) => index), [0, 1, 2, 3]);
    assert.equal(said.choices.map(({ text }) => text), alone);
    assert.is(said.usage.completion_tokens, 32);
    const streamed = ['', '', '', ''];
    for (const { choices: [{ index, text }] } of await events(PATH, asked)) streamed[index] += text;
    assert.equal(streamed, alone);
    const ids = await json(PATH, { prompt: [1, 403, 412], max_tokens: 4, temperature: 0 });
    assert.equal(ids.usage.prompt_tokens, 3);
  });
});

test('echo and log-probabilities score a prompt, as evaluation harnesses ask for them', async () => {
  await serving(stories(), {}, async ({ json, model }) => {
    const said = await json(PATH, { prompt: 'Once upon a time', max_tokens: 0, logprobs: 2, echo: true });
    const { tokens, token_logprobs: scores, top_logprobs: top, text_offset: offsets } = said.choices[0].logprobs;
    assert.is(said.choices[0].text, 'Once upon a time');
    assert.is(tokens.length, 5);
    assert.is(scores[0], null);
    assert.is(top[0], null);
    assert.is(Object.keys(top[1]).length, 2);
    assert.equal(offsets.slice(0, 2), [0, 0]);
    const ids = model.promptIds('Once upon a time');
    const rows = await model.logits(ids);
    const row = Array.from(rows[0], Number);
    const sum = Math.log(row.reduce((total, logit) => total + Math.exp(logit), 0));
    assert.ok(Math.abs(scores[1] - (row[ids[1]] - sum)) < 1e-4);
    const one = await json(PATH, { prompt: 'Once upon', max_tokens: 1, temperature: 0, logprobs: 1, echo: true });
    assert.is(one.choices[0].logprobs.tokens.length, one.usage.total_tokens);
    const later = await json(PATH, { ...ONCE, logprobs: 0 });
    assert.is(later.choices[0].logprobs.tokens.join(''), later.choices[0].text);
  });
});

test('stop texts end an answer before they appear, whole and streamed', async () => {
  await serving(stories(), {}, async ({ json, events }) => {
    const asked = { ...ONCE, max_tokens: 40, stop: ' girl' };
    const said = await json(PATH, asked);
    assert.is(said.choices[0].finish_reason, 'stop');
    assert.is(said.choices[0].text, ', there was a little');
    const streamed = await events(PATH, { ...asked, stop: [' girl', 'zebra'] });
    assert.is(streamed.map(({ choices: [{ text }] }) => text).join(''), ', there was a little');
  });
});

// case: S5
test('a context has room for a prompt and one token; what is asked beyond it is cut to the room', async () => {
  await serving(chatModel({ contextLength: 16 }), {}, async ({ json }) => {
    const prompt = (length: number): number[] => Array.from({ length }, (_, i) => 3 + i % 9);
    const last = await json(PATH, { prompt: prompt(15), max_tokens: 100, temperature: 0 });
    assert.is(last.usage.completion_tokens, 1);
    for (const length of [16, 17, 300]) {
      const { error } = await json(PATH, { prompt: prompt(length) }, 400);
      assert.equal([error.code, error.param], ['context_length_exceeded', 'prompt']);
      assert.match(error.message, new RegExp(`${length} tokens.*context of 16`));
    }
    const { error } = await json(PATH, { prompt: [3, 9999] }, 400);
    assert.match(error.message, /9999/);
  });
});

// case: S4
test('banned tokens are never drawn, and a ban of all is refused', async () => {
  await serving(stories(), {}, async ({ json, model }) => {
    const { ids: [first] } = await model.complete(ONCE.prompt, { temperature: 0, maxTokens: 1 });
    const greedy = { ...ONCE, temperature: 0, max_tokens: 1, logprobs: 0 };
    const name = (await json(PATH, greedy)).choices[0].text;
    const banned = await json(PATH, { ...greedy, logit_bias: { [first]: -100 } });
    assert.is.not(banned.choices[0].text, name);
    const all = Object.fromEntries(Array.from({ length: 512 }, (_, id) => [id, -100]));
    assert.is((await json(PATH, { ...greedy, logit_bias: all }, 400)).error.param, 'logit_bias');
  });
});

test.run();
