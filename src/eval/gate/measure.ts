/**
 * By how much a figure of a result has changed, and how sure that is.
 * @module
 */
import { bitsPerByte } from '../compare/generators.ts';
import { CONFIDENCE, meanOf, normalQuantile, percentiles } from '../compare/statistics.ts';
import { exp } from '../compare/portable-math.ts';
import { isObject } from './rules.ts';

/** A figure before and after. */
export interface Change {
  readonly baseline: number;
  /** Null where the current result does not have it. */
  readonly current: number | null;
  /** current − baseline, and the same as a share of the baseline. */
  readonly absolute: number;
  readonly relative: number;
  /** Standard errors of both; null where the figure is exact or nothing is known. */
  readonly absoluteError: number | null;
  readonly relativeError: number | null;
}

/** Figures of a model against itself, for those that are distances already. */
const IDEAL: readonly (readonly [RegExp, number])[] = [
  [/^(kl|deltaP\.rms|perplexity\.lnRatio)(\.|$)/, 0],
  [/^(sameTop1|top5Overlap|agreement)$/, 1],
];
/** The median of few values scatters by this much more than their mean. */
const MEDIAN_SCATTER = Math.sqrt(Math.PI / 2);

/** The value at a place: names and numbers with dots between. Names may have dots themselves. Undefined where there is none. */
export function valueAt(result: unknown, place: string): unknown {
  if (typeof result !== 'object' || result === null) return undefined;
  if (Object.hasOwn(result, place)) return (result as Record<string, unknown>)[place];
  for (let dot = place.indexOf('.'); dot >= 0; dot = place.indexOf('.', dot + 1)) {
    const key = place.slice(0, dot);
    if (!Object.hasOwn(result, key)) continue;
    const found = valueAt((result as Record<string, unknown>)[key], place.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Of a figure of two sides that of B, which is judged; else the value itself. */
export function candidate(value: unknown): unknown {
  return isObject(value) && 'a' in value && 'b' in value ? value.b : value;
}

/** B against A within one comparison. Null where the comparison does not have the figure, or not of A. */
export function changeWithin(result: unknown, metric: string): Change | null {
  const value = valueAt(result, metric);
  if (typeof value === 'number') {
    const ideal = IDEAL.find(([pattern]) => pattern.test(metric))?.[1];
    return ideal === undefined ? null : changeOf(ideal, value, errorOf(result, metric));
  }
  // perplexities over different tokens say nothing about each other
  if (!isObject(value) || typeof value.a !== 'number' || value.lnRatio === null) return null;
  const { a, b } = value;
  if (typeof b !== 'number') return changeOf(a, null, null);
  const { ratioError, errorByWindow, ratio, ratios, error, interval } = value;
  if (typeof ratioError === 'number') { // perplexities of one vocabulary
    const relativeError = Math.max(ratioError, Number(ratio) * Number(errorByWindow ?? 0));
    return { ...changeOf(a, b, relativeError * a), relativeError };
  }
  if (Array.isArray(ratios) && typeof ratio === 'number' && ratios.length > 0) {
    const relative = ratio - 1; // of rounds, not of the medians of both sides
    const relativeError = MEDIAN_SCATTER * meanOf(ratios as number[]).error;
    return { ...changeOf(a, b, a * relativeError), relative, relativeError };
  }
  return changeOf(a, b, typeof error === 'number' ? error : halfWidth(interval));
}

/** A figure of the current result against the same of the baseline. Null where the baseline does not have it. */
export function changeBetween(baseline: unknown, current: unknown, metric: string): Change | null {
  const [before, after] = [valueAt(baseline, metric), valueAt(current, metric)];
  const from = candidate(before);
  if (typeof from !== 'number' || !Number.isFinite(from)) return null;
  const to = candidate(after);
  if (typeof to !== 'number' || !Number.isFinite(to)) return changeOf(from, null, null);
  const paired = pairedChange(baseline, current, metric, from, to);
  if (paired) return paired;
  const [own, theirs] = [errorOf(baseline, metric), errorOf(current, metric)];
  return changeOf(from, to, own === null || theirs === null ? null : Math.hypot(own, theirs));
}

function changeOf(baseline: number, current: number | null, absoluteError: number | null): Change {
  const absolute = current === null ? NaN : current - baseline;
  const size = Math.abs(baseline);
  return {
    baseline,
    current,
    absolute,
    relative: absolute / size,
    absoluteError,
    relativeError: absoluteError === null ? null : absoluteError / size,
  };
}

interface Window {
  readonly tokens: number;
  /** Mean of the tokens, of side B. */
  readonly nllB?: number;
  /** Sum of the tokens, in the result of `perplexity`. */
  readonly nll?: number;
}
interface Item {
  readonly line: number;
  readonly label: number;
  readonly b: number;
}

/** Where both results have the same windows or samples, what they share cancels. */
function pairedChange(baseline: unknown, current: unknown, metric: string, from: number, to: number): Change | null {
  if (metric === 'perplexity' || metric === 'ppl' || metric === 'bitsPerByte') {
    const [left, right] = [listAt<Window>(baseline, 'windows'), listAt<Window>(current, 'windows')];
    if (!left || !right || left.length !== right.length || left.length < 2) return null;
    if (!left.every(({ tokens }, i) => tokens === right[i].tokens)) return null;
    // nats per token instead of per byte: the share of the error is the same
    const nllOf = ({ tokens, nllB = NaN, nll = nllB * tokens }: Window): number => nll;
    const { difference, error } = bitsPerByte(left.map((window, i) => ({
      nllA: nllOf(window),
      nllB: nllOf(right[i]),
      bytesA: window.tokens,
      bytesB: window.tokens,
    })));
    if (!Number.isFinite(error)) return null;
    const nats = error * Math.LN2;
    if (metric !== 'bitsPerByte') {
      const relativeError = nats * exp(difference * Math.LN2);
      return { ...changeOf(from, to, relativeError * from), relativeError };
    }
    const mean = left.reduce((sum, window) => sum + nllOf(window), 0) /
      left.reduce((sum, { tokens }) => sum + tokens, 0);
    return changeOf(from, to, (nats / mean) * from);
  }
  if (metric !== 'metrics.accuracy') return null;
  const [left, right] = [listAt<Item>(baseline, 'items'), listAt<Item>(current, 'items')];
  if (!left || !right || left.length !== right.length || left.length < 2) return null;
  if (!left.every(({ line, label }, i) => line === right[i].line && label === right[i].label)) return null;
  const hit = ({ label, b }: Item): number => (label === b ? 1 : 0);
  return changeOf(from, to, meanOf(left.map((item, i) => hit(right[i]) - hit(item))).error);
}

function listAt<T>(result: unknown, key: string): readonly T[] | null {
  const list = valueAt(result, key);
  return Array.isArray(list) && list.every(isObject) ? (list as unknown as readonly T[]) : null;
}

/** The standard error that a result itself gives of a figure. */
function errorOf(result: unknown, metric: string): number | null {
  const dot = metric.lastIndexOf('.');
  const [around, name] = dot < 0 ? [result, metric] : [valueAt(result, metric.slice(0, dot)), metric.slice(dot + 1)];
  if (!isObject(around)) return null;
  const value = around[name];
  if (isObject(value)) {
    if (typeof value.bError === 'number') return value.bError;
    if (Array.isArray(value.ratios) && typeof value.b === 'number' && value.ratios.length > 1) {
      return MEDIAN_SCATTER * meanOf(value.ratios as number[]).error * (value.b / percentiles(
        [...value.ratios as number[]].sort((x, y) => x - y),
        [0.5],
      )[0]);
    }
    return halfWidth(value.bInterval);
  }
  const { intervals } = (isObject(result) ? result : {}) as { intervals?: Record<string, unknown> };
  const own = around[`${name}Error`] ?? (name === 'ppl' ? around.stderr : name === 'mean' ? around.error : undefined);
  if (typeof own === 'number') return own;
  if (name === 'lnRatio' && typeof around.error === 'number') return around.error;
  return halfWidth(around[`${name}Interval`] ?? intervals?.[name]);
}

/** The standard error that an interval of 95 % comes to. */
function halfWidth(interval: unknown): number | null {
  if (!Array.isArray(interval) || interval.length !== 2 || !interval.every((x) => typeof x === 'number')) return null;
  const [low, high] = interval as [number, number];
  return (high - low) / 2 / normalQuantile((1 + CONFIDENCE) / 2);
}
