/** Answers of chats, cut at every place: thoughts, text and calls come out the same, and no text is lost. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AnswerParser, type ParserOptions } from '../../src/chat/parser.ts';
import type { RawCall } from '../../src/chat/calls.ts';

const THINK = { open: '<think>', close: '</think>' };

interface Read {
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly RawCall[];
}

function read(pieces: readonly string[], options: ParserOptions): Read {
  const parser = new AnswerParser(options);
  let [text, reasoning] = ['', ''];
  const calls: RawCall[] = [];
  for (const part of [...pieces.flatMap((piece) => parser.push(piece)), ...parser.finish()]) {
    if (part.kind === 'text') text += part.text;
    else if (part.kind === 'reasoning') reasoning += part.text;
    else calls.push(part.call);
  }
  return { text, reasoning, calls };
}

/** Reads it whole, in two pieces at every place, and letter by letter. */
function everywhere(answer: string, options: Partial<ParserOptions>, expected: Partial<Read>): void {
  const all: ParserOptions = { reasoning: null, tools: null, ...options };
  const wanted = { text: '', reasoning: '', calls: [], ...expected };
  assert.equal(read([answer], all), wanted, answer);
  assert.equal(read([...answer], all), wanted, `letters of ${answer}`);
  for (let at = 1; at < answer.length; at++) {
    assert.equal(
      read([answer.slice(0, at), answer.slice(at)], all),
      wanted,
      `${answer.slice(0, at)}|${answer.slice(at)}`,
    );
  }
}

const call = (name: string, given: unknown): RawCall => ({ name, arguments: JSON.stringify(given) });
const test = suite('answers');

test('thoughts are split off, and without tags nothing is', () => {
  everywhere('<think>\nhm, a < b\n</think>\n\nHello <b>', { reasoning: THINK }, {
    reasoning: 'hm, a < b',
    text: 'Hello <b>',
  });
  everywhere('hm</think>Hi', { reasoning: THINK, thinking: true }, { reasoning: 'hm', text: 'Hi' });
  everywhere('\n<think>hm</think>Hi', { reasoning: THINK, thinking: true }, { reasoning: 'hm', text: 'Hi' });
  everywhere('<think></think>Hi', { reasoning: THINK }, { text: 'Hi' });
  everywhere('<think>never ends', { reasoning: THINK }, { reasoning: 'never ends' });
  everywhere('Hi <think>there</think>', { reasoning: THINK }, { text: 'Hi <think>there</think>' });
  everywhere('no thou<ght', { reasoning: THINK }, { text: 'no thou<ght' });
  everywhere('<think>x</think>', {}, { text: '<think>x</think>' });
  everywhere('  two  spaces \n', {}, { text: '  two  spaces \n' });
});

test('calls between tags, one or several, with text around them', () => {
  const rain = '<tool_call>\n{"name": "rain", "arguments": {"city": "Rome </tool>"}}\n</tool_call>';
  const options = { tools: 'hermes' } as const;
  everywhere(rain, options, { calls: [{ name: 'rain', arguments: '{"city":"Rome </tool>"}' }] });
  everywhere(`Let me see.\n${rain}\n${rain}`, options, {
    text: 'Let me see.',
    calls: [call('rain', { city: 'Rome </tool>' }), call('rain', { city: 'Rome </tool>' })],
  });
  everywhere(`<think>\nhm\n</think>\n\n${rain}`, { ...options, reasoning: THINK }, {
    reasoning: 'hm',
    calls: [call('rain', { city: 'Rome </tool>' })],
  });
  everywhere('<tool_call>{"name":"a","arguments":"{\\"x\\":1}"}</tool_call> ok', options, {
    calls: [{ name: 'a', arguments: '{"x":1}' }],
    text: 'ok',
  });
  everywhere(
    '<tool_call><function=add>\n<parameter=a>\n1\n</parameter>\n<parameter=t>\nx y\n</parameter>\n</function></tool_call>',
    options,
    {
      calls: [call('add', { a: 1, t: 'x y' })],
    },
  );
  everywhere('<tool_call>{"name":"a"}', options, { calls: [call('a', {})] });
});

test('what is no whole call stays text', () => {
  for (
    const broken of [
      '<tool_call>{"name": 5}</tool_call>',
      '<tool_call>nonsense',
      'a <tool_call',
      '<tool_call>[1]</tool_call> b',
    ]
  ) {
    everywhere(broken, { tools: 'hermes' }, { text: broken });
  }
  for (
    const broken of ['{"name": "a", "par', '{"answer": 5}', '{ not json', '<|python_tag|>print(1)', '{"name": 7} x']
  ) {
    everywhere(broken, { tools: 'llama3' }, { text: broken });
  }
  for (const broken of ['[TOOL_CALLS]', '[TOOL_CALLS][{"nam', '[TOOL_CALLS] a b c d', '[TOOL_CALLS][1, 2] x']) {
    everywhere(broken, { tools: 'mistral' }, { text: broken });
  }
});

test('an answer that is a call as a whole', () => {
  const options = { tools: 'llama3' } as const;
  everywhere('{"name": "rain", "parameters": {"city": "Rome"}}', options, { calls: [call('rain', { city: 'Rome' })] });
  everywhere('<|python_tag|>{"name":"a","parameters":{}};{"name":"b","parameters":{"x":[1]}}', options, {
    calls: [call('a', {}), call('b', { x: [1] })],
  });
  everywhere('{"type":"function","function":"a","parameters":{"q":"}"}}', options, { calls: [call('a', { q: '}' })] });
  everywhere('<function=rain>{"city": "Rome"}</function>', options, {
    calls: [{ name: 'rain', arguments: '{"city": "Rome"}' }],
  });
  everywhere('Say {"name": "x"}', options, { text: 'Say {"name": "x"}' });
});

test('calls of Mistral: a list, or by name', () => {
  const options = { tools: 'mistral' } as const;
  everywhere('[TOOL_CALLS][{"name": "a", "arguments": {"x": 1}}, {"name": "b", "arguments": {}}]', options, {
    calls: [call('a', { x: 1 }), call('b', {})],
  });
  everywhere('[TOOL_CALLS]a[ARGS]{"x": 1}[TOOL_CALLS]b[CALL_ID]123456789[ARGS]{}', options, {
    calls: [{ name: 'a', arguments: '{"x": 1}' }, call('b', {})],
  });
  everywhere('I look. [TOOL_CALLS]a{"x":1}', options, { text: 'I look.', calls: [call('a', { x: 1 })] });
});

test('text comes as soon as it is certain', () => {
  const parser = new AnswerParser({ reasoning: THINK, tools: 'hermes' });
  assert.equal(parser.push('Hello <'), [{ kind: 'text', text: 'Hello' }]);
  assert.equal(parser.push('b> '), [{ kind: 'text', text: ' <b>' }]);
  const json = new AnswerParser({ reasoning: null, tools: 'llama3' });
  assert.equal(json.push('{"an'), [{ kind: 'text', text: '{"an' }]);
  assert.equal(new AnswerParser({ reasoning: null, tools: 'llama3' }).push('{"na'), []);
});

test.run();
