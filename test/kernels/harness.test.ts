/** The harness itself: it must see what it is there to see. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Guarded, ulps } from './harness.ts';

const harness = suite('kernel harness');

// case: M11
harness('a byte written before or behind a block is reported, a write inside is not', () => {
  for (const shift of [0, 4]) {
    const arena = new Guarded();
    const other = arena.alloc(100);
    const at = arena.alloc(16, shift);
    const all = new Uint8Array(arena.memory.buffer);
    all.fill(1, at, at + 16);
    all.fill(2, other, other + 100);
    arena.check('kernel');
    for (const place of [-1, -64, 16, 79]) {
      const before = all[at + place];
      all[at + place] = 0;
      assert.throws(() => arena.check('kernel'), (error: Error) => error.message.includes(`wrote at byte ${place} `));
      all[at + place] = before;
    }
    arena.check('kernel');
  }
});

harness('the digest tells reads apart that differ in one bit', () => {
  const digests = [0, 1].map((bit) => {
    const arena = new Guarded();
    arena.f32(arena.put(new Uint32Array([7, bit, 9])), 3);
    return arena.digest;
  });
  assert.is.not(digests[0], digests[1]);
});

harness('ulps counts in units of the last place', () => {
  assert.is(ulps(1, 1), 0);
  assert.is(ulps(1 + 2 ** -23, 1), 1);
  assert.is(ulps(1, 1 + 2 ** -24), 0.5);
  assert.is(ulps(2 ** -149, 0), 1);
  assert.is(ulps(NaN, NaN), 0);
  assert.is(ulps(Infinity, 1e39), 0);
  assert.is(ulps(NaN, 1), Infinity);
});

harness.run();
