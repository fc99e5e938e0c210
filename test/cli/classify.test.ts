/** `classify`: texts, pairs, ids and files, as the library answers them. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Classification } from '../../src/forward/classifier.ts';
import { type ClassifyInput, open } from '../../src/entries/index.ts';
import { json as readJson, sharedTest } from '../shared.ts';
import { caseFile, CASES, type SpikingBertCase } from '../spikingbert-files.ts';
import { classifierFolder } from './classifier.ts';
import { folder, here, json, jsonHere, refused, speakingModel, ternspike } from './cli.ts';

type Ran = Omit<Classification, 'spikeCounts'> & { spikeCounts?: number[][][]; ms: number; model: string };

const test = suite('cli classify');
const files = folder();
const model = classifierFolder(join(files.path, 'model'), { config: { id2label: { 0: 'bad', 1: 'good' } } });
const classify = (...args: string[]): string[] => ['classify', '-m', model, ...args];

test.after(() => files.remove());

/** What the library says of the same, as JSON has it. */
async function library(input: ClassifyInput, options: object = {}): Promise<object> {
  using opened = await open(model);
  const { spikeCounts: _, ...rest } = await opened.classify(input, options);
  return JSON.parse(JSON.stringify(rest)) as object;
}

const said = (
  { ms: _ms, loadMs: _load, memory: _memory, model: _model, ...rest }: Ran & Record<string, unknown>,
): object => rest;

test('a text, a pair and ids give what the library gives, with every option', async () => {
  const cases: readonly (readonly [string[], ClassifyInput, object?])[] = [
    [['--text', 'a good film'], 'a good film'],
    [['--text', 'a good film', '--pair', 'not bad'], ['a good film', 'not bad']],
    [['--text', 'the world', '--steps', '20', '--v-th', '0.7', '--leak', '0.9', '--v-init', '0.3'], 'the world', {
      steps: 20,
      threshold: 0.7,
      leak: 0.9,
      initial: 0.3,
    }],
    [['--text', 'hello world', '--steps', '40', '--early-exit', '0', '--exit-every', '4'], 'hello world', {
      steps: 40,
      earlyExit: { margin: 0, every: 4 },
    }],
    [['--text', 'a bad film', '--rate'], 'a bad film', { rate: true }],
    [['--text', 'good '.repeat(300), '--max-length', '32'], 'good '.repeat(300), { maxLength: 32 }],
    [['--ids', '2,20,30,3,40,3', '--type-ids', '0,0,0,0,1,1'], {
      ids: [2, 20, 30, 3, 40, 3],
      typeIds: [0, 0, 0, 0, 1, 1],
    }],
    [['--ids', '2,20,3,0,0', '--mask', '1,1,1,0,0'], { ids: [2, 20, 3, 0, 0], mask: [1, 1, 1, 0, 0] }],
  ];
  const ran = await Promise.all(cases.map(([args]) => jsonHere<Ran & Record<string, unknown>>(classify(...args))));
  for (const [i, [args, input, options]] of cases.entries()) {
    assert.equal(said(ran[i]), await library(input, options), args.join(' '));
  }
  assert.ok(ran.every(({ ms, model: path }) => ms > 0 && path === model));
  assert.equal([ran[3].steps < 40, ran[4].steps, ran[4].spikes, ran[5].tokens], [true, 0, null, 32]);
  assert.match(String(ran[0].label), /^(good|bad)$/);
  // padding changes no answer
  const bare = await jsonHere<Ran>(classify('--ids', '2,20,3'));
  assert.equal([bare.logits, bare.scores], [ran[7].logits, ran[7].scores]);
});

test('spike counts are told on request, a row for each token', async () => {
  const { spikeCounts, spikes, tokens, steps } = await json<Ran>(classify('--ids', '2,20,3', '--spike-counts'));
  assert.equal([spikeCounts!.length, spikeCounts![0].length, spikeCounts![0][0].length], [7, tokens, 16]);
  assert.is(spikeCounts![5][0].length, 32);
  const all = spikeCounts!.flat(2);
  assert.ok(all.every((count) => Number.isInteger(count) && count >= 0 && count <= steps));
  assert.is(all.reduce((a, b) => a + b, 0), spikes!.spikes);
});

test('classes are printed with their scores, the likeliest first, and what it took on stderr', async () => {
  const ran = await ternspike(classify('--text', 'a good film'));
  assert.is(ran.code, 0, ran.stderr);
  const rows = ran.stdout.trimEnd().split('\n').map((line) => line.split('\t'));
  assert.equal(rows.map(([label]) => label).sort(), ['bad', 'good']);
  assert.ok(Number(rows[0][1]) >= Number(rows[1][1]));
  assert.ok(Math.abs(Number(rows[0][1]) + Number(rows[1][1]) - 1) < 2e-4);
  assert.match(ran.stderr, /^5 tokens, 8 steps, \d+ ms; \d+ spikes, firing rate .* %, .* µJ .*\n$/);
});

