/** Suites: what their file may say, and that the schema for editors says the same. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readSuite, SUITE_KEYS } from '../../src/eval/suite.ts';
import { readGates } from '../../src/eval/gate/rules.ts';
import { texts } from '../house/checkout.ts';
import { refuses } from '../refusal.ts';

const suites = suite('suites');

const GOOD = {
  name: 'release',
  models: { f32: 'model.gguf', q8: { path: 'q8.gguf', options: { kv: 'f32', threads: 2 } } },
  data: { stories: 'stories.txt', sst2: { task: 'sst2', folder: 'GLUE', limit: 10 } },
  defaults: { ctx: 256, rounds: 3 },
  comparisons: [{ a: 'f32', b: 'q8', data: 'stories', rounds: 5 }, { name: 'task', a: 'f32', b: 'q8', data: 'sst2' }],
  gates: { rules: [{ metric: 'perplexity', maxWorsening: 0.01, relative: true }] },
};

suites('a suite names models, data and comparisons once', () => {
  const { name, comparisons } = readSuite(GOOD, 'suite.json');
  const [first, second] = comparisons;
  assert.equal([name, first.name, first.ctx, first.rounds, second.name, second.rounds], [
    'release',
    'f32 q8 stories',
    256,
    5,
    'task',
    3,
  ]);
  assert.equal([first.a, first.b], [{ path: 'model.gguf', options: {} }, {
    path: 'q8.gguf',
    options: { kv: 'f32', threads: 2 },
  }]);
  assert.equal([first.data, second.data], [{ text: 'stories.txt' }, { task: 'sst2', folder: 'GLUE', limit: 10 }]);
  assert.is(first.gates!.rules[0].maxWorsening, 0.01);
});

suites('anything else is refused with its place', async () => {
  const bad = (change: object, code: 'SUITE' | 'GATE', ...words: string[]) =>
    refuses(
      Promise.resolve().then(() => readSuite({ ...GOOD, ...change }, 'suite.json')),
      code,
      'suite.json',
      ...words,
    );
  await bad({ model: {} }, 'SUITE', '"model"', 'models');
  await bad({ models: { x: { file: 'a' } } }, 'SUITE', 'models.x', '"file"');
  await bad({ models: { x: { options: {} } } }, 'SUITE', 'models.x.path', 'missing');
  await bad({ models: { x: 3 } }, 'SUITE', 'models.x');
  await bad({ models: { x: { path: 'a', options: { kv: [] } } } }, 'SUITE', 'models.x.options.kv');
  await bad({ data: { x: {} } }, 'SUITE', 'data.x', 'text and task');
  await bad({ data: { x: { text: 'a', task: 'sst2' } } }, 'SUITE', 'data.x');
  await bad({ data: { x: { text: 'a', bytes: -1 } } }, 'SUITE', 'data.x.bytes', '-1');
  await bad({ comparisons: [] }, 'SUITE', '0 entries');
  await bad(
    { comparisons: [{ a: 'f32', b: 'f16', data: 'stories' }] },
    'SUITE',
    'comparisons[0].b',
    '"f16"',
    'f32, q8',
  );
  await bad({ comparisons: [{ a: 'f32', b: 'constructor', data: 'stories' }] }, 'SUITE', 'constructor');
  await bad({ comparisons: [GOOD.comparisons[0], GOOD.comparisons[0]] }, 'SUITE', 'two comparisons');
  await bad({ comparisons: [{ ...GOOD.comparisons[0], prompts: [] }] }, 'SUITE', 'prompts');
  await bad({ comparisons: [{ ...GOOD.comparisons[0], rounds: 1.5 }] }, 'SUITE', 'rounds', '1.5');
  await bad({ gates: { rules: [] } }, 'GATE', 'neither a rule');
  await bad({ prices: { perHour: -1 } }, 'SUITE', 'prices.perHour');
  await refuses(Promise.resolve().then(() => readSuite([], 's')), 'SUITE', 'object');
  await refuses(Promise.resolve().then(() => readSuite({ models: {} }, 's')), 'SUITE', 'data is missing');
});

interface Schema {
  properties: Record<string, unknown>;
  additionalProperties: unknown;
  required?: string[];
}

suites('the schema has the same keys', () => {
  const { properties, $defs } = JSON.parse(texts('src/eval', 'suite.schema.json').get('suite.schema.json')!) as
    & Schema
    & {
      $defs: Record<string, Schema>;
    };
  const keys = (schema: { properties: object }): string[] => Object.keys(schema.properties).sort();
  assert.equal(keys({ properties }), Object.keys(SUITE_KEYS.suite).sort());
  for (const name of ['model', 'data', 'settings', 'comparison', 'prices']) {
    assert.equal(keys($defs[name]), Object.keys(SUITE_KEYS[name]).sort(), name);
    assert.is($defs[name].additionalProperties, false);
  }
  const rule = {
    metric: 'ppl',
    better: 'lower',
    maxWorsening: 1,
    relative: true,
    confidence: 0.9,
    leastEffect: 0,
    severity: 'warn',
  };
  assert.equal(keys($defs.rule), Object.keys(rule).sort());
  assert.is(readGates({ rules: [rule] }, 'g').rules.length, 1);
});

suites.run();
