/** Runs over GLUE with classifiers whose answers are fixed: records, metrics, and logs from which a run goes on. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { openFile } from '../../src/bytes/file.ts';
import { type Classify, evaluateGlue, type GlueRecord, glueResult } from '../../src/eval/glue.ts';
import { glueLogHeader, glueLogLine, type GlueRun, readGlueLog } from '../../src/eval/glue-log.ts';
import { type GlueSample, readGlue } from '../../src/eval/glue-read.ts';
import { type GlueTask, glueTask } from '../../src/eval/glue-tasks.ts';
import { glueClassifier } from '../../src/entries/eval.ts';
import type { Model } from '../../src/model/model.ts';
import { refuses } from '../refusal.ts';
import { sharedTest } from '../shared.ts';

const glue = suite('GLUE runs');

const SST2 = glueTask('sst2');

/** Samples whose text says what shall be predicted. */
function samples(pairs: readonly (readonly [label: number, predicted: number])[]): GlueSample[] {
  return pairs.map(([label, predicted], index) => ({ index, line: index + 2, text: String(predicted), label }));
}
/** Says what the text says. */
const obedient: Classify = (text) => ({
  logits: text === '1' ? [-1, 1] : [1, -1],
  spikes: 100 + Number(text),
  energy: 0.5,
});

const EIGHT = samples([[1, 1], [1, 1], [1, 1], [1, 0], [0, 1], [0, 1], [0, 0], [0, 0]]);

glue('records, metrics and means of a run over classes', async () => {
  const seen: GlueRecord[] = [];
  const result = await evaluateGlue(obedient, EIGHT, { task: SST2, onRecord: (record) => void seen.push(record) });
  assert.equal(result.metrics, { accuracy: 5 / 8 });
  assert.is(result.score, 5 / 8);
  assert.equal(result.confusion, { labels: ['0', '1'], counts: [[2, 2], [1, 3]] });
  assert.equal([result.samples, result.spikesPerSample, result.microjoulesPerSample], [8, 100 + 5 / 8, 0.5]);
  assert.ok(result.secondsPerSample >= 0 && result.secondsPerSample < 1);
  assert.is(seen.length, 8);
  const { ms, scores, ...first } = seen[0];
  assert.equal(first, { index: 0, line: 2, label: 1, predicted: 1, spikes: 100 + 1, energy: 0.5 });
  assert.ok(ms >= 0);
  assert.ok(Math.abs(scores[1] - 1 / (1 + Math.exp(-2))) < 1e-15 && Math.abs(scores[0] + scores[1] - 1) < 1e-15);
});

glue('every task has the metrics that GLUE reports, and their mean', async () => {
  const of = async (task: string): Promise<unknown> => {
    const { metrics, score } = await evaluateGlue(obedient, EIGHT, { task: glueTask(task) });
    return [metrics, score];
  };
  const matthews = 4 / Math.sqrt(5 * 4 * 4 * 3);
  assert.equal(await of('cola'), [{ matthews }, matthews]);
  for (const task of ['mrpc', 'qqp']) {
    assert.equal(await of(task), [{ accuracy: 5 / 8, f1: 2 / 3 }, (5 / 8 + 2 / 3) / 2]);
  }
  for (const task of ['qnli', 'rte', 'wnli']) assert.equal(await of(task), [{ accuracy: 5 / 8 }, 5 / 8]);
  const three: Classify = (text) => ({ logits: [0, 0, 0].map((_, i) => (i === Number(text) ? 1 : 0)) });
  const mnli = await evaluateGlue(three, samples([[2, 2], [1, 2], [0, 0]]), { task: glueTask('mnli') });
  assert.equal([mnli.score, mnli.confusion!.counts], [2 / 3, [[1, 0, 0], [0, 0, 1], [0, 0, 1]]]);
});

glue('STS-B is a regression; a constant answer has no correlation', async () => {
  const task = glueTask('stsb');
  const pairs = [[5, 4.5], [2.5, 2], [0, 3], [1, 1]] as const;
  const result = await evaluateGlue((text) => ({ logits: [Number(text)] }), samples(pairs), { task });
  // Σdx·dy / √(Σdx²·Σdy²) around the means 2.125 and 2.625; ranks 4 3 1 2 and 4 2 3 1
  const [dx, dy] = [pairs.map(([x]) => x - 2.125), pairs.map(([, y]) => y - 2.625)];
  const dot = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + v * b[i], 0);
  const pearson = dot(dx, dy) / Math.sqrt(dot(dx, dx) * dot(dy, dy));
  assert.ok(Math.abs(result.metrics.pearson! - pearson) < 1e-15);
  assert.ok(Math.abs(result.metrics.spearman! - (1 - (6 * 6) / (4 * 15))) < 1e-15);
  assert.is(result.score, (result.metrics.pearson! + result.metrics.spearman!) / 2);
  assert.equal([result.confusion, result.spikesPerSample], [null, null]);
  const flat = await evaluateGlue(() => ({ logits: [2] }), samples(pairs), { task });
  assert.equal([flat.metrics, flat.score], [{ pearson: null, spearman: null }, null]);
});

