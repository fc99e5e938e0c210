/** The metrics of GLUE: against plain definitions on fixed predictions, and where they degenerate. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { accuracy, confusionMatrix, f1, matthews, pearson, ranks, spearman } from '../../src/eval/glue-metrics.ts';
import { OptionError } from '../../src/errors.ts';

const metrics = suite('GLUE metrics');

const near = (actual: number | null, expected: number): void => {
  assert.ok(actual !== null && Math.abs(actual - expected) < 1e-12, `${actual}, expected ${expected}`);
};

/** Fixed numbers that look random. */
function numbers(n: number, below: number, seed: number): number[] {
  let state = seed;
  return Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  });
}

/** As textbooks have it: each sample counted by itself. */
function plain(predicted: number[], labels: number[]): { accuracy: number; f1: number; matthews: number } {
  const count = (p: number, l: number): number => labels.filter((label, i) => label === l && predicted[i] === p).length;
  const [tp, tn, fp, fn] = [count(1, 1), count(0, 0), count(1, 0), count(0, 1)];
  const [precision, recall] = [tp / (tp + fp), tp / (tp + fn)];
  return {
    accuracy: (tp + tn) / labels.length,
    f1: (2 * precision * recall) / (precision + recall),
    matthews: (tp * tn - fp * fn) / Math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)),
  };
}

metrics('accuracy, F1 and Matthews of two classes are those of their definitions', () => {
  for (const [n, seed] of [[10, 1], [57, 2], [1000, 3], [20_001, 4]]) {
    const [predicted, labels] = [numbers(n, 2, seed), numbers(n, 2, seed + 100)];
    const [confusion, expected] = [confusionMatrix(predicted, labels, 2), plain(predicted, labels)];
    near(accuracy(confusion), expected.accuracy);
    near(f1(confusion), expected.f1);
    near(matthews(confusion), expected.matthews);
  }
});

metrics('figures that were worked out by hand', () => {
  // 8 samples: TP 3, FN 1, FP 2, TN 2
  const confusion = confusionMatrix([1, 1, 1, 0, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0], 2);
  assert.equal(confusion, [[2, 2], [1, 3]]);
  assert.is(accuracy(confusion), 5 / 8);
  assert.is(f1(confusion), 6 / 9);
  near(matthews(confusion), 4 / Math.sqrt(5 * 4 * 4 * 3));
  // scikit-learn's documentation: matthews_corrcoef([+1, +1, +1, -1], [+1, -1, +1, +1]) = -0.33
  near(matthews(confusionMatrix([1, 0, 1, 1], [1, 1, 1, 0], 2)), -1 / 3);
  assert.is(pearson([1, 2, 3, 4], [2, 4, 6, 8]), 1);
  assert.is(pearson([1, 2, 3], [3, 2, 1]), -1);
  // dx = −2 −1 0 1 2, dy = −2 0 −1 2 1 → 8 / 10
  near(pearson([1, 2, 3, 4, 5], [1, 3, 2, 5, 4]), 0.8);
  near(spearman([1, 2, 3, 4, 5], [10, 300, 20, 50_000, 4000]), 0.8);
});

metrics('Matthews of three classes equals the correlation of indicator variables', () => {
  const [n, classes] = [400, 3];
  const [predicted, labels] = [numbers(n, classes, 5), numbers(n, classes, 6)];
  // Gorodkin's definition: covariances of one-hot vectors, summed over the classes
  let [xy, xx, yy] = [0, 0, 0];
  for (let k = 0; k < classes; k++) {
    const [x, y] = [predicted, labels].map((values) => values.map((value) => (value === k ? 1 : 0)));
    const [mx, my] = [x, y].map((values) => values.reduce<number>((a, b) => a + b, 0) / n);
    x.forEach((value, i) => {
      xy += (value - mx) * (y[i] - my);
      xx += (value - mx) ** 2;
      yy += (y[i] - my) ** 2;
    });
  }
  near(matthews(confusionMatrix(predicted, labels, classes)), xy / Math.sqrt(xx * yy));
});

