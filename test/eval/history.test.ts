/** The history of runs: what makes two runs equal, what of them may differ, and trends. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { compare } from '../../src/eval/compare/compare.ts';
import type { CompareResult } from '../../src/eval/compare/result.ts';
import { defectsOf, type HistoryEntry, historyEntry, readHistory, trendsOf } from '../../src/eval/history.ts';
import { open } from '../../src/entries/index.ts';
import { speakingModel } from '../cli/cli.ts';
import { refuses } from '../refusal.ts';

const history = suite('history');
const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
const read = (text: string): Promise<HistoryEntry[]> =>
  readHistory(memorySource(new TextEncoder().encode(text), 'runs'));

let result: CompareResult;
history.before(async () => {
  const [a, b] = [await open(speakingModel({ seed: 1 })), await open(speakingModel({ seed: 2 }))];
  const side = (model: typeof a, name: string) => ({ model, name, digest: `digest of ${name}` });
  result = await compare(side(a, 'first'), side(b, 'second'), {
    text: 'hello world, hello again. '.repeat(12),
    contextLength: 16,
    prompts: 0,
    tokens: 4,
    timed: 1,
    engine: '1.2.3',
    data: { name: 'greetings', digest: 'abc' },
  });
  a.dispose();
  b.dispose();
});

history('an entry keeps the figures by their places, and is keyed by all that quality depends on', async () => {
  const entry = historyEntry(result, at(0));
  assert.ok(result.kind === 'generators');
  assert.equal([entry.quality['perplexity.b'], entry.quality['kl.mean']], [result.perplexity.b, result.kl!.mean]);
  assert.ok(entry.performance['speed.decodeTps.a'] > 0 && !('speed.decodeTps.a' in entry.quality));
  assert.equal([entry.a, entry.data, entry.engine, entry.exact, entry.time], [
    'first',
    'greetings',
    '1.2.3',
    true,
    '2026-01-01T00:00:00.000Z',
  ]);
  assert.equal(await read(`${JSON.stringify(entry)}\n`), [JSON.parse(JSON.stringify(entry))]);
  const key = (change: Partial<CompareResult>): string =>
    historyEntry({ ...result, ...change } as CompareResult, at(1)).key;
  assert.is(key({ machine: { cpu: 'another' } }), entry.key);
  const others = [
    { engine: '1.2.4' },
    { data: { name: 'greetings', digest: 'abd' } },
    { options: { ...result.options, contextLength: 32 } },
    { a: { ...result.a, digest: 'other' } },
    { b: { ...result.b, options: { kv: 'f32' } } },
    { a: result.b, b: result.a },
  ].map(key);
  assert.is(new Set([entry.key, ...others]).size, 7);
  assert.is(historyEntry({ ...result, a: { ...result.a, digest: null } } as CompareResult, at(0)).exact, false);
});

history('equal runs with other quality are a defect; other speeds are not', () => {
  const first = historyEntry(result, at(0));
  const slower = { ...first, time: at(1).toISOString(), performance: { 'speed.decodeTps.a': 1 } };
  assert.equal(defectsOf([first, slower]), []);
  const off = { ...slower, quality: { ...first.quality, 'kl.mean': first.quality['kl.mean'] * (1 + 2 ** -50) } };
  const [defect, ...more] = defectsOf([first, slower, off]);
  assert.equal([defect.metric, defect.later.time, more], ['kl.mean', off.time, []]);
  const { 'kl.mean': _, ...gone } = first.quality;
  assert.is(defectsOf([first, { ...first, quality: gone }])[0].later.value, null);
  assert.equal(defectsOf([first, { ...off, key: 'another' }]), []);
  assert.equal(defectsOf([first, { ...off, exact: false }]), []);
});

history('trends are of one pair over one data, in the order of time', () => {
  const first = historyEntry(result, at(0));
  const later = { ...first, time: at(5).toISOString(), quality: { 'kl.mean': 2 }, performance: {} };
  const other = { ...later, b: 'third' };
  const trends = trendsOf([later, first, other], ['kl.mean']);
  assert.equal(trends.map(({ name, points }) => [name, points.map(({ value }) => value)]), [
    ['first → second', [first.quality['kl.mean'], 2]],
    ['first → third', [2]],
  ]);
  assert.ok(trendsOf([first]).length > 10);
});

history('a torn last line is left out; any other line that is no entry is refused with its number', async () => {
  const line = JSON.stringify(historyEntry(result, at(0)));
  assert.is((await read(`${line}\n${line}\n${line.slice(0, 50)}`)).length, 2);
  assert.equal(await read(''), []);
  for (
    const bad of [
      '{}',
      'x',
      '[1]',
      line.replace('"version":1', '"version":2'),
      line.replace(/"kl.mean":[^,]+/, '"kl.mean":"x"'),
      line.replace(/"time":"[^"]+"/, '"time":"now"'),
    ]
  ) {
    await refuses(read(`${line}\n${bad}\n${line}\n`), 'EVAL_LOG', 'line 2');
  }
});

history.run();
