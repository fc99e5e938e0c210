/** Aborts, failing sources and calls at the wrong time: answered soon, with the reason, and the session stays of use. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import type { ByteSource } from '../../src/bytes/source.ts';
import { randomModel } from '../../src/model/random.ts';
import { type Model, open, TernspikeError } from '../../src/entries/index.ts';
import type { BuiltTensor } from '../builders.ts';
import { hurried } from '../clock.ts';
import { countingSource, faultySource, trickle } from '../faults.ts';
import { sameBits } from '../kernels/harness.ts';
import { llamaFile } from '../llama-files.ts';
import { refuses } from '../refusal.ts';

const REASON = new Error('no longer wanted');
const LONG = Array.from({ length: 500 }, (_, i) => (i * 7) % 512);
/** Looks at the clock after an abort: a batch begins and ends with one, and each look at events takes two. */
const FEW_LOOKS = 6;

/** Awaits a rejection with the very reason of the signal. */
async function aborts(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    assert.is(error, REASON);
    return;
  }
  assert.unreachable('it went on to the end');
}

/** Aborts after some time, and says so to `seen`. */
function abortAfter(ms: number, seen: () => void = () => {}): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => {
    seen();
    controller.abort(REASON);
    controller.abort(new Error('a second abort changes nothing'));
  }, ms);
  return controller.signal;
}

let shared: Promise<Model> | null = null;
const slowModel = (): Promise<
  Model
> => (shared ??= randomModel('tiny', 'f32', 3).then((source) => open(source, { contextLength: 512 })));

const test = suite('abort');
test.after(async () => (await shared)?.dispose());

// case: X1
test('a signal that is aborted before the start: nothing is read, nothing changes', async () => {
  const signal = AbortSignal.abort(REASON);
  const source = countingSource(memorySource(llamaFile().bytes()));
  await aborts(open(source, { signal }));
  assert.is(source.counts.reads, 0);
  const model = await slowModel();
  const session = model.session();
  await aborts(session.prefill([1, 2], { signal }));
  await aborts(session.step(1, { signal }));
  await aborts(model.logits([1], { signal }));
  await aborts(model.generate([1], { signal, maxTokens: 0 }).next());
  await aborts(model.generate([1], { signal, session }).next());
  assert.is(session.position, 0);
  session.dispose();
});

// case: X1 X7
test('during open over a slow source: rejects soon, and the next open works', async () => {
  const file = llamaFile().bytes();
  let reads = 0;
  const slow: ByteSource = {
    ...memorySource(file),
    async read(into, offset, signal) {
      reads++;
      await new Promise((resolve) => setTimeout(resolve, 5));
      return memorySource(file).read(into.subarray(0, 1000), offset, signal);
    },
  };
  for (const ms of [0, 10, 60, 150]) {
    let before = NaN;
    await aborts(open(slow, { signal: abortAfter(ms, () => void (before = reads)) }));
    assert.ok(reads <= before, `${reads - before} reads began after the abort`);
  }
  (await open(file)).dispose();
});

// case: X1
test('during open over bytes in memory, which never wait: events are let in, the abort is seen', async () => {
  const source = await randomModel('tinyllama', 'q8_0', 4);
  const progress: number[] = [];
  await aborts(open(source, {
    signal: abortAfter(30),
    contextLength: 16,
    onProgress: ({ fraction }) => void progress.push(fraction),
  }));
  assert.ok((progress.at(-1) as number) < 1, 'it did not get to the end');
});

test('progress ends at 1, also with tensors whose scale lies behind them', async () => {
  for (const type of ['F32', 'I2_S', 'TQ1_0'] as const) {
    const fractions: number[] = [];
    const model = await open(llamaFile({ type }).bytes(), {
      onProgress: ({ fraction }) => void fractions.push(fraction),
    });
    assert.is(fractions[0], 0);
    assert.is(fractions.at(-1), 1);
    assert.ok(fractions.every((value, i) => i === 0 || value >= fractions[i - 1]));
    model.dispose();
  }
});

// case: X1 X2 X9
test('during prefill: rejects soon, the session is as it was, and goes on as if nothing had been', async () => {
  const model = await slowModel();
  const session = model.session();
  const control = model.session();
  await session.prefill([1, 2, 3]);
  await control.prefill([1, 2, 3]);
  await hurried(async (clock) => {
    let before = NaN;
    await aborts(session.prefill(LONG, { signal: abortAfter(0, () => void (before = clock.looks)) }));
    assert.ok(clock.looks - before <= FEW_LOOKS, `${clock.looks - before} looks at the clock after the abort`);
  });
  assert.is(session.position, 3);
  const ids = LONG.slice(100, 140);
  sameBits(await session.prefill(ids), await control.prefill(ids), 'after an abort');
  session.dispose();
  control.dispose();
});

