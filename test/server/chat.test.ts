/** Conversations: messages, tools, thoughts, formats; whole, as a stream, and as responses. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GenerateChunk, Model } from '../../src/entries/index.ts';
import { type Answer, chatModel, serving } from './asking.ts';

const test = suite('chats');
const PATH = '/v1/chat/completions';
const HELLO = [{ role: 'user', content: 'the dog' }];

/** A model that says what a test wants it to: what the endpoints make of it is looked at. */
function saying(model: Model, chunks: readonly Partial<GenerateChunk>[]): Model {
  const prepare = model.prepareChat.bind(model);
  return Object.assign(model, {
    async prepareChat(messages: never, options: never) {
      const { ids } = await prepare(messages, options);
      const answer = async function* (): AsyncGenerator<GenerateChunk> {
        for (const chunk of chunks) yield { text: '', id: 5, finishReason: null, ...chunk };
      };
      return { ids, answer };
    },
  });
}

test('an answer is what the library says with the same messages, whole and streamed', async () => {
  await serving(chatModel(), {}, async ({ json, events, model }) => {
    const asked = { messages: HELLO, max_tokens: 10, seed: 4, temperature: 1 };
    const said = await json(PATH, asked);
    const { text } = await model.answer(HELLO, { maxTokens: 10, seed: 4, temperature: 1 });
    const [choice] = said.choices;
    assert.is(choice.message.content, text);
    assert.equal([said.object, choice.message.role, choice.index], ['chat.completion', 'assistant', 0]);
    assert.is(said.usage.prompt_tokens, (await model.chatIds(HELLO)).length);
    const streamed = await events(PATH, { ...asked, stream_options: { include_usage: true } });
    assert.equal(streamed[0].choices[0].delta, { role: 'assistant', content: '' });
    assert.is(streamed.map(({ choices: [one] }) => one?.delta.content ?? '').join(''), text);
    assert.is(streamed.at(-2)?.choices[0].finish_reason, choice.finish_reason);
    assert.is(streamed.at(-1)?.usage.completion_tokens, said.usage.completion_tokens);
    assert.ok(streamed.every(({ object }) => object === 'chat.completion.chunk'));
  });
});

test('roles, parts and names of newer clients are understood', async () => {
  await serving(chatModel(), {}, async ({ json }) => {
    const prompt = async (messages: unknown): Promise<string> => (await json('/apply-template', { messages })).prompt;
    assert.is(await prompt([{ role: 'system', content: 'a' }, { role: 'user', content: 'b' }]), 's:a u:b a:');
    assert.is(
      await prompt([
        { role: 'developer', content: [{ type: 'text', text: 'a' }] },
        { role: 'user', content: [{ type: 'text', text: 'b' }, { type: 'text', text: 'c' }] },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'x', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'x', content: '5' },
      ]),
      's:a u:bc a: t:5 a:',
    );
  });
});

test('log-probabilities come with every token and with as many alternatives as were asked for', async () => {
  await serving(chatModel(), {}, async ({ json, events, model }) => {
    const asked = { messages: HELLO, max_tokens: 6, seed: 4, logprobs: true, top_logprobs: 3 };
    const { choices: [{ logprobs }], usage } = await json(PATH, asked);
    assert.is(logprobs.content.length, usage.completion_tokens);
    for (const { token, logprob, bytes, top_logprobs: top } of logprobs.content) {
      assert.ok(logprob <= 0 && top.length === 3 && top[0].logprob >= logprob);
      assert.is(new TextDecoder().decode(Uint8Array.from(bytes)), token);
    }
    const streamed = await events(PATH, asked);
    const content = streamed.flatMap(({ choices: [one] }) => one?.logprobs?.content ?? []);
    assert.equal(content, logprobs.content);
    assert.ok(model.generates);
  });
});

test('thoughts and calls of tools have fields of their own', async () => {
  const call = (id: string, name: string) => ({ id, name, arguments: `{"of":"${name}"}` });
  const chunks: Partial<GenerateChunk>[] = [
    { reasoning: 'Hm. ' },
    { reasoning: 'Yes.' },
    { text: 'I ask.\n\ndata: x' },
    { toolCalls: [call('a', 'one')] },
    { toolCalls: [call('b', 'two')] },
    { id: null, finishReason: 'toolCalls' },
  ];
  const tools = ['one', 'two'].map((name) => ({
    type: 'function',
    function: { name, parameters: { type: 'object' } },
  }));
  await serving(chatModel().then((model) => saying(model, chunks)), {}, async ({ json, events }) => {
    const asked = { messages: HELLO, tools };
    const { choices: [{ message, finish_reason: finish }] } = await json(PATH, asked);
    assert.is(finish, 'tool_calls');
    assert.equal([message.content, message.reasoning_content], ['I ask.\n\ndata: x', 'Hm. Yes.']);
    assert.equal(message.tool_calls?.map(({ id, function: { name } }) => [id, name]), [['a', 'one'], ['b', 'two']]);
    const streamed = await events(PATH, asked);
    const deltas = streamed.map(({ choices: [{ delta }] }) => delta as unknown as Answer);
    assert.is(deltas.map((delta) => delta.reasoning_content ?? '').join(''), 'Hm. Yes.');
    assert.equal(deltas.flatMap((delta) => delta.tool_calls ?? []).map(({ index, id }) => [index, id]), [[0, 'a'], [
      1,
      'b',
    ]]);
    assert.is(streamed.at(-1)?.choices[0].finish_reason, 'tool_calls');
    const single = await json(PATH, { ...asked, parallel_tool_calls: false });
    assert.is(single.choices[0].message.tool_calls?.length, 1);
  });
});

