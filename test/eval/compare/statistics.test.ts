/** Statistics of comparisons against numbers computed with scipy 1.17.1, statsmodels 0.15.0 and numpy 2.4.6. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { exp, log } from '../../../src/eval/compare/portable-math.ts';
import {
  bootstrap,
  mcnemarExact,
  meanOf,
  normalQuantile,
  pairedMeans,
  percentiles,
  perplexityPair,
  wilson,
} from '../../../src/eval/compare/statistics.ts';
import { refuses } from '../../refusal.ts';

const statistics = suite('statistics of comparisons');

const near = (found: number, expected: number, relative: number): void => {
  const off = Math.abs(found - expected) / Math.max(Math.abs(expected), 1e-300);
  assert.ok(found === expected || off <= relative, `${found}, expected ${expected}; off by ${off}`);
};
const bits = (x: number): bigint => new DataView(new Float64Array([x]).buffer).getBigUint64(0, true);

/** 60 pairs, the second a little larger on average. */
const N = 60;
const A = Float64Array.from({ length: N }, (_, i) => ((i * 37 + 11) % 101) / 20);
const B = A.map((x, i) => x + (((i * 53 + 7) % 29) - 10) / 40);
const D = A.map((x, i) => B[i] - x);
const meanAt = (values: ArrayLike<number>) => (at: Uint32Array): number => {
  let sum = 0;
  for (const i of at) sum += values[i];
  return sum / at.length;
};

statistics("exp and log are within a unit of the host's last place, over their whole range", () => {
  for (let i = -7450; i <= 7097; i++) {
    const x = i / 10 + (i % 7) / 1000;
    const off = bits(exp(x)) - bits(Math.exp(x));
    assert.ok(off >= -2n && off <= 2n, `exp(${x}) is ${exp(x)}, the host has ${Math.exp(x)}`);
  }
  for (let i = -1074; i < 1024; i++) {
    for (const m of [1, 1.1, 1.4142135, 1.4142136, 1.75, 1.999]) {
      const x = m * 2 ** i;
      if (x > 0 && Number.isFinite(x)) {
        assert.ok(Math.abs(log(x) - Math.log(x)) <= 4.5e-16 * Math.abs(Math.log(x)), `log(${x})`);
      }
    }
  }
  assert.equal([exp(0), exp(-Infinity), exp(Infinity), exp(710), exp(-746), exp(NaN)], [
    1,
    0,
    Infinity,
    Infinity,
    0,
    NaN,
  ]);
  assert.equal([log(1), log(0), log(Infinity), log(-1), log(NaN)], [0, -Infinity, Infinity, NaN, NaN]);
});

statistics('normal quantiles', () => {
  for (
    const [p, z] of [
      [0.975, 1.959963984540054],
      [0.95, 1.6448536269514722],
      [0.5, 0],
      [0.001, -3.090232306167813],
      [1e-10, -6.361340902404056],
      [0.3, -0.5244005127080409],
      [0.9995, 3.2905267314919255],
    ]
  ) near(normalQuantile(p), z, 3e-15);
});

statistics("Wilson's intervals", async () => {
  for (
    const [k, n, confidence, low, high] of [
      [8, 10, 0.95, 0.49016247153664183, 0.9433178485456247],
      [0, 20, 0.95, 0, 0.16112515805281938],
      [20, 20, 0.95, 0.8388748419471806, 1],
      [775, 872, 0.95, 0.8661630693204617, 0.9079496347217922],
      [775, 872, 0.99, 0.8583452344968125, 0.9133063384407378],
      [1, 1, 0.9, 0.269865948784054, 1],
      [40123, 67349, 0.95, 0.5920358698287342, 0.5994482564628816],
    ]
  ) {
    const [from, to] = wilson(k, n, confidence);
    near(from, low, 1e-14);
    near(to, high, 1e-14);
  }
  for (const [k, n] of [[1, 0], [-1, 2], [3, 2], [0.5, 2], [NaN, 2]]) {
    await refuses(Promise.resolve().then(() => wilson(k, n)), 'OPTION', `${k} of ${n}`);
  }
  for (const confidence of [0, 1, 95, NaN]) {
    await refuses(Promise.resolve().then(() => wilson(1, 2, confidence)), 'OPTION', 'confidence');
  }
});

