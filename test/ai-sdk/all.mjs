#!/usr/bin/env node
// The provider under the real AI SDK, which needs Node 22: runs itself again on the Node of test/runtimes where this one is older.
// The last line is `N passed, N failed`.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { find, root } from '../runtimes/find.mjs';
import { finish, suite } from '../runtimes/report.mjs';

if (Number(process.versions.node.split('.')[0]) < 22) {
  const { node24 } = find();
  if (!node24) throw new Error('Node 24 is not there; node test/runtimes/install.mjs installs it');
  process.exit(spawnSync(node24, process.argv.slice(1), { stdio: 'inherit' }).status ?? 1);
}
const link = join(import.meta.dirname, 'node_modules', 'ternspike');
if (!existsSync(link)) symlinkSync(root, link, 'dir');

const { embed, embedMany, generateText, isStepCount, jsonSchema, NoSuchModelError, Output, streamText, tool } =
  await import('ai');
const { createTernspike } = await import('ternspike/ai-sdk');
const { open } = await import('ternspike');
const { defaultModel } = await import('ternspike/default-model');
const { speakingModel } = await import('../../build/test/cli/cli.js');

globalThis.AI_SDK_LOG_WARNINGS = false;
const stories = await open(defaultModel, { parallel: 8 });
const random = await open(speakingModel(), { parallel: 4, contextLength: 2048 });
const story = createTernspike(stories, { parallel: 8 });
const chat = createTernspike(random);
/** Random weights like white space as much as anything, and JSON has room for it everywhere. */
const { tokenizer } = random;
const spaces = Array.from({ length: tokenizer.vocabSize }, (_, id) => id)
  .filter((id) => /^\s+$/.test(new TextDecoder().decode(tokenizer.pieceBytes(id))));
const dense = { ternspike: { logitBias: Object.fromEntries(spaces.map((id) => [id, -1000])) } };
/** The random model would end at any token. */
const endless = { ternspike: { logitBias: { 2: -1000 } } };

