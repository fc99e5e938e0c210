/** The generator: its published sequence, its seeds, its state. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OptionError } from '../../src/errors.ts';
import { checkSeed, randomSeed, Rng, type RngState } from '../../src/sample/rng.ts';

const rng = suite('rng');
const take = (from: Rng, n: number): number[] => Array.from({ length: n }, () => from.next());
const refused = (error: unknown): boolean => error instanceof OptionError && error.code === 'OPTION';

rng('gives the sequence of xoshiro128** as its authors publish it', () => {
  const generator = new Rng(0);
  generator.restore([0x964d4a0c, 0xd40ab895, 0xad7fdecb, 0x3006f0f0]);
  assert.equal(take(generator, 4), [0xf1391922, 0x6fe53806, 0xa5be2840, 0xf510ee70]);
  generator.restore([1, 2, 3, 4]);
  assert.equal(take(generator, 6), [11520, 0, 5927040, 70819200, 2031721883, 1637235492]);
});

rng('is seeded by SplitMix64', () => {
  // the first outputs of SplitMix64 for 0: e220a8397b1dcdaf 6e789e6aa1b965f4
  assert.equal(new Rng(0).state(), [0x7b1dcdaf, 0xe220a839, 0xa1b965f4, 0x6e789e6a]);
  assert.equal(take(new Rng(1), 3), [1695105466, 1423115009, 634581793]);
  assert.equal(take(new Rng(2 ** 53 - 1), 3), [1233166643, 1287031142, 661813442]);
});

rng('neighbouring seeds give unrelated sequences, equal seeds the same', () => {
  const first = new Set<number>();
  for (let seed = 0; seed < 1000; seed++) first.add(new Rng(seed).next());
  assert.ok(first.size >= 999);
  assert.equal(take(new Rng(7), 100), take(new Rng(7), 100));
  assert.equal(take(new Rng(-0), 3), take(new Rng(0), 3));
});

rng('a seed is an integer from 0 to 2^53 - 1; anything else is refused', () => {
  for (const seed of [0, 1, 2 ** 32, 2 ** 53 - 1]) assert.is(checkSeed(seed), seed);
  for (const seed of [-1, 2 ** 53, 0.5, NaN, Infinity, '1', null, undefined, 1n]) {
    assert.throws(() => new Rng(seed as number), refused, String(seed));
  }
});

rng('uniform numbers are 0 <= u < 1, evenly spread, and use two words each', () => {
  const generator = new Rng(3);
  const bins = new Array<number>(64).fill(0);
  const n = 200_000;
  for (let i = 0; i < n; i++) {
    const u = generator.uniform();
    assert.ok(u >= 0 && u < 1);
    bins[Math.floor(u * 64)]++;
  }
  const chi = bins.reduce((sum, count) => sum + (count - n / 64) ** 2 / (n / 64), 0);
  assert.ok(chi < 63 + 5 * Math.sqrt(126), `${chi}`);
  const again = new Rng(3);
  take(again, 2 * n);
  assert.equal(again.state(), generator.state());
  again.restore([0, 0, 0, 1]);
  assert.is(again.uniform(), 0);
});

rng('goes on from a state that was saved, and refuses states that cannot be', () => {
  const generator = new Rng(9);
  take(generator, 17);
  const state = generator.state();
  const rest = take(generator, 50);
  const other = new Rng(0);
  other.restore(state);
  assert.equal(take(other, 50), rest);
  const before = other.state();
  const states = [[0, 0, 0, 0], [1, 2, 3], [1, 2, 3, -4], [1, 2, 3, 2 ** 32], [1, 2, 3, 0.5], [1, 2, 3, NaN], 'abcd'];
  for (const bad of states) {
    assert.throws(() => other.restore(bad as unknown as RngState), refused, String(bad));
  }
  assert.equal(other.state(), before);
});

rng('a random seed is a seed', () => {
  const seeds = new Set(Array.from({ length: 100 }, () => checkSeed(randomSeed())));
  assert.is(seeds.size, 100);
});

rng.run();
