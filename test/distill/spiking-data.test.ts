/** Around the trainer of spiking BERTs: order of texts, phases, vocabularies, rounding, numbers that are refused. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  describeStudent,
  neuronLayers,
  type Phase,
  taughtLayers,
} from '../../src/distill/students/spikingbert/config.ts';
import { batchOf, inBatches, SampleFeed } from '../../src/distill/students/bert/data.ts';
import { logitLoss } from '../../src/distill/students/bert/logit-loss.ts';
import {
  codesOf,
  fitRows,
  roundRows,
  roundRowsBack,
  roundTable,
} from '../../src/distill/students/spikingbert/quantise.ts';
import { Recipe } from '../../src/distill/students/spikingbert/recipe.ts';
import { samplesOf, scoreOf, spreadOver } from '../../src/distill/students/bert/texts.ts';
import { ridge } from '../../src/distill/students/spikingbert/transfer.ts';
import { studentVocabulary, usedPieces } from '../../src/distill/students/spikingbert/vocabulary.ts';
import { glueTask } from '../../src/eval/glue-tasks.ts';
import type { GgufEntry } from '../../src/container/gguf-write.ts';
import { tokenizerFromMetadata } from '../../src/tokenizer/open.ts';
import { wordPieceMetadata } from '../../src/tokenizer/wordpiece-metadata.ts';
import { refuses } from '../refusal.ts';
import { gauss, SHAPE, tinySamples } from './spiking.ts';

const test = suite('distill: spiking data');

const phases = (...given: object[]): readonly Phase[] =>
  describeStudent({ phases: given.map((phase) => ({ kind: 'rates', steps: 10, lr: 0.1, ...phase })) }, SHAPE).phases;
const OPTIONS = { batch: 4, tokens: 24, accumulate: 2, seed: 1 };
const SAMPLES = tinySamples(60, [3, 5, 8, 12]);

test('batches are of one length, and no larger than they may be', () => {
  const batches = inBatches(SAMPLES, OPTIONS);
  assert.equal(batches.flat().sort((a, b) => a - b), SAMPLES.map((_, i) => i));
  for (const members of batches) {
    const lengths = new Set(members.map((at) => SAMPLES[at].ids.length));
    assert.is(lengths.size, 1);
    assert.ok(members.length <= 4 && members.length * [...lengths][0] <= 24);
  }
  assert.is(inBatches(SAMPLES, { batch: 4, tokens: 4 })[0].length, 1, 'a text that is longer than a pass is one');
});

test('an epoch takes every text once, another phase begins another, and a state is taken up', () => {
  const recipe = new Recipe(phases({ steps: 30 }, { minTokens: 8 }));
  const feed = (): SampleFeed => new SampleFeed(SAMPLES, recipe.phases, (step) => recipe.phaseOf(step), OPTIONS);
  const drawn = async (from: SampleFeed, first: number, count: number): Promise<string[]> => {
    const all: string[] = [];
    for (let step = first; step < first + count; step++) {
      for (const { ids, labels, seed } of await from.take(step)()) all.push(`${ids} ${labels} ${seed}`);
    }
    return all;
  };
  return (async () => {
    const whole = await drawn(feed(), 0, 36);
    for (const cut of [1, 8, 29, 30, 33]) {
      const before = feed();
      await drawn(before, 0, cut);
      const after = feed();
      after.restore(JSON.parse(JSON.stringify(before.state())));
      assert.equal(await drawn(after, cut, 36 - cut), whole.slice(2 * cut), `cut at ${cut}`);
    }
    const epoch = inBatches(SAMPLES, OPTIONS).length;
    const firsts = whole.slice(0, epoch).map((line) => line.split(' ')[0]).join();
    for (const { ids } of SAMPLES) assert.ok(firsts.includes(ids.join()), 'every text is there');
    assert.ok(whole.slice(60).every((line) => line.split(' ')[0].split(',').length % 4 === 0), 'long texts alone');
    const other = new SampleFeed(SAMPLES.slice(1), recipe.phases, () => 0, OPTIONS);
    await refuses(Promise.resolve().then(() => other.restore(feed().state())), 'CHECKPOINT', 'other data');
    const none = (): SampleFeed => new SampleFeed(SAMPLES, phases({ minTokens: 13 }), () => 0, OPTIONS);
    await refuses(Promise.resolve().then(none), 'OPTION', '13 tokens');
  })();
});

test('phases follow one another, rates fall, weights go their course', () => {
  const recipe = new Recipe(
    phases(
      { steps: 10, lr: 1, warmup: 2, floor: 0.1, hidden: [1, 0] },
      { steps: 5, lr: 0.5, warmup: 1, kind: 'noise' },
      { steps: 5, lr: 0.2, warmup: 1, kind: 'spikes', timeSteps: 4 },
    ),
  );
  assert.is(recipe.steps, 20);
  assert.equal([0, 9, 10, 14, 15, 19, 25].map((step) => recipe.phaseOf(step)), [0, 0, 1, 1, 2, 2, 2]);
  // a recipe goes forward only
  const at = (step: number): ReturnType<Recipe['plan']> => new Recipe(recipe.phases).plan(step, step / 20);
  assert.is(at(0).lr, 0.5);
  assert.ok(Math.abs(at(5).lr - 0.55) < 1e-9 && at(9).lr > 0.1 && at(9).lr < 0.2);
  assert.ok(Math.abs(at(5).losses.hidden - 0.5) < 1e-9);
  assert.equal([9, 10, 11, 15].map((step) => at(step).losses.fit), [false, true, false, false]);
  assert.equal([at(15).losses.kind, at(15).losses.timeSteps], ['spikes', 4]);
  // the clock leads where it is ahead, and a run that is taken up stands where it stood
  const clock = new Recipe(recipe.phases);
  assert.is(clock.plan(1, 0.6).losses.kind, 'noise');
  assert.equal([clock.phaseOf(2), new Recipe(recipe.phases, 0.6).phaseOf(0)], [1, 1]);
});

test('a description has defaults, and refuses what it does not know', async () => {
  const { student, phases: usual } = describeStudent({}, SHAPE);
  assert.equal([student.layers, student.weights, student.steps, usual.length > 1], [3, 'ternary', 16, true]);
  const bad = (given: unknown, ...words: string[]): Promise<unknown> =>
    refuses(Promise.resolve().then(() => describeStudent(given, SHAPE)), 'OPTION', ...words);
  await bad([], 'JSON object');
  await bad({ depth: 3 }, '"depth"', 'layers');
  await bad({ layers: 4 }, 'layers is 4', 'from 1 to 3');
  await bad({ weights: 'int4' }, '"int4"', 'binary');
  await bad({ steps: 0 }, 'steps is 0');
  await bad({ phases: [] }, 'phases', '1 to 100');
  await bad({ phases: [{ kind: 'rates', steps: 5 }] }, 'phase 0 has no lr');
  await bad({ phases: [{ kind: 'dreams', steps: 5, lr: 1 }] }, 'dreams');
  await bad({ phases: [{ kind: 'rates', steps: 5, lr: 1, hidden: [1, -1] }] }, 'phase 0 hidden is -1');
  await bad({ phases: [{ kind: 'rates', steps: 5, lr: [1, 0] }] }, 'lr is [1,0]');
  await bad({ phases: [{ kind: 'rates', steps: 5, lr: 1, dropout: 0.1 }] }, '"dropout"');
  assert.equal(taughtLayers(4, 6), [1, 2, 4, 5]);
  assert.equal(taughtLayers(6, 6), [0, 1, 2, 3, 4, 5]);
  assert.is(neuronLayers({ layers: 2 })[7], '1 key');
});

test('codes, scales and their gradients', () => {
  const latent = Float32Array.of(2, -0.1, 0, -1, 0.4, 0.4, -0.4, 0.1);
  const codes = new Int8Array(8);
  codesOf('ternary', latent, 4, codes);
  assert.equal([...codes], [1, 0, 0, -1, 1, 1, -1, 0]);
  codesOf('binary', latent, 4, codes);
  assert.equal([...codes], [1, -1, 1, -1, 1, 1, -1, 1]);
  const scales = Float32Array.of(0.5, -2);
  const out = new Float32Array(8);
  for (const weights of ['ternary', 'binary'] as const) {
    codesOf(weights, latent, 4, codes);
    roundRows(weights, latent, scales, 4, out);
    assert.equal([...out].map((w) => w + 0), [...codes].map((c, i) => c * scales[i >> 2] + 0));
    const grad = gauss(8, 3);
    const given = grad.slice();
    const dscales = new Float32Array(2);
    roundRowsBack(weights, latent, scales, 4, grad, dscales);
    assert.equal([...grad], [...given].map((g, i) => Math.fround(g * scales[i >> 2])));
    const along = [0, 1].map((r) => [0, 1, 2, 3].reduce((sum, c) => sum + given[4 * r + c] * codes[4 * r + c], 0));
    assert.ok(along.every((sum, r) => Math.abs(sum - dscales[r]) < 1e-5));
  }
  const { latent: fit, scales: best } = fitRows('ternary', Float32Array.of(3, -3, 0, 3, 0, 0, 0, 0), 4);
  assert.equal([...best], [3, 0]);
  assert.ok(Math.abs([...fit.subarray(0, 4)].reduce((sum, w) => sum + Math.abs(w), 0) / 4 - 1) < 1e-6);
  const table = gauss(64, 4);
  assert.is(roundTable(table, 32, 'none'), table);
  const error = (kind: 'ternary' | 'int8'): number =>
    roundTable(table, 32, kind).reduce((max, w, i) => Math.max(max, Math.abs(w - table[i])), 0);
  assert.ok(error('int8') < 0.02 && error('ternary') > 0.1);
  assert.ok(new Set(roundTable(table, 32, 'ternary').subarray(0, 32).map(Math.abs)).size <= 2);
});

test('losses of logits: their slopes, no label, no temperature, a number', () => {
  const weights = { soft: 0.7, hard: 0.4, temperature: 2 };
  const value = (z: readonly number[], teacher: readonly number[] | null, label: number): number => {
    const { soft, hard } = logitLoss(z, teacher, label, weights);
    return weights.soft * soft + weights.hard * hard;
  };
  for (
    const [z, teacher, label] of [
      [[0.3, -1, 2], [1, 0, -1], 1],
      [[0.3, -1, 2], [1, 0, -1], NaN],
      [[0.3, -1, 2], null, 0],
      [[0.3], [1.5], -2],
      [[0.3], [1.5], NaN],
    ] as const
  ) {
    const { gradient } = logitLoss(z, teacher, label, weights);
    gradient.forEach((g, i) => {
      const at = (by: number): number => value(z.map((x, j) => x + (i === j ? by : 0)), teacher, label);
      assert.ok(Math.abs((at(1e-4) - at(-1e-4)) / 2e-4 - g) < 1e-6, `${z}, ${label}`);
    });
  }
  assert.ok(logitLoss([1, 2], [1, 2], NaN, weights).soft < 1e-12);
});

test('ridge regression finds a linear map', () => {
  const inputs = gauss(400 * 6, 1);
  const map = [[1, 0, -2, 0, 0.5, 0], [0, 3, 0, 0, 0, -1]];
  const targets = Float32Array.from({ length: 800 }, (_, i) => {
    const row = inputs.subarray(6 * (i >> 1), 6 * (i >> 1) + 6);
    return map[i & 1].reduce((sum, w, j) => sum + w * row[j], 0) + (i & 1 ? 4 : -1);
  });
  const { weight, bias } = ridge(inputs, targets, 6);
  // the ridge shortens it
  map.flat().forEach((w, i) => assert.ok(Math.abs(weight[i] * 1.3 - w) < 0.15, `${weight}`));
  assert.ok(Math.abs(bias[0] + 1) < 0.1 && Math.abs(bias[1] - 4) < 0.1);
});

const PIECES = [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  '[MASK]',
  'a',
  '##a',
  'b',
  '##b',
  'c',
  '##c',
  'ab',
  'abc',
  '##bc',
  'bad',
  '##d',
  'd',
  'cab',
  'é',
  '.',
];
const entriesOf = (): Map<string, GgufEntry> =>
  new Map([...wordPieceMetadata(PIECES.join('\n'), 'test')].map(([key, value]): [string, GgufEntry] => [key, {
    type: Array.isArray(value)
      ? (typeof value[0] === 'string' ? 'string[]' : 'int32[]')
      : typeof value === 'number'
      ? 'uint32'
      : 'string',
    value,
  }]));

test('a cut vocabulary reads texts of the pieces that stay as before', () => {
  const whole = tokenizerFromMetadata(new Map([...entriesOf()].map(([key, { value }]) => [key, value])))!;
  const texts = ['abc ab', 'bad a', 'abc.'];
  const ids = texts.map((text) => whole.encode(text));
  const { tokenizer, from, entries } = studentVocabulary(entriesOf(), usedPieces(ids, 1, PIECES.length));
  assert.ok(from.length < PIECES.length);
  texts.forEach((text, i) => assert.equal(tokenizer.encode(text).map((id) => from[id]), ids[i], text));
  // a word of a piece that is gone falls into smaller ones; a character that was never used is unknown
  assert.equal(tokenizer.encode('cab').map((id) => tokenizer.piece(id)), ['c', '##a', '##b']);
  assert.equal(tokenizer.encode('é').map((id) => tokenizer.piece(id)).includes('é'), false);
  assert.equal(tokenizer.encode('', { special: true }).map((id) => tokenizer.piece(id)), ['[CLS]', '[SEP]']);
  assert.is((entries.get('tokenizer.ggml.token_type')!.value as number[]).length, from.length);
  const often = studentVocabulary(entriesOf(), usedPieces(ids, 2, PIECES.length));
  assert.ok(often.from.length < from.length && [...often.from].includes(PIECES.indexOf('abc')));
  assert.is(studentVocabulary(entriesOf(), null).from.length, PIECES.length);
});

test('labels by their outputs, scores as GLUE has them', () => {
  const tokenizer = studentVocabulary(entriesOf(), null).tokenizer;
  const rte = glueTask('rte');
  const samples = samplesOf(
    [{ text: 'a', pair: 'b', label: 0 }, { text: 'ab', label: 1 }, { text: 'c' }],
    tokenizer,
    128,
    [1, 0],
  );
  assert.equal(samples.map(({ label }) => label), [1, 0, NaN]);
  assert.equal(samples[0].types, [0, 0, 0, 1, 1]);
  const { score, loss } = scoreOf(rte, samples, [[0, 2], [0, 2], [5, 0]], [1, 0]);
  assert.is(score, 0.5);
  assert.ok(Math.abs(loss - (Math.log1p(Math.exp(-2)) + 2 + Math.log1p(Math.exp(-2))) / 2) < 1e-9);
  const stsb = glueTask('stsb');
  const values = [1, 2, 4].map((label) => ({ ids: [0], types: [0], label }));
  assert.ok(Math.abs((scoreOf(stsb, values, [[2], [4], [8]], []).score ?? 0) - 1) < 1e-9);
  assert.equal(scoreOf(rte, samples.slice(2), [[1, 0]], [1, 0]), { loss: NaN, score: null });
  assert.equal([spreadOver([1, 2, 3], 5), spreadOver([0, 1, 2, 3, 4, 5], 3)], [[1, 2, 3], [0, 2, 4]]);
  assert.is(batchOf(samples.slice(1, 2)).texts, 1);
});

test.run();
