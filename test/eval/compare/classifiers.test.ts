/** Two classifiers over one task: figures of fixed answers, and real models against themselves and each other. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pairedAnswers, type PairedRecord, pairedSamples } from '../../../src/eval/compare/classifiers.ts';
import { compare } from '../../../src/eval/compare/compare.ts';
import { type Classify, glueResult } from '../../../src/eval/glue.ts';
import type { GlueSample } from '../../../src/eval/glue-read.ts';
import { glueTask } from '../../../src/eval/glue-tasks.ts';
import { wilson } from '../../../src/eval/compare/statistics.ts';
import { open } from '../../../src/entries/index.ts';
import { classifierFolder } from '../../cli/classifier.ts';
import { folder } from '../../cli/cli.ts';
import { refuses } from '../../refusal.ts';
import { sharedTest } from '../../shared.ts';

const classifiers = suite('comparing classifiers');
const files = folder();
classifiers.after(() => files.remove());
const SST2 = glueTask('sst2');

/** Samples whose text has what A and B answer. */
const samples = (rows: readonly (readonly [label: number, a: number, b: number])[]): GlueSample[] =>
  rows.map(([label, a, b], index) => ({ index, line: index + 2, text: `${a}${b}`, label }));
const says = (place: number): Classify => (text) => ({ logits: text[place] === '1' ? [0, 1] : [1, 0] });

/** 5 both right, 3 only A, 1 only B, 2 neither. */
const ROWS = [
  ...Array.from({ length: 5 }, (_, i) => [i % 2, i % 2, i % 2] as const),
  ...Array.from({ length: 3 }, () => [1, 1, 0] as const),
  [0, 1, 0] as const,
  ...Array.from({ length: 2 }, () => [1, 0, 0] as const),
];

const recordsOf = (rows: typeof ROWS): Promise<PairedRecord[]> =>
  pairedSamples(says(0), says(1), samples(rows), { task: SST2 });

classifiers('who is right where, whether that is chance, and the sentences on which they part', async () => {
  const result = pairedAnswers(SST2, await recordsOf(ROWS));
  assert.equal(result.correct, { both: 5, onlyA: 3, onlyB: 1, neither: 2 });
  assert.equal(result.mcnemar, { onlyA: 3, onlyB: 1, p: 0.625 }); // 2·(1 + 4) / 16
  assert.equal([result.agreement, result.agreementInterval], [7 / 11, wilson(7, 11)]);
  const { a, b, difference, aInterval, interval } = result.metrics.accuracy!;
  assert.equal([a, b, aInterval], [8 / 11, 6 / 11, wilson(8, 11)]);
  assert.ok(Math.abs(difference! + 2 / 11) < 1e-15 && interval![0] <= difference! && interval![1] >= difference!);
  assert.equal(result.answers, [[5, 0], [4, 2]]);
  assert.equal(result.confusion, { a: [[3, 1], [2, 5]], b: [[4, 0], [5, 2]] });
  assert.equal(result.parted.map(({ line, text, label, a, b }) => [line, text, label, a, b]), [
    ...[7, 8, 9].map((line) => [line, '10', 1, 1, 0]),
    [10, '10', 0, 1, 0],
  ]);
  assert.equal(result.items.length, ROWS.length);
  assert.equal(pairedAnswers(SST2, await recordsOf(ROWS)).metrics, result.metrics); // seeded
});