glue('the outputs of a model are put into the order of the labels; the first of equals wins', async () => {
  const seen: GlueRecord[] = [];
  const asked: unknown[] = [];
  const answer = { logits: [0.1, 0.9, 0.3], scores: [0.2, 0.5, 0.3], spikes: null };
  const model = (labels: string[], said: object = answer): Model =>
    ({
      describe: () => ({ kind: 'spikingbert', architecture: 'spikingbert', labels, trainedContext: 64 }),
      classify: (...args: unknown[]) => {
        asked.push(args);
        return Promise.resolve(said);
      },
    }) as unknown as Model;
  const mnli = glueTask('mnli');
  const run = (task: GlueTask, from: Model, pair?: string): Promise<unknown> =>
    evaluateGlue(glueClassifier(from, task, { steps: 5 }), [{ index: 0, line: 2, text: 'a', pair, label: 0 }], {
      task,
      onRecord: (record) => void seen.push(record),
    });
  await run(mnli, model(['entailment', 'neutral', 'contradiction']), 'b');
  await run(
    SST2,
    model(['0', '1'], {
      logits: [3, 3],
      scores: [0.5, 0.5],
      spikes: { spikes: 7, energy: { compute: { effective: 2 } } },
    }),
  );
  assert.equal(seen.map(({ predicted, scores }) => [predicted, scores]), [[2, [0.3, 0.2, 0.5]], [0, [0.5, 0.5]]]);
  assert.equal([seen[0].spikes, seen[1].spikes, seen[1].energy], [undefined, 7, 2]);
  const options = { steps: 5, maxLength: 64, signal: undefined };
  assert.equal(asked, [[['a', 'b'], options], ['a', options]]);
  await refuses(Promise.resolve().then(() => run(mnli, model(['0', '1']))), 'OPTION', '2 classes', '3 labels');
  const other = { describe: () => ({ kind: 'llama', architecture: 'llama' }) } as unknown as Model;
  await refuses(Promise.resolve().then(() => run(mnli, other)), 'ARCHITECTURE', 'llama models do not classify');
});

glue('a limit ends the run, and the source is not read further', async () => {
  let ended = false;
  function* endless(): Generator<GlueSample> {
    try {
      for (let index = 0;; index++) yield { index, line: index + 2, text: '1', label: 1 };
    } finally {
      ended = true;
    }
  }
  const { samples: n } = await evaluateGlue(obedient, endless(), { task: SST2, limit: 3 });
  assert.equal([n, ended], [3, true]);
  await refuses(evaluateGlue(obedient, EIGHT, { task: SST2, limit: 0 }), 'OPTION', 'limit is 0');
});

glue('answers that are none are refused with the line', async () => {
  const run = (classify: Classify): Promise<unknown> => evaluateGlue(classify, EIGHT, { task: SST2 });
  await refuses(run(() => ({ logits: [1, 2, 3] })), 'OPTION', 'line 2', '1, 2, 3', 'expected 2');
  await refuses(run(() => ({ logits: [NaN, 1] })), 'OPTION', 'NaN');
  await refuses(run(() => ({ logits: [] })), 'OPTION', 'nothing');
  await refuses(evaluateGlue(obedient, [], { task: SST2 }), 'DATASET', 'no sample');
  try {
    await run(() => {
      throw new RangeError('mine');
    });
    assert.unreachable('the error was swallowed');
  } catch (error) {
    assert.instance(error, RangeError);
  }
});

const RUN: GlueRun = { task: 'sst2', split: 'dev', data: 'ab12', model: 'cd34', steps: 16, limit: undefined };
const log = (...lines: string[]): Uint8Array => new TextEncoder().encode([glueLogHeader(RUN), ...lines].join(''));
const read = (bytes: Uint8Array, run = RUN): ReturnType<typeof readGlueLog> =>
  readGlueLog(memorySource(bytes, 'run.jsonl'), run, SST2);

/** The records of a run, timeless so that they compare. */
async function recorded(classify: Classify, done: readonly GlueRecord[], limit?: number): Promise<GlueRecord[]> {
  const records = [...done];
  const onRecord = (record: GlueRecord): void => void records.push({ ...record, ms: 1 });
  await evaluateGlue(classify, EIGHT, { task: SST2, limit, done, onRecord });
  return records;
}

glue('a run goes on from the log of its beginning to the same result', async () => {
  const whole = await recorded(obedient, []);
  const lines = whole.map(glueLogLine);
  let asked = 0;
  const counting: Classify = (...args) => {
    asked++;
    return obedient(...args);
  };
  for (let n = 0; n <= lines.length; n++) {
    // cut off within the next line
    const bytes = log(...lines.slice(0, n), lines[n]?.slice(0, n + 1) ?? '');
    const found = await read(bytes);
    assert.equal([found.records.length, found.bytes], [n, log(...lines.slice(0, n)).length]);
    asked = 0;
    const again = await recorded(counting, found.records);
    assert.is(asked, lines.length - n);
    const plain = ({ scores: _, ...rest }: GlueRecord): object => rest;
    assert.equal(again.map(plain), whole.map(plain));
    assert.equal(
      { ...glueResult(SST2, again), secondsPerSample: 0 },
      { ...glueResult(SST2, whole), secondsPerSample: 0 },
    );
  }
  assert.equal(
    await evaluateGlue(counting, [], { task: SST2, done: whole, limit: 3 }),
    glueResult(SST2, whole.slice(0, 3)),
  );
});