metrics('without positives, or with constant predictions, there is still a number', () => {
  const none = confusionMatrix([0, 0, 0], [0, 0, 0], 2);
  assert.equal([accuracy(none), f1(none), matthews(none)], [1, 0, 0]);
  const missed = confusionMatrix([0, 0, 0], [0, 1, 1], 2);
  assert.equal([accuracy(missed), f1(missed), matthews(missed)], [1 / 3, 0, 0]);
  const all = confusionMatrix([1, 1, 1], [0, 1, 1], 2);
  assert.equal([accuracy(all), f1(all), matthews(all)], [2 / 3, 0.8, 0]);
  const right = confusionMatrix([0, 1, 1], [0, 1, 1], 2);
  assert.equal([accuracy(right), f1(right), matthews(right)], [1, 1, 1]);
  const wrong = confusionMatrix([1, 0, 0], [0, 1, 1], 2);
  assert.equal([accuracy(wrong), f1(wrong), matthews(wrong)], [0, 0, -1]);
  assert.is(accuracy(confusionMatrix([2], [2], 3)), 1);
});

metrics('correlations of constants are undefined, whatever the constant', () => {
  for (const constant of [0, 0.1, 1 / 3, 1e300, -4.999]) {
    const flat = new Array<number>(7).fill(constant);
    assert.equal([pearson(flat, [1, 2, 3, 4, 5, 6, 7]), pearson([1, 2, 3, 4, 5, 6, 7], flat)], [null, null]);
    assert.is(spearman(flat, [1, 2, 3, 4, 5, 6, 7]), null);
  }
  assert.is(pearson([1], [2]), null);
  assert.is(pearson([1, 2], [2, 1]), -1);
  assert.is(pearson([0, 5e-324], [0, 1]), null); // too small for any product
});

metrics('equal values share their ranks', () => {
  assert.equal([...ranks([10, 20, 20, 5, 20])], [2, 4, 4, 1, 4]);
  assert.equal([...ranks([7, 7])], [1.5, 1.5]);
  assert.equal([...ranks([])], []);
  const values = numbers(300, 40, 7);
  const slow = values.map((v) =>
    1 + values.filter((w) => w < v).length + (values.filter((w) => w === v).length - 1) / 2
  );
  assert.equal([...ranks(values)], slow);
  const others = numbers(300, 25, 8);
  const mean = slow.reduce((a, b) => a + b, 0) / 300;
  const slowOthers = [...ranks(others)];
  const product = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + (v - mean) * (b[i] - mean), 0);
  near(
    spearman(values, others),
    product(slow, slowOthers) / Math.sqrt(product(slow, slow) * product(slowOthers, slowOthers)),
  );
  // without ties: 1 − 6·Σd² / (n·(n² − 1))
  const [x, y] = [[3, 1, 4, 1.5, 9, 2.6], [2, 7, 1, 8, 2.8, 1.8]];
  const [rx, ry] = [ranks(x), ranks(y)];
  const squares = rx.reduce((sum, r, i) => sum + (r - ry[i]) ** 2, 0);
  near(spearman(x, y), 1 - (6 * squares) / (6 * 35));
});

metrics('what cannot be counted is refused', () => {
  const bad = (run: () => unknown, ...words: string[]): void =>
    assert.throws(
      run,
      (error: unknown) => error instanceof OptionError && words.every((word) => error.message.includes(word)),
    );
  bad(() => confusionMatrix([], [], 2), '0 predictions of 0');
  bad(() => confusionMatrix([0, 1], [0], 2), '2 predictions of 1');
  bad(() => confusionMatrix([0, 2], [0, 1], 2), 'sample 1 has class 2', '0 … 1');
  bad(() => confusionMatrix([0, 0.5], [0, 1], 2), '0.5');
  bad(() => pearson([1, NaN], [1, 2]), 'sample 1', 'NaN');
  bad(() => spearman([], []), '0 predictions');
});

metrics.run();