const cases = {
  async 'generateText goes on with a text, and tells what it spiked'() {
    const said = await generateText({ model: story(), prompt: 'Once upon a time', seed: 1, maxOutputTokens: 20 });
    const own = await stories.complete('Once upon a time', { seed: 1, maxTokens: 20 });
    assert.equal(said.text, own.text);
    assert.equal(said.usage.outputTokens, 20);
    assert.equal(said.finishReason, 'length');
    const { spikes, energy, timings } = said.providerMetadata.ternspike;
    assert.ok(spikes.firingRate > 0 && energy.compute && timings.prefillMs > 0);
    assert.equal(said.warnings[0].type, 'compatibility');
  },

  async 'streamText says the same piece by piece'() {
    const result = streamText({ model: story(), prompt: 'One day', seed: 2, maxOutputTokens: 30 });
    const pieces = [];
    for await (const piece of result.textStream) pieces.push(piece);
    assert.ok(pieces.length > 5);
    assert.equal(pieces.join(''), (await stories.complete('One day', { seed: 2, maxTokens: 30 })).text);
    assert.equal((await result.usage).outputTokens, 30);
  },

  async 'messages go through the chat template'() {
    const messages = [{ role: 'user', content: 'hello' }];
    const said = await generateText({
      model: chat(),
      instructions: 'be brief',
      messages,
      seed: 4,
      maxOutputTokens: 8,
      providerOptions: endless,
    });
    let text = '';
    const own = [{ role: 'system', content: 'be brief' }, ...messages];
    for await (const chunk of random.chat(own, { seed: 4, maxTokens: 8, logitBias: { 2: -1000 } })) text += chunk.text;
    assert.equal(said.text, text);
  },

  async 'Output.object gives an object by its schema, from random weights'() {
    const schema = jsonSchema({
      type: 'object',
      properties: { name: { type: 'string', maxLength: 8 }, age: { type: 'integer', minimum: 0, maximum: 150 } },
      required: ['name', 'age'],
      additionalProperties: false,
    });
    const { output } = await generateText({
      model: chat(),
      prompt: 'hello',
      output: Output.object({ schema }),
      seed: 5,
      maxOutputTokens: 400,
      providerOptions: dense,
    });
    assert.deepEqual(Object.keys(output).sort(), ['age', 'name']);
    assert.ok(typeof output.name === 'string' && Number.isInteger(output.age));
  },

  async 'a tool is called, runs, and the next step sees what it answered'() {
    const calls = [];
    const weather = tool({
      description: 'weather of a city',
      inputSchema: jsonSchema({
        type: 'object',
        properties: { city: { enum: ['Oslo', 'Rome'] } },
        required: ['city'],
        additionalProperties: false,
      }),
      execute: ({ city }) => {
        calls.push(city);
        return { city, degrees: 21 };
      },
    });
    const said = await generateText({
      model: chat(),
      prompt: 'hello',
      tools: { weather },
      stopWhen: isStepCount(2),
      prepareStep: ({ stepNumber }) => ({
        toolChoice: stepNumber === 0 ? { type: 'tool', toolName: 'weather' } : 'none',
      }),
      seed: 6,
      maxOutputTokens: 120,
      providerOptions: dense,
    });
    assert.equal(said.steps.length, 2);
    assert.equal(said.steps[0].finishReason, 'tool-calls');
    assert.ok(calls.length === 1 && ['Oslo', 'Rome'].includes(calls[0]), JSON.stringify(calls));
    assert.ok(said.steps[1].usage.inputTokens > said.steps[0].usage.inputTokens);
  },

  async 'a tool call is streamed'() {
    const add = tool({
      inputSchema: jsonSchema({
        type: 'object',
        properties: { n: { type: 'boolean' } },
        required: ['n'],
        additionalProperties: false,
      }),
    });
    const result = streamText({
      model: chat(),
      prompt: 'hello',
      tools: { add },
      toolChoice: 'required',
      seed: 7,
      maxOutputTokens: 200,
      providerOptions: dense,
    });
    const types = [];
    for await (const part of result.stream) types.push(part.type);
    const calls = await result.toolCalls;
    assert.equal(calls.length, 1);
    assert.equal(typeof calls[0].input.n, 'boolean');
    assert.ok(types.indexOf('tool-input-start') >= 0 && types.indexOf('tool-call') > types.indexOf('tool-input-start'));
  },

  async 'an abort ends a stream'() {
    const controller = new AbortController();
    const aborted = [];
    const result = streamText({
      model: story(),
      prompt: 'Once',
      maxOutputTokens: 400,
      abortSignal: controller.signal,
      providerOptions: { ternspike: { minTokens: 390 } },
    });
    for await (const part of result.stream) {
      if (part.type === 'text-delta') controller.abort();
      if (part.type === 'abort') aborted.push(part);
    }
    assert.equal(aborted.length, 1);
    const after = await generateText({ model: story(), prompt: 'Once', maxOutputTokens: 3, seed: 1 });
    assert.equal(after.usage.outputTokens, 3);
  },

  async 'many at once say what each says alone'() {
    const ask = (seed) => generateText({ model: story(), prompt: 'Once upon a time', seed, maxOutputTokens: 24 });
    const together = await Promise.all(Array.from({ length: 16 }, (_, seed) => ask(seed)));
    for (const [seed, { text }] of together.entries()) {
      assert.equal(text, (await stories.complete('Once upon a time', { seed, maxTokens: 24 })).text);
    }
  },

  async 'embed and embedMany give the vectors of the model'() {
    const values = Array.from({ length: 5 }, (_, i) => `hello ${'b'.repeat(i)}`);
    const { embeddings, usage } = await embedMany({ model: chat.embeddingModel('default'), values });
    const own = await random.embed(values);
    assert.deepEqual(embeddings, own.map((vector) => Array.from(vector)));
    assert.ok(usage.tokens > 0);
    assert.deepEqual((await embed({ model: chat.embeddingModel(), value: values[2] })).embedding, embeddings[2]);
  },

  async 'a source is opened with the first call, and disposed of with the provider'() {
    const own = createTernspike(defaultModel);
    const said = await generateText({ model: own(), prompt: 'Once', seed: 1, maxOutputTokens: 4 });
    assert.equal(said.usage.outputTokens, 4);
    await own.dispose();
    await assert.rejects(generateText({ model: own(), prompt: 'Once', maxRetries: 0 }), /DISPOSED/);
  },

  'a model that is not there is the error that the AI SDK knows'() {
    assert.throws(() => story('gpt'), (error) => NoSuchModelError.isInstance(error));
    assert.throws(() => story.imageModel('x'), (error) => NoSuchModelError.isInstance(error));
  },
};

const wanted = process.argv.slice(2);
for (const [name, run] of Object.entries(cases)) {
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
  await suite('ai-sdk', '', name, async () => {
    await run();
    return { passed: 1, failed: 0, skipped: 0, notes: [] };
  });
}
stories.dispose();
random.dispose();
finish();
