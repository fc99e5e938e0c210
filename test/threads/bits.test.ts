/** Any number of threads gives the bits of one, in every type and build, in batches and steps, on servers and in windows. */
import { suite } from 'uvu';
import { RANDOM_TYPES } from '../../src/architectures/llama/random.ts';
import { randomModel } from '../../src/model/random.ts';
import { SPIKING_TYPES } from '../../src/architectures/symboliclight/random.ts';
import { builds, random, sameBits } from '../kernels/harness.ts';
import { llamaFile } from '../llama-files.ts';
import { allLogits, type CrewChoices, threaded } from './executors.ts';

const u = random(11);
const IDS = Array.from({ length: 40 }, () => Math.floor(u() * 50));
const BATCH = 36;

const test = suite('threads');

/** The same model on one thread, and on every number up to `threads`. */
async function compare(
  source: Parameters<typeof threaded>[0],
  numbers: readonly number[],
  choices: Partial<CrewChoices>,
) {
  const alone = await threaded(source, { ...choices, threads: 1, waits: true });
  const expected = await allLogits(alone, IDS, BATCH);
  const pool = await threaded(source, { ...choices, threads: Math.max(...numbers) });
  try {
    for (const threads of numbers) {
      pool.executor.use(threads);
      const rows = await allLogits(pool, IDS, BATCH);
      rows.forEach((row, i) => sameBits(row, expected[i], `${threads} threads, position ${i}`));
    }
  } finally {
    pool.executor.dispose();
  }
}

test('llama shape, every type: 1 and 2 threads', async () => {
  for (const type of Object.keys(RANDOM_TYPES)) {
    await compare(await randomModel('tiny', type, 1), [1, 2], { build: 'base', kv: type === 'f16' ? 'f32' : 'f16' });
  }
});

test('SymbolicLight, every type: 1 and 2 threads', async () => {
  for (const type of Object.keys(SPIKING_TYPES)) {
    await compare(await randomModel('symboliclight-tiny', type, 1), [1, 2], { build: 'base' });
  }
});

for (const build of builds) {
  test(`3 threads, which have unlike numbers of rows and heads (${build})`, async () => {
    await compare(llamaFile({ type: 'TQ2_0', headType: 'Q8_0' }).bytes(), [3], { build });
    await compare(await randomModel('symboliclight-tiny', 'tq2_0'), [3], { build });
  });
}

// case: W1
test('2 to 7 threads: heads that share keys across threads, odd rows, biases and norms everywhere', async () => {
  const odd = { biases: true, qkNorms: true, subNorms: true, outputBias: true, shape: { heads: 6, kvHeads: 3 } };
  await compare(llamaFile(odd).bytes(), [7, 6, 5, 4, 3, 2], {});
});

// case: W1
test('more threads than rows: those that have none look on', async () => {
  const shape = { layers: 1, width: 8, hidden: 8, heads: 2, kvHeads: 1, headDim: 4, vocab: 50 };
  await compare(llamaFile({ shape, ropeDims: 4 }).bytes(), [5], {});
});

// case: W7
test('in a window, where this thread is no thread', async () => {
  await compare(await randomModel('tiny', 'tq2_0', 2), [1, 2, 3], { waits: false });
  await compare(await randomModel('symboliclight-tiny', 'f32'), [2, 1], { waits: false });
});
test.run();
