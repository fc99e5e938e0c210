/**
 * SymbolicLight far beyond its window: memory stays what it was, logits stay finite, and the last tokens are as fast as the
 * first. The bound on the speed is coarse: work that grows with the text would take ten times as long at its end.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/entries/index.ts';
import { sharedTest } from '../shared.ts';

const STEPS = 5000;
const SPAN = 500;

const test = suite('long sessions');

for (const name of ['0.8b-small', '194m-small', '0.8b-decay-only']) {
  const file = `conformance/symboliclight/${name}/checkpoint.pt`;
  sharedTest(test, `${name}: ${STEPS} steps in the memory of the first`, file, async (path) => {
    using model = await open(path);
    const { vocab } = model.describe();
    using session = model.session();
    const step = async (i: number): Promise<void> => {
      const logits = await session.step((i * 37 + (i >> 5)) % vocab);
      if (!logits.every(Number.isFinite)) assert.unreachable(`a logit behind position ${i} is not finite`);
    };
    for (let i = 0; i < SPAN; i++) await step(i); // while the engine compiles
    const size = session.snapshot().length;
    const { memoryBytes } = model.stats();
    const times: number[] = [];
    for (let i = SPAN; i < STEPS; i++) {
      const start = performance.now();
      await step(i);
      times.push(performance.now() - start);
    }
    assert.is(session.position, STEPS);
    assert.is(model.stats().memoryBytes, memoryBytes, 'memory of the model');
    assert.is(session.snapshot().length, size, 'bytes of the session');
    // the fastest tenth, which other work of the machine does not slow
    const fast = (list: number[]): number => list.sort((a, b) => a - b)[Math.floor(list.length / 10)];
    const [first, last] = [fast(times.slice(0, SPAN)), fast(times.slice(-SPAN))];
    assert.ok(last < 4 * first + 0.05, `the last ${SPAN} steps take ${last} ms each, the first ${first} ms`);

    // and it still goes on, and comes back, like any other
    using again = model.session({ snapshot: session.snapshot() });
    assert.equal(await again.step(3), await session.step(3));
  });
}
test.run();
