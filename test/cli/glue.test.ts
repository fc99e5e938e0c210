/** `eval glue`: runs of a real classifier over files, what they print, and the log that they go on from. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  evaluateGlue,
  glueClassifier,
  type GlueResult,
  glueTask,
  openSource,
  readGlue,
} from '../../src/entries/eval.ts';
import { open } from '../../src/entries/index.ts';
import { sharedTest } from '../shared.ts';
import { classifierFolder } from './classifier.ts';
import { folder, here, json, jsonHere, refused, speakingModel, ternspike } from './cli.ts';

interface Ran extends GlueResult {
  title: string;
  split: string;
  file: string;
  complete: boolean;
  resumed: number;
  malformed: { lines: number; first: { line: number; reason: string }[] };
  options: Record<string, unknown>;
}

const test = suite('cli eval glue');
const files = folder();
const at = (name: string): string => join(files.path, name);
const model = classifierFolder(at('model'));

test.after(() => files.remove());

const WORDS = ['good', 'bad', 'not', 'hello', 'world', 'film', 'the', 'a'];
/** Sentences of all lengths, with a label each. */
const SAMPLES = Array.from({ length: 24 }, (_, i) => {
  const words = Array.from({ length: 1 + (i % 5) }, (_, j) => WORDS[(3 * i + 5 * j * (i + 1)) % WORDS.length]);
  return [words.join(' '), i % 3 === 0 ? 1 : 0] as const;
});

/** Puts a file below the folder of the suite, and returns that folder of its own. */
function data(name: string, file: string, lines: readonly string[]): string {
  mkdirSync(dirname(at(`${name}/${file}`)), { recursive: true });
  writeFileSync(at(`${name}/${file}`), `${lines.join('\n')}\n`);
  return at(name);
}

const sst2 = data('sst2', 'dev.tsv', ['sentence\tlabel', ...SAMPLES.map(([text, label]) => `${text}\t${label}`)]);
const glue = (...args: string[]): string[] => ['eval', 'glue', '--task', 'sst2', '--data', sst2, '-m', model, ...args];

/** What the library says about the same. */
async function library(): Promise<GlueResult> {
  using opened = await open(model);
  const task = glueTask('sst2');
  const source = await openSource(join(sst2, 'dev.tsv'));
  const result = await evaluateGlue(glueClassifier(opened, task), readGlue(source, task), { task });
  await source.close?.();
  return result;
}

const timeless = ({ secondsPerSample: _, ...rest }: GlueResult): object => rest;

