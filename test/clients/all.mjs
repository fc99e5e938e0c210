#!/usr/bin/env node
// Clients of OpenAI's API against a server on loopback, as their users call them. They need Node 22: runs itself again on the Node of
// test/runtimes where this one is older. The last line is `N passed, N failed`.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { find, root } from '../runtimes/find.mjs';
import { scratch, start, until } from '../runtimes/process.mjs';
import { finish, suite } from '../runtimes/report.mjs';

if (Number(process.versions.node.split('.')[0]) < 22) {
  const { node24 } = find();
  if (!node24) throw new Error('Node 24 is not there; node test/runtimes/install.mjs installs it');
  process.exit(spawnSync(node24, process.argv.slice(1), { stdio: 'inherit' }).status ?? 1);
}

const { default: OpenAI } = await import('openai');
const { embed, embedMany, generateText, jsonSchema, Output, streamText, tool } = await import('ai');
const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
const { createOpenAI } = await import('@ai-sdk/openai');
const { ChatOpenAI, OpenAI: LangChainText, OpenAIEmbeddings } = await import('@langchain/openai');
const { open } = await import('../../dist/index.js');
const { defaultModel } = await import('../../dist/default-model.js');
const { speakingModel } = await import('../../build/test/cli/cli.js');

globalThis.AI_SDK_LOG_WARNINGS = false;
const folder = scratch();
const file = join(folder.path, 'chat.gguf');
writeFileSync(file, speakingModel());
const stories = await open(defaultModel, { threads: 1 });
const talk = await open(file, { threads: 1, contextLength: 2048 });

const KEY = 'sk-clients';
const model = 'chat';
const cli = join(root, 'dist', 'cli.js');
const bundled = join(root, 'models', 'stories-spiking.gguf');
const args = [
  'serve',
  '--port',
  '0',
  '--threads',
  '1',
  '--ctx',
  '2048',
  '-m',
  `chat=${file}`,
  '-m',
  `stories=${bundled}`,
];
const server = start(process.execPath, [cli, ...args, '--quiet'], { env: { TERNSPIKE_API_KEY: KEY } });
const url = await until(30, 'the server', () => /^http:\S+$/m.exec(server.output())?.[0]);
const baseURL = `${url}/v1`;
const client = new OpenAI({ baseURL, apiKey: KEY });
const compatible = createOpenAICompatible({ name: 'ternspike', baseURL, apiKey: KEY, includeUsage: true });
const provider = createOpenAI({ baseURL, apiKey: KEY });

const HELLO = [{ role: 'user', content: 'the dog' }];
const own = { maxTokens: 12, seed: 3, temperature: 1 };
const asked = { model, messages: HELLO, max_tokens: 12, seed: 3, temperature: 1 };
const said = (await talk.answer(HELLO, own)).text;
const schema = {
  type: 'object',
  properties: { of: { enum: ['a', 'b'] } },
  required: ['of'],
  additionalProperties: false,
};
const weather = { type: 'function', function: { name: 'weather', description: 'of a city', parameters: schema } };

