/**
 * Lanes that throw, trap, leave or never come back: the call is refused within about a second, the session is as it was, and
 * the next call gives the right bits on fresh lanes.
 */
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { randomModel } from '../../src/eval/random-model.ts';
import { nodeThread, type StartThread } from '../../src/lanes/thread.ts';
import { sameBits } from '../kernels/harness.ts';
import { refuses } from '../refusal.ts';
import { allLogits, AT_START, type Crewed, crewed, FAULTS, faulty, onBun } from './crews.ts';

const IDS = [1, 7, 500, 23, 23, 401, 64, 0];
/** A lane that stays away is noticed after 0.8 s; machines that run tests are busy. */
const SOON_MS = 2500;

const source = await randomModel('tiny', 'tq2_0', 1);
const alone = await crewed(source, { lanes: 1 });
const expected = await allLogits(alone, IDS, 5);
/** The order that makes no lane fail. */
const NONE = 0;

async function goesOn(m: Crewed, what: string): Promise<void> {
  const rows = await allLogits(m, IDS, 5);
  rows.forEach((row, i) => sameBits(row, expected[i], `${what}, position ${i}`));
}

const test = suite('faults of lanes');

for (const waits of [true, false]) {
  const where = waits ? 'on a server' : 'in a window';
  for (const [name, fault] of Object.entries(FAULTS)) {
    if (name === 'delay' || (name === 'hang' && onBun) || (name === 'trap' && !waits)) continue;
    test(`${where}, a lane that does this in a step is replaced: ${name}`, async () => {
      const m = await crewed(source, { lanes: 2, waits, start: faulty });
      try {
        const session = m.session();
        await session.prefill(IDS.slice(0, 5));
        m.order(1, fault);
        const start = performance.now();
        const words = name === 'throw' ? ['on purpose', 'lane 1'] : [];
        await refuses(session.step(IDS[5]), 'WORKER_DIED', ...words);
        assert.ok(performance.now() - start < SOON_MS, `noticed after ${performance.now() - start} ms`);
        assert.is(session.position, 5);
        m.order(0, NONE);
        sameBits(await session.step(IDS[5]), expected[5], 'once more');
        assert.is(m.crew.count, 2);
        await goesOn(m, 'a new session');
        assert.equal(m.notices, []);
      } finally {
        m.crew.dispose();
      }
    });
  }

  test(`${where}, a lane that fails when it starts: one lane is left, and says so once`, async () => {
    const fault = 256 + AT_START + (waits ? FAULTS.exit : FAULTS.throw);
    const m = await crewed(source, { lanes: 2, waits, start: faulty, fault });
    assert.is(m.crew.count, 1);
    await goesOn(m, 'on one lane');
    assert.is(m.notices.length, 1);
    assert.match(m.notices[0], 'running on one');
    m.crew.dispose();
  });
}

test('in a window, the lane that reports the end of steps fails', async () => {
  const m = await crewed(source, { lanes: 3, waits: false, start: faulty });
  m.order(0, FAULTS.trap);
  await refuses(allLogits(m, IDS, 5), 'WORKER_DIED', 'lane 0');
  m.order(0, NONE);
  await goesOn(m, 'behind');
  m.crew.dispose();
});

test('a thread that ends while nothing runs is replaced without a refusal', async () => {
  const workers: Worker[] = [];
  const m = await crewed(source, {
    lanes: 2,
    start: (hear, gone) => {
      workers.push(new Worker(new URL('./faulty-lane.js', import.meta.url)));
      return nodeThread(workers[workers.length - 1], hear, gone);
    },
  });
  await goesOn(m, 'before');
  await workers[0].terminate();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await goesOn(m, 'behind');
  assert.is(workers.length, 2);
  m.crew.dispose();
});

test('a script that cannot be loaded, or threads that cannot be made: one lane is left', async () => {
  const starts: StartThread[] = [
    (hear, gone) => nodeThread(new Worker(new URL('./no-such-lane.js', import.meta.url)), hear, gone),
    () => {
      throw new Error('forbidden by policy');
    },
  ];
  for (const start of starts) {
    const m = await crewed(source, { lanes: 2, start });
    assert.is(m.crew.count, 1);
    await goesOn(m, 'alone');
    assert.is(m.notices.length, 1);
    m.crew.dispose();
  }
});

test('a state that cannot be rewound is as it was: SymbolicLight goes on from there', async () => {
  const spiking = await randomModel('symboliclight-tiny', 'i8', 2);
  const one = await crewed(spiking, { lanes: 1 });
  const rows = await allLogits(one, IDS, 3);
  for (const waits of [true, false]) {
    const m = await crewed(spiking, { lanes: 2, waits, start: faulty });
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
    m.crew.dispose();
  }
});
test.run();
