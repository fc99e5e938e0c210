/** The early exit: a pass that ends behind some of the blocks, and how the entropy of the last position chooses them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { randomModel } from '../../src/model/random.ts';
import { type Model, open } from '../../src/entries/index.ts';
import type { ReadOptions } from '../../src/session/session.ts';
import { sameBits } from '../kernels/harness.ts';
import { softmax } from '../models.ts';
import { refuses } from '../refusal.ts';
import { sharedTest } from '../shared.ts';

const IDS = Array.from({ length: 45 }, (_, i) => (i * 37 + 11) % 300);

/** Rows at every position after some of the blocks, step by step. */
async function after(model: Model, blocks: number): Promise<Float32Array[]> {
  const options: ReadOptions = { blocks };
  const rows: Float32Array[] = [];
  using session = model.session();
  for (const id of IDS) rows.push(await session.step(id, options));
  return rows;
}

/** As the public code has it: probabilities of at least 1e-7. */
function entropy(row: Float32Array): number {
  return Array.from(softmax(row), (p) => Math.max(p, 1e-7)).reduce((sum, p) => sum - p * Math.log(p), 0);
}

const test = suite('entropy exit');

test('a pass that ends early gives what a model of so many blocks gives', async () => {
  // random tensors do not depend on how many blocks there are
  const shallow = async (layers: number): Promise<Model> =>
    open(await randomModel('symboliclight-tiny', 'f32', layers));
  using model = await shallow(4);
  for (let blocks = 1; blocks <= 4; blocks++) {
    using alone = await shallow(blocks);
    const expected = await alone.logits(IDS);
    (await after(model, blocks)).forEach((row, i) => sameBits(row, expected[i], `${blocks} blocks, position ${i}`));
  }
});

const checkpoint = 'conformance/symboliclight/194m-small/checkpoint.pt';
sharedTest(
  test,
  'the pass ends behind the first block that is sure enough, for every position',
  checkpoint,
  async (file) => {
    using model = await open(file);
    const rows = [await after(model, 1), await after(model, 2), await after(model, 3)];
    const reached = new Set<number>();
    // what stands behind a position changes nothing before it: every beginning is a text
    for (const n of [1, 4, 9, 21, 33, 40, 45]) {
      const nats = rows.map((of) => entropy(of[n - 1]));
      const around = nats.flatMap((sum) => [sum - 1e-4, sum + 1e-4]);
      for (const threshold of [0, 0.3, ...around, 100]) {
        const first = nats.findIndex((sum) => sum < threshold);
        const expected = first < 0 ? 2 : first;
        reached.add(expected);
        const given = await model.logits(IDS.slice(0, n), { entropyExit: threshold });
        assert.is(given.length, n);
        given.forEach((row, i) => sameBits(row, rows[expected][i], `${threshold} nats, position ${i} of ${n}`));
      }
    }
    assert.is(reached.size, 3, `blocks reached: ${[...reached]}`);
    sameBits((await model.logits(IDS, { from: 44 }))[0], rows[2][44], 'without the option');
    assert.equal(await model.logits([], { entropyExit: 1 }), []);
  },
);

test('thresholds that are no numbers of nats, and models without an exit, are refused', async () => {
  using model = await open(await randomModel('symboliclight-tiny', 'f32', 1));
  for (const bad of [-1, NaN, Infinity, '0.3' as unknown as number]) {
    await refuses(model.logits([1], { entropyExit: bad }), 'OPTION', 'entropyExit', String(bad));
  }
  assert.is((await model.logits([1], { entropyExit: 0.3 })).length, 1);
  using llama = await open(await randomModel('tiny', 'f32', 1));
  await refuses(llama.logits([1], { entropyExit: 0.3 }), 'OPTION', 'SymbolicLight');
});
test.run();