classifiers('metrics other than accuracy have paired intervals too', async () => {
  const rows = Array.from(
    { length: 60 },
    (_, i) => [i % 2, i % 7 === 0 ? 1 - (i % 2) : i % 2, i % 3 === 0 ? 1 - (i % 2) : i % 2] as const,
  );
  for (const [name, metric] of [['mrpc', 'f1'], ['cola', 'matthews']] as const) {
    const task = glueTask(name);
    const records = await pairedSamples(says(0), says(1), samples(rows), { task });
    const found = pairedAnswers(task, records, { rounds: 300 }).metrics[metric]!;
    assert.is(found.a, glueResult(task, records.map(({ a }) => a)).metrics[metric]);
    assert.ok(found.interval![1] < 0 && found.difference! < 0, `${metric} ${found.interval}`); // B is surely worse
    assert.ok(found.aInterval![0] < found.a! && found.a! < found.aInterval![1]);
  }
  const task = glueTask('stsb');
  const number = (place: number): Classify => (text) => ({ logits: [Number(text[place])] });
  const records = await pairedSamples(number(0), number(1), samples([[5, 5, 1], [1, 1, 3], [3, 2, 2]]), { task });
  const regression = pairedAnswers(task, records, { rounds: 50 });
  assert.equal([regression.agreement, regression.mcnemar, regression.correct, regression.answers], [
    null,
    null,
    null,
    null,
  ]);
  assert.ok(regression.metrics.pearson!.difference! < 0);
});

classifiers('each side goes first in every second sample; records of other samples are refused', async () => {
  const order: string[] = [];
  const tell = (name: string): Classify => () => {
    order.push(name);
    return { logits: [0, 1] };
  };
  await pairedSamples(tell('a'), tell('b'), samples(ROWS.slice(0, 4)), { task: SST2 });
  assert.is(order.join(''), 'abbaabba');
  const records = await recordsOf(ROWS);
  const journal = { get: (_: string, index: number) => records[index + 1], put: () => {} };
  await refuses(pairedSamples(says(0), says(1), samples(ROWS), { task: SST2, journal }), 'EVAL_LOG', 'record 0');
  await refuses(pairedSamples(says(0), says(1), [], { task: SST2 }), 'DATASET', 'no sample');
});

classifiers('a spiking model against itself, and with fewer steps', async () => {
  const model = await open(classifierFolder(`${files.path}/model`));
  const list: GlueSample[] = ['good film', 'a bad film', 'not good', 'hello world', 'the the the'].map((
    text,
    index,
  ) => ({
    index,
    line: index + 2,
    text,
    label: index % 2,
  }));
  const same = await compare(model, model, { task: SST2, samples: list, timed: 2 });
  assert.equal([same.agreement, same.mcnemar!.p, same.metrics.accuracy!.difference, same.parted], [1, 1, 0, []]);
  assert.equal([same.speed!.unit, same.speed!.rounds, same.speed!.prefillTps], ['sentence', 2, null]);
  const fewer = await compare(model, { model, classify: { steps: 4 }, name: 'four', options: { steps: 4 } }, {
    task: SST2,
    samples: list,
  });
  assert.equal([fewer.b.name, fewer.b.options], ['four', { steps: 4 }]);
  const { spikes, energy } = fewer;
  assert.is(spikes!.unit, 'text');
  assert.ok(spikes!.effectiveAcs.b! < 0.7 * spikes!.effectiveAcs.a!, 'half the steps, about half the spikes');
  assert.ok(energy!.compute.b! < 0.7 * energy!.compute.a! && spikes!.firingRate.a! > 0 && spikes!.layers.a.length > 0);
  await refuses(compare(model, model, { text: 'hello '.repeat(100) }), 'ARCHITECTURE', 'task');
  model.dispose();
});

sharedTest(classifiers, 'a dense BERT is accounted for by its matrices', 'models/minilm-sst2', async (path) => {
  const model = await open(path, { threads: 1 });
  const sample = { index: 0, line: 2, text: 'a charming and often affecting journey', label: 1 };
  const { metrics, spikes, energy, a } = await compare(model, model, { task: SST2, samples: [sample] });
  assert.equal([metrics.accuracy!.a, a.architecture, spikes!.firingRate.a], [1, 'bert', null]);
  // 6 layers of 4·384² + 2·384·1536 weights for each of 8 tokens, and the pooler and the head once
  assert.is(spikes!.denseMacs.a, 8 * 6 * (4 * 384 ** 2 + 2 * 384 * 1536) + 384 ** 2 + 2 * 384);
  assert.ok(Math.abs(energy!.compute.a! - spikes!.denseMacs.a! * 4.6e-6) < 1e-6 * energy!.compute.a!);
  model.dispose();
});

classifiers.run();
