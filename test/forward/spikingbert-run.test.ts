/**
 * The run of a spiking BERT over random weights of every layout: spike by spike what the plain step-major definition gives,
 * however the steps are cut, in both builds.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { rateSpikingBert } from '../../src/architectures/spikingbert/rate.ts';
import { SpikingBertRun } from '../../src/architectures/spikingbert/run.ts';
import { layerFeatures, runSize, spikingBertRunBytes } from '../../src/architectures/spikingbert/plan.ts';
import { Arena } from '../../src/wasm/arena.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import type { Kernels } from '../../src/wasm/kernels.ts';
import { builds, sameBits } from '../kernels/harness.ts';
import { equilibrium, runSpikingBert } from '../reference-spikingbert.ts';
import { type RandomShape, randomSpikingBert, SPIKE_LAYOUTS, type SpikeLayout } from '../spikingbert-random.ts';

const SHAPES: readonly RandomShape[] = [
  { layers: 2, width: 48, hidden: 96, heads: 4 },
  { layers: 1, width: 130, hidden: 200, heads: 10 },
];
const IDS = Array.from({ length: 40 }, (_, i) => (i * 17 + 3) % 50);
const TYPES = IDS.map((_, i) => Number(i > 4));

interface Case {
  readonly layout: SpikeLayout;
  readonly shape: RandomShape;
  readonly tokens: number;
  readonly visible: number;
  readonly steps: number;
  readonly threshold: number;
  readonly leak: number;
  readonly initial?: number;
}

/** Every layout; texts of one token, with padding, of more vectors than a chunk holds; leaks and thresholds. */
const CASES: readonly Case[] = SPIKE_LAYOUTS.flatMap((layout, i) => [
  { layout, shape: SHAPES[0], tokens: 9, visible: 9, steps: 12, threshold: 1, leak: 1 },
  { layout, shape: SHAPES[1], tokens: 5 + i, visible: 4, steps: 7, threshold: 0.5, leak: 0.9 },
  { layout, shape: SHAPES[0], tokens: 1, visible: 1, steps: 20, threshold: 1.5, leak: 1 },
  { layout, shape: SHAPES[0], tokens: 6, visible: 6, steps: 8, threshold: 1, leak: 1, initial: i % 2 ? -0.7 : 0.5 },
]);
const LONG: Case = { layout: 'trit2', shape: SHAPES[0], tokens: 40, visible: 40, steps: 15, threshold: 1, leak: 1 };

interface Outcome {
  readonly counts: readonly Uint16Array[];
  readonly stepSpikes: Float64Array;
  readonly logits: readonly Float32Array[];
}

/** Runs a case in pieces. */
function run(k: Kernels, arena: Arena, c: Case, pieces: Iterable<number>): Outcome {
  const { m } = randomSpikingBert(k, arena, c.layout, c.shape, 5);
  const { tokens, ...numbers } = c;
  const run = new SpikingBertRun(m, IDS.slice(0, tokens), TYPES.slice(0, tokens), numbers);
  const logits: Float32Array[] = [];
  for (const piece of pieces) {
    run.advance(piece);
    for (let t = logits.length; t < run.done; t++) logits.push(run.logits(t + 1));
  }
  assert.is(run.done, c.steps);
  const counts = Array.from({ length: 6 * c.shape.layers + 1 }, (_, j) => run.counts(j));
  return { counts, stepSpikes: run.stepSpikes.slice(), logits };
}

const same = (a: Outcome, b: Outcome, what: string): void => {
  a.counts.forEach((counts, j) => assert.equal(counts, b.counts[j], `${what}, layer ${j}`));
  assert.equal(a.stepSpikes, b.stepSpikes, what);
  a.logits.forEach((row, t) => sameBits(row, b.logits[t], `${what}, step ${t}`));
};

const expected = (c: Case, arena: Arena, k: Kernels): ReturnType<typeof runSpikingBert> => {
  const { weights } = randomSpikingBert(k, arena, c.layout, c.shape, 5);
  const { steps, threshold, leak, initial } = c;
  const config = { ...c.shape, steps, threshold, leak, initial };
  return runSpikingBert(weights, config, IDS.slice(0, c.tokens), TYPES.slice(0, c.tokens), c.visible);
};

const test = suite('run of a spiking BERT');
const modules = await Promise.all(builds.map(async (build) => (await builtinModule(build)).module));
/** Kernels over a memory of their own. */
const fresh = (i: number): [Kernels, Arena] => {
  const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
  return [instantiate(modules[i], arena.memory), arena];
};

