/** The provider of the AI SDK, by itself: parts of streams, options, messages, places. */
import type { LanguageModelV4CallOptions, LanguageModelV4Prompt, LanguageModelV4StreamPart } from '@ai-sdk/provider';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createTernspike } from '../../src/entries/ai-sdk.ts';
import { defaultModel } from '../../src/entries/default-model.ts';
import { open } from '../../src/entries/index.ts';
import { askedOf } from '../../src/ai-sdk/options.ts';
import { answerParts, Collected } from '../../src/ai-sdk/parts.ts';
import { chatMessages, plainText } from '../../src/ai-sdk/prompt.ts';
import type { GenerateChunk } from '../../src/model/types.ts';
import { speakingModel } from '../cli/cli.ts';
import { refuses } from '../refusal.ts';

const test = suite('ai-sdk');
const USER: LanguageModelV4Prompt = [{ role: 'user', content: [{ type: 'text', text: 'hello' }] }];

const usage = { promptTokens: 5, completionTokens: 4, prefillMs: 1, decodeMs: 2, unread: 3, reasoningTokens: 1 };
const KINDS: Readonly<Record<string, Partial<GenerateChunk>>> = {
  text: { text: 'a' },
  thought: { reasoning: 'b' },
  both: { text: 'c', reasoning: 'd' },
  call: { toolCalls: [{ id: 'x', name: 'f', arguments: '{}' }] },
  calls: { toolCalls: [{ id: 'y', name: 'f', arguments: '{"a":1}' }, { id: 'z', name: 'g', arguments: '{}' }] },
  nothing: {},
};

async function* said(kinds: readonly string[]): AsyncGenerator<GenerateChunk, void> {
  for (const [i, kind] of kinds.entries()) {
    const { toolCalls, ...chunk } = KINDS[kind];
    const calls = toolCalls?.map((call) => ({ ...call, id: call.id + i }));
    yield { text: '', id: 1, finishReason: null, ...chunk, ...(calls && { toolCalls: calls }) };
  }
  yield { text: 'e', id: null, finishReason: 'length', usage };
}

async function all<T>(parts: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const part of parts) list.push(part);
  return list;
}

/** What the AI SDK expects of a stream; the first breach, or ''. */
function breach(parts: readonly LanguageModelV4StreamPart[]): string {
  let open = '';
  const used = new Set<string>();
  for (const [i, part] of parts.entries()) {
    const [, kind, what] = /^(text|reasoning|tool-input)-(start|delta|end)$/.exec(part.type) ?? [];
    const { id } = part as { id: string };
    if (what === 'start') {
      if (open !== '' || used.has(kind + id)) return `${i}: ${part.type} ${id} while ${open || 'used'}`;
      open = kind + id;
      used.add(open);
    } else if (kind && open !== kind + id) return `${i}: ${part.type} ${id} while ${open || 'nothing'} is open`;
    if (what === 'end') open = '';
    if (part.type === 'tool-call' && (open !== '' || !used.has(`tool-input${part.toolCallId}`))) return `${i}: call`;
    if (part.type === 'finish' && (open !== '' || i !== parts.length - 1)) return `${i}: finish while ${open}`;
  }
  return parts.at(-1)?.type === 'finish' ? '' : 'no finish';
}

test('blocks are opened before their deltas and closed after them, whatever comes after what', async () => {
  const names = Object.keys(KINDS);
  for (const a of names) {
    for (const b of names) {
      for (const c of names) {
        const parts = await all(answerParts(said([a, b, c])));
        assert.is(breach(parts), '', `${a} ${b} ${c}`);
        const text = parts.map((part) => (part.type === 'text-delta' ? part.delta : '')).join('');
        assert.is(text, [a, b, c].map((kind) => KINDS[kind].text ?? '').join('') + 'e');
      }
    }
  }
});

test('the checks of streams see breaches', () => {
  assert.match(breach([{ type: 'text-delta', id: '0', delta: 'x' }]), /nothing is open/);
  assert.match(breach([{ type: 'text-start', id: '0' }, { type: 'reasoning-start', id: '1' }]), /while text0/);
  assert.is(breach([{ type: 'text-start', id: '0' }, { type: 'text-end', id: '0' }]), 'no finish');
});

