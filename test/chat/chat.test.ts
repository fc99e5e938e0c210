/** Chats with tools and thoughts, on models of random weights: prompts, forced calls, ids, results that go back. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { callId, opensThinking, templateMessages, thinkingOf, toolStyleOf } from '../../src/chat/messages.ts';
import type { ChatCallOptions, GenerateChunk } from '../../src/entries/index.ts';
import { refuses } from '../refusal.ts';
import { jsonModel } from '../structured/schemas.ts';

const HERMES =
  `{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %};{% endfor %}{% for t in tools or [] %}[{{ t.function.name }}]{% endfor %}a:`;
const TOOLS = [
  {
    type: 'function',
    function: {
      name: 'add',
      parameters: { type: 'object', properties: { a: { enum: [1, 2] } }, required: ['a'], additionalProperties: false },
    },
  },
  {
    type: 'function',
    function: {
      name: 'adder',
      parameters: {
        type: 'object',
        properties: { t: { type: 'string', maxLength: 3 } },
        required: ['t'],
        additionalProperties: false,
      },
    },
  },
];
const ASK = [{ role: 'user', content: 'hi' }];
const WILD: ChatCallOptions = { temperature: 3, topK: 0, topP: 1, minP: 0, maxTokens: 120 };

const test = suite('chats');

test('a forced call is one of the tools, with arguments of its schema, in every style', async () => {
  for (const [template, style] of [[HERMES, 'hermes'], [HERMES, 'llama3'], [HERMES, 'mistral']] as const) {
    using model = await jsonModel({ template });
    const seen = new Set<string>();
    for (let seed = 0; seed < 12; seed++) {
      const { text, toolCalls, finishReason } = await model.answer(ASK, {
        ...WILD,
        seed,
        tools: TOOLS,
        toolChoice: 'required',
        toolStyle: style,
      });
      assert.equal([text, finishReason, toolCalls.length], ['', 'toolCalls', 1], `${style} ${seed}`);
      const [{ name, arguments: given, id }] = toolCalls;
      assert.match(id, /^[0-9a-z]{9}$/);
      const { a, t } = JSON.parse(given) as { a?: number; t?: string };
      assert.ok(name === 'add' ? [1, 2].includes(a!) : name === 'adder' && typeof t === 'string', `${name} ${given}`);
      seen.add(name);
    }
    assert.is(seen.size, 2);
    const { toolCalls } = await model.answer(ASK, {
      ...WILD,
      tools: TOOLS,
      toolChoice: { name: 'add' },
      toolStyle: style,
      seed: 1,
    });
    assert.is(toolCalls[0].name, 'add');
    await refuses(model.answer(ASK, { tools: TOOLS, toolChoice: { name: 'no' } }), 'OPTION', 'toolChoice');
    await refuses(model.answer(ASK, { toolChoice: 'required' }), 'OPTION', 'toolChoice');
    await refuses(
      model.answer(ASK, { tools: TOOLS, toolChoice: 'required', format: { json: true } }),
      'OPTION',
      'format',
    );
  }
});

test('none keeps the tools from the prompt, auto gives them, and a call that is broken off is text', async () => {
  using model = await jsonModel({ template: HERMES });
  const prompt = async (options: ChatCallOptions): Promise<string> => {
    let ids: number[] = [];
    for await (const { prompt, id } of model.chat(ASK, { maxTokens: 1, echo: true, ...options })) {
      if (prompt) ids = [...ids, id!];
    }
    return model.tokenizer.decode(ids);
  };
  assert.match(await prompt({ tools: TOOLS }), /\[add\]\[adder\]a:$/);
  assert.match(await prompt({ tools: TOOLS, toolChoice: 'none' }), /hi;a:$/);
  assert.match(await prompt({ tools: TOOLS, toolChoice: 'required' }), /a:<tool_call>\n$/);
  const cut = await model.answer(ASK, { ...WILD, tools: TOOLS, toolChoice: 'required', maxTokens: 3, seed: 1 });
  assert.equal([cut.finishReason, cut.toolCalls], ['length', []]);
  assert.match(cut.text, /^<tool_call>/);
});

test('plain chats are as before: every chunk is that of generate', async () => {
  using model = await jsonModel({ template: '{% for m in messages %}{{ m.content }}{% endfor %}' });
  const chunks: GenerateChunk[] = [];
  for await (const chunk of model.chat(ASK, { seed: 1, maxTokens: 8 })) chunks.push(chunk);
  const ids = await model.chatIds(ASK);
  const { text } = await model.complete(ids, { seed: 1, maxTokens: 8, joined: false });
  assert.is(chunks.map((chunk) => chunk.text).join(''), text);
  assert.ok(chunks.every((chunk) => !('reasoning' in chunk) && !('toolCalls' in chunk)));
});

test('thoughts that the prompt opens are counted, and closed where the answer is held to a format', async () => {
  const template = '{% for m in messages %}{{ m.content }}{% endfor %}<think>\n';
  using model = await jsonModel({ template, special: ['<think>', '</think>'] });
  const close = model.tokenizer.encode('</think>', { special: true }).at(-1)!;
  const answer = await model.answer(ASK, {
    ...WILD,
    seed: 3,
    maxTokens: 12,
    mask: ({ ids, vocab }) => {
      const mask = new Uint32Array(Math.ceil(vocab / 32));
      const id = ids.length === 4 ? close : 300;
      mask[id >>> 5] |= 1 << (id & 31);
      return mask;
    },
  });
  const letter = model.tokenizer.decode([300]).trim();
  assert.equal([answer.reasoning, answer.text], [letter.repeat(4), letter.repeat(7)]);
  assert.is(answer.usage.reasoningTokens, 4);
  const held = await model.answer(ASK, { ...WILD, seed: 3, format: { choice: ['yes', 'no'] } });
  assert.equal([held.reasoning, held.finishReason], ['', 'stop']);
  assert.match(held.text, /^(yes|no)$/);
  const whole = await model.answer(ASK, { ...WILD, seed: 3, maxTokens: 5, reasoning: false });
  assert.equal([whole.reasoning, whole.text.length > 0], ['', true]);
});

test('several chats at a time have their own calls', async () => {
  using model = await jsonModel({ template: HERMES });
  const calls: string[] = [];
  for await (
    const { index, toolCalls } of model.chat(ASK, { ...WILD, n: 3, seed: 0, tools: TOOLS, toolChoice: 'required' })
  ) {
    for (const { name } of toolCalls ?? []) calls.push(`${index} ${name}`);
  }
  assert.equal(calls.map((text) => text[0]).sort(), ['0', '1', '2']);
});

test("calls and results go back into the template, in our form and in OpenAI's", () => {
  const ours = [{ role: 'assistant', content: null, toolCalls: [{ id: 'abc', name: 'add', arguments: '{"a":1}' }] }, {
    role: 'tool',
    toolCallId: 'abc',
    content: '2',
  }];
  const theirs = [
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'abc', type: 'function', function: { name: 'add', arguments: '{"a":1}' } }],
    },
    { role: 'tool', tool_call_id: 'abc', content: '2' },
  ];
  const wanted = [
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ type: 'function', id: 'abc', function: { name: 'add', arguments: { a: 1 } } }],
    },
    { role: 'tool', tool_call_id: 'abc', content: '2' },
  ];
  assert.equal(templateMessages(ours), wanted);
  assert.equal(templateMessages(theirs), wanted);
  assert.equal(templateMessages(ASK), ASK);
});

test('styles and tags are found in templates; ids of calls differ by prompt and place', () => {
  assert.is(toolStyleOf('… <tool_call> …'), 'hermes');
  assert.is(toolStyleOf('… [TOOL_CALLS] …'), 'mistral');
  assert.is(toolStyleOf('<|start_header_id|>{{ "parameters" }}'), 'llama3');
  assert.is(thinkingOf('plain'), null);
  const tags = thinkingOf('a </think> b')!;
  assert.is(opensThinking('user: hi\n<think>\n', tags), true);
  assert.is(opensThinking('<think>\n\n</think>\n\n', tags), false);
  assert.is(new Set([callId([1, 2], 0), callId([1, 2], 1), callId([1, 3], 0), callId([1, 2, 0], 0)]).size, 4);
});

test.run();
