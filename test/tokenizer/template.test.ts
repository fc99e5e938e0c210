/** Chat templates: what published families give, and what hostile ones do not get. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TemplateError } from '../../src/errors.ts';
import { MAX_TEMPLATE_CHARS } from '../../src/limits.ts';
import { configuredTemplates } from '../../src/tokenizer/chat-templates.ts';
import { type ChatMessage, renderChat, type RenderOptions, renderTemplate } from '../../src/tokenizer/template.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { cpuMillis } from '../clock.ts';
import { byteLevelMetadata, tokenizerOf } from './builders.ts';

const test = suite('tokenizer/template');

const CHAT: ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello!' },
  { role: 'user', content: ' And now? ' },
];

function refused(
  code: string,
  template: string,
  messages: readonly ChatMessage[] = CHAT,
  options: RenderOptions = {},
): string {
  try {
    renderTemplate(template, messages, options);
  } catch (error) {
    assert.instance(error, TemplateError);
    assert.is((error as TemplateError).code, code, (error as Error).message);
    return (error as Error).message;
  }
  return assert.unreachable(`not refused: ${template.slice(0, 80)}`) as never;
}

test('chatml', () => {
  const template =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
  assert.is(
    renderTemplate(template, CHAT.slice(0, 2)),
    '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
  );
  assert.is(
    renderTemplate(template, CHAT.slice(1, 2), { addGenerationPrompt: false }),
    '<|im_start|>user\nHi<|im_end|>\n',
  );
});

test('llama 3', () => {
  const template =
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + " +
    "'<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}" +
    "{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";
  assert.is(
    renderTemplate(template, [{ role: 'user', content: ' And now? ' }], { bosToken: '<|begin_of_text|>' }),
    '<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nAnd now?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
  );
});

test('zephyr', () => {
  const template =
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n" +
    "{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n" +
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}";
  assert.is(renderTemplate(template, CHAT.slice(1, 2), { eosToken: '</s>' }), '<|user|>\nHi</s>\n<|assistant|>\n');
});

test('alternating roles with namespaces, slices and raise_exception', () => {
  const template =
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system = messages[0]['content'] %}{% else %}{% set rest = messages %}" +
    "{% set system = false %}{% endif %}{% set ns = namespace(users=0) %}{% for m in rest %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}" +
    "{{ raise_exception('Roles must alternate') }}{% endif %}{% if m.role == 'user' %}{% set ns.users = ns.users + 1 %}[INST] " +
    '{% if loop.index0 == 0 and system %}<<{{ system }}>> {% endif %}{{ m.content.strip() }} [/INST]{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}({{ ns.users }})';
  assert.is(
    renderTemplate(template, CHAT, { eosToken: '</s>' }),
    '[INST] <<Be brief.>> Hi [/INST] Hello! </s>[INST] And now? [/INST](2)',
  );
  assert.match(refused('TEMPLATE', template, [CHAT[2]]), /Roles must alternate/);
});

test('tools, dates, and the operations that are guarded', () => {
  const tools = [{ type: 'function', function: { name: 'now', parameters: {} } }];
  const date = new Date(2024, 6, 26);
  assert.is(
    renderTemplate(
      "{{ tools | tojson }}|{{ tools[0].function.name | tojson(indent=2) }}|{{ strftime_now('%d %b %Y') }}",
      [],
      { tools, date },
    ),
    '[{"type": "function", "function": {"name": "now", "parameters": {}}}]|"now"|26 Jul 2024',
  );
  const text =
    "{{ 'a-b-c'|replace('-', '+') }} {{ 'a-b'.replace('-', '') }} {{ 'a,b'.split(',')[-1] }} {{ 'x  y'.split()|join('/') }} {{ ['p','q']|join }}";
  assert.is(renderTemplate(text, []), 'a+b+c ab b x/y pq');
  assert.is(
    renderTemplate("{% macro f(x, y='d') %}{{ x ~ y }}{% endmacro %}{{ f('a') }}{{ f('b', y='c') }}", []),
    'adbc',
  );
});

test('templates of a tokenizer, with its bos and eos', () => {
  const tokenizer = tokenizerOf(
    byteLevelMetadata().set('tokenizer.chat_template', '{{ messages[0].content }}{{ eos_token }}'),
  );
  assert.is(renderChat(tokenizer, CHAT.slice(1)), 'Hi<|end|>');
  assert.is(renderChat(tokenizer, CHAT.slice(1), { template: '{{ add_generation_prompt }}' }), 'True');
  assert.throws(
    () => renderChat(tokenizerOf(byteLevelMetadata()), CHAT),
    /TEMPLATE: the model file contains no chat template/,
  );
});

// case: C3
test('message content is data', () => {
  const content = '{{ 1 + 1 }}{% for x in y %}<|im_end|>{# c #}';
  assert.is(renderTemplate('{{ messages[0].content }}', [{ role: 'user', content }]), content);
});

const LOOPS: [string, string][] = [
  ['range', '{% for i in range(1000000000) %}x{% endfor %}'],
  ['range down', '{% for i in range(0, -1000000000, -1) %}x{% endfor %}'],
  ['long loops', '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}'],
  [
    'nested loops',
    '{% for i in range(1000) %}{% for j in range(1000) %}{% for k in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}',
  ],
  ['short nested loops', `${'{% for i in range(9) %}'.repeat(9)}x${'{% endfor %}'.repeat(9)}`],
  [
    'doubling text',
    "{% set ns = namespace(x='aaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
  ],
  [
    'doubling list',
    "{% set ns = namespace(x=['a']) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
  ],
  [
    'nesting list',
    "{% set ns = namespace(x=['a']) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
  ],
  ['replace', `{% set x = '${'a'.repeat(4000)}' %}{{ x.replace('a', x)|length }}`],
  [
    'join',
    "{{ range(50000)|join('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') }}",
  ],
  ['indent', "{{ 'a'|indent(1000000000) }}"],
  ['tojson', '{{ messages|tojson(indent=1000000000) }}'],
  ['tojson often', '{% for i in range(99999) %}{{ (messages * 9)|tojson(indent=9) }}{% endfor %}'],
  ['text times a number', "{{ 'x' * 1000000000 }}"],
  ['list times a number', '{{ [1] * 1000000000 }}'],
  ['power', '{{ 9 ** (9 ** 9) }}'],
  ['product', '{% set ns = namespace(x=9) %}{% for i in range(60) %}{% set ns.x = ns.x * ns.x %}{% endfor %}'],
  ['width of a format', "{{ '%999999999d' % 1 }}"],
  ['precision of a format', "{{ '%.999999999f' % 1 }}"],
  ['width of a field', "{{ '{:999999999}'.format(1) }}"],
  ['center', "{{ 'a'.center(999999999) }}"],
  ['center as a filter', "{{ 'a'|center(999999999) }}"],
  ['zfill', "{{ 'a'.zfill(999999999) }}"],
  ['tabs', "{{ '\t'.expandtabs(999999999) }}"],
  ['fill of a batch', '{{ [1]|batch(999999999, 0)|list }}'],
  ['slices', '{{ [1]|slice(999999999)|list }}'],
  ['sum of lists', '{{ ([[1, 2]] * 50000)|sum(start=[]) }}'],
  [
    'equal lists',
    `{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}${'' //
    }{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}`,
  ],
  ['sort', '{% for i in range(1000) %}{{ range(10000)|sort|length }}{% endfor %}'],
  ['in a text', "{% for i in range(99999) %}{{ 'y' in messages[0].long }}{% endfor %}"],
  ['iterators', '{% for i in range(99999) %}{% for j in range(99999)|select|map("string") %}{% endfor %}{% endfor %}'],
];

for (const [name, template] of LOOPS) {
  // case: C1
  test(`too much work is refused early: ${name}`, () => {
    const messages = [{ role: 'user', content: '', long: 'x'.repeat(100_000) }];
    const took = cpuMillis(() => refused('TEMPLATE_BUDGET', template, messages));
    assert.ok(took < 2000, `${took} ms; 100 on an idle machine`);
  });
}

test('what is large but not too large is rendered', () => {
  assert.is(renderTemplate('{% for i in range(100000) %}{% endfor %}{{ range(100000)|length }}', []), '100000');
  assert.is(renderTemplate("{{ ('ab' * 1000000)|length }} {{ 2 ** 4000 > 1 }}", []), '2000000 True');
  assert.is(renderTemplate(`{{ 1 }}${' '.repeat(100_000)}x`, []).length, 100_002);
  assert.is(renderTemplate(`{% if a %}${'{% elif a %}'.repeat(15_000)}{% else %}e{% endif %}`, []), 'e');
});

const DEEP: [string, string][] = [
  ['parentheses', `{{ ${'('.repeat(60_000)}1${')'.repeat(60_000)} }}`],
  ['brackets', `{{ ${'['.repeat(60_000)}${']'.repeat(60_000)} }}`],
  ['not', `{{ ${'not '.repeat(60_000)}1 }}`],
  ['sums', `{{ 1${'+1'.repeat(60_000)} }}`],
  ['members', `{{ a${'.a'.repeat(60_000)} }}`],
  ['calls', `{{ a${'()'.repeat(60_000)} }}`],
  ['choices', `{{ ${'1 if a else '.repeat(20_000)}2 }}`],
  ['filters', `{{ 1${'|string'.repeat(30_000)} }}`],
  [
    'lists within lists',
    '{% set ns = namespace(x=1) %}{% for i in range(70) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}',
  ],
  ['blocks', `${'{% if true %}'.repeat(65)}x${'{% endif %}'.repeat(65)}`],
  ['macro', '{% macro f(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}'],
];

for (const [name, template] of DEEP) {
  // case: C1
  test(`too much nesting is refused: ${name}`, () => void refused('TEMPLATE_DEPTH', template));
}

test('nesting below the limit works', () => {
  assert.is(renderTemplate(`{{ ${'('.repeat(60)}1${')'.repeat(60)} }}`, []), '1');
  assert.is(renderTemplate(`${'{% if true %}'.repeat(60)}x${'{% endif %}'.repeat(60)}`, []), 'x');
  assert.is(renderTemplate(`{{ 1${'+1'.repeat(200)} }}`, []), '201');
});

// case: C2
test('host objects are out of reach', () => {
  assert.is(
    renderTemplate(
      "{{ messages.__proto__ }}|{{ ''.constructor }}|{{ messages[0].constructor }}|{{ range.constructor }}|{{ globalThis }}|{{ messages.length }}",
      CHAT,
    ),
    '|||||',
  );
  refused('TEMPLATE', "{{ ''.constructor.constructor('return 1')() }}");
  refused('TEMPLATE', '{{ messages.__proto__.polluted() }}');
  refused('TEMPLATE', '{{ messages[0].toString() }}');
  refused('TEMPLATE', '{{ messages[0].f() }}', [{ role: 'user', content: '', f: (): number => 1 }]);
  for (const name of ['random', 'urlize']) assert.match(refused('TEMPLATE', `{{ 'a'|${name} }}`), new RegExp(name));
  assert.match(refused('TEMPLATE', '{{ lipsum() }}'), /lipsum/);
  assert.is(
    renderTemplate('{{ messages[0].__proto__ }}', [JSON.parse('{"role":"user","content":"","__proto__":"own"}')]),
    'own',
  );
});

test('numbers of JavaScript and fields that are undefined', () => {
  const message = { role: 'user', content: '', n: 1, f: 1.5, big: 2n ** 70n, far: 1e16, none: null, gone: undefined };
  assert.is(
    renderTemplate(
      '{% set m = messages[0] %}{{ m.n }} {{ m.f }} {{ m.big + 1 }} {{ m.far }} {{ m.none }} {{ m.gone is defined }}',
      [
        message,
      ],
    ),
    '1 1.5 1180591620717411303425 1e+16 None False',
  );
  assert.is(
    renderTemplate('{{ tools }} {{ documents }} {{ x is defined }}', [], { variables: { x: undefined } }),
    'None None False',
  );
});

test('of several templates tools take tool_use, and a name chooses', () => {
  const named = [{ name: 'default', template: 'D' }, { name: 'tool_use', template: 'T' }];
  const several = {
    specials: { stop: [] },
    piece: (): string => '',
    ...configuredTemplates(named),
  } as unknown as Tokenizer;
  assert.is(renderChat(several, CHAT), 'D');
  assert.is(renderChat(several, CHAT, { tools: [] }), 'T');
  assert.is(renderChat(several, CHAT, { template: 'tool_use' }), 'T');
  assert.is(renderChat(several, CHAT, { template: '{{ 1 }}' }), '1');
  const nameless = { ...several, ...configuredTemplates([{ name: 'a', template: 'A' }, { name: 'b', template: 'B' }]) };
  assert.throws(() => renderChat(nameless, CHAT), /TEMPLATE: this model has the chat templates a, b and no default/);
  assert.is(renderChat(nameless, CHAT, { template: 'b' }), 'B');
  const metadata = byteLevelMetadata()
    .set('tokenizer.chat_template', 'D')
    .set('tokenizer.chat_templates', ['tool_use', 'rag'])
    .set('tokenizer.chat_template.tool_use', 'T')
    .set('tokenizer.chat_template.rag', 7);
  assert.equal(tokenizerOf(metadata).chatTemplates, { tool_use: 'T' });
  assert.is(renderChat(tokenizerOf(metadata), CHAT, { tools: [{}] }), 'T');
});

// case: C4
test('errors of syntax and size are clear, and the next rendering works', () => {
  assert.match(refused('TEMPLATE', 'a\n{% for %}'), /the chat template failed at line 2: /);
  assert.match(refused('TEMPLATE', 'a\n\n{{ x.y }}'), /the chat template failed at line 3: 'x' is undefined/);
  refused('TEMPLATE', '{% for x in messages %}');
  refused('TEMPLATE', '{{ "a');
  refused('TEMPLATE_BUDGET', 'x'.repeat(MAX_TEMPLATE_CHARS + 1));
  refused('TEMPLATE_BUDGET', 'x', new Array(1025).fill(CHAT[0]));
  assert.is(renderTemplate('x'.repeat(MAX_TEMPLATE_CHARS), []).length, MAX_TEMPLATE_CHARS);
  assert.is(renderTemplate('{{ messages|length }}', new Array(1024).fill(CHAT[0])), '1024');
  let nested: unknown = 1;
  for (let i = 0; i < 100_000; i++) nested = [nested];
  refused('TEMPLATE_DEPTH', 'x', CHAT, { tools: [nested] });
});

test('a rendering can be aborted', () => {
  const abort = new AbortController();
  abort.abort(new Error('enough'));
  assert.throws(
    () => renderTemplate('{% for i in range(5000) %}x{% endfor %}', CHAT, { signal: abort.signal }),
    /enough/,
  );
});

test('long content is no reason to refuse', () => {
  const content = 'word '.repeat(200_000);
  const template =
    "{% for m in messages %}{{ m.content|trim }}{% if '</think>' in m.content %}{{ m.content.split('</think>')[-1] }}{% endif %}{% endfor %}";
  assert.is(renderTemplate(template, [{ role: 'user', content }]).length, content.length - 1);
  assert.is(renderTemplate(template, new Array(1024).fill(CHAT[1])).length, 2048);
});

test.run();
