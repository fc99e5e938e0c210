/**
 * The statistics of comparisons: intervals, exact and resampled tests of paired answers, and errors of perplexities of
 * one text under two models. Nothing here depends on the host: logarithms are our own, draws come from the seeded generator.
 * @module
 */
import { OptionError } from '../../errors.ts';
import { Rng } from '../../sample/rng.ts';
import type { Interval } from '../clusters.ts';
import { exp, log } from './portable-math.ts';

export type { Interval } from '../clusters.ts';

/** Resamples of a bootstrap unless told: the ends of a 95 % interval then scatter by about a fiftieth of its width. */
export const BOOTSTRAP_ROUNDS = 2000;
export const CONFIDENCE = 0.95;

/** @throws {OptionError} `OPTION` unless 0 < confidence < 1 */
export function checkConfidence(confidence: number): number {
  if (confidence > 0 && confidence < 1) return confidence;
  throw new OptionError('OPTION', `confidence is ${String(confidence)}, expected a number above 0 and below 1`);
}

/**
 * The z below which a normal variable lies with probability p: Wichura's AS 241, to about 16 digits.
 * @throws {OptionError} `OPTION` unless 0 < p < 1
 * @example normalQuantile(0.975) // 1.959963984540054
 */
export function normalQuantile(p: number): number {
  checkConfidence(p);
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * polynomial(r, CENTRE[0])) / polynomial(r, CENTRE[1]);
  }
  const r = Math.sqrt(-log(q < 0 ? p : 1 - p));
  const [over, under, from] = r <= 5 ? [...SHOULDER, 1.6] as const : [...TAIL, 5] as const;
  const z = polynomial(r - from, over) / polynomial(r - from, under);
  return q < 0 ? -z : z;
}

const polynomial = (x: number, coefficients: readonly number[]): number =>
  coefficients.reduceRight((sum, c) => sum * x + c, 0);

const CENTRE = [
  [
    3.3871328727963666080,
    1.3314166789178437745e2,
    1.9715909503065514427e3,
    1.3731693765509461125e4,
    4.5921953931549871457e4,
    6.7265770927008700853e4,
    3.3430575583588128105e4,
    2.5090809287301226727e3,
  ],
  [
    1,
    4.2313330701600911252e1,
    6.8718700749205790830e2,
    5.3941960214247511077e3,
    2.1213794301586595867e4,
    3.9307895800092710610e4,
    2.8729085735721942674e4,
    5.2264952788528545610e3,
  ],
] as const;
const SHOULDER = [
  [
    1.42343711074968357734,
    4.63033784615654529590,
    5.76949722146069140550,
    3.64784832476320460504,
    1.27045825245236838258,
    2.41780725177450611770e-1,
    2.27238449892691845833e-2,
    7.74545014278341407640e-4,
  ],
  [
    1,
    2.05319162663775882187,
    1.67638483018380384940,
    6.89767334985100004550e-1,
    1.48103976427480074590e-1,
    1.51986665636164571966e-2,
    5.47593808499534494600e-4,
    1.05075007164441684324e-9,
  ],
] as const;
const TAIL = [
  [
    6.65790464350110377720,
    5.46378491116411436990,
    1.78482653991729133580,
    2.96560571828504891230e-1,
    2.65321895265761230930e-2,
    1.24266094738807843860e-3,
    2.71155556874348757815e-5,
    2.01033439929228813265e-7,
  ],
  [
    1,
    5.99832206555887937690e-1,
    1.36929880922735805310e-1,
    1.48753612908506148525e-2,
    7.86869131145613259100e-4,
    1.84631831751005468180e-5,
    1.42151175831644588870e-7,
    2.04426310338993978564e-15,
  ],
] as const;

/**
 * Wilson's score interval of a share: of the intervals for counts the one that keeps its promise for small numbers too.
 * @throws {OptionError} `OPTION` unless 0 ≤ successes ≤ n and n ≥ 1
 * @example wilson(8, 10) // [0.490…, 0.943…]
 */
