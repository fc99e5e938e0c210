/** Formats: what they hold an answer to, how they end it, and what they refuse. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type FormatOption, type GenerateOptions, type JsonSchema, type Model } from '../../src/entries/index.ts';
import { structured } from '../../src/entries/structured.ts';
import { refuses } from '../refusal.ts';
import { jsonModel } from './schemas.ts';

const WILD: GenerateOptions = { temperature: 5, topK: 0, topP: 1, minP: 0, maxTokens: 300 };
let shared: Promise<Model> | null = null;
const model = (): Promise<Model> => (shared ??= jsonModel());
const say = async (
  format: FormatOption,
  options: GenerateOptions = {},
): Promise<{ text: string; finishReason: string }> =>
  await (await model()).complete([1], { ...WILD, ...options, format });

const test = suite('formats');
test.after(async () => (await shared)?.dispose());

test('a choice is one of its texts, whole, whatever space the tokenizer leaves out', async () => {
  const choice = ['yes', 'no', 'a longer one', 'no way', 'né 日'];
  const seen = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const { text, finishReason } = await say({ choice }, { seed });
    assert.ok(choice.includes(text), JSON.stringify(text));
    assert.is(finishReason, 'stop');
    seen.add(text);
  }
  assert.ok(seen.size > 3, [...seen].join());
  // after text, the answer is as it is written, too
  for (let seed = 0; seed < 10; seed++) {
    const { text } = await (await model()).complete([1, 300], { ...WILD, format: { choice }, joined: true, seed });
    assert.ok(choice.includes(text), JSON.stringify(text));
  }
});

test('a pattern holds from beginning to end, in whole characters', async () => {
  for (
    const [regex, anchored] of [
      ['\\d{4}-\\d{2}', /^\d{4}-\d{2}$/],
      ['^(?:yes|no)$', /^(?:yes|no)$/],
      ['[^a]{2}.', /^[^a]{2}.$/u],
      ['日|é+x', /^(?:日|é+x)$/],
      ['\\w\\s\\D', /^\w\s\D$/u],
      ['[a-c]?', /^[a-c]?$/],
      ['😀.', /^😀.$/u],
    ] as const
  ) {
    for (let seed = 0; seed < 15; seed++) {
      const { text, finishReason } = await say({ regex }, { seed });
      if (finishReason === 'stop') assert.match(text, anchored, `${regex}: ${JSON.stringify(text)}`);
      assert.not.match(text, /\uFFFD/, regex);
    }
  }
  await refuses(say({ regex: '(?=a)' }), 'FORMAT');
  await refuses(say({ regex: '^a$|b$' }), 'FORMAT', 'anchors');
  await refuses(say({ regex: '(((a{1000}){1000}){1000}){1000}' }), 'SCHEMA_LIMIT');
});

test('an object of any kind, and a document that is broken off ends with length', async () => {
  for (let seed = 0; seed < 10; seed++) {
    const { text, finishReason } = await say({ json: true }, { seed, temperature: 1 });
    if (finishReason === 'stop') assert.type(JSON.parse(text), 'object');
  }
  const long = await say({ schema: { type: 'string', minLength: 100 } }, { maxTokens: 5 });
  assert.is(long.finishReason, 'length');
});

test('white space does not go on for ever', async () => {
  const { tokenizer } = await model();
  const space = tokenizer.encode('  ').filter((id) => id > 2);
  const logitBias = Object.fromEntries([...space, 3 + 9, 3 + 10, 3 + 13, 3 + 32].map((id) => [id, 100]));
  const { text, finishReason } = await say(
    { schema: { type: 'object', properties: {}, additionalProperties: false } },
    {
      logitBias,
      seed: 2,
    },
  );
  assert.is(finishReason, 'stop');
  assert.equal(JSON.parse(text), {});
  assert.ok(text.length < 40, JSON.stringify(text));
});

test('references are followed, those of a schema to itself too', async () => {
  const schema = {
    $defs: {
      item: { type: 'object', properties: { n: { enum: [1, 2] } }, required: ['n'], additionalProperties: false },
      tree: {
        type: 'object',
        properties: { v: { $ref: '#/$defs/item' }, next: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/tree' }] } },
        required: ['v', 'next'],
        additionalProperties: false,
      },
    },
    $ref: '#/$defs/tree',
  };
  let ended = 0;
  for (let seed = 0; seed < 20; seed++) {
    const { text, finishReason } = await say({ schema }, { seed });
    if (finishReason === 'length') continue;
    ended++;
    for (let at = JSON.parse(text) as { v: { n: number }; next: never } | null; at; at = at.next) {
      assert.ok([1, 2].includes(at.v.n));
    }
  }
  assert.ok(ended > 10, String(ended));
});

test('formats that cannot be held to are refused with the place and the reason, and their neighbours are not', async () => {
  const one = (schema: JsonSchema): Promise<unknown> => say({ schema }, { maxTokens: 1 });
  await refuses(one({ properties: { a: { pattern: 'x' } } }), 'FORMAT', '$.properties.a.pattern');
  await refuses(one({ type: 'string', format: 'date' }), 'FORMAT', 'date');
  await refuses(one({ $ref: '#/$defs/none' }), 'FORMAT', 'leads nowhere');
  await refuses(one({ $ref: 'http://example.com/' }), 'FORMAT', 'within the schema');
  await refuses(one({ $ref: '#' }), 'FORMAT', 'itself');
  await refuses(one({ type: 'strin' }), 'FORMAT');
  await refuses(one(5 as never), 'FORMAT');
  await refuses(one({ enum: [] }), 'FORMAT');
  await refuses(one(false), 'NO_CANDIDATE');
  await refuses(say({} as never), 'FORMAT', 'json: true');
  await refuses(say({ choice: [] }), 'FORMAT');
  await refuses(say({ choice: [''] }), 'FORMAT');
  await one({ type: 'string', format: 'colour', 'x-order': 3, title: 'unknown names say nothing' });
  await one(true);
});

test('hostile schemas end soon, by depth, nodes, values, characters and work', async () => {
  const one = (schema: JsonSchema): Promise<unknown> => say({ schema }, { maxTokens: 3 });
  let deep: JsonSchema = { type: 'null' };
  for (let i = 0; i < 1000; i++) deep = { items: deep };
  await refuses(one(deep), 'SCHEMA_LIMIT', 'levels');
  await refuses(one({ anyOf: Array.from({ length: 20_000 }, () => ({ type: 'null' })) }), 'SCHEMA_LIMIT', '10000');
  await refuses(one({ enum: Array.from({ length: 5000 }, (_, i) => i) }), 'SCHEMA_LIMIT', '4096');
  await refuses(one({ const: 'x'.repeat(100_000) }), 'SCHEMA_LIMIT');
  await refuses(say({ choice: Array.from({ length: 5000 }, (_, i) => `c${i}`) }), 'SCHEMA_LIMIT');
  await refuses(say({ regex: 'a'.repeat(100_000) }), 'SCHEMA_LIMIT');
  // each looks at the next twice
  const $defs: Record<string, unknown> = { d40: { type: 'integer', minimum: 5 } };
  for (let i = 0; i < 40; i++) {
    const next = { $ref: `#/$defs/d${i + 1}` };
    $defs[`d${i}`] = { oneOf: [{ allOf: [next, {}] }, { allOf: [next, { minimum: 7 }] }] };
  }
  await refuses(say({ schema: { $defs, allOf: [{ $ref: '#/$defs/d0' }, {}] } }), 'SCHEMA_LIMIT');
});

test("a prepared format serves many answers and loops of one's own", async () => {
  const own = await model();
  const format = structured(own, { schema: { enum: ['red', 'green'] } });
  for (let seed = 0; seed < 5; seed++) assert.match((await say(format, { seed })).text, /^"(red|green)"$/);
  const run = format.begin();
  const quote = own.tokenizer.encode('"').at(-1)!;
  assert.ok(run.mask()[quote >>> 5] & (1 << (quote & 31)));
  const [letter] = own.tokenizer.encode('x').slice(-1);
  assert.is(run.mask()[letter >>> 5] & (1 << (letter & 31)), 0);
  await refuses(Promise.resolve().then(() => run.accept(letter)), 'TOKEN');
  run.accept(quote);
  assert.not(run.complete);
});

test('a mask of the caller and a format hold together; a mask alone is looked at', async () => {
  const own = await model();
  const words = Math.ceil(own.describe().vocab / 32);
  const only = (...ids: number[]): Uint32Array => {
    const mask = new Uint32Array(words);
    for (const id of ids) mask[id >>> 5] |= 1 << (id & 31);
    return mask;
  };
  const [a, b] = [300, 301];
  const contexts: number[] = [];
  const { ids } = await own.complete([1], {
    ...WILD,
    maxTokens: 4,
    mask: ({ ids, index }) => {
      contexts.push(ids.length + index);
      return ids.length === 3 ? null : only(a, b);
    },
  });
  assert.equal(contexts, [0, 1, 2, 3]);
  assert.ok(ids.slice(0, 3).every((id) => id === a || id === b));
  await refuses(own.complete([1], { mask: () => new Uint32Array(1) }), 'OPTION', `${words} words`);
  await refuses(own.complete([1], { mask: () => only() }), 'NO_CANDIDATE');
  const ended = await own.complete([1], { mask: () => only(2) });
  assert.equal([ended.finishReason, ended.ids.length], ['stop', 0]);
  await refuses(own.complete([1], { format: { choice: ['x'] }, mask: () => only(a) }), 'NO_CANDIDATE');
});

test.run();
