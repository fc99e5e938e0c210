/** How many items a long call takes between two looks at the host's events. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Pace } from '../../src/bytes/pace.ts';

/** Time of our own: a batch of n takes as long as `cost` says. */
function paced(stretch: number, cost: (n: number) => number, most: number, large?: number): number[] {
  const real = performance.now;
  let now = 0;
  performance.now = () => now;
  try {
    const pace = new Pace(undefined, stretch);
    return Array.from({ length: 8 }, () => {
      const n = pace.next(most, large);
      now += cost(n);
      pace.done(n);
      return n;
    });
  } finally {
    performance.now = real;
  }
}

const test = suite('pace');

// case: X8
test('begins with four, then takes what lasts a stretch, at least one and at most what there is room for', () => {
  assert.equal(paced(40, (n) => 5 * n, 32), [4, 8, 8, 8, 8, 8, 8, 8]);
  assert.equal(paced(40, (n) => 500 * n, 32), [4, 1, 1, 1, 1, 1, 1, 1]);
  assert.equal(paced(40, (n) => n / 10, 32), [4, 32, 32, 32, 32, 32, 32, 32]);
  assert.equal(paced(40, (n) => n / 10, 3), [3, 3, 3, 3, 3, 3, 3, 3]);
});

/** Alone 50 ms each; sixteen at a time 18 ms each, and as long when there are fewer. */
const byTables = (n: number): number => (n < 8 ? 50 * n : n <= 16 ? 288 : 540);

test('tries a large batch once, and keeps to whole ones where they are cheaper', () => {
  assert.equal(paced(500, byTables, 32, 16), [4, 16, 16, 16, 16, 16, 16, 16]);
  assert.equal(paced(600, byTables, 32, 16), [4, 16, 32, 32, 32, 32, 32, 32]);
  assert.equal(paced(40, byTables, 32, 16), [4, 1, 1, 1, 1, 1, 1, 1]);
  // what is as dear in a large batch is not taken in one again
  assert.equal(paced(300, (n) => 50 * n, 32, 16), [4, 16, 6, 6, 6, 6, 6, 6]);
});

test.run();
