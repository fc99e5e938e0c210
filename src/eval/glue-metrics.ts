/**
 * The metrics of GLUE over predictions. Classes are numbers from 0 on; everything is exact arithmetic of f64 on counts, and
 * sums in the order of the samples.
 * @module
 */
import { OptionError } from '../errors.ts';

/** Samples by label, a row each, and what was predicted, a column each. */
export type Confusion = readonly (readonly number[])[];

/** @throws {OptionError} `OPTION` unless there are as many predictions as labels, one at least */
function checkPairs(predicted: ArrayLike<number>, labels: ArrayLike<number>): void {
  if (labels.length > 0 && predicted.length === labels.length) return;
  throw new OptionError('OPTION', `${predicted.length} predictions of ${labels.length} labels; expected one for each`);
}

/**
 * Counts pairs of label and prediction.
 * @throws {OptionError} `OPTION` for numbers that are no classes, or lists of different lengths
 */
export function confusionMatrix(
  predicted: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): Confusion {
  checkPairs(predicted, labels);
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) {
    for (const value of [predicted[i], labels[i]]) {
      if (Number.isInteger(value) && value >= 0 && value < classes) continue;
      throw new OptionError('OPTION', `sample ${i} has class ${value}, expected 0 … ${classes - 1}`);
    }
    counts[labels[i]][predicted[i]]++;
  }
  return counts;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const column = (confusion: Confusion, k: number): number => sum(confusion.map((row) => row[k]));

/** Share of samples that were predicted as they are labelled: Σₖ Cₖₖ / n. */
export function accuracy(confusion: Confusion): number {
  return sum(confusion.map((row, k) => row[k])) / sum(confusion.map(sum));
}

/**
 * F1 of one class: 2·TP / (2·TP + FP + FN), the harmonic mean of precision and recall. 0 where the class neither occurs
 * nor is predicted, as scikit-learn has it.
 */
export function f1(confusion: Confusion, positive: number = 1): number {
  const both = column(confusion, positive) + sum(confusion[positive]); // 2·TP + FP + FN
  return both === 0 ? 0 : (2 * confusion[positive][positive]) / both;
}

/**
 * Matthews' correlation coefficient, of any number of classes (Gorodkin 2004): with c correct of n, tₖ samples labelled k and
 * pₖ predicted as k, (c·n − Σ pₖ·tₖ) / √((n² − Σ pₖ²)·(n² − Σ tₖ²)). For two classes it is
 * (TP·TN − FP·FN) / √((TP+FP)·(TP+FN)·(TN+FP)·(TN+FN)). 0 where all predictions or all labels are one class.
 */
export function matthews(confusion: Confusion): number {
  const labelled = confusion.map(sum);
  const predicted = confusion.map((_, k) => column(confusion, k));
  const correct = sum(confusion.map((row, k) => row[k]));
  const n = sum(labelled);
  const spread = (counts: readonly number[]): number => n * n - sum(counts.map((count) => count * count));
  const [p, t] = [spread(predicted), spread(labelled)];
  if (p === 0 || t === 0) return 0;
  return (correct * n - sum(predicted.map((count, k) => count * labelled[k]))) / Math.sqrt(p * t);
}

/**
 * Pearson's correlation: Σ(x − x̄)(y − ȳ) / √(Σ(x − x̄)²·Σ(y − ȳ)²), in −1 … 1. Null where one side is constant and it is
 * undefined.
 * @throws {OptionError} `OPTION` for lists of different lengths or values that are no numbers
 */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  checkPairs(x, y);
  const n = x.length;
  let [sumX, sumY, varies] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    if (!Number.isFinite(x[i]) || !Number.isFinite(y[i])) {
      throw new OptionError('OPTION', `sample ${i} has ${x[i]} and ${y[i]}, expected two finite numbers`);
    }
    sumX += x[i];
    sumY += y[i];
    // compared with the first rather than with the mean, which may be off by a rounding
    varies |= (x[i] !== x[0] ? 1 : 0) | (y[i] !== y[0] ? 2 : 0);
  }
  if (varies !== 3) return null;
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [dx, dy] = [x[i] - sumX / n, y[i] - sumY / n];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  const r = xy / Math.sqrt(xx * yy);
  return Number.isFinite(r) ? Math.min(1, Math.max(-1, r)) : null;
}

/** Spearman's correlation: Pearson's of the ranks, equal values sharing the mean of theirs. Null as `pearson`. */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  checkPairs(x, y);
  return pearson(ranks(x), ranks(y));
}

/** Ranks from 1 on; equal values share the mean of the ranks they take up together. */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b]);
  const out = new Float64Array(values.length);
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let i = from; i < to; i++) out[order[i]] = (from + 1 + to) / 2;
    from = to;
  }
  return out;
}
