/** Shards of evaluations: the whole has the bits of one machine, and a difference is an alarm. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { classifierFolder } from '../cli/classifier.ts';
import { folder, here, jsonHere, refused } from '../cli/cli.ts';

const test = suite('shards');
const files = folder();
const path = (name: string): string => join(files.path, name);
const story = files.file('story.txt', 'Once upon a time, there was a little dog. The dog had a red ball.\n'.repeat(24));
classifierFolder(path('bert'));
const lines = Array.from({ length: 11 }, (_, i) => `${i % 3 ? 'a good film' : 'not a bad film'}\t${i % 2}`);
files.file('dev.tsv', ['sentence\tlabel', ...lines].join('\n'));

const PERPLEXITY = ['perplexity', '-f', story, '--ctx', '32'];
const GLUE = ['eval', 'glue', '--task', 'sst2', '--data', files.path, '-m', path('bert')];

test.after(() => files.remove());

/** Runs shards and keeps what they print. */
async function shards(args: readonly string[], count: number, name: string): Promise<string[]> {
  const paths: string[] = [];
  for (let i = 1; i <= count; i++) {
    const { code, stdout, stderr } = await here([...args, '--shard', `${i}/${count}`, '--json']);
    assert.is(code, 0, stderr);
    paths.push(files.file(`${name}-${i}.json`, stdout));
  }
  return paths;
}
const merge = (paths: readonly string[]): string[] => paths.flatMap((path) => ['--merge', path]);

test('the perplexity of shards is that of one machine, to the last bit', async () => {
  const { model: _, memory: __, spikes: ___, energy: ____, ...one } = await jsonHere<Record<string, unknown>>(
    PERPLEXITY,
  );
  const parts = await shards(PERPLEXITY, 3, 'ppl');
  const { spikes, energy, ...whole } = await jsonHere<Record<string, unknown>>(['perplexity', ...merge(parts)]);
  assert.equal([whole, spikes, energy], [one, null, null]);
  const more = await shards(PERPLEXITY, 100, 'many'); // most have nothing to do
  assert.equal((await jsonHere<{ nll: number }>(['perplexity', ...merge([...more, parts[1]])])).nll, one.nll);
  refused(
    await here(['perplexity', ...merge(parts.slice(1))]),
    1,
    'BATCH',
    'in none of the shards, the first is row 1',
  );
  const faulty = readFileSync(parts[0], 'utf8').replace(/"squares":\d/, '"squares":9').replace(
    /"machine":"[^"]*"/,
    '"machine":"other"',
  );
  const bad = files.file('bad.json', faulty);
  refused(await here(['perplexity', ...merge([...parts, bad])]), 1, 'BATCH_DIFFERS', 'machine other', 'ppl-1.json');
  const [other] = await shards([...PERPLEXITY, '--bytes', '1200'], 1, 'short');
  refused(await here(['perplexity', ...merge([parts[0], other])]), 1, 'EVAL_LOG', 'is of another run than');
  refused(await here(['perplexity', '--merge', story]), 1, 'IO', 'is not JSON');
  writeFileSync(path('none.json'), '{}');
  refused(await here(['perplexity', '--merge', path('none.json')]), 1, 'EVAL_LOG', 'is no shard of perplexity');
});

test('the metrics of shards of a task are those of one machine', async () => {
  interface Found {
    samples: number;
    metrics: object;
    confusion: object;
    intervals: object;
    spikesPerSample: number;
  }
  const one = await jsonHere<Found>(GLUE);
  const parts = await shards(GLUE, 4, 'glue');
  const whole = await jsonHere<Found>(['eval', 'glue', ...merge([...parts, parts[2]])]);
  const same = ({ samples, metrics, confusion, intervals, spikesPerSample }: Found): unknown[] => [
    samples,
    metrics,
    confusion,
    intervals,
    spikesPerSample,
  ];
  assert.equal(same(whole), same(one));
  assert.is(whole.samples, 11);
  const [steps] = await shards([...GLUE, '--steps', '3'], 1, 'steps');
  refused(await here(['eval', 'glue', ...merge([parts[0], steps])]), 1, 'EVAL_LOG', 'steps');
  refused(await here([...GLUE, '--shard', '1/2', '--log', path('log')]), 2, '--log');
});

test.run();
