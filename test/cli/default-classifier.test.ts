/** The classifier that travels with the package: small, spiking, ternary, and right about plain sentences. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultClassifier } from '../../src/entries/default-classifier.ts';
import { open } from '../../src/entries/index.ts';
import { checkout } from '../house/checkout.ts';
import { sharedTest } from '../shared.ts';
import { folder, jsonHere } from './cli.ts';

const PATH = join(checkout(), 'models', 'sentiment-spiking.gguf');
/** What is promised of its size, which every install pays for. */
const MAX_BYTES = 3_500_000;
/** Accuracy that the first of dev are held to: below what the model card says of all, as these are few. */
const LEAST_ACCURACY = 0.78;

const test = suite('classifier of the package');
const files = folder();
test.after(() => files.remove());

test('classify without a model tells good from bad', async () => {
  const { label, steps, scores } = await jsonHere<{ label: string; steps: number; scores: number[] }>([
    'classify',
    'a charming and often affecting journey',
    '--json',
  ]);
  assert.equal([label, steps], ['positive', 16]);
  assert.ok(scores[1] > 0.7, `${scores}`);
  const bad = await jsonHere<{ label: string }>(['classify', 'a dull, lifeless and boring mess', '--json']);
  assert.is(bad.label, 'negative');
});

test('the library has the same file', async () => {
  assert.ok(readFileSync(PATH).equals(defaultClassifier));
  await using model = await open(defaultClassifier);
  assert.is((await model.classify('one of the best films of the year')).label, 'positive');
});

test('eval glue uses it too', async () => {
  const lines = ['sentence\tlabel', 'a gorgeous , witty , seductive movie .\t1', 'it is a bad , sloppy film .\t0'];
  files.file('dev.tsv', `${lines.join('\n')}\n`);
  const { metrics, samples } = await jsonHere<{ metrics: { accuracy: number }; samples: number }>([
    ...['eval', 'glue', '--task', 'sst2', '--data', files.path, '--json'],
  ]);
  assert.equal([metrics.accuracy, samples], [1, 2]);
});

test('its matrices are ternary, and it is small', async () => {
  assert.ok(statSync(PATH).size <= MAX_BYTES, `${statSync(PATH).size} bytes`);
  const { tensors } = await jsonHere<{ tensors: { name: string; type: string; shape: number[] }[] }>([
    'inspect',
    PATH,
    '--json',
  ]);
  const matrices = tensors.filter(({ shape }) => shape.length === 2 && Math.min(...shape) > 2);
  assert.ok(matrices.length >= 26, `${matrices.length} matrices`);
  assert.equal(matrices.filter(({ type }) => !type.startsWith('TQ')).map(({ name }) => name), []);
});

sharedTest(test, 'it is right about the first hundred of SST-2 dev as often as is said', 'data/sst-2', async (data) => {
  const { metrics } = await jsonHere<{ metrics: { accuracy: number } }>([
    ...['eval', 'glue', '--task', 'sst2', '--data', data, '--limit', '100', '--json'],
  ]);
  assert.ok(metrics.accuracy >= LEAST_ACCURACY, `${metrics.accuracy}`);
});

test.run();
