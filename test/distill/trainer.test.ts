/** The trainer as a whole: it learns, every option does what it says, and it goes on to the same bits. */
import { existsSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createTrainer, type TrainerOptions } from '../../src/distill/students/symboliclight/trainer.ts';
import type {
  Batch,
  LossWeights,
  StudentConfig,
  Trainer,
  TrainerState,
} from '../../src/distill/students/symboliclight/types.ts';
import type { TernspikeError } from '../../src/errors.ts';
import { countingBatch, HARD, jaxTest, TINY, uniforms } from './student.ts';

const test = suite('distill: trainer');

const LENGTH = 15;
const batches = Array.from({ length: 4 }, (_, i) => countingBatch(i + 1, 2, LENGTH, TINY.vocab));
const taught: Batch = { ...batches[0], teacherLogits: uniforms(1, 2 * LENGTH * TINY.vocab).map((v) => 4 * v) };

async function using<T>(
  config: Partial<StudentConfig>,
  options: TrainerOptions,
  use: (trainer: Trainer) => Promise<T>,
): Promise<T> {
  const trainer = await createTrainer({ ...TINY, ...config }, options);
  try {
    return await use(trainer);
  } finally {
    trainer.dispose();
  }
}

/** One trainer of `TINY` for all tests that ask for nothing else: compiling takes longer than all their steps. */
let common: { readonly trainer: Trainer; readonly first: TrainerState } | undefined;
async function fresh(): Promise<Trainer> {
  if (!common) {
    const trainer = await createTrainer(TINY, { seed: 1 });
    common = { trainer, first: await trainer.save() };
  }
  await common.trainer.load(common.first);
  return common.trainer;
}
test.after(() => common?.trainer.dispose());

/** The state as text: equal for equal bits. */
async function bits(trainer: Trainer): Promise<string> {
  const { step, tensors } = await trainer.save();
  const sums = [...tensors].map(([key, { data }]) => {
    let hash = 0;
    for (const word of new Uint32Array(data.buffer, data.byteOffset, data.length)) {
      hash = Math.imul(hash ^ word, 16777619);
    }
    return `${key} ${hash}`;
  });
  return [step, ...sums].join('\n');
}

async function refused(work: Promise<unknown>, code: string, ...words: string[]): Promise<void> {
  const error = await work.then(() => null, (thrown: TernspikeError) => thrown);
  assert.is(error?.code, code);
  for (const word of words) assert.ok(error?.message.includes(word), `${error?.message} names ${word}`);
}

jaxTest(test, 'a student learns to count, by hard labels', async () => {
  const trainer = await fresh();
  const held = countingBatch(99, 2, LENGTH, TINY.vocab);
  const before = (await trainer.evaluate(held)).loss;
  const quarters = [0, 0, 0, 0];
  for (let i = 0; i < 200; i++) {
    const report = await trainer.step([countingBatch(100 + i, 2, LENGTH, TINY.vocab)], 4e-3, HARD);
    assert.is(report.loss, report.hard);
    quarters[Math.floor(i / 50)] += report.loss / 50;
  }
  const { loss, firingRates } = await trainer.evaluate(held);
  assert.ok(quarters.every((mean, n) => n === 0 || mean < quarters[n - 1]), `falls: ${quarters}`);
  assert.ok(loss < 0.5 * before, `${before} to ${loss} on unseen rows`);
  assert.is(firingRates.length, 1 + 3 * TINY.layers);
  assert.ok(firingRates.every((rate) => rate > 0 && rate < 0.5), `${firingRates}`);
});

jaxTest(test, 'a run that is cut off goes on to the same bits, on any number of threads', async () => {
  const pairs = [{ student: 0, teacher: 3 }];
  const losses: LossWeights = { ...HARD, alpha: 0.5, temperature: 2, hidden: 0.5, hiddenPairs: pairs };
  const full = batches.map((batch, i) => ({
    ...batch,
    teacherLogits: uniforms(i, 2 * LENGTH * TINY.vocab),
    teacherHidden: [uniforms(i + 50, 2 * LENGTH * 20)],
  }));
  const whole = await fresh();
  await whole.step([full[0], full[1]], 1e-3, losses);
  const middle = await whole.save();
  const second = await whole.step([full[2], full[3]], 1e-3, losses);
  assert.ok(second.hidden > 0 && second.soft > 0 && second.hard > 0);
  assert.ok([...middle.tensors.keys()].includes('adam.v.projection.0'));
  const end = await bits(whole);

  await using({}, { seed: 8 }, async (resumed) => {
    await resumed.load(middle);
    assert.equal(await resumed.step([full[2], full[3]], 1e-3, losses), second);
    assert.is(await bits(resumed), end);
  });
  const worker = new URL('../../src/distill/gradient-worker.js', import.meta.url);
  if (!existsSync(worker)) {
    return console.log('  skipped: threads (gradient-worker.js is not compiled beside the test)');
  }
  await using({}, { seed: 1, threads: 2, worker }, async (threaded) => {
    await threaded.step([full[0], full[1]], 1e-3, losses);
    assert.equal(await threaded.step([full[2], full[3]], 1e-3, losses), second);
    assert.is(await bits(threaded), end);
  });
});

