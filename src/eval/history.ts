/**
 * The history of comparisons: a line of JSON for each run, by what it was a run of. The engine gives the same bits everywhere, so
 * the quality of equal runs is equal, and a difference is a defect; only speeds vary.
 * @module
 */
import type { ByteSource } from '../bytes/source.ts';
import { xxh32 } from '../bytes/xxh32.ts';
import { DatasetError } from '../errors.ts';
import type { CompareResult, SideFacts } from './compare/result.ts';
import { isObject } from './gate/rules.ts';
import { valueAt } from './gate/measure.ts';
import { readLines } from './glue-lines.ts';

const VERSION = 1;

/** One run. */
export interface HistoryEntry {
  readonly ternspike: 'history';
  readonly version: typeof VERSION;
  /** ISO 8601. */
  readonly time: string;
  readonly engine: string | null;
  /** Digest of all that quality depends on: models, data, options, engine. */
  readonly key: string;
  /** Whether equal keys have to give equal quality: not where a server answered, or a model has no digest. */
  readonly exact: boolean;
  readonly a: string;
  readonly b: string;
  readonly data: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly machine: Readonly<Record<string, unknown>> | null;
  /** Figures by their places in the result. */
  readonly quality: Readonly<Record<string, number>>;
  readonly performance: Readonly<Record<string, number>>;
}

const SIDES = ['a', 'b'] as const;
const QUALITY = [
  ...['perplexity', 'bitsPerByte', 'energy.compute', 'energy.memory', 'spikes.firingRate', 'memory.weightsBytes']
    .flatMap((place) => SIDES.map((side) => `${place}.${side}`)),
  ...['accuracy', 'f1', 'matthews', 'pearson', 'spearman'].flatMap((name) =>
    [...SIDES, 'difference'].map((side) => `metrics.${name}.${side}`)
  ),
  ...['perplexity.lnRatio', 'perplexity.error', 'kl.mean', 'kl.max', 'kl.percentiles.99', 'deltaP.rms', 'sameTop1'],
  ...['top5Overlap', 'agreement', 'mcnemar.p'],
];
const PERFORMANCE = [
  ...['prefillTps', 'decodeTps', 'firstTokenMs', 'p50Ms', 'p95Ms', 'joules'].flatMap((name) =>
    SIDES.map((side) => `speed.${name}.${side}`)
  ),
  'memory.peakRssBytes',
];

function figures(result: CompareResult, places: readonly string[]): Record<string, number> {
  return Object.fromEntries(places.flatMap((place) => {
    const value = valueAt(result, place);
    return typeof value === 'number' && Number.isFinite(value) ? [[place, value] as const] : [];
  }));
}

/** The line of a run. @param time of its end @example historyEntry(result, new Date()) */
export function historyEntry(result: CompareResult, time: Date): HistoryEntry {
  const { a, b, data, options, engine, machine } = result;
  const side = ({ kind, digest, options: own, name }: SideFacts): unknown => [kind, digest ?? name, own];
  const identity = JSON.stringify([side(a), side(b), data.digest ?? data.name, options, engine]);
  const known = [a, b].every(({ kind, digest }) => kind === 'local' && digest !== null) && data.digest !== null;
  return {
    ternspike: 'history',
    version: VERSION,
    time: time.toISOString(),
    engine,
    key: xxh32(new TextEncoder().encode(identity)).toString(16).padStart(8, '0') +
      xxh32(new TextEncoder().encode(identity), 1).toString(16).padStart(8, '0'),
    exact: known,
    a: nameOf(a),
    b: nameOf(b),
    data: data.name,
    options,
    machine,
    quality: figures(result, QUALITY),
    performance: figures(result, PERFORMANCE),
  };
}

/** A side with its options, so that one file with two sets of options has two names. */
export function nameOf({ name, options }: SideFacts): string {
  const own = Object.entries(options).filter(([key]) => key !== 'url' && key !== 'model');
  return own.length === 0 ? name : `${name} (${own.map(([key, value]) => `${key} ${value}`).join(', ')})`;
}