test('an answer is held to the format that was asked for, in both spellings', async () => {
  await serving(chatModel(), {}, async ({ json }) => {
    const schema = {
      type: 'object',
      properties: { a: { enum: ['the', 'dog'] } },
      required: ['a'],
      additionalProperties: false,
    };
    for (
      const response_format of [
        { type: 'json_schema', json_schema: { name: 'x', schema, strict: true } },
        { type: 'json_schema', schema },
        { type: 'json_object', schema },
      ]
    ) {
      const { choices: [choice] } = await json(PATH, { messages: HELLO, max_tokens: 60, seed: 1, response_format });
      if (choice.finish_reason === 'length') continue; // white space without end is JSON, too
      const value = JSON.parse(choice.message.content!);
      assert.ok(['the', 'dog'].includes(value.a), choice.message.content!);
    }
    const choice = { type: 'choice', choice: ['the', 'dog'] };
    const said = await json(PATH, { messages: HELLO, max_tokens: 20, response_format: choice });
    assert.ok(choice.choice.includes(said.choices[0].message.content!), said.choices[0].message.content!);
    const wrong = { type: 'json_schema', json_schema: { schema: { type: 'no such type' } } };
    const { error } = await json(PATH, { messages: HELLO, response_format: wrong }, 400);
    assert.is(error.param, 'response_format');
  });
});

test('responses: the same answer as items, whole and as events', async () => {
  await serving(chatModel(), {}, async ({ json, ask, model }) => {
    const asked = { input: 'the dog', instructions: 'a', max_output_tokens: 10, seed: 4, temperature: 1 };
    const said = await json('/v1/responses', asked);
    const messages = [{ role: 'system', content: 'a' }, { role: 'user', content: 'the dog' }];
    const { text } = await model.answer(messages, { maxTokens: 10, seed: 4, temperature: 1 });
    assert.equal([said.object, said.output.length, said.output[0].type], ['response', 1, 'message']);
    assert.is(said.output[0].content[0].text, text);
    assert.is((said.usage as unknown as Answer).input_tokens, (await model.chatIds(messages)).length);
    const body = await (await ask('/v1/responses', { ...asked, stream: true })).text();
    const events = body.split('\n\n').filter(Boolean).map((event) => {
      const [, type, data] = /^event: (\S+)\ndata: (\{[^\n]*\})$/.exec(event)!;
      const parsed = JSON.parse(data) as Answer;
      assert.is(parsed.type, type);
      return parsed;
    });
    assert.equal(events.map(({ sequence_number: number }) => number), events.map((_, i) => i));
    const deltas = events.filter(({ type }) => type === 'response.output_text.delta');
    assert.is(deltas.map(({ delta }) => delta).join(''), text);
    const last = events.at(-1)!;
    assert.match(last.type, /^response\.(completed|incomplete)$/);
    assert.is((last.response as Answer).output[0].content[0].text, text);
  });
});

test('responses: calls of tools and their results, and what is refused', async () => {
  const chunks: Partial<GenerateChunk>[] = [
    { reasoning: 'Hm.' },
    { text: 'I ask.' },
    { toolCalls: [{ id: 'a', name: 'one', arguments: '{}' }] },
    { id: null, finishReason: 'toolCalls' },
  ];
  await serving(chatModel().then((model) => saying(model, chunks)), {}, async ({ json, ask }) => {
    const tools = [{ type: 'function', name: 'one', parameters: { type: 'object' } }];
    const input = [
      { role: 'user', content: [{ type: 'input_text', text: 'the' }] },
      { type: 'function_call', call_id: 'x', name: 'one', arguments: '{}' },
      { type: 'function_call_output', call_id: 'x', output: '5' },
    ];
    const said = await json('/v1/responses', { input, tools });
    assert.equal(said.output.map(({ type }: Answer) => type), ['reasoning', 'message', 'function_call']);
    assert.equal([said.output[2].name, said.output[2].call_id, said.status], ['one', 'a', 'completed']);
    const events = await (await ask('/v1/responses', { input, tools, stream: true })).text();
    for (const type of ['output_item.added', 'reasoning_text.delta', 'function_call_arguments.done', 'completed']) {
      assert.ok(events.includes(`event: response.${type}\n`), type);
    }
    for (
      const [field, value] of [
        ['previous_response_id', 'resp_1'],
        ['background', true],
        ['input', 5],
        ['tools', [{ type: 'web_search' }]],
        ['max_output_tokens', 0],
      ] as const
    ) {
      assert.ok(
        (await json('/v1/responses', { input: 'a', [field]: value }, 400)).error.param?.startsWith(field),
        field,
      );
    }
    assert.is((await ask('/v1/responses', { input: 'a', store: true, background: false })).status, 200);
  });
});

test.run();
