/** What `classify` takes and answers: texts and pairs, steps as they come, early exits, accounts, refusals. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type ClassifyInput,
  type ClassifyOptions,
  type ClassifyStep,
  type Model,
  open,
} from '../../src/entries/index.ts';
import { encodeSegments } from '../../src/tokenizer/bert-pair.ts';
import { openTokenizer } from '../../src/tokenizer/open.ts';
import { runSpikingBert } from '../reference-spikingbert.ts';
import { refuses } from '../refusal.ts';
import {
  checkpointBytes,
  type Config,
  randomWeights,
  referenceConfig,
  SMALL,
  VOCABULARY,
  type Weights,
} from '../spikingbert-files.ts';

const test = suite('classify');
const BYTES = new TextEncoder().encode(VOCABULARY.join('\n'));
const id = (piece: string): number => VOCABULARY.indexOf(piece);

const openSmall = (
  classes = 2,
  config: object = {},
  weights: Weights = randomWeights(SMALL, classes),
): Promise<Model> => open(checkpointBytes(weights), { config: { ...SMALL, ...config }, tokenizer: BYTES });

test('a text and a pair are framed as the public code frames them', async () => {
  using model = await openSmall();
  const [cls, sep] = [id('[CLS]'), id('[SEP]')];
  const text = await model.classify('Good film.', { counts: true });
  const ids = [cls, id('good'), id('film'), id('.'), sep];
  assert.equal(text, await model.classify({ ids }, { counts: true }));
  assert.equal(text, await model.classify({ ids, typeIds: [0, 0, 0, 0, 0], mask: [1, 1, 1, 1, 1] }, { counts: true }));
  assert.is(text.tokens, 5);
  // special tokens in a text are text
  assert.is((await model.classify('[SEP]')).tokens, 5);

  const pair = await model.classify(['not bad', 'the film']);
  const both = [cls, id('not'), id('bad'), sep, id('the'), id('film'), sep];
  assert.equal(pair, await model.classify({ ids: both, typeIds: [0, 0, 0, 0, 1, 1, 1] }));
  assert.not.equal(pair.logits, (await model.classify({ ids: both })).logits);
  // an empty second text is none
  assert.equal(await model.classify(['not bad', '']), await model.classify('not bad'));
});

test('pairs are cut from the longer text, and from the second where both are equally long', () => {
  const tokenizer = openTokenizer(BYTES, 'vocab.txt');
  const cut = (a: number, b: number | undefined, most: number): [number, number] => {
    const text = (n: number): string => Array.from({ length: n }, () => 'film').join(' ');
    const { ids, typeIds } = encodeSegments(tokenizer, text(a), b === undefined ? undefined : text(b), most);
    assert.ok(ids.length <= most && typeIds.length === ids.length);
    const first = typeIds.indexOf(1) < 0 ? ids.length : typeIds.indexOf(1);
    assert.is(ids[0], id('[CLS]'));
    assert.is(ids[first - 1], id('[SEP]'));
    return [first - 2, Math.max(0, ids.length - first - 1)];
  };
  assert.equal(cut(9, undefined, 20), [9, 0]);
  assert.equal(cut(9, undefined, 8), [6, 0]);
  assert.equal(cut(9, 4, 16), [9, 4]);
  assert.equal(cut(9, 4, 12), [5, 4]);
  assert.equal(cut(9, 4, 10), [4, 3]);
  assert.equal(cut(4, 9, 11), [4, 4]);
  assert.equal(cut(1, 1, 4), [1, 0]);
  assert.equal(cut(2, 9, 5), [1, 1]);
});

test('scores are the softmax of the logits, labels those of the model, and a regression has none', async () => {
  using three = await openSmall(3, { id2label: { 0: 'bad', 1: 'dull', 2: 'good' } });
  const { label, labelId, logits, scores } = await three.classify('the film was good');
  assert.is(labelId, logits.indexOf(Math.max(...logits)));
  assert.is(label, ['bad', 'dull', 'good'][labelId!]);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
  scores.forEach((score, i) => assert.ok(Math.abs(score - Math.exp(logits[i]) / total) < 1e-6, `score ${i}: ${score}`));

  using one = await openSmall(1);
  const value = await one.classify('the film was good');
  assert.equal([value.label, value.labelId, value.scores], [null, null, value.logits]);
});

test('labels of the tasks', async () => {
  const labels = async (classes: number, config: object): Promise<unknown> => {
    using model = await openSmall(classes, config);
    return (model.describe() as { labels?: unknown }).labels;
  };
  assert.equal(await labels(3, { finetuning_task: 'MNLI' }), ['contradiction', 'entailment', 'neutral']);
  assert.equal(await labels(2, { finetuning_task: 'qnli' }), ['entailment', 'not_entailment']);
  assert.equal(await labels(2, { finetuning_task: 'RTE' }), ['entailment', 'not_entailment']);
  assert.equal(await labels(2, { finetuning_task: 'SST-2' }), ['0', '1']);
  assert.equal(await labels(4, { finetuning_task: 'mnli' }), ['0', '1', '2', '3']);
  assert.equal(await labels(1, { finetuning_task: 'sts-b' }), []);
  await refuses(openSmall(2, { labels: ['a', 'b', 'c'] }), 'DESCRIPTION_MISMATCH', '3 names', '2 outputs');
});

test('the account of a text counts what its spikes took', async () => {
  const weights = randomWeights();
  using model = await openSmall(2, {}, weights);
  const ids = [2, 8, 40, 41, 3];
  const { spikes, firingRates, spikeCounts, steps } = await model.classify({ ids }, { counts: true });
  const c = referenceConfig(SMALL);
  const run = runSpikingBert((name) => weights.get(name)!.data, c, ids, [0, 0, 0, 0, 0]);
  const fired = run.counts.map((counts) => counts.reduce((a, b) => a + b, 0));
  assert.ok(spikes && spikes.layers.length === 13);
  assert.equal(spikes.layers.map((layer) => layer.spikes), fired);
  assert.equal(spikeCounts!.map((counts) => counts.reduce((a, b) => a + b, 0)), fired);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const { width, hidden } = c;
  const instants = ids.length * steps;
  const neurons = width + 2 * (5 * width + hidden);
  assert.equal([spikes.tokens, spikes.steps, spikes.neurons, spikes.spikes], [5, 10, neurons, sum(fired)]);
  assert.is(spikes.firingRate, sum(fired) / (neurons * instants));
  spikes.layers.forEach(({ firingRate, activationSparsity }, j) => {
    assert.is(firingRate, firingRates[j]);
    assert.is(activationSparsity, 1 - firingRate);
  });
  let [acs, attention] = [0, 0];
  for (const b of [0, 6]) {
    acs += 3 * fired[b] * width + fired[b + 3] * width + fired[b + 4] * hidden + fired[b + 5] * width;
    attention += (fired[b + 1] + fired[b + 2]) * ids.length;
  }
  const dense = 2 * instants * (4 * width * width + 2 * width * hidden);
  assert.equal(spikes.synapticOperations, {
    effectiveAcs: acs,
    effectiveMacs: 2 * width,
    denseAcs: dense,
    denseMacs: 2 * width,
  });
  assert.equal(sum(spikes.layers.map((layer) => layer.synapticOperations.effectiveAcs)), acs);
  assert.equal(spikes.attention, { effectiveAcs: attention, denseAcs: 4 * instants * ids.length * width });
  assert.equal(spikes.neuronUpdates, {
    dense: neurons * instants,
    effective: sum(fired),
    membranes: neurons * instants,
  });
  const { compute, memory } = spikes.energy;
  const head = 2 * width * 4.6;
  assert.ok(Math.abs(compute.effective - ((acs + attention) * 0.9 + head) / 1e6) < 1e-9);
  assert.ok(Math.abs(compute.dense - ((dense + 4 * instants * ids.length * width) * 0.9 + head) / 1e6) < 1e-9);
  const once = dense / steps + 4 * ids.length * ids.length * width;
  assert.ok(Math.abs(compute.ann - (once * 4.6 + head) / 1e6) < 1e-9);
  assert.ok(Math.abs(memory - (spikes.weightBytes * 162.5) / 1e6) < 1e-9);
  assert.ok(spikes.weightBytes >= 4 * 2 * (4 * width * width + 2 * width * hidden));
});

test('an early exit ends where its rule says', async () => {
  using model = await openSmall();
  for (const input of ['the film was good', 'bad', ['very dull', 'not funny']] as const) {
    const seen: ClassifyStep[] = [];
    await model.classify(input, { steps: 60, onStep: (step) => void seen.push(step) });
    for (const [margin, every] of [[0, 8], [0.05, 8], [0.2, 5], [0.02, 1], [100, 8]] as const) {
      let expected = 60;
      for (let t = 2 * every; t < 60; t += every) {
        const looks = [seen[t - every - 1], seen[t - 1]].map(({ logits: [a, b] }) => [a >= b ? 0 : 1, Math.abs(a - b)]);
        if (looks[0][0] !== looks[1][0] || looks.some(([, lead]) => lead < margin)) continue;
        expected = t;
        break;
      }
      const { steps, logits } = await model.classify(input, { steps: 60, earlyExit: { margin, every } });
      assert.is(steps, expected, `${String(input)}, margin ${margin}, every ${every}`);
      assert.equal(logits, seen[steps - 1].logits);
    }
  }
  using value = await openSmall(1);
  const moves: number[] = [];
  await value.classify('bad', { steps: 60, onStep: ({ logits }) => void moves.push(logits[0]) });
  const at = [16, 24, 32, 40, 48, 56].find((t) => Math.abs(moves[t - 1] - moves[t - 9]) <= 0.01) ?? 60;
  assert.is((await value.classify('bad', { steps: 60, earlyExit: { margin: 0.01 } })).steps, at);
});

test('calls wait for each other, streams keep their order, and an abort ends one call alone', async () => {
  using model = await openSmall();
  const inputs: ClassifyInput[] = ['good', ['bad', 'film'], { ids: [2, 9, 3] }, 'the world'];
  const alone = [];
  for (const input of inputs) alone.push(await model.classify(input));
  assert.equal(await Promise.all(inputs.map((input) => model.classify(input))), alone);
  const streamed = [];
  for await (const result of model.classifyAll(inputs)) streamed.push(result);
  assert.equal(streamed, alone);

  const stop = new AbortController();
  const long = model.classify('the film', { steps: 10_000, signal: stop.signal, onStep: () => stop.abort() });
  const next = model.classify('good');
  await assertRejects(long, 'AbortError');
  assert.equal(await next, alone[0]);
  await assertRejects(model.classify('good', { signal: AbortSignal.abort() }), 'AbortError');
  // what a listener throws ends the call, and nothing else
  const failing = {
    onStep: (): void => {
      throw new RangeError('drawn too far');
    },
  };
  await assertRejects(model.classify('good', failing), 'RangeError');
  assert.equal(await model.classify('good'), alone[0]);
  const used = model.stats().memoryBytes;
  for (let i = 0; i < 5; i++) await model.classify('the film was good', { counts: true });
  assert.is(model.stats().memoryBytes, used);
});

async function assertRejects(work: Promise<unknown>, name: string): Promise<void> {
  const error = await work.then(() => null, (caught: unknown) => caught as Error);
  assert.is(error?.name, name);
}

test('options and inputs out of range are refused', async () => {
  using model = await openSmall();
  const bad = (options: object, ...words: string[]): Promise<unknown> =>
    refuses(model.classify('good', options as ClassifyOptions), 'OPTION', ...words);
  await bad({ steps: 0 }, 'steps is 0', '1 … 10000');
  await bad({ steps: 10_001 }, 'steps is 10001');
  await bad({ steps: 1.5 }, 'steps is 1.5');
  await bad({ threshold: 0 }, 'threshold is 0');
  await bad({ threshold: NaN }, 'threshold');
  await bad({ leak: 1.1 }, 'leak is 1.1');
  await bad({ leak: -0.1 }, 'leak');
  await bad({ initial: NaN }, 'initial is NaN');
  await bad({ initial: -2e6 }, 'initial is -2000000');
  await bad({ earlyExit: { margin: -1 } }, 'margin');
  await bad({ earlyExit: { margin: 1, every: 0 } }, 'every');
  await bad({ rate: true, counts: true }, 'rate');
  await bad({ maxLength: 2 }, 'maxLength is 2');
  await bad({ maxLength: 25 }, '25', '24 positions');

  const input = (value: unknown): Promise<unknown> => model.classify(value as ClassifyInput);
  await refuses(input(7), 'OPTION', 'input');
  await refuses(input(null), 'OPTION', 'input');
  await refuses(input(['a', 'b', 'c']), 'OPTION', 'classifyAll');
  await refuses(input([1, 2]), 'OPTION', 'pair');
  await refuses(input({ ids: [] }), 'OPTION', 'ids');
  await refuses(input({ ids: [2, 3], typeIds: [0] }), 'OPTION', 'typeIds');
  await refuses(input({ ids: [2, 3], mask: [1] }), 'OPTION', 'mask');
  await refuses(input({ ids: [2, 3], mask: [0, 1] }), 'OPTION', 'mask');
  await refuses(input({ ids: [2, 3], mask: [0, 0] }), 'OPTION', 'mask');
  await refuses(input({ ids: [2, 60] }), 'TOKEN', 'id 60 at 1', '0 … 59');
  await refuses(input({ ids: [2, -1] }), 'TOKEN', '-1');
  await refuses(input({ ids: [2, 3], typeIds: [0, 2] }), 'TOKEN', 'segment 2');
  await refuses(input({ ids: Array.from({ length: 25 }, () => 2) }), 'CONTEXT_OVERFLOW', '25 tokens', '24 positions');
  const long = Array.from({ length: 40 }, () => 'film').join(' ');
  await refuses(model.classify(long), 'CONTEXT_OVERFLOW', '42 tokens', 'maxLength');
  assert.is((await model.classify(long, { maxLength: 24 })).tokens, 24);

  using bare = await open(checkpointBytes(randomWeights()), { config: SMALL });
  await refuses(bare.classify('good'), 'TOKENIZER_MISSING', 'vocab.txt');
  assert.is((await bare.classify({ ids: [2, 3] })).tokens, 2);
});

test('a classifier does not generate, and after its end nothing runs', async () => {
  const model = await openSmall();
  await refuses(model.generate('good').next(), 'ARCHITECTURE', 'model.classify');
  await refuses(model.logits([1]), 'ARCHITECTURE');
  assert.throws(() => model.session(), /ARCHITECTURE/);
  assert.is(model.stats().spikes, undefined);
  const [running, waiting] = [model.classify('good', { steps: 10_000 }), model.classify('bad')];
  model.dispose();
  await refuses(running, 'DISPOSED');
  await refuses(waiting, 'DISPOSED');
  assert.throws(() => model.classify('good'), /DISPOSED/);
});

test('weights that overflow are refused', async () => {
  const weights = randomWeights();
  weights.set('classification.weight', { shape: [2, 40], data: new Float32Array(80).fill(3e38) });
  using model = await openSmall(2, {}, weights);
  await refuses(model.classify('the film was good'), 'NOT_FINITE');
});

test('a model of one encoder, one head and one feature for each runs', async () => {
  const config: Config = {
    ...SMALL,
    hidden_size: 1,
    num_hidden_layers: 1,
    num_attention_heads: 1,
    intermediate_size: 1,
    t_conv: 4,
  };
  const weights = randomWeights(config);
  using model = await open(checkpointBytes(weights), { config });
  const ids = [2, 5, 3];
  const { spikeCounts, logits } = await model.classify({ ids }, { counts: true });
  const run = runSpikingBert((name) => weights.get(name)!.data, referenceConfig(config), ids, [0, 0, 0]);
  spikeCounts!.forEach((counts, j) => assert.equal(Array.from(counts), Array.from(run.counts[j]), `layer ${j}`));
  logits.forEach((logit, i) => assert.ok(Math.abs(logit - run.logits[i]) < 1e-6));
});
test.run();
