/** Hidden states and attention of a BERT, against a plain pass in f64; texts that run together, against each alone. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Encoding, open } from '../../src/entries/index.ts';
import { checkout } from '../house/checkout.ts';
import { builds } from '../kernels/harness.ts';
import { readReferenceBert, referenceBert, type ReferenceStates } from '../reference-bert.ts';
import { refuses } from '../refusal.ts';
import { sharedTest } from '../shared.ts';

const test = suite('states of a BERT');
const tiny = 'conformance/hf/bert-3-labels';
const minilm = 'models/minilm-sst2';
const workerUrl = join(checkout(), 'dist/thread.js');
const KEPT = { hidden: true, attention: true };

interface Ids {
  readonly ids: number[];
  readonly typeIds: number[];
}

/** A text of n ids; the second half is of segment 1. */
const text = (n: number, vocab: number, seed = n): Ids => ({
  ids: Array.from({ length: n }, (_, t) => (seed * 7919 + t * 104729) % vocab),
  typeIds: Array.from({ length: n }, (_, t) => Number(t >= n / 2)),
});

/** The largest difference of all that is said; lengths have to agree. */
function difference(said: Encoding, right: ReferenceStates): number {
  let most = 0;
  const each = (a: ArrayLike<number> | null | undefined, b: readonly number[] | null): void => {
    assert.is(a?.length, b?.length);
    b?.forEach((value, i) => (most = Math.max(most, Math.abs((a as ArrayLike<number>)[i] - value))));
  };
  assert.is(said.hidden?.length, right.hidden.length);
  assert.is(said.attention?.length, right.attention.length);
  right.hidden.forEach((layer, l) => each(said.hidden?.[l], layer.flat()));
  right.attention.forEach((layer, l) => each(said.attention?.[l], layer.flat(2)));
  each(said.states, right.hidden[right.hidden.length - 1].flat());
  each(said.pooled, right.pooled);
  each(said.logits, right.logits);
  return most;
}

sharedTest(
  test,
  'every layer, every head, pooler and logits are those of a plain pass in f64',
  tiny,
  async (folder) => {
    const reference = readReferenceBert(folder);
    await using model = await open(folder, { threads: 1 });
    for (const n of [1, 2, 3, 5, 32, 33, 70]) {
      const { ids, typeIds } = text(n, 512);
      const said = await model.encode({ ids, typeIds }, KEPT);
      assert.equal([said.ids, said.typeIds, said.tokens], [ids, typeIds, n]);
      assert.ok(difference(said, referenceBert(reference, ids, typeIds)) < 2e-6, `${n} tokens`);
    }
  },
);

sharedTest(test, 'a trained model agrees with a plain pass in f64 and reads text', minilm, async (folder) => {
  await using model = await open(folder, { threads: 1 });
  const said = await model.encode(['a charming film', 'good'], KEPT);
  assert.ok(said.typeIds.includes(1));
  const most = difference(said, referenceBert(readReferenceBert(folder), said.ids, said.typeIds));
  assert.ok(most < 2e-5, `${most}`);
  assert.equal((await model.classify(['a charming film', 'good'])).logits, [...said.logits ?? []]);
  const plain = await model.encode('a charming film');
  assert.equal([plain.hidden, plain.attention], [undefined, undefined]);
});

sharedTest(
  test,
  'texts together have the bits of each alone, on one thread and two, in every build',
  tiny,
  async (folder) => {
    const lengths = [1, 2, 31, 128, 3, 64, 1, 1, 33, 5, 127, 32, 90, 17, 4, 1];
    const inputs = lengths.map((n, i) => text(n, 512, i));
    let alone: Encoding[] | undefined;
    for (const build of builds) {
      for (const threads of [1, 2]) {
        await using model = await open(folder, { build, threads, workerUrl });
        if (!alone) {
          alone = [];
          for (const input of inputs) alone.push(await model.encode(input, KEPT));
        }
        for (const order of [inputs.map((_, i) => i), inputs.map((_, i) => inputs.length - 1 - i)]) {
          let i = 0;
          for await (const said of model.encodeAll(order.map((at) => inputs[at]), KEPT)) {
            assert.equal(said, alone[order[i++]], `${build}, ${threads} threads, text ${i}`);
          }
          assert.is(i, inputs.length);
        }
        let i = 0;
        for await (const { logits } of model.classifyAll(inputs)) assert.equal(logits, [...alone[i++].logits ?? []]);
        assert.is(i, inputs.length);
      }
    }
  },
);

sharedTest(
  test,
  'inputs before a bad one are answered; a pair has two strings, a mask is ones and then zeros',
  tiny,
  async (folder) => {
    await using model = await open(folder, { threads: 1 });
    const good = text(4, 512);
    for (
      const work of [
        model.classifyAll([good, good, { ids: [512] }, good]),
        model.encodeAll([good, good, { ids: [512] }]),
      ]
    ) {
      assert.is((await work.next()).done, false);
      assert.is((await work.next()).done, false);
      await refuses(work.next(), 'TOKEN', '512');
    }
    const { ids } = good;
    assert.is((await model.classify({ ids, mask: [1, 1, 1, 0] })).tokens, 3);
    await refuses(model.classify({ ids, mask: [1, 0, 1, 1] }), 'OPTION', 'ones and then zeros');
    await refuses(model.classify({ ids, mask: [0, 0, 0, 0] }), 'OPTION', 'ones and then zeros');
    await refuses(model.classify({ ids, mask: [1] }), 'OPTION', 'mask', '1', '4');
    await refuses(model.classify({ ids, typeIds: [0, 0] }), 'OPTION', 'typeIds', '2', '4');
    await refuses(model.encode({ ids, typeIds: [0, 0, 0, 0.5] }), 'TOKEN', '0.5', 'at 3');
    await refuses(model.classify(['a', 5] as never), 'OPTION', 'number');
    await refuses(model.classify(['a', null] as never), 'OPTION', 'null');
    await refuses(model.classify(['a', 'b', 'c'] as never), 'OPTION', 'array of 3');
    await refuses(model.classify([] as never), 'OPTION', 'array of 0');
    for (const input of [null, undefined, 7, {}]) await refuses(model.encode(input as never), 'OPTION', 'nor { ids }');
  },
);

sharedTest(test, 'attention that does not fit is refused, and the model goes on', minilm, async (folder) => {
  const all = text(200, 30522);
  const { plan } = await open(folder, { threads: 1 });
  await using model = await open(folder, { threads: 1, maxMemoryBytes: plan.totalBytes + (4 << 20) });
  const before = (await model.classify(all)).logits;
  await refuses(model.encode(all, KEPT), 'MEMORY_LIMIT', 'the texts');
  assert.equal((await model.classify(all)).logits, before);
});

test.run();
