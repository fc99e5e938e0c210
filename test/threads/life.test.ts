/** Lives of executors: what is disposed of is gone, what is idle neither works nor holds anything up, and calls do not mix. */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { randomModel } from '../../src/model/random.ts';
import { open } from '../../src/entries/index.ts';
import type { PoolExecutor } from '../../src/threads/pool.ts';
import { cpuMillisOf, hurried, until } from '../clock.ts';
import { sameBits } from '../kernels/harness.ts';
import { refuses } from '../refusal.ts';
import { allLogits, FAULTS, faulty, threaded, WORKER } from './executors.ts';

const IDS = Array.from({ length: 40 }, (_, i) => (i * 37) % 512);

const source = await randomModel('tiny', 'tq2_0', 2);
const alone = await threaded(source, { threads: 1 });
const expected = await allLogits(alone, IDS, 32);

/** Whether this is Node, which tells of every worker that is started. */
const onNode = process.versions.bun === undefined && !('deno' in process.versions);

/** Workers that are started while `run` lasts, on Node: how many, and how many of them have ended. */
async function workers(run: (seen: { started: number; ended: number }) => Promise<void>): Promise<void> {
  const seen = { started: 0, ended: 0 };
  const count = (worker: Worker): void => {
    seen.started++;
    worker.once('exit', () => seen.ended++);
  };
  process.on('worker', count);
  try {
    await run(seen);
  } finally {
    process.off('worker', count);
  }
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
  // time of our own, which stands still but for what a trial takes
  const choose = (ms: Record<number, number>): Promise<void> =>
    hurried(async (clock) => {
      await executor.choose(async () => {
        clock.step = 0;
        await executor.run([undefined]); // a head over whatever lies there
        clock.step = ms[executor.count];
      });
    });
  await choose({ 4: 30, 2: 2, 1: 30 });
  assert.is(executor.count, 2);
  executor.use(4);
  assert.is(executor.count, 2, 'the others are gone');
  await allLogits(m, IDS, 32).then((rows) => rows.forEach((row, i) => sameBits(row, expected[i], `position ${i}`)));
  await choose({ 2: 20, 1: 20 });
  assert.is(executor.count, 1);
  await allLogits(m, IDS, 32).then((rows) => rows.forEach((row, i) => sameBits(row, expected[i], `position ${i}`)));
  const failing = (await threaded(source, { threads: 2 })).executor as PoolExecutor;
  await failing.choose(() => Promise.reject(new Error('on purpose')));
  assert.is(failing.count, 1);
  for (const each of [executor, failing]) each.dispose();
});

// case: Z7
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
  await workers(async (seen) => {
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
    if (onNode) assert.ok(seen.started >= 12);
    await until(() => seen.ended === seen.started);
  });
});

test('an idle pool takes no time', async () => {
  const m = await threaded(source, { threads: 3 });
  await allLogits(m, IDS, 32);
  // the host still compiles and collects for a moment; threads that wait busily never come to rest
  await until(async () => await cpuMillisOf(() => new Promise((resolve) => setTimeout(resolve, 200))) < 60);
  m.executor.dispose();
});

// case: W6
test('a process whose model is never disposed of ends when its own work is done', async () => {
  const script = fileURLToPath(new URL('./forgotten.js', import.meta.url));
  const args = 'deno' in process.versions ? ['run', '-A', script] : [script];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (printed += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000); // for a child that would never end
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  assert.is(code, 0);
  assert.is(printed, '2 threads\n');
});

for (const waits of [true, false]) {
  const where = waits ? 'on a server' : 'in a window';
  // case: W5
  test(`${where}, sessions that run at the same time each give what they give alone`, async () => {
    const m = await threaded(source, { threads: 2, waits });
    const other = await threaded(source, { threads: 2, waits });
    const all = await Promise.all([allLogits(m, IDS, 32), allLogits(m, IDS, 7), allLogits(other, IDS, 20)]);
    for (const rows of all) rows.forEach((row, i) => sameBits(row, expected[i], `position ${i}`));
    m.executor.dispose();
    (await allLogits(other, IDS, 32)).forEach((row, i) => sameBits(row, expected[i], 'the other model is gone'));
    other.executor.dispose();
  });

  // case: W4
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

test('in a window, an executor that is disposed of in a step refuses it and whatever waits', async () => {
  const m = await threaded(source, { threads: 2, waits: false });
  const calls = [m.session().prefill(IDS), m.session().prefill(IDS)].map((call) => refuses(call, 'DISPOSED'));
  await new Promise((resolve) => setTimeout(resolve, 0));
  m.executor.dispose();
  await Promise.all(calls);
  await refuses(m.session().prefill(IDS), 'DISPOSED');
});

test('a model that is forgotten gives its threads back once it is collected', async () => {
  if (!onNode) return; // no collector at will
  const [v8, vm] = await Promise.all([import('node:v8'), import('node:vm')]);
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  await workers(async (seen) => {
    await (async () => {
      const model = await open(source, { threads: 3 });
      await model.logits([1, 2, 3]);
    })();
    assert.is(seen.started, 2);
    await until(() => {
      collect();
      return seen.ended === 2;
    });
  });
});
test.run();