// case: X1 X2 X6
test('between the tokens of a generation: rejects at the next one; a session that was given goes on from there', async () => {
  const model = await slowModel();
  const controller = new AbortController();
  const session = model.session();
  const ids: number[] = [];
  await aborts((async () => {
    for await (
      const { id } of model.generate([1, 2, 3], { session, temperature: 0, maxTokens: 50, signal: controller.signal })
    ) {
      if (id !== null) ids.push(id);
      if (ids.length === 5) controller.abort(REASON);
    }
  })());
  assert.is(ids.length, 5);
  assert.is(session.position, 3 + 4, 'the last id was not read yet');
  const whole: number[] = [];
  for await (const { id } of model.generate([1, 2, 3], { temperature: 0, maxTokens: 12 })) {
    if (id !== null) whole.push(id);
  }
  for await (const { id } of model.generate(ids.slice(-1), { session, temperature: 0, maxTokens: 7 })) {
    if (id !== null) ids.push(id);
  }
  assert.equal(ids, whole);
  session.dispose();
});

// case: X4
test('break out of a generation: its session is given back, one that was given stays at the last whole token', async () => {
  const model = await slowModel();
  const before = model.stats().memoryBytes;
  for (let i = 0; i < 20; i++) {
    for await (const { id } of model.generate([1, 2], { maxTokens: 50, temperature: 0 })) if (id !== null) break;
  }
  const once = model.stats().memoryBytes;
  assert.ok(once - before <= model.plan.stateBytes, 'one state serves all');
  const session = model.session();
  let n = 0;
  for await (const { id } of model.generate([1, 2], { session, maxTokens: 50, temperature: 0 })) {
    if (id !== null && ++n === 3) break;
  }
  assert.is(session.position, 4);
  assert.is((await session.step(1)).length, 512);
  session.dispose();
});

// case: X5
test('abort after the end is a no-op', async () => {
  const model = await slowModel();
  const controller = new AbortController();
  const { signal } = controller;
  const session = model.session();
  const first = await session.prefill([1, 2], { signal });
  const chunks = [];
  for await (const chunk of model.generate([3], { session, maxTokens: 2, signal })) chunks.push(chunk);
  controller.abort(REASON);
  await new Promise((resolve) => setTimeout(resolve, 1));
  assert.is(first.length, 512);
  assert.is(chunks.at(-1)?.finishReason, 'length');
  assert.is((await session.step(1)).length, 512);
  session.dispose();
});

test('a second call on a session that is at work is refused as BUSY; the first is not disturbed', async () => {
  const model = await slowModel();
  const session = model.session();
  const control = model.session();
  const first = session.prefill(LONG.slice(0, 60));
  const attempt = async (call: () => unknown): Promise<unknown> => await call();
  const calls = [ // all made before the first has any chance to end
    session.step(1),
    session.prefill([1, 2]),
    model.generate([1], { session }).next(),
    attempt(() => session.rewind(0)),
    attempt(() => session.reset()),
    attempt(() => session.fork()),
  ];
  await Promise.all(calls.map((call) => refuses(call, 'BUSY')));
  sameBits(await first, await control.prefill(LONG.slice(0, 60)), 'first call');
  assert.is(session.position, 60);
  session.dispose();
  control.dispose();
});

test('ids outside the vocabulary are refused before anything is read', async () => {
  const session = (await slowModel()).session();
  for (const id of [-1, 512, 1.5, NaN, Infinity, 2 ** 32]) {
    await refuses(session.prefill([1, id]), 'TOKEN', 'ids[1]', '511');
  }
  await refuses(session.prefill([]), 'TOKEN');
  await refuses(session.prefill(new Array<number>(513).fill(1)), 'CONTEXT_OVERFLOW', '513', '512');
  assert.is(session.position, 0);
  await session.prefill([511, 0]);
  session.dispose();
});

const FILE = llamaFile({ shape: { layers: 1, vocab: 20, width: 20, hidden: 24 } }).bytes();