test('parts put together are the content, with usage and how it ended', async () => {
  const collected = new Collected();
  for await (const part of answerParts(said(['thought', 'text', 'text', 'call']))) collected.add(part);
  assert.equal(collected.content.map((part) => ('text' in part ? `${part.type} ${part.text}` : part.type)), [
    'reasoning b',
    'text aa',
    'tool-call',
    'text e',
  ]);
  assert.equal(collected.finish!.finishReason, { unified: 'length', raw: 'length' });
  assert.equal(collected.finish!.usage.inputTokens, { total: 5, noCache: 5, cacheRead: 0, cacheWrite: 0 });
  assert.equal(collected.finish!.usage.outputTokens, { total: 4, text: 3, reasoning: 1 });
  const raw = await all(answerParts(said(['text']), true));
  assert.is(raw.filter(({ type }) => type === 'raw').length, 2);
});

test('messages become those of a template', () => {
  const prompt: LanguageModelV4Prompt = [
    { role: 'system', content: 's' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'a' },
        { type: 'file', mediaType: 'text/plain', data: { type: 'data', data: btoa('b') } },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'r' },
        { type: 'text', text: 't' },
        { type: 'tool-call', toolCallId: '1', toolName: 'f', input: { x: 1 } },
      ],
    },
    {
      role: 'tool',
      content: [{ type: 'tool-result', toolCallId: '1', toolName: 'f', output: { type: 'json', value: { y: 2 } } }],
    },
  ];
  assert.equal(chatMessages(prompt), [
    { role: 'system', content: 's' },
    { role: 'user', content: 'ab' },
    {
      role: 'assistant',
      content: 't',
      reasoning_content: 'r',
      tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: { x: 1 } } }],
    },
    { role: 'tool', tool_call_id: '1', name: 'f', content: '{"y":2}' },
  ]);
  assert.is(plainText(prompt), 's\nab\nt\n{"y":2}');
  const image = { type: 'file', mediaType: 'image/png', data: { type: 'data', data: 'AAAA' } } as const;
  assert.throws(() => chatMessages([{ role: 'user', content: [image] }]), /image\/png is not supported/);
});

test('options become those of a chat; what cannot be had is a warning', () => {
  const call: LanguageModelV4CallOptions = {
    prompt: USER,
    maxOutputTokens: 7,
    temperature: 0,
    topK: 3,
    stopSequences: ['x'],
    seed: 1,
    responseFormat: { type: 'json', schema: { type: 'object' } },
    reasoning: 'low',
    tools: [
      { type: 'function', name: 'f', description: 'd', inputSchema: { type: 'object' } },
      { type: 'provider', id: 'a.b', name: 'p', args: {} },
    ],
    providerOptions: { ternspike: { minP: 0.1, topK: 9, variables: { a: 1 } } },
  };
  const { options, warnings } = askedOf(call, true);
  assert.equal(options, {
    minP: 0.1,
    maxTokens: 7,
    temperature: 0,
    topK: 3,
    seed: 1,
    stop: ['x'],
    format: { schema: { type: 'object' } },
    tools: [{ type: 'function', function: { name: 'f', description: 'd', parameters: { type: 'object' } } }],
    variables: { enable_thinking: true, reasoning_effort: 'low', a: 1 },
  });
  assert.equal(warnings.map((warning) => ('feature' in warning ? warning.feature : '')), ['tool p']);
  const forced = askedOf({ ...call, toolChoice: { type: 'tool', toolName: 'f' } }, true);
  assert.equal([forced.options.toolChoice, forced.options.format], [{ name: 'f' }, undefined]);
  const plain = askedOf(call, false);
  assert.equal(plain.warnings.length, 3);
  assert.ok(!('tools' in plain.options) && !('variables' in plain.options));
  assert.throws(() => askedOf({ ...call, providerOptions: { ternspike: { minp: 1 } } }, true), /did you mean minP/);
});