glue('a score of a regression comes back to the last bit', async () => {
  const task = glueTask('stsb');
  const record: GlueRecord = {
    index: 0,
    line: 2,
    label: 3.2,
    predicted: 0.1 + 0.2,
    scores: [0.1 + 0.2],
    ms: 12.3456789,
  };
  const bytes = new TextEncoder().encode(glueLogHeader(RUN) + glueLogLine(record));
  const { records } = await readGlueLog(memorySource(bytes), RUN, task);
  assert.equal(records, [{ ...record, scores: [0.3], ms: 12.34568 }]);
});

glue('a log whose header was cut off begins anew; one of another run is refused with what differs', async () => {
  const header = glueLogHeader(RUN);
  for (const n of [0, 1, 10, 30, header.length - 1]) {
    assert.equal(await read(new TextEncoder().encode(header.slice(0, n))), { records: [], bytes: 0 });
  }
  await refuses(read(log(), { ...RUN, model: 'ee' }), 'EVAL_LOG', 'run.jsonl', 'model is "cd34" there and "ee" here');
  await refuses(read(log(), { ...RUN, task: 'rte' }), 'EVAL_LOG', 'task');
  await refuses(read(log(), { ...RUN, vTh: 2 }), 'EVAL_LOG', 'vTh is nothing there and 2 here');
  await refuses(read(log(), { ...RUN, steps: undefined }), 'EVAL_LOG', 'steps is 16 there and nothing here');
  for (const text of ['my notes', 'my notes\n', '{}\n', '[]\n', '\n', '{"ternspike":"glue","x\n']) {
    await refuses(read(new TextEncoder().encode(text)), 'EVAL_LOG', 'not a log of an evaluation');
  }
  const newer = header.replace('"version":1', '"version":2');
  await refuses(read(new TextEncoder().encode(newer)), 'EVAL_LOG', 'version 2, expected 1');
});

glue('a log that was damaged, mixed up or shuffled is refused with the line', async () => {
  const [a, b, c] = (await recorded(obedient, [])).map(glueLogLine);
  for (
    const [lines, ...words] of [
      [[a, 'x\n', c], 'line 3', 'record 1', 'JSON'],
      [[a, `${b.slice(0, 9)}\n`], 'line 3', 'JSON'],
      [[a, a], 'line 3', 'record 1', '(index)'],
      [[b], 'line 2', 'record 0', '(index)'],
      [[a, c], '(index)'],
      [[a, b.replace('"line":3', '"line":2')], '(line)'],
      [[a.replace('"label":1', '"label":2')], '(label)'],
      [[a.replace('"predicted":1', '"predicted":0.5')], '(predicted)'],
      [[a.replace(/"scores":\[[^\]]*/, '"scores":[1')], '(scores)'],
      [[a.replace('"spikes":101', '"spikes":"101"')], '(spikes)'],
      [[a.replace('"energy":0.5', '"energy":-1')], '(energy)'],
      [[a.replace('"ms":1', '"ms":null')], '(ms)'],
      [['[]\n'], 'JSON'],
    ] as const
  ) {
    await refuses(read(log(...lines)), 'EVAL_LOG', 'run.jsonl', ...(words as readonly string[]));
  }
});

glue('records that are not of these samples are refused', async () => {
  const done = await recorded(obedient, []);
  const changed = samples([[1, 1], [0, 1]]);
  await refuses(evaluateGlue(obedient, changed, { task: SST2, done }), 'EVAL_LOG', 'record 1', 'line 3');
  await refuses(evaluateGlue(obedient, EIGHT.slice(0, 5), { task: SST2, done }), 'EVAL_LOG', 'record 5');
});

glue('an abort ends the run between two samples', async () => {
  const controller = new AbortController();
  const seen: number[] = [];
  const run = evaluateGlue(obedient, EIGHT, {
    task: SST2,
    signal: controller.signal,
    onRecord: ({ index }) => {
      seen.push(index);
      if (index === 2) controller.abort(new Error('enough'));
    },
  });
  try {
    await run;
    assert.unreachable('it went on');
  } catch (error) {
    assert.is((error as Error).message, 'enough');
  }
  assert.equal(seen, [0, 1, 2]);
});

sharedTest(glue, "SST-2's dev set: what a fixed rule scores", 'data/sst-2/dev.tsv', async (file) => {
  const source = await openFile(file);
  // one class for all: the share of it is the accuracy
  const { samples: n, score, confusion } = await evaluateGlue(() => ({ logits: [0, 1] }), readGlue(source, SST2), {
    task: SST2,
  });
  await source.close?.();
  assert.equal([n, score, confusion!.counts], [872, 444 / 872, [[0, 428], [0, 444]]]);
});

glue.run();