// case: B5
test('a source that fails at any read: IO with the cause, the source is not closed for its owner, the next open works', async () => {
  const whole = countingSource(trickle(memorySource(FILE), 700));
  (await open(whole)).dispose();
  for (let n = 1; n <= whole.counts.reads; n++) {
    const error = await refuses(
      open(faultySource(trickle(memorySource(FILE), 700), { failAt: n, kind: 'throw' })),
      'IO',
    );
    assert.ok(String(error.cause).includes(`read ${n} failed`), String(error.cause));
  }
  (await open(memorySource(FILE))).dispose();
});

// case: B6
test('a source that shrinks at any read is TRUNCATED; one that delivers less at any read is not disturbed', async () => {
  const whole = countingSource(memorySource(FILE));
  (await open(whole)).dispose();
  assert.ok(whole.counts.reads > 10);
  for (let n = 1; n <= whole.counts.reads; n++) {
    await refuses(open(faultySource(memorySource(FILE), { failAt: n, kind: 'shrink' })), 'TRUNCATED');
    (await open(faultySource(memorySource(FILE), { failAt: n, kind: 'short' }))).dispose();
  }
});

// case: X7
test('what open opened it closes, whether it succeeds, fails or is aborted', async () => {
  const { mkdtempSync, readdirSync, rmSync, writeFileSync, existsSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const { join } = await import('node:path');
  const folder = mkdtempSync(join(tmpdir(), 'ternspike-'));
  const handles = (): number => (existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0);
  try {
    const good = join(folder, 'good.gguf');
    const cut = join(folder, 'cut.gguf');
    const odd = join(folder, 'odd.gguf');
    writeFileSync(good, FILE);
    writeFileSync(cut, FILE.subarray(0, 3000));
    const file = llamaFile();
    new DataView(((file.tensors.at(-1) as BuiltTensor).data as Uint8Array).buffer).setFloat32(0, NaN, true);
    writeFileSync(odd, file.bytes());
    (await open(good)).dispose();
    const before = handles();
    for (let i = 0; i < 5; i++) {
      (await open(good)).dispose();
      await assertRefused(open(cut));
      await assertRefused(open(odd));
      await assertRefused(open(good, { maxMemoryBytes: 1 }));
      await aborts(open(good, {
        signal: abortAfter(0),
        onProgress: () => {
          throw REASON;
        },
      }));
    }
    assert.ok(handles() <= before, `${handles()} handles, ${before} before`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

async function assertRefused(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, TernspikeError);
    return;
  }
  assert.unreachable('it was accepted');
}

/** An f32 file with all numbers of a tensor replaced. */
function withValue(name: string, value: number): Uint8Array {
  const file = llamaFile();
  const { data } = file.tensors.find((tensor) => tensor.name === name) as BuiltTensor;
  new Float32Array((data as Uint8Array).buffer).fill(value);
  return file.bytes();
}

// case: N3
test('weights that overflow are refused with the layer at fault, and the session stays where it was', async () => {
  for (
    const [name, words] of [
      ['blk.1.ffn_norm.weight', 'layer 1'],
      ['blk.0.attn_norm.weight', 'layer 0'],
      ['output_norm.weight', 'head'],
    ]
  ) {
    const model = await open(withValue(name, 3e38), { contextLength: 32 });
    const session = model.session();
    for (let i = 0; i < 2; i++) await refuses(session.prefill([1, 2, 3]), 'NOT_FINITE', words);
    assert.is(session.position, 0);
    await refuses(model.generate([1, 2]).next(), 'NOT_FINITE', words);
    model.dispose();
  }
  const model = await open(withValue('blk.1.ffn_norm.weight', 1e9), { contextLength: 32 });
  assert.ok((await model.logits([1, 2, 3])).every((row) => row.every(Number.isFinite)));
  model.dispose();
});

test('one id whose embedding overflows: what was read before stays, and reading goes on', async () => {
  const file = llamaFile({ outputBias: true });
  const numbers = (name: string): Float32Array => {
    const { data } = file.tensors.find((tensor) => tensor.name === name) as BuiltTensor;
    return new Float32Array((data as Uint8Array).buffer);
  };
  numbers('token_embd.weight').fill(3e38, 9 * 44, 10 * 44);
  numbers('blk.0.attn_output.bias').fill(2e38); // 2e38 alone is a number, with 3e38 it is none
  const model = await open(file.bytes(), { contextLength: 32 });
  const session = model.session();
  const control = model.session();
  await session.prefill([1]);
  await control.prefill([1]);
  await refuses(session.prefill([2, 9, 3]), 'NOT_FINITE', 'layer 0', 'position 2');
  assert.is(session.position, 1);
  sameBits(await session.step(2), await control.step(2), 'after a refusal');
  model.dispose();
});
test.run();
