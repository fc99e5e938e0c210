/** Lines of a batch, shards, and results in order. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { inOrder } from '../../src/batch/in-order.ts';
import { isRequest, readLine } from '../../src/batch/line.ts';
import { lineSum, rowId, runSum, sumsOf } from '../../src/batch/rows.ts';
import { inShard, readShard } from '../../src/eval/shard.ts';
import { refuses } from '../refusal.ts';

const test = suite('batch lines');

const request = (over: object = {}): string =>
  JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/completions', body: { prompt: 'x' }, ...over });

test('a request is told from a plain row', () => {
  assert.ok(isRequest(request()));
  for (const line of ['{"prompt":"x"}', 'x', '"x"', '{', '[]', 'null']) assert.not(isRequest(line));
});

test('plain rows are objects, JSON strings, or the text itself', () => {
  const row = (line: string): unknown => {
    const asked = readLine(line, false);
    return asked.kind === 'plain' ? asked.row : asked.kind;
  };
  assert.equal(row('{"text":"a","k":1}'), { text: 'a', k: 1 });
  assert.equal(row('"a\\nb"'), { prompt: 'a\nb' });
  for (const line of ['a b', '"Hello," he said.', '42', 'null', '[1, 2]', '  x']) {
    assert.equal(row(line), { prompt: line });
  }
  assert.is(row('{"text":'), 'unreadable');
});

test('a request that lacks something says what, and keeps its name', () => {
  const reason = (line: string): string => {
    const asked = readLine(line, true);
    assert.is(asked.kind, 'unreadable');
    return asked.kind === 'unreadable' ? `${String(asked.customId)} ${asked.reason}` : '';
  };
  assert.match(reason('x'), /^null it is no JSON object/);
  assert.match(reason(request({ custom_id: 7 })), /^null custom_id is 7/);
  assert.match(reason(request({ method: 'GET' })), /^a method is "GET"/);
  assert.match(reason(request({ url: '/v1/files' })), /^a url is "\/v1\/files", expected one of/);
  assert.match(reason(request({ body: [] })), /^a body is \[object Array\]/);
  assert.is(readLine(request({ method: undefined }), true).kind, 'request');
});

test('an id says of which run and which line a row is', () => {
  const run = runSum({ model: 'm', seed: 1, kv: undefined });
  assert.is(run, runSum({ seed: 1, model: 'm' }));
  assert.is.not(run, runSum({ seed: 2, model: 'm' }));
  assert.is.not(lineSum(0, 'a'), lineSum(1, 'a'));
  const text = `{"id":"${rowId(run, lineSum(3, 'x'))}","index":3}`;
  assert.equal(sumsOf(text), { run, line: lineSum(3, 'x') });
  assert.is(sumsOf(text.slice(0, -1)), null);
  assert.is(sumsOf('{"id":"other"}'), null);
});

test('shards are whole however they are counted', async () => {
  const items = Array.from({ length: 23 }, (_, i) => i);
  for (const first of [0, 1]) {
    const shards = Array.from({ length: 4 }, (_, i) => readShard(`${i + first}/4`));
    const parts = shards.map((shard) => items.filter((item) => inShard(shard, item)));
    assert.equal(parts.flat().sort((a, b) => a - b), items);
  }
  assert.equal(readShard('4/4'), readShard('0/4'));
  assert.ok(inShard(undefined, 5));
  for (const bad of ['5/4', '1/0', '-1/2', '1', '1/2/3', 'a/b', '', '1/100001', '1 / 2']) {
    await refuses(Promise.resolve(bad).then(readShard), 'OPTION', 'shard');
  }
});

test('results come in the order of their items, a bounded number at once', async () => {
  let [running, most] = [0, 0];
  const delays = [9, 1, 5, 0, 7, 2, 0, 3, 1, 8];
  const work = async (i: number): Promise<number> => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, delays[i]));
    running--;
    return i;
  };
  const got: number[] = [];
  for await (const i of inOrder(delays.keys(), work, { most: 3, ahead: 6 })) got.push(i);
  assert.equal(got, [...delays.keys()]);
  assert.is(most, 3);
});

test('what fails comes after all before it', async () => {
  const got: number[] = [];
  const work = (i: number): Promise<number> => i === 2 ? Promise.reject(new Error('third')) : Promise.resolve(i);
  let said = '';
  try {
    for await (const i of inOrder([0, 1, 2, 3].values(), work, { most: 4, ahead: 4 })) got.push(i);
  } catch (error) {
    said = (error as Error).message;
  }
  assert.equal([got, said], [[0, 1], 'third']);
});

test.run();