const cases = {
  async 'openai: models, chat, stream with usage'() {
    assert.deepEqual((await client.models.list()).data.map(({ id }) => id), ['chat', 'stories']);
    assert.equal((await client.models.retrieve('stories')).owned_by, 'ternspike');
    const whole = await client.chat.completions.create(asked);
    assert.equal(whole.choices[0].message.content, said);
    const stream = await client.chat.completions.create({
      ...asked,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let usage;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, said);
    assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
  },

  async 'openai: completions, log-probabilities, several answers, vectors'() {
    const prompt = 'Once upon a time';
    const text = await client.completions.create({
      model: 'stories',
      prompt,
      max_tokens: 16,
      seed: 1,
      n: 2,
      logprobs: 2,
    });
    for (const i of [0, 1]) {
      assert.equal(text.choices[i].text, (await stories.complete(prompt, { maxTokens: 16, seed: 1 + i })).text);
    }
    assert.equal(text.choices[0].logprobs.tokens.join(''), text.choices[0].text);
    const chat = await client.chat.completions.create({ ...asked, logprobs: true, top_logprobs: 2 });
    assert.equal(chat.choices[0].logprobs.content.length, chat.usage.completion_tokens);
    const vectors = await client.embeddings.create({ model, input: ['the dog', 'a'] }); // base64 on the way
    const [vector] = await talk.embed(['the dog', 'a']);
    assert.deepEqual(Array.from(vectors.data[0].embedding), Array.from(vector));
  },

  async 'openai: an abort ends a stream, errors are of their classes'() {
    const stream = await client.completions.create({ model: 'stories', prompt: 'The', max_tokens: 2000, stream: true });
    let n = 0;
    for await (const _ of stream) if (++n === 3) stream.controller.abort();
    assert.ok(n <= 4);
    const call = (more) => client.chat.completions.create({ ...asked, ...more });
    await assert.rejects(
      call({ model: 'gpt' }),
      (error) => error instanceof OpenAI.NotFoundError && error.code === 'model_not_found',
    );
    await assert.rejects(
      call({ temperature: -1 }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === 'temperature',
    );
    const wrong = new OpenAI({ baseURL, apiKey: 'sk-other' });
    await assert.rejects(wrong.models.list(), (error) => error instanceof OpenAI.AuthenticationError);
  },

  async 'openai: tools that are forced, formats, responses'() {
    const called = await client.chat.completions.create({
      ...asked,
      max_tokens: 400,
      tools: [weather],
      tool_choice: 'required',
    });
    const [choice] = called.choices;
    if (choice.finish_reason === 'tool_calls') {
      const [{ function: { name, arguments: given } }] = choice.message.tool_calls;
      assert.equal(name, 'weather');
      assert.ok(['a', 'b'].includes(JSON.parse(given).of));
    } else assert.equal(choice.finish_reason, 'length');
    const response_format = { type: 'json_schema', json_schema: { name: 'x', schema, strict: true } };
    const held = await client.chat.completions.create({ ...asked, max_tokens: 400, response_format });
    if (held.choices[0].finish_reason === 'stop') {
      assert.ok(['a', 'b'].includes(JSON.parse(held.choices[0].message.content).of));
    }
    const response = await client.responses.create({ model, input: 'the dog', max_output_tokens: 16, temperature: 1 });
    assert.equal(response.output[0].type, 'message');
    assert.equal(typeof response.output_text, 'string');
    const events = await client.responses.create({ model, input: 'the dog', max_output_tokens: 16, stream: true });
    const types = [];
    for await (const { type } of events) types.push(type);
    assert.equal(types[0], 'response.created');
    assert.match(types.at(-1), /^response\.(completed|incomplete)$/);
  },

  async 'ai with openai-compatible: text, stream, object, tool, vectors'() {
    const options = { model: compatible(model), messages: HELLO, maxOutputTokens: 12, seed: 3, temperature: 1 };
    const whole = await generateText(options);
    assert.equal(whole.text, said);
    assert.ok(whole.usage.outputTokens > 0);
    const stream = streamText(options);
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    assert.equal(text, said);
    assert.equal((await stream.usage).outputTokens, whole.usage.outputTokens);
    const held = createOpenAICompatible({ name: 'ternspike', baseURL, apiKey: KEY, supportsStructuredOutputs: true });
    const output = Output.object({ schema: jsonSchema(schema) });
    const object = await generateText({ ...options, model: held(model), maxOutputTokens: 400, output });
    if (object.finishReason === 'stop') assert.ok(['a', 'b'].includes(object.output.of));
    const tools = { weather: tool({ description: 'of a city', inputSchema: jsonSchema(schema) }) };
    const called = await generateText({ ...options, maxOutputTokens: 400, tools, toolChoice: 'required' });
    if (called.finishReason === 'tool-calls') assert.equal(called.toolCalls[0].toolName, 'weather');
    else assert.equal(called.finishReason, 'length');
    const { embedding } = await embed({ model: compatible.embeddingModel(model), value: 'the dog' });
    assert.deepEqual(embedding, Array.from(await talk.embed('the dog')));
    const { embeddings } = await embedMany({ model: compatible.embeddingModel(model), values: ['a', 'the dog'] });
    assert.deepEqual(embeddings[1], embedding);
  },

  async 'ai with openai: responses, whole and streamed'() {
    const options = { model: provider(model), messages: HELLO, maxOutputTokens: 16, temperature: 1 };
    const whole = await generateText(options);
    assert.ok(whole.usage.outputTokens > 0);
    assert.ok(['stop', 'length'].includes(whole.finishReason));
    const stream = streamText(options);
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    assert.equal(text, await stream.text);
    assert.ok((await stream.usage).inputTokens > 0);
    const chat = await generateText({ ...options, model: provider.chat(model), seed: 3, maxOutputTokens: 12 });
    assert.equal(chat.text, said);
  },

  async 'langchain: chat, stream, completions, vectors'() {
    const configuration = { baseURL };
    const chat = new ChatOpenAI({
      model,
      apiKey: KEY,
      configuration,
      temperature: 1,
      maxTokens: 12,
      modelKwargs: { seed: 3 },
    });
    assert.equal((await chat.invoke([['user', 'the dog']])).content, said);
    let text = '';
    for await (const chunk of await chat.stream([['user', 'the dog']])) text += chunk.content;
    assert.equal(text, said);
    const story = new LangChainText({ model: 'stories', apiKey: KEY, configuration, temperature: 0, maxTokens: 8 });
    assert.equal(
      await story.invoke('One day'),
      (await stories.complete('One day', { temperature: 0, maxTokens: 8 })).text,
    );
    const vectors = new OpenAIEmbeddings({ model, apiKey: KEY, configuration });
    assert.deepEqual(await vectors.embedQuery('the dog'), Array.from(await talk.embed('the dog')));
  },
};

try {
  for (const [name, run] of Object.entries(cases)) {
    await suite(name, '', 'client', async () => {
      try {
        await run();
        return { passed: 1, failed: 0, skipped: 0, notes: [] };
      } catch (error) {
        return { passed: 0, failed: 1, skipped: 0, notes: [error.stack ?? String(error)] };
      }
    });
  }
} finally {
  await server.stop();
  stories.dispose();
  talk.dispose();
  folder.remove();
}
finish();
