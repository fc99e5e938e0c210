/** The kernels of training that have no slopes to be held against: products at every edge, noise, sums. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Training, trainKernels } from '../../src/distill/train-kernels.ts';
import { builds, normals } from './harness.ts';

const test = suite('training kernels');

for (const build of builds) {
  /** Floats in a block of their own. */
  const put = ({ arena }: Training, values: Float32Array): number => {
    const at = arena.alloc(values.byteLength + 64, 'test');
    arena.f32(at, values.length).set(values);
    return at;
  };

  test(`${build}: products of every size and stride, over what was there or not`, async () => {
    const t = await trainKernels(build);
    const { k, arena } = t;
    for (
      const [m, n, p] of [[1, 1, 1], [4, 12, 8], [5, 13, 3], [7, 24, 257], [130, 11, 300], [3, 40, 512], [4, 12, 0]]
    ) {
      const mark = arena.mark();
      const [a, b, c] = [normals(m * p, 1), normals(p * n, 2), normals(m * (n + 3), 3)];
      const [pa, pb] = [put(t, a), put(t, b)];
      const scratch = arena.alloc(k.gemm_scratch(n), 'scratch');
      for (const [aRow, aCol] of [[p, 1], [1, m]]) {
        for (const [bRow, bCol] of [[n, 1], [1, p]]) {
          for (const add of [0, 1]) {
            const pc = put(t, c);
            k.gemm(pa, aRow, aCol, pb, bRow, bCol, pc, n + 3, m, n, p, add, scratch);
            const out = arena.f32(pc, c.length + 16);
            for (let i = 0; i < m; i++) {
              for (let j = 0; j < n + 3; j++) {
                const at = i * (n + 3) + j;
                let [sum, size] = [add === 1 ? c[at] : 0, 1];
                for (let q = 0; q < p && j < n; q++) {
                  const product = a[i * aRow + q * aCol] * b[q * bRow + j * bCol];
                  sum += product;
                  size += Math.abs(product);
                }
                if (j >= n) assert.is(out[at], c[at], 'beside the product nothing is written');
                else {assert.ok(
                    Math.abs(out[at] - sum) < 1e-6 * size,
                    `${m} × ${n} × ${p}, ${i}, ${j}: ${out[at]}, ${sum}`,
                  );}
              }
            }
            assert.ok(out.subarray(c.length).every((x) => x === 0), 'nor behind it');
          }
        }
      }
      arena.release(mark);
    }
  });

  test(`${build}: rates are rounded and held, NaN stays, noise has its spread and its seed`, async () => {
    const t = await trainKernels(build);
    const { k, arena } = t;
    const given = Float32Array.of(-1, 0, 0.03, 0.04, 0.5, 0.97, 1, 7, NaN, 0.25, 0.26, 0.3);
    const [current, rate] = [put(t, given), put(t, given)];
    k.rates(current, rate, 12, 16, 0, 0);
    assert.equal([...arena.f32(rate, 12)], [0, 0, 0, 0.0625, 0.5, 1, 1, 1, NaN, 0.25, 0.25, 0.3125]);
    assert.ok(Number.isNaN(k.total(rate, 12)));
    assert.ok(Math.abs(k.total(rate, 8) - 3.5625) < 1e-9);
    const grad = put(t, new Float32Array(12).fill(1));
    k.rates_back(current, grad, 12, 0.1);
    assert.equal([...arena.f32(grad, 12)], [0, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1]);

    const n = 40_000;
    const noisy = (seed: number): Float32Array => {
      const at = put(t, new Float32Array(n).fill(0.5));
      k.rates(at, put(t, new Float32Array(n)), n, 1e6, 0.05, seed);
      return arena.f32(at, n).slice();
    };
    const [one, same, other] = [noisy(1), noisy(1), noisy(2)];
    assert.equal(one, same);
    const mean = (of: (i: number) => number): number => one.reduce((sum, _, i) => sum + of(i), 0) / n;
    assert.ok(Math.abs(mean((i) => one[i] - 0.5)) < 1e-3);
    assert.ok(Math.abs(Math.sqrt(mean((i) => (one[i] - 0.5) ** 2)) - 0.05) < 1e-3);
    assert.ok(Math.abs(mean((i) => (one[i] - 0.5) * (other[i] - 0.5))) < 5e-5, 'seeds share nothing');
    assert.ok(Math.abs(mean((i) => (one[i] - 0.5) * (one[(i + 1) % n] - 0.5))) < 5e-5, 'neighbours neither');
  });

  test(`${build}: the expectation of GELU under noise, by many draws`, async () => {
    const t = await trainKernels(build);
    const { k, arena } = t;
    const x = Float32Array.of(-2, -0.5, 0, 0.3, 1, 2.5, -6, 6);
    const out = arena.alloc(64, 'out');
    k.gelu(put(t, x), put(t, Float32Array.of(0.7)), put(t, new Float32Array(8).fill(0.5)), 1, 8, out);
    const spread = Math.sqrt(0.35);
    const draws = normals(60_000, 4);
    const gelu = (z: number): number => {
      // Φ by a series of the error function's integral
      let sum = 0;
      const steps = 64;
      for (let i = 0; i < steps; i++) sum += Math.exp(-((((i + 0.5) / steps) * z) ** 2) / 2) / steps;
      return z * (0.5 + (z * sum) / Math.sqrt(2 * Math.PI));
    };
    x.forEach((v, i) => {
      if (Math.abs(v) > 3) return assert.ok(Math.abs(arena.f32(out, 8)[i] - Math.max(v, 0)) < 1e-3);
      const wanted = draws.reduce((sum, e) => sum + gelu(v + spread * e), 0) / draws.length;
      assert.ok(Math.abs(arena.f32(out, 8)[i] - wanted) < 0.01, `${v}: ${arena.f32(out, 8)[i]}, ${wanted}`);
    });
  });
}

test.run();