export function wilson(successes: number, n: number, confidence: number = CONFIDENCE): Interval {
  if (!(Number.isInteger(n) && n >= 1 && Number.isInteger(successes) && successes >= 0 && successes <= n)) {
    throw new OptionError('OPTION', `${successes} of ${n} is not a share, expected 0 ≤ successes ≤ n with n from 1 on`);
  }
  const z = normalQuantile((1 + checkConfidence(confidence)) / 2);
  const p = successes / n;
  const centre = p + (z * z) / (2 * n);
  const half = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  const whole = 1 + (z * z) / n;
  // at the ends the formula is exact, its rounding is not
  return [successes === 0 ? 0 : (centre - half) / whole, successes === n ? 1 : (centre + half) / whole];
}

/**
 * McNemar's exact test: the two-sided probability, if both were equally good, of a split of the samples that only one of the
 * two has right which is at least as uneven as this one. 1 where there are none.
 * @throws {OptionError} `OPTION` unless both are counts
 * @example mcnemarExact(2, 10) // 0.03857421875
 */
export function mcnemarExact(onlyA: number, onlyB: number): number {
  for (const count of [onlyA, onlyB]) {
    if (Number.isSafeInteger(count) && count >= 0) continue;
    throw new OptionError('OPTION', `${String(count)} is not a count, expected whole numbers from 0 on`);
  }
  const n = onlyA + onlyB;
  const k = Math.min(onlyA, onlyB);
  if (n === 0 || onlyA === onlyB) return 1;
  // Σ C(n, i) for i ≤ k over C(n, k): terms fall from k down, so the sum is short
  let tail = 0;
  let term = 1;
  for (let i = k; i >= 0 && term > 0; i--) {
    tail += term;
    term *= i / (n - i + 1);
  }
  // C(n, k) / 2^(n − 1), halved whenever it grows, so that neither overflows nor underflows before the end
  let halvings = n - 1;
  let share = tail;
  for (let i = 1; i <= k; i++) {
    share *= (n - k + i) / i;
    for (; share > 1 && halvings > 0; halvings--) share /= 2;
  }
  return Math.min(1, share * 2 ** -halvings);
}

/**
 * Percentiles of values in ascending order, between two of them on the line that joins them, as numpy and llama.cpp have it.
 * @param at shares, 0 … 1
 */
export function percentiles(sorted: ArrayLike<number>, at: readonly number[]): number[] {
  if (sorted.length === 0) throw new OptionError('OPTION', 'percentiles of no values are asked for; give one at least');
  return at.map((share) => {
    const place = Math.min(1, Math.max(0, share)) * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  });
}

/** The mean of values and its standard error. */
export interface Mean {
  readonly mean: number;
  /** As if the values were independent; 0 of a single one. */
  readonly error: number;
}

/** The mean of values and its standard error. @throws {OptionError} `OPTION` without values */
export function meanOf(values: ArrayLike<number>): Mean {
  const n = values.length;
  if (n === 0) throw new OptionError('OPTION', 'the mean of no values is asked for; give one at least');
  let sum = 0;
  for (let i = 0; i < n; i++) sum += values[i];
  const mean = sum / n;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (values[i] - mean) * (values[i] - mean);
  return { mean, error: n > 1 ? Math.sqrt(squares / n / (n - 1)) : 0 };
}

/** The mean of pairs of values, each with its error, and how the two go together. */
export interface PairedMeans {
  readonly a: Mean;
  readonly b: Mean;
  /** Of b − a: errors that both share cancel. */
  readonly difference: Mean;
  /** Covariance of the two means. */
  readonly covariance: number;
  /** In −1 … 1; null where one side is constant. */
  readonly correlation: number | null;
}