/**
 * Reads a history. A last line without its end, left by a run that was killed, is left out.
 * @throws {DatasetError} `EVAL_LOG` for a line that is no entry, with its number
 */
export async function readHistory(source: ByteSource, signal?: AbortSignal): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  for await (const { number, text, whole } of readLines(source, signal)) {
    if (!whole && text !== null && (text.startsWith(BEGINNING) || BEGINNING.startsWith(text))) break;
    if (text === '') continue;
    const entry = entryOf(text);
    if (!entry) {
      throw new DatasetError('EVAL_LOG', `${source.name}: line ${number} is not an entry of a history; remove it`);
    }
    entries.push(entry);
  }
  return entries;
}

/** What every entry begins with. */
const BEGINNING = '{"ternspike":"history",';

function entryOf(text: string | null): HistoryEntry | null {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '');
  } catch {
    return null;
  }
  if (!isObject(value) || value.ternspike !== 'history' || value.version !== VERSION) return null;
  const strings = [value.time, value.key, value.a, value.b, value.data].every((item) => typeof item === 'string');
  const numbers = [value.quality, value.performance].every((group) =>
    isObject(group) && Object.values(group).every((item) => typeof item === 'number')
  );
  const rest = typeof value.exact === 'boolean' && isObject(value.options) &&
    (value.engine === null || typeof value.engine === 'string');
  return strings && numbers && rest && !Number.isNaN(Date.parse(String(value.time)))
    ? (value as unknown as HistoryEntry)
    : null;
}

/** A quality figure that differs between two runs of the same. */
export interface Defect {
  readonly key: string;
  readonly metric: string;
  readonly first: { readonly time: string; readonly value: number | null };
  readonly later: { readonly time: string; readonly value: number | null };
}

/** Figures that have to be equal and are not: each later run against the first of its key. */
export function defectsOf(entries: readonly HistoryEntry[]): Defect[] {
  const firsts = new Map<string, HistoryEntry>();
  const defects: Defect[] = [];
  for (const entry of entries.filter(({ exact }) => exact)) {
    const first = firsts.get(entry.key);
    if (!first) {
      firsts.set(entry.key, entry);
      continue;
    }
    for (const metric of new Set([...Object.keys(first.quality), ...Object.keys(entry.quality)])) {
      const [before, after] = [first.quality[metric] ?? null, entry.quality[metric] ?? null];
      if (before === after) continue;
      defects.push({
        key: entry.key,
        metric,
        first: { time: first.time, value: before },
        later: { time: entry.time, value: after },
      });
    }
  }
  return defects;
}

/** One figure over time. */
export interface Trend {
  readonly name: string;
  readonly data: string;
  readonly metric: string;
  readonly points: readonly { readonly time: string; readonly engine: string | null; readonly value: number }[];
}

/** Figures of runs of the same pair over the same data, in the order of time. @param metrics only those that contain one of these */
export function trendsOf(entries: readonly HistoryEntry[], metrics: readonly string[] = []): Trend[] {
  const trends = new Map<string, { -readonly [K in keyof Trend]: Trend[K] } & { points: Trend['points'][number][] }>();
  for (const entry of [...entries].sort((x, y) => (x.time < y.time ? -1 : x.time > y.time ? 1 : 0))) {
    const name = `${entry.a} → ${entry.b}`;
    for (const [metric, value] of Object.entries({ ...entry.quality, ...entry.performance })) {
      if (metrics.length > 0 && !metrics.some((wanted) => metric.includes(wanted))) continue;
      const key = JSON.stringify([name, entry.data, entry.options, metric]);
      const trend = trends.get(key) ?? { name, data: entry.data, metric, points: [] };
      trend.points.push({ time: entry.time, engine: entry.engine, value });
      trends.set(key, trend);
    }
  }
  return [...trends.values()];
}