jaxTest(test, 'the seed decides the first weights', async () => {
  const first = (seed: number): Promise<string> => using({}, { seed }, bits);
  assert.is(await first(3), await first(3));
  assert.is.not(await first(3), await first(4));
});

jaxTest(test, 'accumulated gradients are those of one batch with all rows', async () => {
  const ids = Int32Array.from([...batches[0].ids, ...batches[1].ids]);
  const both: Batch = { batch: 4, length: LENGTH, ids };
  const norm = async (given: Batch[]): Promise<number> => (await (await fresh()).step(given, 1e-3, HARD)).gradientNorm;
  const [apart, together] = [await norm([batches[0], batches[1]]), await norm([both])];
  assert.ok(Math.abs(apart / together - 1) < 1e-4, `${apart} and ${together}`);
});

jaxTest(test, 'soft labels alone count at alpha 1, and the temperature takes part', async () => {
  const trainer = await fresh();
  const at = async (alpha: number, temperature: number): Promise<{ loss: number; soft: number; hard: number }> =>
    await trainer.step([taught], 1e-12, { ...HARD, alpha, temperature });
  const one = await at(1, 1);
  assert.is(one.loss, one.soft);
  // at a high temperature both are nearly uniform: τ²·ln V
  const warm = await at(0.25, 50);
  assert.ok(Math.abs(warm.soft / (2500 * Math.log(TINY.vocab)) - 1) < 0.02, `${warm.soft}`);
  assert.ok(Math.abs(warm.loss / (0.25 * warm.soft + 0.75 * warm.hard) - 1) < 1e-5);
});

jaxTest(test, 'weights of the loss may change from step to step', async () => {
  const pairs = [{ student: 0, teacher: 0 }];
  const given = { ...taught, teacherHidden: [uniforms(7, 2 * LENGTH * 20)] };
  const trainer = await fresh();
  const pulls: number[] = [];
  for (const [alpha, hidden, rate] of [[0.5, 2, 1], [0.25, 6, 3], [1, 0.5, 0.25]]) {
    const weights = { ...HARD, alpha, hidden, hiddenPairs: pairs, rate, targetRate: 0.9 };
    const report = await trainer.step([given], 1e-12, weights);
    const mixed = alpha * report.soft + (1 - alpha) * report.hard + hidden * report.hidden;
    pulls.push((report.loss - mixed) / rate);
  }
  assert.ok(pulls.every((pull) => pull > 0 && Math.abs(pull / pulls[0] - 1) < 1e-3), `${pulls}`);
});

jaxTest(test, 'clipping, decay and the learning rate', async () => {
  const moved = async (trainer: Trainer): Promise<{ matrix: number; vector: number }> => {
    const before = (await trainer.save()).tensors;
    await trainer.step([batches[0]], 1e-3, HARD);
    const after = (await trainer.save()).tensors;
    const far = (key: string): number => {
      const [a, b] = [before, after].map((tensors) => tensors.get(key)?.data as Float32Array);
      return Math.max(...a.map((x, i) => Math.abs(x - b[i])));
    };
    return { matrix: far('blocks.0.ffn.up.weight'), vector: far('blocks.0.ffn.norm.weight') };
  };
  const plain = await moved(await fresh());
  assert.ok(Math.abs(plain.vector / 1e-3 - 1) < 0.01, 'the first step of Adam is the learning rate');
  // ε outweighs gradients that were cut to next to nothing; decay pulls at matrices, and not at vectors
  const other = await using({}, { weightDecay: 100, clip: 1e-9 }, moved);
  assert.ok(other.vector < 0.5 * plain.vector, `clipped: ${other.vector}`);
  assert.ok(other.matrix > 5 * plain.matrix, `decayed: ${other.matrix}`);
});

jaxTest(test, 'a student that learnt from a teacher of another width says so', async () => {
  const trainer = await fresh();
  const { step, tensors } = await trainer.save();
  const projection = { shape: [8, TINY.width], data: new Float32Array(8 * TINY.width) };
  const more = ['', 'adam.m.', 'adam.v.'].map((prefix) => [`${prefix}projection.0`, projection] as const);
  await using({}, {}, async (other) => {
    await other.load({ step, tensors: new Map([...tensors, ...more]) });
    const batch = { ...taught, teacherHidden: [new Float32Array(2 * LENGTH * 16)] };
    const losses = { ...HARD, hidden: 1, hiddenPairs: [{ student: 0, teacher: 0 }] };
    await refused(other.step([batch], 1e-3, losses), 'TRAINER', '8 wide', '16', '--hidden 0');
  });
});

