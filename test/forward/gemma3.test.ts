/**
 * Gemma 3 against a plain f64 reference, within the window and far beyond it; the same bits however a text is cut, on any
 * number of threads and in both builds; sessions over a ring.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { openContainer } from '../../src/container/open.ts';
import { describeGemma3 } from '../../src/architectures/gemma3/description.ts';
import { gemma3 } from '../../src/architectures/gemma3/architecture.ts';
import { gemma3StateBytes } from '../../src/architectures/gemma3/state.ts';
import { ARENA_BASE } from '../../src/wasm/arena.ts';
import { gemma3File } from '../gemma3-files.ts';
import { builds, random, sameBits } from '../kernels/harness.ts';
import { gemma3Logits } from '../reference-gemma3.ts';
import { relativeError } from '../reference-llama.ts';
import { refuses } from '../refusal.ts';
import { allLogits, threaded } from '../threads/executors.ts';

const u = random(3);
/** More than two rings of 7 + 32 places. */
const IDS = Array.from({ length: 130 }, () => Math.floor(u() * 51));
const CONTEXT = 256;

const test = suite('gemma3');

for (const build of builds) {
  for (
    const [name, choices] of Object.entries({
      plain: {},
      'positions of global layers divided': { shape: { linear: 8 } },
      'no window': { shape: { window: 0, period: 1 } },
      'window beyond the text': { shape: { window: 300 } },
      'window of one': { shape: { window: 1, kvHeads: 1 } },
    })
  ) {
    test(`${name} (${build}): logits of the f64 reference within 1e-5`, async () => {
      const { shape, values, bytes } = gemma3File(choices);
      const expected = gemma3Logits(shape, values, IDS);
      for (const context of [CONTEXT, IDS.length]) {
        const model = await threaded(bytes(), { threads: 1, build, kv: 'f32', context });
        const error = relativeError(await allLogits(model, IDS, 100), expected);
        assert.ok(error < 1e-5, `relative error ${error} at a context of ${context}`);
      }
    });
  }
}

test('the window matters: another one gives other logits', async () => {
  const { shape, values, bytes } = gemma3File();
  const wrong = gemma3Logits({ ...shape, window: shape.window + 1 }, values, IDS);
  const model = await threaded(bytes(), { threads: 1, kv: 'f32' });
  assert.ok(relativeError(await allLogits(model, IDS, 100), wrong) > 1e-3);
});

for (const [type, shape] of [['F32', {}], ['Q8_0', { width: 64, hidden: 96, headDim: 32 }]] as const) {
  for (const kv of ['f16', 'f32'] as const) {
    test(`${type}, ${kv} cache: the same bits in pieces, on 1 to 3 threads, in both builds and with all positions kept`, async () => {
      const bytes = gemma3File({ type, shape }).bytes();
      const expected = await allLogits(await threaded(bytes, { threads: 1, kv }), IDS, IDS.length);
      const same = (rows: Float32Array[], what: string): void =>
        rows.forEach((row, i) => sameBits(row, expected[i], `${what}, position ${i}`));
      for (const build of builds) {
        same(await allLogits(await threaded(bytes, { threads: 1, kv, build }), IDS, 1), `single ids, ${build}`);
      }
      const kept = await threaded(bytes, { threads: 1, kv, context: IDS.length });
      same(await allLogits(kept, IDS, 50), 'a smaller context');
      const pool = await threaded(bytes, { threads: 3, kv });
      try {
        for (const threads of [2, 3]) {
          pool.executor.use(threads);
          same(await allLogits(pool, IDS, 100), `${threads} threads`);
        }
      } finally {
        pool.executor.dispose();
      }
      const model = await threaded(bytes, { threads: 1, kv });
      for (const size of [3, 31, 33, 64]) {
        using session = model.session();
        for (let at = 0; at < IDS.length; at += size) {
          const end = Math.min(at + size, IDS.length);
          sameBits(
            await session.prefill(IDS.slice(at, end)),
            expected[end - 1],
            `pieces of ${size}, position ${end - 1}`,
          );
        }
      }
    });
  }
}

test('a cache beyond the window takes no more memory, but for global layers', async () => {
  const container = await openContainer(memorySource(gemma3File().bytes()));
  const d = describeGemma3(container);
  const row = d.kvHeads * d.headDim * 2;
  assert.is(d.local.join(), 'true,false,true');
  assert.is(gemma3StateBytes(d, 20000, 'f16') - gemma3StateBytes(d, 10000, 'f16'), 2 * 10000 * row);
});

