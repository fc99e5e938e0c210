/** One model, one text: the same bits however the text is cut, whichever build runs, and after rewinding or forking. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RANDOM_TYPES } from '../../src/architectures/llama/random.ts';
import { randomModel } from '../../src/model/random.ts';
import { builds, random, sameBits } from '../kernels/harness.ts';
import { allLogits, bare } from '../models.ts';
import { memorySource } from '../../src/bytes/memory.ts';
import { llamaFile } from '../llama-files.ts';

const u = random(5);
const IDS = Array.from({ length: 100 }, () => Math.floor(u() * 512));

const test = suite('batches');
for (const type of Object.keys(RANDOM_TYPES)) {
  for (const kv of ['f16', 'f32'] as const) {
    // case: N14
    test(`${type}, ${kv} cache: in one piece, in chunks of 1, 3 and 64, and token by token`, async () => {
      const model = await bare(await randomModel('tiny', type, 2), { kv });
      const whole = await allLogits(model, IDS);
      assert.ok(whole.every((row) => row.every(Number.isFinite)));
      for (const size of [1, 3, 64]) {
        using session = model.session();
        for (let at = 0; at < IDS.length; at += size) {
          const end = Math.min(at + size, IDS.length);
          sameBits(await session.prefill(IDS.slice(at, end)), whole[end - 1], `chunks of ${size}, position ${end - 1}`);
        }
      }
      using stepped = model.session();
      for (const [i, id] of IDS.slice(0, 10).entries()) sameBits(await stepped.step(id), whole[i], `step ${i}`);
    });
  }

  test(`${type}: both builds give the same logits`, async () => {
    const all = await Promise.all(
      builds.map(async (build) =>
        allLogits(await bare(await randomModel('tiny', type, 2), { build }), IDS.slice(0, 40))
      ),
    );
    for (const rows of all) rows.forEach((row, i) => sameBits(row, all[0][i], `position ${i}`));
  });
}

for (const type of ['Q2_0', 'Q2_0/128'] as const) {
  test(`${type} with code 3, which is +2: batches of every size give the bits of single tokens`, async () => {
    const bytes = llamaFile({ type, headType: type, shape: { vocab: 512 } }).bytes(); // its codes are 0 … 3
    for (const build of builds) {
      const model = await bare(memorySource(bytes), { build });
      const ids = IDS.slice(0, 32);
      using stepped = model.session();
      const single: Float32Array[] = [];
      for (const id of ids) single.push((await stepped.step(id)).slice());
      for (const size of [7, 8, 15, 16, 32]) {
        using session = model.session();
        sameBits(await session.prefill(ids.slice(0, size)), single[size - 1], `a batch of ${size}`);
      }
    }
  });
}

test('a fork goes on by itself; rewinding and reading again gives the same; reset begins anew', async () => {
  const model = await bare(await randomModel('tiny', 'tq2_0', 2));
  const whole = await allLogits(model, IDS.slice(0, 40));
  using a = model.session();
  await a.prefill(IDS.slice(0, 20));
  using b = a.fork();
  await a.prefill([1, 2, 3, 4, 5]);
  sameBits(await b.prefill(IDS.slice(20, 40)), whole[39], 'fork');
  assert.is(b.position, 40);
  a.rewind(20);
  sameBits(await a.prefill(IDS.slice(20, 30)), whole[29], 'rewound');
  a.reset();
  sameBits(await a.prefill(IDS.slice(0, 1)), whole[0], 'reset');
});

// case: M10
test('two models and two sessions interleaved equal their solo runs', async () => {
  const models = [await bare(await randomModel('tiny', 'q8_0', 2)), await bare(await randomModel('tiny', 'tq1_0', 3))];
  const solo = await Promise.all(models.map((model) => allLogits(model, IDS.slice(0, 12))));
  const sessions = models.flatMap((model) => [model.session(), model.session()]);
  for (let i = 0; i < 12; i++) {
    const rows = await Promise.all(sessions.map((session) => session.step(IDS[i])));
    rows.forEach((row, s) => sameBits(row, solo[s >> 1][i], `session ${s}, step ${i}`));
  }
});

// case: M5
test('growing the memory between steps changes nothing', async () => {
  const model = await bare(await randomModel('tiny', 'tq2_0', 2));
  const whole = await allLogits(model, IDS.slice(0, 6));
  using session = model.session();
  for (let i = 0; i < 6; i++) {
    model.arena.memory.grow(0);
    sameBits(await session.step(IDS[i]), whole[i], `step ${i}`);
  }
});
test.run();
