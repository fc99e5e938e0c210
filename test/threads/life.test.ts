/** Lives of executors: what is disposed of is gone, what is idle neither works nor holds anything up, and calls do not mix. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { randomModel } from '../../src/model/random.ts';
import { open } from '../../src/entries/index.ts';
import type { PoolExecutor } from '../../src/threads/pool.ts';
import { sameBits } from '../kernels/harness.ts';
import { refuses } from '../refusal.ts';
import { allLogits, FAULTS, faulty, threaded, WORKER } from './executors.ts';

const IDS = Array.from({ length: 40 }, (_, i) => (i * 37) % 512);

const source = await randomModel('tiny', 'tq2_0', 2);
const alone = await threaded(source, { threads: 1 });
const expected = await allLogits(alone, IDS, 32);

/** Threads of this process; null where the host does not list them. */
const threads = (): number | null => existsSync('/proc/self/task') ? readdirSync('/proc/self/task').length : null;

/** Waits until `done`, for some seconds. */
async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(done());
}

const test = suite('life of threads');

test('a model says how many threads it runs on, takes fewer, and takes its threads along', async () => {
  const model = await open(source, { threads: 3, workerUrl: WORKER });
  assert.is(model.stats().threads, 3);
  const rows = await model.logits(IDS);
  for (const [asked, got] of [[2, 2], [1, 1], [9, 3]]) {
    model.useThreads(asked);
    assert.is(model.stats().threads, got);
    (await model.logits(IDS)).forEach((row, i) => sameBits(row, rows[i], `${got} threads, position ${i}`));
  }
  for (const wrong of [0, 1.5, NaN]) await refuses((async () => model.useThreads(wrong))(), 'OPTION', 'threads');
  model.dispose();
});

test('of the numbers that are tried the fastest is kept, the smallest of those alike, and one if they fail', async () => {
  const m = await threaded(source, { threads: 4 });
  const executor = m.executor as PoolExecutor;
  const trial = (ms: Record<number, number>) => async (): Promise<void> => {
    await executor.run([undefined]); // a head over whatever lies there
    await new Promise((resolve) => setTimeout(resolve, ms[executor.count]));
  };
  await executor.choose(trial({ 4: 30, 2: 2, 1: 30 }));
  assert.is(executor.count, 2);
  executor.use(4);
  assert.is(executor.count, 2, 'the others are gone');
  await allLogits(m, IDS, 32).then((rows) => rows.forEach((row, i) => sameBits(row, expected[i], `position ${i}`)));
  await executor.choose(trial({ 2: 20, 1: 20 }));
  assert.is(executor.count, 1);
  await allLogits(m, IDS, 32).then((rows) => rows.forEach((row, i) => sameBits(row, expected[i], `position ${i}`)));
  const failing = (await threaded(source, { threads: 2 })).executor as PoolExecutor;
  await failing.choose(() => Promise.reject(new Error('on purpose')));
  assert.is(failing.count, 1);
});

test('a session that was kept on several threads goes on on one', async () => {
  const models = [await open(source, { threads: 2 }), await open(source, { threads: 1 })];
  const session = models[0].session();
  await session.prefill(IDS.slice(0, 20));
  const later = models[1].session({ snapshot: session.snapshot() });
  sameBits(await later.prefill(IDS.slice(20)), await session.prefill(IDS.slice(20)), 'both');
  for (const model of models) model.dispose();
});

test('opened and disposed of many times, aborted while it loads: no thread is left', async () => {
  const tiny = await randomModel('tiny', 'q8_0', 1);
  await open(tiny, { threads: 2 }).then((model) => model.dispose()); // hosts keep a few threads once they have them
  await new Promise((resolve) => setTimeout(resolve, 50));
  const before = threads();
  for (let i = 0; i < 12; i++) {
    const model = await open(tiny, { threads: 2, contextLength: 16 });
    await model.logits([1, 2]);
    model.dispose();
    model.dispose();
  }
  const controller = new AbortController();
  const reason = new Error('no longer wanted');
  const late = open(tiny, {
    threads: 2,
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  });
  assert.is(await late.catch((error) => error), reason);
  if (before !== null) await until(() => (threads() ?? 0) <= before);
});

test('an idle pool takes no time', async () => {
  const m = await threaded(source, { threads: 3 });
  await allLogits(m, IDS, 32);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 150_000, `${(user + system) / 1000} ms of 300`);
  m.executor.dispose();
});

test('a process whose model is never disposed of ends when its own work is done', async () => {
  const script = fileURLToPath(new URL('./forgotten.js', import.meta.url));
  const args = 'deno' in process.versions ? ['run', '-A', script] : [script];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (printed += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  assert.is(code, 0);
  assert.is(printed, '2 threads\n');
});

for (const waits of [true, false]) {
  const where = waits ? 'on a server' : 'in a window';
  test(`${where}, sessions that run at the same time each give what they give alone`, async () => {
    const m = await threaded(source, { threads: 2, waits });
    const other = await threaded(source, { threads: 2, waits });
    const all = await Promise.all([allLogits(m, IDS, 32), allLogits(m, IDS, 7), allLogits(other, IDS, 20)]);
    for (const rows of all) rows.forEach((row, i) => sameBits(row, expected[i], `position ${i}`));
    m.executor.dispose();
    (await allLogits(other, IDS, 32)).forEach((row, i) => sameBits(row, expected[i], 'the other model is gone'));
    other.executor.dispose();
  });

  test(`${where}, thousands of steps: nobody misses a barrier`, async () => {
    const m = await threaded(await randomModel('tiny', 'q8_0', 1), { threads: 3, waits, start: faulty });
    const session = m.session({ overflow: 'slide' });
    const delays = [1, 2].map((thread) => 256 * thread + FAULTS.delay);
    for (let i = 0; i < 400; i++) {
      if (i % 3 < 2) m.order(delays[i % 3] >> 8, FAULTS.delay);
      await session.step(i % 512);
    }
    m.executor.dispose();
  });
}

test('in a window, a session that is disposed of in a step refuses the call and leaves nothing behind', async () => {
  const m = await threaded(source, { threads: 2, waits: false });
  const session = m.session();
  await session.prefill(IDS.slice(0, 8));
  const call = session.prefill(IDS);
  const refusal = refuses(call, 'DISPOSED');
  await Promise.resolve();
  session.dispose();
  const next = await allLogits(m, IDS, 32);
  await refusal;
  next.forEach((row, i) => sameBits(row, expected[i], `next session, position ${i}`));
  m.executor.dispose();
});

test('in a window, a executor that is disposed of in a step refuses it and whatever waits', async () => {
  const m = await threaded(source, { threads: 2, waits: false });
  const calls = [m.session().prefill(IDS), m.session().prefill(IDS)].map((call) => refuses(call, 'DISPOSED'));
  await new Promise((resolve) => setTimeout(resolve, 0));
  m.executor.dispose();
  await Promise.all(calls);
  await refuses(m.session().prefill(IDS), 'DISPOSED');
});

test('a model that is forgotten gives its threads back once it is collected', async () => {
  if (process.versions.bun || 'deno' in process.versions || threads() === null) return; // no collector at will
  const [v8, vm] = await Promise.all([import('node:v8'), import('node:vm')]);
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  const before = threads() as number;
  await (async () => {
    const model = await open(source, { threads: 3 });
    await model.logits([1, 2, 3]);
  })();
  assert.ok((threads() as number) >= before + 2);
  await until(() => {
    collect();
    return (threads() as number) <= before;
  });
});
test.run();
