/** Any number of lanes gives the bits of one, in every type and build, in batches and steps, on servers and in windows. */
import { suite } from 'uvu';
import { RANDOM_TYPES, randomModel } from '../../src/eval/random-model.ts';
import { SPIKING_TYPES } from '../../src/eval/random-symboliclight.ts';
import { builds, random, sameBits } from '../kernels/harness.ts';
import { llamaFile } from '../llama-files.ts';
import { allLogits, type CrewChoices, crewed } from './crews.ts';

const u = random(11);
const IDS = Array.from({ length: 40 }, () => Math.floor(u() * 50));
const BATCH = 36;

const test = suite('lanes');

/** The same model on one lane, and on every number up to `lanes`. */
async function compare(
  source: Parameters<typeof crewed>[0],
  numbers: readonly number[],
  choices: Partial<CrewChoices>,
) {
  const alone = await crewed(source, { ...choices, lanes: 1, waits: true });
  const expected = await allLogits(alone, IDS, BATCH);
  const team = await crewed(source, { ...choices, lanes: Math.max(...numbers) });
  try {
    for (const lanes of numbers) {
      team.crew.use(lanes);
      const rows = await allLogits(team, IDS, BATCH);
      rows.forEach((row, i) => sameBits(row, expected[i], `${lanes} lanes, position ${i}`));
    }
  } finally {
    team.crew.dispose();
  }
}

test('llama shape, every type: 1 and 2 lanes', async () => {
  for (const type of Object.keys(RANDOM_TYPES)) {
    await compare(await randomModel('tiny', type, 1), [1, 2], { build: 'base', kv: type === 'f16' ? 'f32' : 'f16' });
  }
});

test('SymbolicLight, every type: 1 and 2 lanes', async () => {
  for (const type of Object.keys(SPIKING_TYPES)) {
    await compare(await randomModel('symboliclight-tiny', type, 1), [1, 2], { build: 'base' });
  }
});

for (const build of builds) {
  test(`3 lanes, which have unlike numbers of rows and heads (${build})`, async () => {
    await compare(llamaFile({ type: 'TQ2_0', headType: 'Q8_0' }).bytes(), [3], { build });
    await compare(await randomModel('symboliclight-tiny', 'tq2_0'), [3], { build });
  });
}

test('2 to 7 lanes: heads that share keys across lanes, odd rows, biases and norms everywhere', async () => {
  const odd = { biases: true, qkNorms: true, subNorms: true, outputBias: true, shape: { heads: 6, kvHeads: 3 } };
  await compare(llamaFile(odd).bytes(), [7, 6, 5, 4, 3, 2], {});
});

test('more lanes than rows: those that have none look on', async () => {
  const shape = { layers: 1, width: 8, hidden: 8, heads: 2, kvHeads: 1, headDim: 4, vocab: 50 };
  await compare(llamaFile({ shape, ropeDims: 4 }).bytes(), [5], {});
});

test('in a window, where this thread is no lane', async () => {
  await compare(await randomModel('tiny', 'tq2_0', 2), [1, 2, 3], { waits: false });
  await compare(await randomModel('symboliclight-tiny', 'f32'), [2, 1], { waits: false });
});
test.run();