statistics("McNemar's exact test", async () => {
  for (
    const [a, b, p] of [
      [2, 10, 0.03857421875],
      [0, 6, 0.03125],
      [5, 5, 1],
      [30, 52, 0.0198269158458416],
      [1, 0, 1],
      [0, 0, 1],
      [400, 460, 0.04416954819458914],
      [3, 90, 2.7088953370761237e-23],
      [20000, 20400, 0.04713209701042844],
    ]
  ) {
    near(mcnemarExact(a, b), p, 1e-12);
    assert.is(mcnemarExact(a, b), mcnemarExact(b, a));
  }
  await refuses(Promise.resolve().then(() => mcnemarExact(-1, 2)), 'OPTION', '-1');
  await refuses(Promise.resolve().then(() => mcnemarExact(1, 0.5)), 'OPTION', '0.5');
});

statistics('percentiles lie on the line between two values', async () => {
  const found = percentiles(Float64Array.from(D).sort(), [0, 0.001, 0.01, 0.5, 0.99, 0.999, 1]);
  [-0.25, -0.25, -0.25, 0.0875, 0.45, 0.45, 0.45].forEach((expected, i) => near(found[i], expected, 1e-14));
  assert.equal(percentiles([1, 2, 4], [0.25, 0.75, 2, -1]), [1.5, 3, 4, 1]);
  await refuses(Promise.resolve().then(() => percentiles([], [0.5])), 'OPTION');
});

statistics('a seeded bootstrap is the same on every engine', async () => {
  const interval = bootstrap(N, meanAt(D), { rounds: 1000, seed: 7 });
  // by the same generator, in Python
  assert.equal(interval!.map((x) => Number(x.toPrecision(12))), [0.0387395833333, 0.1454375]);
  // scipy.stats.bootstrap, method percentile, 200 000 resamples: 0.03917 … 0.14500
  const many = bootstrap(N, meanAt(D), { rounds: 20_000, seed: 3 })!;
  assert.ok(Math.abs(many[0] - 0.03916666666666665) < 1.5e-3 && Math.abs(many[1] - 0.145) < 1.5e-3, String(many));
  assert.not.equal(bootstrap(N, meanAt(D), { rounds: 1000, seed: 8 }), interval);
  const narrow = bootstrap(N, meanAt(D), { rounds: 1000, seed: 7, confidence: 0.5 })!;
  assert.ok(narrow[0] > interval![0] && narrow[1] < interval![1]);
  assert.is(bootstrap(3, () => NaN), null);
  for (const options of [{ rounds: 0 }, { confidence: 1 }, { seed: -1 }, { seed: 0.5 }]) {
    await refuses(Promise.resolve().then(() => bootstrap(3, () => 0, options)), 'OPTION');
  }
  await refuses(Promise.resolve().then(() => bootstrap(0, () => 0)), 'OPTION', 'n is 0');
});

statistics('the error of a ratio of perplexities is that of a brute-force bootstrap', () => {
  const pair = perplexityPair(A, B);
  near(pair.a, 12.438958144147813, 1e-14);
  near(pair.b, 13.638772649611271, 1e-14);
  near(pair.lnRatio, 0.09208333333333334, 1e-13);
  near(pair.error, 0.027382850541287307, 1e-13);
  near(pair.correlation!, 0.9895417171320507, 1e-12);
  assert.is(pair.ratio, exp(pair.lnRatio));
  near(pair.b / pair.a, pair.ratio, 1e-14);
  // standard deviations over 400 000 resamples of pairs (numpy); the formulas are first order, with n − 1 for n
  near(pair.error, 0.02710790664886669 * Math.sqrt(N / (N - 1)), 5e-3);
  near(pair.ratioError, 0.02974112, 0.02);
  near(pair.differenceError, 0.42592836738580475, 0.03);
  near(pair.aError, 2.3971051539462365, 0.03);
  // without the covariance it would be ten times as large
  assert.ok(Math.hypot(meanOf(A).error, meanOf(B).error) > 9 * pair.error);
});

statistics('a model against itself: nothing differs, and nothing is uncertain', async () => {
  const pair = perplexityPair(A, A);
  assert.equal([pair.lnRatio, pair.error, pair.ratio, pair.difference], [0, 0, 1, 0]);
  assert.ok(pair.differenceError < 1e-6 && pair.correlation! > 1 - 1e-12);
  const one = pairedMeans([2], [3]);
  assert.equal([one.difference, one.covariance, one.correlation], [{ mean: 1, error: 0 }, 0, null]);
  await refuses(Promise.resolve().then(() => pairedMeans([1], [1, 2])), 'OPTION', '1 values', '2 on');
  await refuses(Promise.resolve().then(() => pairedMeans([], [])), 'OPTION');
});

statistics.run();
