/**
 * A gate: whether a result may pass, by rules that are able to fail.
 * @module
 */
import { DatasetError } from '../../errors.ts';
import { normalQuantile } from '../compare/statistics.ts';
import { candidate, type Change, changeBetween, changeWithin, valueAt } from './measure.ts';
import { type GateRule, type Gates, isObject } from './rules.ts';

export type Verdict = 'pass' | 'warn' | 'fail';

/** What became of a rule. */
export interface RuleVerdict {
  readonly metric: string;
  readonly verdict: Verdict;
  readonly baseline: number;
  readonly current: number | null;
  /** In the direction that is worse; a share of the baseline with `relative`. Null where the figure is missing. */
  readonly worsening: number | null;
  readonly maxWorsening: number;
  readonly leastEffect: number;
  readonly relative: boolean;
  readonly confidence: number | null;
  /** What the worsening is at least, at that confidence; null where the figure has no error. */
  readonly atLeast: number | null;
  readonly message: string;
}

/** What became of a golden item. */
export interface GoldenVerdict {
  readonly item: string;
  readonly changed: boolean;
}

export interface GateResult {
  readonly verdict: Verdict;
  readonly rules: readonly RuleVerdict[];
  readonly golden: readonly GoldenVerdict[];
  /** 0 pass or warn, 3 a regression, 4 a golden item that changed. */
  readonly exitCode: 0 | 3 | 4;
}

/** Least value of figures that are better when they are higher. */
const LEAST = /(matthews|pearson|spearman)$/;

/**
 * Judges a result against a baseline, or side B of a comparison against its side A.
 *
 * A rule fails where the worsening is above its bound and its least effect, and at its confidence surely above the bound; where that
 * is not sure it warns. Before that every rule is tried on the worst result there could be: one that even then would pass is
 * refused.
 * @param baseline a result of `compare`, `perplexity`, `eval glue`, `bench` or anything with numbers; null for within `current`
 * @throws {DatasetError} `GATE` for rules that cannot fail, a baseline that lacks a figure, and results over other data
 * @example
 * const { verdict, exitCode } = judge(baseline, current, readGates(JSON.parse(text), 'gates.json'));
 */
export function judge(baseline: unknown, current: unknown, gates: Gates): GateResult {
  const from = baseline === null ? current : baseline;
  if (!isObject(from) || Object.keys(from).length === 0) {
    throw new DatasetError('GATE', 'the baseline is empty; a gate without figures could not fail');
  }
  if (gates.rules.length + gates.golden.length === 0) {
    throw new DatasetError('GATE', 'no rule applies to this baseline; name its figures with --gates FILE');
  }
  if (baseline !== null) checkData(baseline, current);
  const rules = gates.rules.flatMap((rule): RuleVerdict[] => {
    const change = baseline === null
      ? changeWithin(current, rule.metric)
      : changeBetween(baseline, current, rule.metric);
    const unable = whyUnable(rule, change);
    if (unable === null) return [decide(rule, change as Change)];
    if (gates.whereAble) return [];
    throw new DatasetError('GATE', `rule ${rule.metric} ${unable}`);
  });
  if (rules.length + gates.golden.length === 0) {
    throw new DatasetError('GATE', 'no usual rule could fail on this baseline; name its figures with --gates FILE');
  }
  const golden = gates.golden.map((item) => ({ item, changed: hasChanged(baseline, current, item) }));
  const changed = golden.some((item) => item.changed);
  const worst = rules.some(({ verdict }) => verdict === 'fail')
    ? 'fail'
    : rules.some(({ verdict }) => verdict === 'warn')
    ? 'warn'
    : 'pass';
  return { verdict: changed ? 'fail' : worst, rules, golden, exitCode: changed ? 4 : worst === 'fail' ? 3 : 0 };
}

/** Figures over different data say nothing about each other. */
function checkData(baseline: unknown, current: unknown): void {
  for (const place of ['data.digest', 'options.data', 'kind', 'task']) {
    const [before, after] = [valueAt(baseline, place), valueAt(current, place)];
    if (typeof before !== 'string' || typeof after !== 'string' || before === after) continue;
    throw new DatasetError(
      'GATE',
      `${place} is ${before} in the baseline and ${after} now; compare runs over the same data`,
    );
  }
}