jaxTest(test, 'without rounded activations the loss differs a little', async () => {
  const rounded = (await (await fresh()).evaluate(batches[0])).loss;
  const plain = await using({}, { activations: false, seed: 1 }, async (t) => (await t.evaluate(batches[0])).loss);
  assert.is.not(rounded, plain);
  assert.ok(Math.abs(rounded - plain) < 0.05, `${rounded} and ${plain}`);
});

jaxTest(test, 'evaluate is the mean cross-entropy of what forward says', async () => {
  const trainer = await fresh();
  const ids = batches[0].ids.subarray(0, LENGTH + 1);
  const { logits } = await trainer.forward(ids.subarray(0, LENGTH));
  let sum = 0;
  for (let t = 0; t < LENGTH; t++) {
    const row = logits.subarray(t * TINY.vocab, (t + 1) * TINY.vocab);
    const top = Math.max(...row);
    sum += top + Math.log(row.reduce((s, z) => s + Math.exp(z - top), 0)) - row[ids[t + 1]];
  }
  const { loss } = await trainer.evaluate({ batch: 1, length: LENGTH, ids });
  assert.ok(Math.abs(loss - sum / LENGTH) < 1e-4, `${loss}, expected ${sum / LENGTH}`);
});

jaxTest(test, 'numbers that are not finite end a step, with its number and the place', async () => {
  const trainer = await fresh();
  const state = await trainer.save();
  const before = await bits(trainer);
  const broken = new Map(state.tensors);
  const key = 'blocks.0.ffn.norm.bias';
  const { shape } = broken.get(key) as { shape: readonly number[] };
  broken.set(key, { shape, data: new Float32Array(256).fill(NaN) });
  await trainer.load({ step: 41, tensors: broken });
  await refused(trainer.step([batches[0]], 1e-3, HARD), 'NOT_FINITE', 'step 42', 'block 0');
  await refused(trainer.evaluate(batches[0]), 'NOT_FINITE', 'block 0');
  await trainer.load(state);
  assert.is(await bits(trainer), before);
});

jaxTest(test, 'bad configurations, options, batches and states are refused', async () => {
  const make = (config: object, options: TrainerOptions = {}): Promise<Trainer> =>
    createTrainer({ ...TINY, ...config } as StudentConfig, options);
  await refused(make({ width: 300 }), 'OPTION', 'width', '300', '256');
  await refused(make({ heads: 3 }), 'OPTION', 'heads', '3');
  await refused(make({ surrogate: 'step' }), 'OPTION', 'surrogate', 'step', 'arctan');
  await refused(make({ leak: 1.5 }), 'OPTION', 'leak', '1.5');
  await refused(make({ truncation: 0 }), 'OPTION', 'truncation');
  await refused(make({}, { threads: 0 }), 'OPTION', 'threads', '0');
  const trainer = await fresh();
  const step = (batch: Partial<Batch>, losses: LossWeights = HARD): Promise<unknown> =>
    trainer.step([{ ...batches[0], ...batch }], 1e-3, losses);
  await refused(trainer.step([], 1e-3, HARD), 'OPTION', 'at least one batch');
  await refused(step({ length: 9 }), 'OPTION', 'ids');
  await refused(step({ batch: 0 }), 'OPTION', '0 rows');
  await refused(step({ ids: new Int32Array(2 * (LENGTH + 1)).fill(TINY.vocab) }), 'OPTION', `${TINY.vocab}`);
  await refused(step({}, { ...HARD, alpha: 1 }), 'OPTION', 'logits of the teacher');
  await refused(step({}, { ...HARD, hidden: 1, hiddenPairs: [{ student: 0, teacher: 0 }] }), 'OPTION', 'hidden');
  await refused(trainer.forward(new Int32Array(TINY.context + 1)), 'OPTION', 'context');
  const { step: at, tensors } = await trainer.save();
  const less = new Map([...tensors].filter(([key]) => key !== 'adam.m.blocks.0.ffn.up.weight'));
  await refused(trainer.load({ step: at, tensors: less }), 'TRAINER', 'adam.m.blocks.0.ffn.up.weight', 'missing');
  const [one, two] = [trainer.step([batches[0]], 1e-3, HARD), trainer.step([batches[0]], 1e-3, HARD)];
  await refused(two, 'TRAINER', 'is busy');
  await one;
});

test('a runtime without navigator is told so', async () => {
  if (typeof navigator !== 'undefined') return assert.ok(await createTrainer(TINY).then((t) => (t.dispose(), true)));
  await refused(createTrainer(TINY), 'TRAINER', 'Node 22');
});

test.run();
