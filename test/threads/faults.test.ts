/**
 * Threads that throw, trap, leave or never come back: the call is refused within about a second, the session is as it was, and
 * the next call gives the right bits on fresh threads.
 */
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { randomModel } from '../../src/model/random.ts';
import { nodeThread, type StartThread } from '../../src/threads/port.ts';
import { sameBits } from '../kernels/harness.ts';
import { refuses } from '../refusal.ts';
import { allLogits, AT_START, type Crewed, FAULTS, faulty, HUNG, onBun, threaded } from './executors.ts';

const IDS = [1, 7, 500, 23, 23, 401, 64, 0];
const source = await randomModel('tiny', 'tq2_0', 1);
const alone = await threaded(source, { threads: 1 });
const expected = await allLogits(alone, IDS, 5);
/** The order that makes no thread fail. */
const NONE = 0;

async function goesOn(m: Crewed, what: string): Promise<void> {
  const rows = await allLogits(m, IDS, 5);
  rows.forEach((row, i) => sameBits(row, expected[i], `${what}, position ${i}`));
}

const test = suite('faults of threads');

for (const waits of [true, false]) {
  const where = waits ? 'on a server' : 'in a window';
  for (const [name, fault] of Object.entries(FAULTS)) {
    if (name === 'delay' || (name === 'hang' && onBun) || (name === 'trap' && !waits)) continue;
    // case: W2 W3
    test(`${where}, a thread that does this in a step is replaced: ${name}`, async () => {
      const m = await threaded(source, { threads: 2, waits, start: faulty });
      try {
        const session = m.session();
        await session.prefill(IDS.slice(0, 5));
        m.order(1, fault);
        const words = name === 'throw' ? ['on purpose', 'thread 1'] : [];
        const { message } = await refuses(session.step(IDS[5]), 'WORKER_DIED', ...words);
        assert.not.match(message, HUNG, 'it was noticed before it came back');
        assert.is(session.position, 5);
        m.order(0, NONE);
        sameBits(await session.step(IDS[5]), expected[5], 'once more');
        assert.is(m.executor.count, 2);
        await goesOn(m, 'a new session');
        assert.equal(m.notices, []);
      } finally {
        m.executor.dispose();
      }
    });
  }

  test(`${where}, a thread that fails when it starts: one thread is left, and says so once`, async () => {
    const fault = 256 + AT_START + (waits ? FAULTS.exit : FAULTS.throw);
    const m = await threaded(source, { threads: 2, waits, start: faulty, fault });
    assert.is(m.executor.count, 1);
    await goesOn(m, 'on one thread');
    assert.is(m.notices.length, 1);
    assert.match(m.notices[0], 'running on one');
    m.executor.dispose();
  });
}

test('in a window, the thread that reports the end of steps fails', async () => {
  const m = await threaded(source, { threads: 3, waits: false, start: faulty });
  m.order(0, FAULTS.trap);
  await refuses(allLogits(m, IDS, 5), 'WORKER_DIED', 'thread 0');
  m.order(0, NONE);
  await goesOn(m, 'behind');
  m.executor.dispose();
});

// case: W2
test('a thread that ends while nothing runs is replaced without a refusal', async () => {
  const workers: Worker[] = [];
  const m = await threaded(source, {
    threads: 2,
    start: (hear, gone) => {
      workers.push(new Worker(new URL('./faulty-thread.js', import.meta.url)));
      return nodeThread(workers[workers.length - 1], hear, gone);
    },
  });
  await goesOn(m, 'before');
  const gone = new Promise((resolve) => workers[0].once('exit', resolve)); // heard after the pool has heard it
  await workers[0].terminate();
  await gone;
  await goesOn(m, 'behind');
  assert.is(workers.length, 2);
  m.executor.dispose();
});

// case: W9
test('a script that cannot be loaded, or threads that cannot be made: one thread is left', async () => {
  const starts: StartThread[] = [
    (hear, gone) => nodeThread(new Worker(new URL('./no-such-thread.js', import.meta.url)), hear, gone),
    () => {
      throw new Error('forbidden by policy');
    },
  ];
  for (const start of starts) {
    const m = await threaded(source, { threads: 2, start });
    assert.is(m.executor.count, 1);
    await goesOn(m, 'alone');
    assert.is(m.notices.length, 1);
    m.executor.dispose();
  }
});

// case: W2
test('a state that cannot be rewound is as it was: SymbolicLight goes on from there', async () => {
  const spiking = await randomModel('symboliclight-tiny', 'i8', 2);
  const one = await threaded(spiking, { threads: 1 });
  const rows = await allLogits(one, IDS, 3);
  for (const waits of [true, false]) {
    const m = await threaded(spiking, { threads: 2, waits, start: faulty });
    const session = m.session();
    await session.prefill(IDS.slice(0, 3));
    for (let i = 3; i < IDS.length; i++) {
      if (i === 4) {
        m.order(1, FAULTS.trap);
        await refuses(session.step(IDS[i]), 'WORKER_DIED');
        m.order(0, NONE);
        assert.is(session.position, i);
      }
      sameBits(await session.step(IDS[i]), rows[i], `position ${i}`);
    }
    m.executor.dispose();
  }
});
test.run();