test('a model with a template answers as a chat of its own does, whole and in parts', async () => {
  using model = await open(speakingModel(), { threads: 1 });
  const provider = createTernspike(model);
  const bias = { 2: -1000 };
  const call = { prompt: USER, maxOutputTokens: 6, seed: 3, providerOptions: { ternspike: { logitBias: bias } } };
  let text = '';
  const own = { maxTokens: 6, seed: 3, logitBias: bias };
  for await (const chunk of model.chat([{ role: 'user', content: 'hello' }], own)) text += chunk.text;
  const whole = await provider().doGenerate(call);
  assert.equal(whole.content, [{ type: 'text', text }]);
  assert.is(whole.usage.outputTokens.total, 6);
  const { stream } = await provider.languageModel('default').doStream(call);
  const parts = await all(stream as unknown as AsyncIterable<LanguageModelV4StreamPart>);
  assert.equal(parts.slice(0, 2).map(({ type }) => type), ['stream-start', 'response-metadata']);
  assert.is(breach(parts.slice(2)), '');
  assert.is(parts.map((part) => (part.type === 'text-delta' ? part.delta : '')).join(''), text);
  const vectors = await provider.embeddingModel().doEmbed({ values: ['hello', 'world'], dimensions: 3 });
  assert.equal(vectors.embeddings[1], Array.from(await model.embed('world')));
  assert.is(vectors.warnings.length, 1);
  await provider.dispose(); // the model is the caller's
  assert.ok(model.describe().vocab > 0);
});

test('the model of the package is opened once, tells what it spiked, and ends with the provider', async () => {
  const provider = createTernspike(defaultModel, { modelId: 'stories', threads: 1 });
  const call = { prompt: USER, maxOutputTokens: 5, seed: 1 };
  const answers = await Promise.all(Array.from({ length: 6 }, () => provider('stories').doGenerate(call)));
  for (const { content } of answers) assert.equal(content, answers[0].content);
  const { warnings, providerMetadata } = answers[0];
  assert.is(warnings.length, 1);
  const { spikes, energy, timings } = providerMetadata!.ternspike as Record<string, Record<string, number>>;
  assert.ok(spikes.firingRate > 0 && spikes.firingRate < 1 && energy && timings.decodeMs >= 0);
  assert.throws(() => provider('other'), /"other".*"stories"/);
  assert.throws(() => provider.imageModel('x'), /imageModel/);
  await provider.dispose();
  await refuses(Promise.resolve(provider().doGenerate(call)), 'DISPOSED');
});

test('an abort ends a call in every phase, and the next one is served', async () => {
  const provider = createTernspike(defaultModel, { parallel: 1, threads: 1 });
  const call = { prompt: USER, maxOutputTokens: 400, providerOptions: { ternspike: { minTokens: 390 } } };
  const aborted = async (work: PromiseLike<unknown>): Promise<string> => {
    try {
      await work;
    } catch (error) {
      return (error as Error).name;
    }
    return 'nothing';
  };
  assert.is(await aborted(provider().doGenerate({ ...call, abortSignal: AbortSignal.abort() })), 'AbortError');
  const controller = new AbortController();
  const { stream } = await provider().doStream({ ...call, abortSignal: controller.signal });
  const waits = new AbortController();
  const waiting = aborted(provider().doGenerate({ ...call, abortSignal: waits.signal }));
  waits.abort();
  assert.is(await waiting, 'AbortError');
  const reader = stream.getReader();
  for (let i = 0; i < 5; i++) assert.is((await reader.read()).done, false);
  controller.abort();
  const rest = async (): Promise<void> => {
    while (!(await reader.read()).done);
  };
  assert.is(await aborted(rest()), 'AbortError');
  const left = (await provider().doStream(call)).stream.getReader();
  await left.read();
  await left.cancel();
  const next = await provider().doGenerate({ ...call, maxOutputTokens: 2, providerOptions: {} });
  assert.is(next.usage.outputTokens.total, 2);
  await provider.dispose();
});

test.run();