/** @throws {OptionError} `OPTION` unless both lists have the same length, 1 at least */
export function pairedMeans(a: ArrayLike<number>, b: ArrayLike<number>): PairedMeans {
  if (a.length !== b.length || a.length === 0) {
    throw new OptionError('OPTION', `${a.length} values on one side and ${b.length} on the other; expected pairs`);
  }
  const n = a.length;
  const [meanA, meanB] = [meanOf(a), meanOf(b)];
  let products = 0;
  const differences = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    products += (a[i] - meanA.mean) * (b[i] - meanB.mean);
    differences[i] = b[i] - a[i];
  }
  const covariance = n > 1 ? products / n / (n - 1) : 0;
  const scale = meanA.error * meanB.error;
  return {
    a: meanA,
    b: meanB,
    difference: meanOf(differences),
    covariance,
    correlation: scale > 0 ? Math.min(1, Math.max(-1, covariance / scale)) : null,
  };
}

/** Perplexities of one text under two models. */
export interface PerplexityPair {
  readonly a: number;
  readonly b: number;
  /** Standard errors over tokens as if they were independent. */
  readonly aError: number;
  readonly bError: number;
  /** ln(b / a): the mean difference of the negative log-likelihoods. Above 0 where B predicts worse. */
  readonly lnRatio: number;
  /** Standard error of `lnRatio`, with the covariance of the two: √(σa² + σb² − 2·cov). */
  readonly error: number;
  readonly ratio: number;
  readonly ratioError: number;
  /** b − a. */
  readonly difference: number;
  readonly differenceError: number;
  /** Of the tokens' negative log-likelihoods; null where one side is constant. */
  readonly correlation: number | null;
  readonly tokens: number;
}

/**
 * Perplexities from the negative log-likelihoods of the same tokens, with llama.cpp's propagation of errors.
 * @throws {OptionError} `OPTION` unless both lists have the same length, 1 at least
 */
export function perplexityPair(nllA: ArrayLike<number>, nllB: ArrayLike<number>): PerplexityPair {
  const { a, b, difference, covariance, correlation } = pairedMeans(nllA, nllB);
  const [pplA, pplB] = [exp(a.mean), exp(b.mean)];
  const [aError, bError] = [pplA * a.error, pplB * b.error];
  const ratio = exp(difference.mean);
  return {
    a: pplA,
    b: pplB,
    aError,
    bError,
    lnRatio: difference.mean,
    error: difference.error,
    ratio,
    ratioError: ratio * difference.error,
    difference: pplB - pplA,
    differenceError: Math.sqrt(Math.max(0, aError * aError + bError * bError - 2 * pplA * pplB * covariance)),
    correlation,
    tokens: nllA.length,
  };
}

export interface BootstrapOptions {
  /** Resamples; default 2000. */
  readonly rounds?: number;
  /** Default 1. Equal seeds give equal intervals on every engine. */
  readonly seed?: number;
  /** Default 0.95. */
  readonly confidence?: number;
}

/**
 * The percentile interval of a statistic under resampling of its items. Pairs stay pairs: an item is drawn with all that is
 * known of it, so that a difference of two sides keeps what they share.
 * @param n items
 * @param statistic of the items at these places; NaN is left out
 * @returns null where the statistic was NaN in every resample
 * @throws {OptionError} `OPTION` for numbers out of range
 * @example bootstrap(a.length, (at) => mean(at, b) - mean(at, a), { seed: 7 })
 */
export function bootstrap(
  n: number,
  statistic: (at: Uint32Array) => number,
  { rounds = BOOTSTRAP_ROUNDS, seed = 1, confidence = CONFIDENCE }: BootstrapOptions = {},
): Interval | null {
  for (const [name, value] of Object.entries({ n, rounds })) {
    if (Number.isInteger(value) && value >= 1 && value < 2 ** 32) continue;
    throw new OptionError('OPTION', `${name} is ${String(value)}, expected a whole number from 1 on`);
  }
  const tail = (1 - checkConfidence(confidence)) / 2;
  const rng = new Rng(seed);
  const at = new Uint32Array(n);
  const found = new Float64Array(rounds);
  let count = 0;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < n; i++) at[i] = Math.floor(rng.uniform() * n);
    const value = statistic(at);
    if (!Number.isNaN(value)) found[count++] = value;
  }
  if (count === 0) return null;
  const [low, high] = percentiles(found.subarray(0, count).sort(), [tail, 1 - tail]);
  return [low, high];
}