test('the plan holds what a model and a session take, and is refused where it is not allowed', async () => {
  for (const context of [16, 100, 300]) {
    const bytes = gemma3File().bytes();
    const container = await openContainer(memorySource(bytes));
    const d = describeGemma3(container);
    const options = { context, kv: 'f16', threads: 1, base: ARENA_BASE, maxBytes: Infinity } as const;
    const { totalBytes } = gemma3.plan(container, d, options);
    const model = await threaded(bytes, { threads: 1, context });
    using _ = model.session();
    assert.ok(model.arena.used <= totalBytes, `${model.arena.used} bytes, planned ${totalBytes}`);
    const refusal = async (): Promise<unknown> => gemma3.plan(container, d, { ...options, maxBytes: totalBytes - 1 });
    await refuses(refusal(), 'MEMORY_LIMIT', String(totalBytes), 'not even a context of 1');
  }
});

test('forks and snapshots over a ring go on with the same bits', async () => {
  const model = await threaded(gemma3File().bytes(), { threads: 1 });
  for (const length of [5, 39, 60, 100]) {
    using session = model.session();
    await session.prefill(IDS.slice(0, length));
    using fork = session.fork();
    const snapshot = session.snapshot();
    const expected = await session.prefill(IDS.slice(length));
    const kept = expected.slice();
    sameBits(await fork.prefill(IDS.slice(length)), kept, `fork at ${length}`);
    using other = model.session();
    await other.prefill(IDS.slice(50)); // what it held before must not matter
    other.restore(snapshot);
    sameBits(await other.prefill(IDS.slice(length)), kept, `snapshot at ${length}`);
  }
});

test('sessions go back where all positions are kept, and say so where not; a reset always works', async () => {
  const bytes = gemma3File().bytes();
  const kept = await threaded(bytes, { threads: 1, context: 78 });
  using session = kept.session();
  const expected = (await session.prefill(IDS.slice(0, 40))).slice();
  await session.prefill(IDS.slice(40, 70));
  session.rewind(20);
  sameBits(await session.prefill(IDS.slice(20, 40)), expected);
  const ring = await threaded(bytes, { threads: 1, context: 79 });
  using other = ring.session();
  await other.prefill(IDS.slice(0, 60));
  await refuses((async () => other.rewind(20))(), 'OPTION', 'cannot rewind');
  other.reset();
  sameBits(await other.prefill(IDS.slice(0, 40)), expected);
});

test('a full context is refused, with what to do', async () => {
  const model = await threaded(gemma3File().bytes(), { threads: 1, context: 16 });
  using session = model.session({ overflow: 'slide' });
  await refuses(session.prefill(IDS.slice(0, 20)), 'CONTEXT_OVERFLOW', '16 positions', 'larger context');
});

test('descriptions: what is not computed or does not fit is refused by name', async () => {
  const cases: [Parameters<typeof gemma3File>[0], RegExp][] = [
    [{ more: [['gemma3.final_logit_softcapping', 'float32', 30]] }, /final_logit_softcapping" is 30/],
    [{ more: [['gemma3.attn_logit_softcapping', 'float32', 50]] }, /attn_logit_softcapping" is 50/],
    [{ more: [['gemma3.attention.causal', 'bool', false]] }, /attention\.causal" is false/],
    [{ more: [['gemma3.rope.scaling.type', 'string', 'yarn']] }, /rope\.scaling\.type" is "yarn"/],
    [{ more: [['gemma3.attention.value_length', 'uint32', 16]] }, /value_length is 16/],
    [{ shape: { kvHeads: 3 } }, /head_count is 4/],
  ];
  for (const [choices, message] of cases) {
    const container = await openContainer(memorySource(gemma3File(choices).bytes()));
    assert.throws(() => describeGemma3(container), message);
  }
  const file = gemma3File();
  file.tensors.push({ name: 'blk.0.extra.weight', type: 'F32', shape: [1], data: new Uint8Array(4) });
  const container = await openContainer(memorySource(file.bytes()));
  assert.throws(() => describeGemma3(container), /unexpected: blk\.0\.extra\.weight/);
});
test.run();