const worseningOf = ({ better, relative }: GateRule, change: Change): number => {
  const difference = relative ? change.relative : change.absolute;
  return better === 'lower' ? difference : -difference;
};
const sureOf = ({ confidence, relative }: GateRule, change: Change): number | null => {
  const error = relative ? change.relativeError : change.absoluteError;
  return confidence === undefined || error === null ? null : normalQuantile(confidence) * error;
};

/** Tries a rule on the worst result there could be. Why it would pass even that; null for a rule that can fail. */
function whyUnable(rule: GateRule, change: Change | null): string | null {
  const { metric, better, relative, maxWorsening, leastEffect, confidence } = rule;
  if (!change || !Number.isFinite(change.baseline)) return 'matches no figure of the baseline, so it could not fail';
  if (relative && change.baseline === 0) {
    return 'cannot fail: its baseline is 0, so a relative change is undefined; omit relative';
  }
  const worst = better === 'lower' ? Infinity : change.baseline - (LEAST.test(metric) ? -1 : 0);
  const worsening = relative ? worst / Math.abs(change.baseline) : worst;
  if (worsening <= Math.max(maxWorsening, leastEffect)) {
    return `cannot fail: from ${change.baseline} it can worsen by ${worsening} at most, which is let through`;
  }
  return worsening - (sureOf(rule, change) ?? 0) <= maxWorsening
    ? `cannot fail: its error is so large that no worsening could be sure at ${confidence}; use more data`
    : null;
}

function decide(rule: GateRule, change: Change): RuleVerdict {
  const { metric, maxWorsening, leastEffect, relative, confidence, severity, better } = rule;
  const missing = change.current === null;
  const worsening = missing ? null : worseningOf(rule, change);
  const margin = missing ? null : sureOf(rule, change);
  const atLeast = worsening === null || margin === null ? null : worsening - margin;
  const over = worsening === null || !(worsening <= Math.max(maxWorsening, leastEffect));
  const sure = atLeast === null || atLeast > maxWorsening;
  const verdict = !over ? 'pass' : sure ? severity : 'warn';
  const text = (x: number): string => (relative ? `${(100 * x).toPrecision(3)} %` : x.toPrecision(3));
  const message = worsening === null
    ? `${metric} is missing in the current result`
    : `${metric} went from ${change.baseline.toPrecision(6)} to ${
      change.current?.toPrecision(6)
    } (${better} is better): ` +
      `${worsening > 0 ? 'worse' : 'better'} by ${text(Math.abs(worsening))}, ${text(maxWorsening)} is let through` +
      (over && !sure ? `; not sure at ${confidence}` : '');
  return {
    metric,
    verdict,
    baseline: change.baseline,
    current: change.current,
    worsening,
    maxWorsening,
    leastEffect,
    relative,
    confidence: confidence ?? null,
    atLeast,
    message,
  };
}

function hasChanged(baseline: unknown, current: unknown, item: string): boolean {
  const now = valueAt(current, item);
  if (baseline === null) {
    if (isObject(now) && 'a' in now && 'b' in now) return !same(now.a, now.b);
    throw new DatasetError('GATE', `golden item ${item} is not something that both sides have, such as "texts.0"`);
  }
  const before = valueAt(baseline, item);
  if (before === undefined) throw new DatasetError('GATE', `golden item ${item} is not in the baseline`);
  return now === undefined || !same(candidate(before), candidate(now));
}

/** Results nest five levels; what is deeper than this was not written by ternspike, and counts as changed. */
const MOST_DEPTH = 100;

/** Deep equality of what JSON can hold. */
export function same(x: unknown, y: unknown, depth: number = 0): boolean {
  if (depth > MOST_DEPTH) return false;
  const equal = (left: unknown, right: unknown): boolean => same(left, right, depth + 1);
  if (Array.isArray(x) && Array.isArray(y)) return x.length === y.length && x.every((item, i) => equal(item, y[i]));
  if (!isObject(x) || !isObject(y)) return x === y;
  const keys = Object.keys(x);
  return keys.length === Object.keys(y).length && keys.every((key) => Object.hasOwn(y, key) && equal(x[key], y[key]));
}
