/** What a host offers, and what is done where it offers less: fewer threads, never a refusal, and one notice. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { randomModel } from '../../src/model/random.ts';
import { open } from '../../src/entries/index.ts';
import { startThreads } from '../../src/threads/start.ts';
import { cores, mayWait, obstacle, sharedMemory } from '../../src/threads/host.ts';
import type { MemoryPlan } from '../../src/description/plan.ts';
import { builtin } from '../../src/wasm/builtin.ts';
import { MemoryError } from '../../src/errors.ts';
import { sameBits } from '../kernels/harness.ts';
import { refuses } from '../refusal.ts';

const source = await randomModel('tiny', 'q8_0', 1);
const IDS = [1, 2, 3, 4];
const expected = await (await open(source, { threads: 1 })).logits(IDS);

/** Runs with a global of the host replaced. */
async function having<T>(name: string, value: unknown, run: () => T | Promise<T>): Promise<T> {
  const real = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  try {
    return await run();
  } finally {
    if (real) Object.defineProperty(globalThis, name, real);
    else Reflect.deleteProperty(globalThis, name);
  }
}

/** Opens for two threads; the model has one, gives the same, and the notice says why. */
async function fallsBack(...words: string[]): Promise<void> {
  const notices: string[] = [];
  const model = await open(source, { threads: 2, onNotice: (text) => void notices.push(text) });
  assert.is(model.stats().threads, 1);
  (await model.logits(IDS)).forEach((row, i) => sameBits(row, expected[i], `position ${i}`));
  model.dispose();
  assert.is(notices.length, 1, notices.join('\n'));
  for (const word of words) assert.ok(notices[0].includes(word), notices[0]);
}

const test = suite('host');

// case: W8
test('processors: what the host says, 1 where it says nothing of use, and never more than a model may have', async () => {
  for (const [said, taken] of [[8, 8], [1, 1], [0, 1], [NaN, 1], ['8', 1], [512, 256], [2.5, 2]] as const) {
    assert.is(await having('navigator', { hardwareConcurrency: said }, cores), taken, `${said}`);
  }
  assert.ok(await having('navigator', {}, cores) >= 1);
});

test('this runtime has what it takes', () => {
  assert.is(obstacle(), null);
  assert.ok(mayWait());
});

// case: M4
test('a page that is not isolated, and a host without shared memory: one thread and a notice', async () => {
  await having('crossOriginIsolated', false, () => fallsBack('Cross-Origin-Opener-Policy', 'one thread'));
  await having('SharedArrayBuffer', undefined, () => fallsBack('shared memory'));
});

test('a worker of Firefox has one thread and a notice', async () => {
  const userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0';
  await having('navigator', { userAgent, hardwareConcurrency: 2 }, () => fallsBack('Firefox', 'one thread'));
});

test('kernels that were handed in run on one thread', async () => {
  const { modules } = builtin('base');
  const module = await modules(false);
  const notices: string[] = [];
  const model = await open(source, { module, threads: 2, onNotice: (text) => void notices.push(text) });
  assert.is(model.stats().threads, 1);
  assert.is(notices.length, 1);
  model.dispose();
});

test('without a listener the notice is a warning on the console, once', async () => {
  const { warn } = console;
  const warnings: unknown[] = [];
  console.warn = (...args: unknown[]): void => void warnings.push(...args);
  try {
    for (let i = 0; i < 2; i++) {
      await having('crossOriginIsolated', false, async () => (await open(source, { threads: 2 })).dispose());
    }
  } finally {
    console.warn = warn;
  }
  assert.is(warnings.length, 1);
  assert.match(String(warnings[0]), /^ternspike: /);
});

test('a small model has one thread unless told, and says nothing', async () => {
  const notices: string[] = [];
  const model = await open(source, { onNotice: (text) => void notices.push(text) });
  assert.is(model.stats().threads, 1);
  assert.equal(notices, []);
  model.dispose();
});

// case: M4
test('shared memory that is refused: less is asked for, then one thread is left', async () => {
  const { Memory } = WebAssembly;
  const asked: number[] = [];
  let least = 0;
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      if (descriptor.shared) {
        asked.push(descriptor.maximum as number);
        if ((descriptor.maximum as number) > least) throw new RangeError('could not allocate memory');
      }
      super(descriptor);
    }
  } as typeof Memory;
  try {
    await fallsBack('shared memory', 'refuses');
    // in a browser, which Node is not while its modules cannot be had
    await having('process', undefined, () => {
      asked.length = 0;
      assert.is(sharedMemory(10 * 65536, 65536, 2 ** 32 - 65536), null);
      assert.equal(asked, [10 + 1024, 10]);
      least = 10;
      assert.is(sharedMemory(10 * 65536, 65536, 2 ** 32 - 65536)?.buffer.byteLength, 65536);
      assert.equal(asked, [10 + 1024, 10, 10 + 1024, 10]);
      asked.length = 0;
      sharedMemory(1024 * 65536, 512 * 65536, 2000 * 65536);
      assert.equal(asked, [2000, 1024], 'four sessions more, within the limit');
    });
  } finally {
    WebAssembly.Memory = Memory;
  }
});

test('a plan that fits with one thread alone: as many as asked for are refused, by default one is taken', async () => {
  const planned = (threads: number): MemoryPlan => {
    if (threads > 1) throw new MemoryError('MEMORY_LIMIT', 'too many');
    return { weightsBytes: 1, stateBytes: 1, scratchBytes: 1, sessions: 1, totalBytes: 3 };
  };
  const options = { weightsBytes: 2 ** 30, kernels: builtin(), planned, limit: 2 ** 30, notice: () => {} };
  await refuses(startThreads({ ...options, threads: 2 }), 'MEMORY_LIMIT');
  assert.is(
    await having('navigator', { hardwareConcurrency: 4 }, () => startThreads({ ...options, threads: undefined })),
    null,
  );
  assert.is(await startThreads({ ...options, threads: 1 }), null);
});

test('by default there is a thread for each 16 MiB of weights, at most 8 and at most one for each processor', async () => {
  const asked: number[] = [];
  const planned = (threads: number): MemoryPlan => {
    asked.push(threads);
    throw new MemoryError('MEMORY_LIMIT', 'only counted');
  };
  const options = { threads: undefined, kernels: builtin(), planned, limit: 2 ** 30, notice: () => {} };
  for (const [processors, mebibytes] of [[64, 1000], [4, 1000], [4, 50], [4, 31], [1, 1000]]) {
    const weightsBytes = mebibytes * 2 ** 20;
    await having('navigator', { hardwareConcurrency: processors }, () => startThreads({ ...options, weightsBytes }));
  }
  assert.equal(asked, [8, 4, 3]);
});
test.run();