test('the command prints what the library finds, and a record for each sample', async () => {
  const expected = await library();
  const ran = await json<Ran>(glue('--log', at('a.jsonl')));
  const { task, samples, metrics, score, confusion, spikesPerSample, microjoulesPerSample, secondsPerSample } = ran;
  assert.equal(
    timeless({ task, samples, metrics, score, confusion, spikesPerSample, microjoulesPerSample, secondsPerSample }),
    timeless(expected),
  );
  assert.ok(expected.confusion!.counts.every((row) => row.every((count) => count > 0)), 'a model with one answer');
  assert.ok(secondsPerSample > 0 && spikesPerSample! > 0 && microjoulesPerSample! > 0);
  assert.equal([ran.title, ran.split, ran.file], ['SST-2', 'dev', join(sst2, 'dev.tsv')]);
  assert.equal([ran.complete, ran.resumed, ran.malformed], [true, 0, { lines: 0, first: [] }]);
  assert.equal([ran.options.steps, ran.options.threshold, ran.options.maxLength], [8, 1, 128]);
  const lines = readFileSync(at('a.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.is(lines.length, 1 + SAMPLES.length);
  assert.equal(
    lines.slice(1).map(({ index, line, label }) => [index, line, label]),
    SAMPLES.map(([, label], i) => [i, i + 2, label]),
  );
  const right = lines.slice(1).filter(({ label, predicted }) => label === predicted).length;
  assert.is(metrics.accuracy, right / SAMPLES.length);
  for (const { scores, spikes, energy, ms } of lines.slice(1)) {
    assert.ok(scores.length === 2 && Math.abs(scores[0] + scores[1] - 1) < 1e-5);
    assert.ok(Number.isInteger(spikes) && energy > 0 && ms > 0);
  }
});

test('without --json the metrics, the confusion matrix and the cost of a sample are printed', async () => {
  const ran = await here(glue('--limit', '6'));
  assert.is(ran.code, 0, ran.stderr);
  assert.match(
    ran.stdout,
    /^SST-2 dev: 6 samples of .*dev\.tsv\naccuracy \d\.\d{4}\nlabel {2}said 0 {2}said 1\n( +[01] +\d +\d\n){2}a sample: .* s, \d+ spikes, .* µJ of operations \(45 nm estimate\)\n$/,
  );
});

test('an interrupted run goes on from its log; another one may not', async () => {
  const whole = await jsonHere<Ran>(glue('--log', at('whole.jsonl')));
  const plain = (name: string): string => readFileSync(at(name), 'utf8').replace(/"ms":[\d.e-]+/g, '');
  const lines = readFileSync(at('whole.jsonl'), 'utf8').split('\n');
  writeFileSync(at('part.jsonl'), `${lines.slice(0, 8).join('\n')}\n${lines[8].slice(0, 20)}`);
  const resumed = await jsonHere<Ran>(glue('--log', at('part.jsonl'), '--resume'));
  assert.equal([resumed.resumed, resumed.samples], [7, 24]);
  assert.equal([resumed.metrics, resumed.confusion], [whole.metrics, whole.confusion]);
  assert.is(plain('part.jsonl'), plain('whole.jsonl'));
  // a log that is complete is only read; one that is not there is begun
  const [again, fresh] = await Promise.all([
    jsonHere<Ran>(glue('--log', at('part.jsonl'), '--resume')),
    jsonHere<Ran>(glue('--log', at('fresh.jsonl'), '--resume', '--limit', '2')),
  ]);
  assert.equal([again.resumed, again.metrics, fresh.resumed, fresh.samples], [24, whole.metrics, 0, 2]);

  const other = classifierFolder(at('other'), { seed: 2 });
  const notes = files.file('notes.txt', 'what I thought\n');
  const more = data('more', 'dev.tsv', ['sentence\tlabel', 'good\t1']);
  const log = (name: string): string[] => ['--log', at(name), '--resume'];
  const cases: readonly (readonly [string[], ...string[]])[] = [
    [glue('--log', at('whole.jsonl')), 'OPTION', 'use --resume'],
    [glue('--steps', '4', ...log('whole.jsonl')), 'EVAL_LOG', 'steps is 8 there and 4 here'],
    [glue(...log('whole.jsonl')).with(7, other), 'EVAL_LOG', 'model is'],
    [glue(...log('whole.jsonl')).with(5, more), 'EVAL_LOG', 'data is'],
    [glue('--log', notes, '--resume'), 'EVAL_LOG', 'not a log of an evaluation'],
    [glue('--log', at('nowhere/a.jsonl')), 'IO', 'cannot be written'],
  ];
  const ran = await Promise.all(cases.map(([args]) => here([...args, '--json'])));
  cases.forEach(([, ...words], i) => refused(ran[i], 1, ...words));
  assert.is(readFileSync(notes, 'utf8'), 'what I thought\n');
  assert.is(readFileSync(at('whole.jsonl'), 'utf8'), lines.join('\n'));
});

test('malformed lines are named and left out, or end the run before a model is loaded', async () => {
  const head = 'id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate';
  const rows = ['1\t1\t2\ta "good" film\tnot bad\t1', '2\t1\t2\thalf', '', '3\t1\t2\tthe\ta film\t0'];
  const root = dirname(data('GLUE/QQP', 'dev.tsv', [head, ...rows]));
  const qqp = ['eval', 'glue', '--task', 'QQP', '--data', root, '-m', model];
  const [ran, refusal] = await Promise.all([
    here([...qqp, '--json']),
    here([...qqp, '--malformed', 'refuse']),
  ]);
  assert.is(ran.code, 0, ran.stderr);
  const { samples, malformed, metrics, file } = JSON.parse(ran.stdout) as Ran;
  assert.equal([samples, malformed.lines, file], [2, 2, join(root, 'QQP', 'dev.tsv')]);
  assert.equal(malformed.first[0], { line: 3, reason: 'has 4 columns, expected 6' });
  assert.equal(Object.keys(metrics), ['accuracy', 'f1']);
  assert.match(ran.stderr, /dev\.tsv: line 3 has 4 columns, expected 6; left out\n.*line 4 is empty; left out\n$/);
  refused(refusal, 1, 'DATASET_LINE', 'line 3');
});

test('regressions, and what cannot be evaluated', async () => {
  const stsb = data('stsb', 'dev.tsv', [
    'sentence1\tsentence2\tscore',
    'good\tgood\t5',
    'bad\thello world\t0.5',
    'a\tb\t2',
  ]);
  const scalar = classifierFolder(at('scalar'), { classes: 1 });
  const unlabelled = data('unlabelled', 'test.tsv', ['index\tsentence', '0\tgood']);
  const speaking = files.file('speaking.gguf', speakingModel());
  const run = (
    task: string,
    from: string,
    by: string,
    ...more: string[]
  ): string[] => ['eval', 'glue', '--task', task, '--data', from, '-m', by, '--json', ...more];
  const cases: readonly (readonly [number, string[], ...string[]])[] = [
    [1, run('sst2', unlabelled, model, '--split', 'test'), 'DATASET_LABELS', 'no labels'],
    [1, run('sst2', at('nowhere'), model), 'IO', 'dev.tsv nor', join('SST-2', 'dev.tsv')],
    [1, run('rte', sst2, model), 'DATASET', 'sentence1', 'RTE'],
    [1, run('stsb', stsb, model), 'OPTION', '2 classes', 'STS-B'],
    [1, run('sst2', sst2, scalar), 'OPTION', 'a number', 'SST-2'],
    [1, run('sst2', sst2, speaking), 'ARCHITECTURE', 'llama'],
  ];
  const ran = await Promise.all(cases.map(([, args]) => here(args)));
  cases.forEach(([code, , ...words], i) => refused(ran[i], code, ...words));
  const { metrics, confusion, samples } = await jsonHere<Ran>(run('stsb', stsb, scalar));
  assert.equal([Object.keys(metrics), confusion, samples], [['pearson', 'spearman'], null, 3]);
  assert.ok(Math.abs(metrics.pearson!) <= 1 && Math.abs(metrics.spearman!) <= 1);
});

if (process.platform !== 'win32') {
  test('an interrupt leaves a log that the run goes on from', async () => {
    const long = data('long', 'dev.tsv', [
      'sentence\tlabel',
      ...Array.from({ length: 20_000 }, (_, i) => `${'good film '.repeat(20)}\t${i % 2}`),
    ]);
    const log = at('long.jsonl');
    const args = [
      'eval',
      'glue',
      '--task',
      'sst2',
      '--data',
      long,
      '-m',
      model,
      '--steps',
      '40',
      '--log',
      log,
      '--json',
    ];
    let poll: ReturnType<typeof setInterval> | undefined;
    const running = ternspike(args, {
      started: (child) => {
        poll = setInterval(() => {
          if (!existsSync(log) || statSync(log).size < 1000) return;
          clearInterval(poll);
          child.kill('SIGINT');
        }, 20);
      },
    });
    const ran = await running;
    clearInterval(poll);
    assert.is(ran.code, 130, ran.stderr);
    const { complete, samples } = JSON.parse(ran.stdout) as Ran;
    assert.ok(!complete && samples > 2 && samples < 20_000, `${samples} samples`);
    assert.match(
      ran.stderr,
      new RegExp(`interrupted after ${samples} samples: repeat the command with --resume`),
    );
    const text = readFileSync(log, 'utf8');
    assert.is(text.split('\n').length, 1 + samples + 1);
    appendFileSync(log, '{"index":'); // as if it had been killed
    const more = await jsonHere<Ran>([...args.slice(0, -1), '--resume', '--limit', String(samples + 2)]);
    assert.equal([more.resumed, more.samples, more.complete], [samples, samples + 2, true]);
  });
}

sharedTest(test, "SST-2's dev set, end to end", 'data/sst-2/dev.tsv', async (file) => {
  const sst = [
    'eval',
    'glue',
    '--task',
    'sst2',
    '--data',
    dirname(file),
    '-m',
    model,
    '--steps',
    '2',
    '--max-length',
    '16',
  ];
  const ran = await jsonHere<Ran>(sst);
  assert.equal([ran.samples, ran.complete, ran.malformed.lines], [872, true, 0]);
  const [negative, positive] = ran.confusion!.counts;
  assert.equal([negative[0] + negative[1], positive[0] + positive[1]], [428, 444]);
  assert.is(ran.score, (negative[0] + positive[1]) / 872);
});

test.run();
