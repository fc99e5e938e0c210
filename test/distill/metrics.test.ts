/** Measurements: lines of JSON, taken up again, never in the way of a run. And the numbers that steer one. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { studentConfig } from '../../src/distill/students/symboliclight/config.ts';
import { type EvaluationRecord, Means, Metrics } from '../../src/distill/metrics.ts';
import { learningRate } from '../../src/distill/schedule.ts';
import {
  DEFAULT_SETTINGS,
  hiddenPairs,
  lossWeights,
  type TrainSettings,
  trainSettings,
} from '../../src/distill/students/symboliclight/settings.ts';
import { UNLIMITED_STEPS } from '../../src/distill/settings.ts';
import { refuses } from '../refusal.ts';
import { memoryFolder } from './memory-folder.ts';

const metrics = suite('distill metrics');

const record = (step: number): EvaluationRecord => ({
  kind: 'evaluation',
  step,
  seconds: 1,
  loss: 1.5,
  perplexity: Math.exp(1.5),
  firingRates: [0.1],
  sample: 'a\nb',
});
const silent = (): void => {};

metrics('one object a line, as they come', async () => {
  const folder = memoryFolder();
  const own = new Metrics(folder, silent);
  await own.load(0);
  await own.add(record(1));
  await own.add(record(2));
  const lines = new TextDecoder().decode(folder.files.get('metrics.jsonl')).split('\n');
  assert.equal(lines.map((line) => line && JSON.parse(line)), [record(1), record(2), '']);
  assert.equal(own.records, [record(1), record(2)]);
});

metrics('lines behind the step that is gone on from are dropped, and so are torn ones', async () => {
  const folder = memoryFolder();
  const text = [record(1), record(2), record(3)].map((line) => JSON.stringify(line)).join('\n');
  folder.files.set('metrics.jsonl', new TextEncoder().encode(`null\n[]\n{"step":1}\n${text}\n{"kind":"step","st`));
  const own = new Metrics(folder, silent);
  await own.load(2);
  assert.equal(own.records, [record(1), record(2)]);
  await own.add(record(3));
  assert.is(new TextDecoder().decode(folder.files.get('metrics.jsonl')), `${text}\n`);
});

metrics('a disk that is full is spoken of once', async () => {
  const folder = memoryFolder();
  const notes: string[] = [];
  const own = new Metrics(folder, (note) => notes.push(note));
  folder.full = true;
  for (const step of [1, 2, 3]) await own.add(record(step));
  assert.is(notes.length, 1);
  assert.is(own.records.length, 3);
  folder.full = false;
  await own.add(record(4));
  folder.full = true;
  await own.add(record(5));
  assert.is(notes.length, 2);
});

metrics('means begin anew when they are taken', () => {
  const means = new Means();
  means.add([1, 10], [0.5]);
  means.add([2, 20], [0.25]);
  assert.equal(means.take(), { values: [1.5, 15], rates: [0.375] });
  means.add([7, 7], [1]);
  assert.equal(means.take(), { values: [7, 7], rates: [1] });
});

metrics('the learning rate rises in a line and falls along a cosine to its floor', () => {
  const schedule = { rate: 2, warmup: 4, floor: 0.1 };
  assert.equal([0, 1, 2, 3].map((step) => learningRate(schedule, step, 0)), [0.5, 1, 1.5, 2]);
  assert.ok(Math.abs(learningRate(schedule, 50, 0.5) - 2 * 0.55) < 1e-12);
  for (const end of [1, 1.5]) assert.ok(Math.abs(learningRate(schedule, 99, end) - 0.2) < 1e-12);
  assert.is(learningRate({ ...schedule, warmup: 0 }, 0, 0), 2);
});

metrics('settings have defaults and bounds', async () => {
  assert.equal(trainSettings({}), DEFAULT_SETTINGS);
  assert.is(trainSettings({ lr: 0.5, seed: undefined }).lr, 0.5);
  assert.is(trainSettings({ minutes: 3 }).steps, UNLIMITED_STEPS);
  assert.is(trainSettings({ minutes: 3, steps: 9 }).steps, 9);
  const wrong = async (given: Partial<TrainSettings>): Promise<TrainSettings> => trainSettings(given);
  await refuses(wrong({ alpha: 1.5 }), 'OPTION', 'alpha is 1.5', '0 … 1');
  await refuses(wrong({ batch: 2.5 }), 'OPTION', 'batch is 2.5', 'whole');
  await refuses(wrong({ lr: NaN }), 'OPTION', 'lr is NaN');
  await refuses(wrong({ steps: '5' as unknown as number }), 'OPTION', 'steps is "5"');
});

metrics('weights of the loss move in a line over the run', () => {
  const settings = trainSettings({ alpha: 0.8, hidden: 4, hiddenEnd: 0 });
  const at = (progress: number): number[] => {
    const { alpha, hidden } = lossWeights(settings, [], progress);
    return [alpha, hidden];
  };
  assert.equal([at(0), at(0.25), at(1), at(1.1)], [[0.8, 4], [0.8, 3], [0.8, 0], [0.8, 0]]);
  assert.is(hiddenPairs(trainSettings({ hiddenEnd: 1 }), 2, 4).length, 2);
});

metrics('hidden pairs cover the depth unless they are given', async () => {
  const settings = trainSettings({ hidden: 1 });
  const text = (student: number, teacher: number): string =>
    hiddenPairs(settings, student, teacher).map((pair) => `${pair.student}:${pair.teacher}`).join(' ');
  assert.is(text(3, 5), '0:1 1:2 2:4');
  assert.is(text(4, 4), '0:0 1:1 2:2 3:3');
  assert.is(text(4, 2), '0:0 1:0 2:1 3:1');
  assert.equal(hiddenPairs(trainSettings({}), 3, 5), []);
  const given = [{ student: 1, teacher: 3 }];
  assert.equal(hiddenPairs(settings, 2, 4, given), given);
  const wrong = async (student: number, teacher: number): Promise<unknown> =>
    hiddenPairs(settings, student, teacher, given);
  await refuses(wrong(1, 4), 'OPTION', '1:3', 'block below 1');
  await refuses(wrong(2, 3), 'OPTION', '1:3', 'layer below 3');
});

metrics('a student is described by what differs from the defaults', async () => {
  const config = studentConfig({ layers: 2 }, 300);
  assert.equal([config.layers, config.vocab, config.width], [2, 300, 256]);
  const wrong = async (given: unknown): Promise<unknown> => studentConfig(given, 300);
  await refuses(wrong([]), 'OPTION', 'JSON object');
  await refuses(wrong({ depth: 3 }), 'OPTION', '"depth" is not known', 'layers');
  await refuses(wrong(JSON.parse('{"__proto__": {"a": 1}}')), 'OPTION', '__proto__');
  await refuses(wrong({ vocab: 200 }), 'OPTION', 'vocab is 200', '300');
  await refuses(wrong({ width: 300 }), 'OPTION', 'width');
  await refuses(wrong({ quantisation: 'int4' }), 'OPTION', 'int4');
  await refuses(wrong({ leak: '0.5' }), 'OPTION', 'leak');
});

metrics.run();
