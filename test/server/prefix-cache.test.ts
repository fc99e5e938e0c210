/** What was read once is not read again: which states are found, what is kept, and the same bits with and without. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PrefixCache } from '../../src/server/prefix-cache.ts';
import { CHAT_TEMPLATE, chatModel, serving, stories } from './asking.ts';

const test = suite('prefix cache');
const ids = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i);
const bytes = (n: number) => (): Uint8Array => new Uint8Array(n);

test('the state that shares most is found, with at least one id left to read', () => {
  const cache = new PrefixCache(10_000, true);
  cache.add(ids(20), bytes(10));
  cache.add([...ids(15), 99, 98], bytes(11));
  assert.is(cache.find([...ids(10), 5])?.shared, 10);
  assert.equal([cache.find([...ids(15), 99, 1])?.shared, cache.find([...ids(15), 99, 1])?.snapshot.length], [16, 11]);
  assert.is(cache.find(ids(20))?.shared, 19);
  assert.is(cache.find(ids(30))?.shared, 20);
  assert.is(cache.find(ids(30, 1)), null);
  assert.is(cache.find([...ids(3), 7, 7, 7, 7, 7, 7]), null, 'three ids are not worth it');
});

test('a model that cannot go back takes whole states only', () => {
  const cache = new PrefixCache(10_000, false);
  cache.add(ids(20), bytes(10));
  cache.add(ids(12), bytes(11));
  assert.is(cache.find(ids(16))?.shared, 12);
  assert.is(cache.find(ids(20))?.shared, 12, 'the last id has to be read');
  assert.is(cache.find(ids(21))?.shared, 20);
  assert.is(cache.find(ids(11)), null);
  assert.is(cache.size, 2);
});

test('the budget holds: what was used longest ago goes first, and too large a state is not kept', () => {
  const cache = new PrefixCache(1000, true);
  const add = (from: number): void => cache.add(ids(10, from), bytes(200)); // 280 with the ids
  for (const from of [0, 100, 200]) add(from);
  cache.find([...ids(10), 5]);
  add(300);
  assert.is(cache.size, 3);
  assert.ok(cache.bytes <= 1000);
  assert.ok(cache.find([...ids(10), 5]), 'was used');
  assert.is(cache.find([...ids(10, 100), 5]), null);
  cache.add(ids(10, 400), bytes(2000));
  assert.is(cache.size, 3);
  let asked = false;
  const unwanted = (): Uint8Array => {
    asked = true;
    return new Uint8Array(1);
  };
  new PrefixCache(0, true).add(ids(20), unwanted);
  cache.add(ids(9), unwanted); // a longer state of the same text is there
  cache.add(ids(5, 700), unwanted);
  assert.not(asked);
});

test('where sessions go back, a longer state takes the place of the shorter ones of its text', () => {
  const cache = new PrefixCache(10_000, true);
  cache.add(ids(10), bytes(10));
  cache.add([...ids(9), 77, 78], bytes(10));
  cache.add(ids(30), bytes(10));
  assert.is(cache.size, 2);
});

// case: S21
test('an answer has the same bits with and without, and says how much was not read again', async () => {
  const path = '/v1/completions';
  const begin = 'Once upon a time, there was a little girl named Lily. She had a dog.';
  for (const open of [stories, chatModel]) {
    const asked = [
      { prompt: begin },
      { prompt: `${begin} The dog was big.` },
      { prompt: `${begin} The dog was big. They went` },
      { prompt: begin },
      { prompt: begin, frequency_penalty: 1.5, repeat_last_n: -1, n: 3 },
      { prompt: 'Tom was sad.', frequency_penalty: 1.5, n: 3 },
    ].map((one, i) => ({ ...one, seed: i, max_tokens: 12, temperature: 1, logprobs: 2 }));
    const without: unknown[] = [];
    await serving(open(), { cacheBytes: 0 }, async ({ json }) => {
      for (const one of asked) {
        const { choices, usage } = await json(path, one);
        assert.is(usage.prompt_tokens_details.cached_tokens, 0);
        without.push(choices);
      }
    });
    await serving(open(), { cacheBytes: 8 << 20 }, async ({ json, app, model }) => {
      const cached: number[] = [];
      for (const [i, one] of asked.entries()) {
        const { choices, usage } = await json(path, one);
        assert.equal(choices, without[i], `request ${i}`);
        cached.push(usage.prompt_tokens_details.cached_tokens);
      }
      const length = model.promptIds(begin).length;
      assert.is(cached[0], 0);
      assert.is(cached[3], length - 1, cached.join());
      assert.is(cached[4], length - 1);
      assert.ok(app.load().default.cachedBytes > 0);
      const apart = await json(path, { ...asked[0], cache_prompt: false });
      assert.equal([apart.choices, apart.usage.prompt_tokens_details.cached_tokens], [without[0], 0]);
    });
  }
});

test('a conversation goes on from where it was, also with a model that cannot go back', async () => {
  const path = '/v1/chat/completions';
  for (const open of [stories, chatModel]) {
    const model = await open();
    // the stories have no template of their own
    const chatIds = model.chatIds.bind(model);
    const prepareChat = model.prepareChat.bind(model);
    Object.assign(model, {
      chatIds: (messages: never, options: object) => chatIds(messages, { template: CHAT_TEMPLATE, ...options }),
      prepareChat: (messages: never, options: object) => prepareChat(messages, { template: CHAT_TEMPLATE, ...options }),
    });
    await serving(model, {}, async ({ json }) => {
      const system = { role: 'system', content: 'Lily and Tom tell a story about a dog in the park.' };
      const first = [system, { role: 'user', content: 'Once upon a time there was a dog.' }];
      const asked = { max_tokens: 10, seed: 3 };
      const one = await json(path, { messages: first, ...asked });
      assert.is(one.usage.prompt_tokens_details.cached_tokens, 0);
      const answer = { role: 'assistant', content: one.choices[0].message.content };
      const next = [...first, answer, { role: 'user', content: 'And then?' }];
      const two = await json(path, { messages: next, ...asked });
      assert.ok(
        two.usage.prompt_tokens_details.cached_tokens >= one.usage.prompt_tokens - 1,
        JSON.stringify(two.usage),
      );
      const again = await json(path, { messages: next, ...asked, cache_prompt: false });
      assert.equal(again.choices, two.choices);
      assert.is(again.usage.prompt_tokens_details.cached_tokens, 0);
      const other = await json(path, { messages: [system, { role: 'user', content: 'Sing.' }], ...asked });
      assert.ok(other.usage.prompt_tokens_details.cached_tokens > 10, 'the system message is shared');
    });
  }
});

test.run();
