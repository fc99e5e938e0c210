/** Choosing: largest, k largest, weights and draws, with ties, masked entries and NaN. */
import * as assert from 'uvu/assert';
import * as reference from '../reference.ts';
import { kernelSuite, LENGTHS, normals, patterns, random, sameBits, ulps } from './harness.ts';

const fround = Math.fround;

await kernelSuite('select', ({ k, arena }, test) => {
  const argmax = (x: Float32Array): number => k.argmax_f32(arena.putAtEnd(x), x.length);
  const topK = (x: Float32Array, count: number): { ids: number[]; values: Float32Array } => {
    const ids = arena.alloc(Math.min(count, x.length) * 4);
    const values = arena.alloc(Math.min(count, x.length) * 4);
    const found = k.top_k_f32(arena.putAtEnd(x), x.length, count, ids, values);
    return { ids: Array.from(arena.i32(ids, found)), values: arena.f32(values, found) };
  };
  /** Checks top_k against the reference. */
  const checkTopK = (x: Float32Array, count: number, what: string): void => {
    arena.reset();
    const expected = reference.topK(x, count);
    const actual = topK(x, count);
    assert.equal(actual.ids, expected, what);
    sameBits(actual.values, expected.map((i) => x[i]), what);
  };

  test('argmax equals the reference at every length', () => {
    for (const n of LENGTHS) {
      for (const { name, x } of patterns(n)) {
        assert.is(argmax(x), reference.argmax(x), `${name} n = ${n}`);
        for (const place of [0, n >> 1, n - 1]) {
          if (n === 0) continue;
          const y = normals(n, 3);
          y[place] = 99;
          assert.is(argmax(y), place, `largest at ${place} of ${n}`);
        }
      }
    }
  });

  // case: N15
  test('argmax takes the lowest index on ties, of -0 and +0 as well', () => {
    assert.is(argmax(Float32Array.of(1, 3, 2, 3, 3)), 1);
    assert.is(argmax(Float32Array.of(-1, -0, 0)), 1);
    assert.is(argmax(Float32Array.of(-1, 0, -0)), 1);
    for (const n of LENGTHS) if (n > 0) assert.is(argmax(new Float32Array(n).fill(-2)), 0);
    assert.is(argmax(Float32Array.of(-Infinity, Infinity, Infinity)), 1);
  });

  // case: N15
  test('argmax says -1 where nothing can be chosen and -2 where a NaN is anywhere', () => {
    for (const n of LENGTHS) {
      assert.is(argmax(new Float32Array(n).fill(-Infinity)), -1);
      for (const place of [0, n >> 1, n - 1]) {
        if (n === 0) continue;
        const x = normals(n, 1);
        x[place] = NaN;
        assert.is(argmax(x), -2, `NaN at ${place} of ${n}`);
      }
    }
  });

  test('top_k equals a full sort for every length and k', () => {
    for (const n of LENGTHS) {
      for (const { name, x } of patterns(n)) {
        for (const count of [0, 1, 2, 40, n - 1, n, n + 1]) {
          if (count >= 0) checkTopK(x, count, `${name} n = ${n} k = ${count}`);
        }
      }
    }
  });

  test('top_k: ties go to the lower index', () => {
    const u = random(4);
    for (const levels of [1, 2, 5]) {
      const x = Float32Array.from({ length: 3000 }, () => Math.floor(u() * levels));
      for (const count of [1, 7, 500, 3000]) checkTopK(x, count, `${levels} levels, k = ${count}`);
    }
  });

  test('top_k: rising, falling and masked inputs; -Infinity and NaN are never selected', () => {
    const rising = Float32Array.from({ length: 2000 }, (_, i) => i);
    for (const count of [1, 40, 1024]) {
      checkTopK(rising, count, 'rising');
      checkTopK(rising.slice().reverse(), count, 'falling');
      checkTopK(rising.map((v) => (v % 3 ? -Infinity : -v)), count, 'masked');
      checkTopK(rising.map((v) => (v % 100 ? NaN : v)), count, 'NaN');
      checkTopK(new Float32Array(2000).fill(-Infinity), count, 'all masked');
    }
  });

  test('exp_sum gives the weights within 2 ulp and their sum', () => {
    for (const n of LENGTHS) {
      for (const [top, inverse] of [[4, 1], [4, 1.25], [6, 0.01], [5, 1e6]]) {
        arena.reset();
        const x = normals(n, n + 1);
        if (n > 2) x[2] = -Infinity;
        const from = arena.put(x, 4);
        const to = arena.alloc(n * 4);
        const sum = k.exp_sum_f32(from, to, n, top, inverse);
        const y = arena.f32(to, n);
        const truth = reference.expWeights(x, top, inverse);
        y.forEach((v, i) => assert.ok(ulps(v, truth[i]) <= 2 || truth[i] < 2 ** -126, `${v} ${truth[i]}`));
        const expected = y.reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum - expected) <= expected * 1e-6);
        assert.is(k.exp_sum_f32(from, 0, n, top, inverse), sum, 'without storing');
        k.exp_sum_f32(from, from, n, top, inverse);
        sameBits(arena.f32(from, n), y, 'in place');
      }
    }
  });

  test('entropy_sum weighs what is likely and counts the rest', () => {
    for (const n of LENGTHS) {
      for (const least of [1e-30, 1e-3, 0.1, 2]) {
        arena.reset();
        const x = normals(n, n + 5, 2);
        for (let i = 1; i < n; i += 5) x[i] = -Infinity;
        const from = arena.put(x, 4);
        const weights = arena.alloc(n * 4);
        k.exp_sum_f32(from, weights, n, 9, 1);
        const sum = k.entropy_sum_f32(from, weights, n, 11.5, least, 0.001);
        const expected = reference.entropySum(x, arena.f32(weights, n), 11.5, least, 0.001);
        assert.ok(
          Math.abs(sum - expected) <= 1e-6 * Math.abs(expected),
          `${n}, ${least}: ${sum}, expected ${expected}`,
        );
      }
    }
  });

  test('draw finds the element whose stretch holds the target, for targets over the whole range', () => {
    for (const n of LENGTHS) {
      const x = normals(n, n + 9, 2);
      for (let i = 1; i < n; i += 5) x[i] = -Infinity;
      const top = x.reduce((a, b) => Math.max(a, b), -Infinity);
      arena.reset();
      const from = arena.put(x);
      const to = arena.alloc(n * 4);
      if (n === 0) {
        assert.is(k.draw_f32(from, n, 0, 1, 0), -1);
        continue;
      }
      const sum = k.exp_sum_f32(from, to, n, top, 1);
      const weights = arena.f32(to, n);
      const u = random(n);
      for (const part of [0, 1 - 2 ** -53, ...Array.from({ length: 200 }, u)]) {
        const target = part * sum;
        const drawn = k.draw_f32(from, n, top, 1, target);
        const expected = reference.draw(weights, target);
        // the order of additions differs, so a target within rounding of a border may fall on either side
        const near = [1 - 1e-12, 1 + 1e-12].map((factor) => reference.draw(weights, target * factor));
        assert.ok(drawn === expected || near.includes(drawn), `${drawn} instead of ${expected}, n = ${n}`);
        assert.ok(weights[drawn] > 0);
      }
      assert.is(k.draw_f32(from, n, top, 1, sum * 2), weights.findLastIndex((w) => w > 0), 'beyond the sum: the last');
    }
  });

  test('draw takes the first element of non-zero weight for target 0, and none where all weigh nothing', () => {
    const x = Float32Array.of(-Infinity, -Infinity, -Infinity, -Infinity, -Infinity, 1, 2);
    assert.is(k.draw_f32(arena.put(x), 7, 2, 1, 0), 5);
    assert.is(k.draw_f32(arena.put(new Float32Array(7).fill(-Infinity)), 7, 2, 1, 0), -1);
    assert.is(k.draw_f32(arena.put(Float32Array.of(0, fround(1e9))), 2, fround(1e9), 1, 0.5), 1);
  });
});
