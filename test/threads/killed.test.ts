/** Threads that are ended from outside at any time: every step is either right or refused with the session as it was. */
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TernspikeError } from '../../src/errors.ts';
import { randomModel } from '../../src/model/random.ts';
import { nodeThread } from '../../src/threads/port.ts';
import { random, sameBits } from '../kernels/harness.ts';
import { allLogits, threaded } from './executors.ts';

const SEED = 11;
const KILLS = 4;
const IDS = Array.from({ length: 40 }, (_, i) => (i * 37) % 512);

const test = suite('killed threads');

for (const waits of [true, false]) {
  // case: W2
  test(`${waits ? 'on a server' : 'in a window'}, threads are ended at random: right bits or a refusal that changes nothing`, async () => {
    const source = await randomModel('tiny', 'tq2_0', 1);
    const alone = await threaded(source, { threads: 1 });
    const expected = await allLogits(alone, IDS, 1);
    const next = random(SEED);
    const workers: Worker[] = [];
    const m = await threaded(source, {
      threads: 3,
      waits,
      start: (hear, gone) => {
        const worker = new Worker(new URL('./faulty-thread.js', import.meta.url));
        workers.push(worker);
        return nodeThread(worker, hear, gone);
      },
    });
    const session = m.session();
    let refusals = 0;
    let ended = 0;
    for (let i = 0; i < IDS.length; i++) {
      for (;;) {
        if (ended < KILLS && next() < 0.3) {
          ended++;
          const worker = workers[workers.length - 1 - Math.floor(next() * 2)];
          const gone = worker.terminate();
          if (next() < 0.5) await gone;
        }
        try {
          sameBits(await session.step(IDS[i]), expected[i], `seed ${SEED}, position ${i}`);
          break;
        } catch (error) {
          if (!(error instanceof TernspikeError)) throw error;
          assert.is(error.code, 'WORKER_DIED', `seed ${SEED}, position ${i}: ${error.message}`);
          assert.is(session.position, i);
          refusals++;
        }
      }
    }
    assert.is(ended, KILLS);
    assert.ok(refusals <= KILLS);
    m.executor.dispose();
  });
}

test.run();