test('a file is classified line by line, or stdin', async () => {
  const text = '\ufeffa good film\r\n\nnot bad\thello world\nthe "world"';
  const path = files.file('lines.txt', text);
  interface Lines {
    results: (Ran & { line: number; totalSpikes: number; microjoules: number })[];
    complete: boolean;
    labels: string[];
  }
  const [ran, piped, printed] = await Promise.all([
    jsonHere<Lines>(classify('--file', path)),
    json<Lines>(classify('-f', '-'), { input: text }),
    here(classify('-f', path)),
  ]);
  assert.equal([ran.complete, ran.labels], [true, ['bad', 'good']]);
  assert.equal(ran.results.map(({ line }) => line), [1, 3, 4]);
  assert.equal(piped.results.map(({ logits }) => logits), ran.results.map(({ logits }) => logits));
  const inputs: ClassifyInput[] = ['a good film', ['not bad', 'hello world'], 'the "world"'];
  for (const [i, input] of inputs.entries()) {
    const expected = await library(input) as Classification;
    const { logits, label, totalSpikes, microjoules } = ran.results[i];
    assert.equal([logits, label, totalSpikes], [expected.logits, expected.label, expected.spikes!.spikes]);
    assert.ok(Math.abs(microjoules / expected.spikes!.energy.compute.effective - 1) < 1e-5);
  }
  const row = (i: number, shown: string): string => {
    const { label, labelId, scores } = ran.results[i];
    return `${label}\t${scores[labelId!].toFixed(4)}\t${shown}\n`;
  };
  assert.is(printed.stdout, row(0, 'a good film') + row(1, 'not bad hello world') + row(2, 'the "world"'));
  const tabs = files.file('tabs.txt', 'good\nbad\tbad\tbad\n');
  refused(await here(classify('-f', tabs, '--json')), 1, 'DATASET_LINE', 'line 2', '2 tabs');
});

test('what is no input, no option or no classifier is refused', async () => {
  const speaking = files.file('speaking.gguf', speakingModel());
  const cases: readonly (readonly [number, string[], ...string[]])[] = [
    [2, classify('--ids', '2,4,3', '--mask', '1,0,1'), 'mask', 'ones and then zeros'],
    [2, classify('--text', 'a', '--leak', '1.5'), 'leak is 1.5', '0 … 1'],
    [2, classify('--text', 'a', '--v-th', '0'), '--v-th is 0'],
    [2, classify('--text', 'a', '--steps', '10001'), 'steps is 10001'],
    [1, classify('--ids', '2,999,3'), 'TOKEN', '999'],
    [1, classify('--ids', '2,3', '--type-ids', '0,2'), 'TOKEN', 'segment 2'],
    [1, classify('--text', 'good '.repeat(300)), 'CONTEXT_OVERFLOW', '256'],
    [1, classify('--file', join(files.path, 'nowhere.txt')), 'IO', 'nowhere.txt'],
    [1, ['classify', '-m', speaking, '--text', 'hello'], 'ARCHITECTURE', 'llama models do not classify'],
  ];
  const ran = await Promise.all(cases.map(([, args]) => here(args)));
  cases.forEach(([code, , ...words], i) => refused(ran[i], code, ...words));
});

for (const name of CASES) {
  sharedTest(
    test,
    `${name}: the logits and spikes of the public definition`,
    caseFile(name, 'reference.json'),
    async (file) => {
      const expected = readJson<SpikingBertCase>(file);
      const list = (flag: string, values: readonly number[]): string[] => [`--${flag}`, values.join()];
      const { logits, spikeCounts, firingRates } = await jsonHere<Ran>([
        'classify',
        '-m',
        join(file, '..'),
        ...list('ids', expected.input_ids),
        ...list('type-ids', expected.token_type_ids),
        ...list('mask', expected.attention_mask),
        ...['--steps', String(expected.t_conv), '--v-th', String(expected.v_th), '--leak', String(expected.leaky)],
        '--spike-counts',
      ]);
      assert.equal(spikeCounts, expected.spike_counts);
      logits.forEach((logit, i) => assert.ok(Math.abs(logit - expected.logits[i]) <= 1e-5, `logit ${i}: ${logit}`));
      firingRates.forEach((rate, j) =>
        assert.ok(Math.abs(rate - expected.firing_rate[j]) < 1e-6, `layer ${j}: ${rate}`)
      );
    },
  );
}

test.run();