test('spikes of every neuron are those of the plain definition, in both builds', () => {
  for (const c of [...CASES, LONG]) {
    const truth = expected(c, ...(fresh(0).reverse() as [Arena, Kernels]));
    const what = `${c.layout}, ${c.tokens} tokens, ${c.steps} steps`;
    const outcomes = builds.map((_, i) => run(...fresh(i), c, [c.steps]));
    for (const [i, outcome] of outcomes.entries()) {
      outcome.counts.forEach((counts, j) => {
        assert.equal(Array.from(counts), Array.from(truth.counts[j]), `${what}, layer ${j}, ${builds[i]}`);
      });
      assert.equal(Array.from(outcome.stepSpikes), truth.stepSpikes.flat(), what);
      outcome.logits.forEach((row, t) =>
        row.forEach((logit, n) => assert.ok(Math.abs(logit - truth.stepLogits[t][n]) < 1e-5, `${what}, step ${t}`))
      );
      same(outcome, outcomes[0], what);
    }
    // a network that is silent, or fires always, would prove little
    const rate = truth.counts[0].reduce((a, b) => a + b, 0) / (truth.counts[0].length * c.steps);
    assert.ok(rate > 0.02 && rate < 0.9, `${what}: ${rate}`);
  }
});

test('layer by layer is step by step, however the steps are cut', () => {
  const cuts: [Case, number[]][] = [
    ...CASES.slice(0, 4).map((c): [Case, number[]] => [c, [1, c.steps - 3, 2]]),
    [LONG, [1, 5, 9]],
    [LONG, [14, 1]],
  ];
  for (const [c, pieces] of cuts) {
    const whole = run(...fresh(0), c, [c.steps]);
    same(run(...fresh(0), c, new Array(c.steps).fill(1)), whole, `${c.layout}, one by one`);
    same(run(...fresh(0), c, pieces), whole, `${c.layout}, ${pieces}`);
  }
});

test('padding is run, and seen by nobody', () => {
  const [padded, bare] = [7, 4].map((tokens) => run(...fresh(0), { ...CASES[0], tokens, visible: 4 }, [12]));
  padded.counts.forEach((counts, j) => assert.equal(counts.subarray(0, bare.counts[j].length), bare.counts[j]));
});

test('a run gives its memory back, and the next begins at rest', () => {
  const [k, arena] = fresh(0);
  const { m } = randomSpikingBert(k, arena, 'trit2', SHAPES[0], 5);
  const used = arena.used;
  const once = (): Float32Array => {
    const run = new SpikingBertRun(m, IDS, TYPES, { steps: 9, threshold: 1, leak: 1 });
    assert.is(arena.used - used, spikingBertRunBytes(m.d, IDS.length, 9));
    run.advance(9);
    const logits = run.logits();
    sameBits(run.logits(3), run.logits(3));
    run.free();
    assert.is(arena.used, used);
    return logits;
  };
  sameBits(once(), once());
});

test('chunks: as many steps as their buffers allow, at least one', () => {
  const [k, arena] = fresh(0);
  const { d } = randomSpikingBert(k, arena, 'trit2', SHAPES[0], 5).m;
  assert.is(runSize(d, 9, 16).chunk, 16);
  assert.is(runSize(d, 32, 10_000).chunk, 16);
  assert.is(runSize(d, 513, 10_000).chunk, 1);
  assert.is(runSize({ ...d, hidden: 1 << 17 }, 64, 100).chunk, 1);
  // scratch does not grow with the steps
  assert.is(spikingBertRunBytes(d, 32, 10_000), spikingBertRunBytes(d, 32, 16));
  assert.is(layerFeatures(d, 5), d.hidden);
  assert.is(layerFeatures(d, 6), d.width);
});

test('rates of the equilibrium: exact for floats and int8, close for codes', () => {
  for (const layout of SPIKE_LAYOUTS) {
    for (const shape of SHAPES) {
      const { m, weights } = randomSpikingBert(...fresh(0), layout, shape, 5);
      const [ids, types] = [IDS.slice(0, 7), TYPES.slice(0, 7)];
      const truth = equilibrium(weights, { ...shape, steps: 1, threshold: 1, leak: 1 }, ids, types, 6);
      const { rates, logits } = rateSpikingBert(m, ids, types, { threshold: 1, visible: 6 });
      const bound = layout === 'f32' || layout === 'i8' ? 1e-5 : 0.15;
      rates.forEach((layer, j) => {
        const wanted = truth.rates[j].flatMap((row) => Array.from(row));
        assert.is(layer.length, wanted.length);
        layer.forEach((rate, i) => assert.ok(Math.abs(rate - wanted[i]) < bound, `${layout}, layer ${j}: ${rate}`));
      });
      logits.forEach((logit, i) => assert.ok(Math.abs(logit - truth.logits[i]) < 4 * bound, `${layout}: ${logit}`));
    }
  }
});
test.run();
