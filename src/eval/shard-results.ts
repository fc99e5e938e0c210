/**
 * What a shard of an evaluation found, and how such parts become the whole: rows by their number, each once, in order. A row that two
 * machines found is compared, for both must have the same bits.
 * @module
 */
import { DatasetError } from '../errors.ts';
import type { Shard } from './shard.ts';

const VERSION = 1;

/** All that rows depend on. Undefined entries do not count. */
export type ShardKey = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** A row, by its number among those of the whole. */
export interface ShardRow<R> {
  readonly index: number;
  /** Depends on the key alone: equal on every machine. */
  readonly row: R;
  /** What differs from run to run, as a time; of two it is that of the first. */
  readonly beside?: unknown;
}

/** What a shard prints. */
export interface ShardResult<R> {
  readonly ternspike: 'shard';
  readonly version: number;
  readonly kind: string;
  readonly key: ShardKey;
  /** Rows of the whole. */
  readonly total: number;
  readonly shard: string;
  /** Where it ran, for the alarm. */
  readonly machine: string;
  readonly rows: readonly ShardRow<R>[];
}

export interface ShardParts<R> extends Pick<ShardResult<R>, 'kind' | 'key' | 'total' | 'machine' | 'rows'> {
  readonly shard: Shard;
}

/** The result of a shard. */
export function shardResult<R>({ shard, key, ...rest }: ShardParts<R>): ShardResult<R> {
  const given = Object.entries(key).filter(([, value]) => value !== undefined);
  const sorted = Object.fromEntries(given.sort(([a], [b]) => (a < b ? -1 : 1)));
  return { ternspike: 'shard', version: VERSION, ...rest, key: sorted, shard: `${shard.index}/${shard.count}` };
}

/**
 * Puts shards together.
 * @param parts names of files, and what they hold
 * @param isRow tells rows from anything else
 * @throws {DatasetError} `EVAL_LOG` for what is no shard of this kind, or of another run; `BATCH` for rows that nobody found;
 *   `BATCH_DIFFERS` where two found different ones, naming both machines
 */
export function mergeShards<R>(
  kind: string,
  parts: readonly (readonly [name: string, value: unknown])[],
  isRow: (row: unknown) => boolean,
): { readonly key: ShardKey; readonly rows: readonly ShardRow<R>[]; readonly compared: number } {
  const results = parts.map(([name, value]) => [name, checked<R>(kind, name, value, isRow)] as const);
  const [[firstName, { key, total }]] = results;
  const found: { name: string; machine: string; text: string; row: ShardRow<R> }[] = [];
  let compared = 0;
  for (const [name, result] of results) {
    checkSame(name, result, firstName, key, total);
    for (const row of result.rows) {
      const text = JSON.stringify(row.row);
      const before = found[row.index];
      if (before === undefined) found[row.index] = { name, machine: result.machine, text, row };
      else if (before.text === text) compared++;
      else throw differs(kind, row.index, before, { name, machine: result.machine });
    }
  }
  const missing = Array.from({ length: total }, (_, i) => i).filter((i) => found[i] === undefined);
  if (missing.length === 0) return { key, rows: found.map(({ row }) => row), compared };
  throw new DatasetError(
    'BATCH',
    `${missing.length} of ${total} rows are in none of the shards, the first is row ${
      missing[0]
    }; run the shard that has it`,
  );
}

/** Rows of one evaluation: more would not fit into the file of a result. */
const MAX_ROWS = 10_000_000;

function checked<R>(kind: string, name: string, value: unknown, isRow: (row: unknown) => boolean): ShardResult<R> {
  const { ternspike, version, kind: theirs, key, total, rows, machine } = (value ?? {}) as Partial<ShardResult<R>>;
  if (ternspike !== 'shard' || theirs !== kind) {
    throw new DatasetError('EVAL_LOG', `${name} is no shard of ${kind}; give what --shard with --json printed`);
  }
  if (version !== VERSION) {
    throw new DatasetError('EVAL_LOG', `${name} is of version ${String(version)}, expected ${VERSION}`);
  }
  const count = Number.isSafeInteger(total) && Number(total) >= 0 && Number(total) <= MAX_ROWS ? Number(total) : -1;
  const right = count >= 0 && typeof key === 'object' && key !== null && typeof machine === 'string' &&
    Array.isArray(rows) &&
    rows.every((item) => Number.isSafeInteger(item?.index) && item.index >= 0 && item.index < count && isRow(item.row));
  if (!right) throw new DatasetError('EVAL_LOG', `${name} is a damaged shard; run it again`);
  return value as ShardResult<R>;
}

function checkSame<R>(name: string, other: ShardResult<R>, first: string, key: ShardKey, total: number): void {
  const names = [...new Set([...Object.keys(key), ...Object.keys(other.key)])];
  const unlike = other.total === total ? names.find((entry) => key[entry] !== other.key[entry]) : 'total';
  if (unlike === undefined) return;
  const show = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 80));
  const [a, b] = unlike === 'total' ? [other.total, total] : [other.key[unlike], key[unlike]];
  throw new DatasetError(
    'EVAL_LOG',
    `${name} is of another run than ${first}: ${unlike} is ${show(a)} there and ${
      show(b)
    } here; run both with the same`,
  );
}

function differs(
  kind: string,
  index: number,
  a: { readonly name: string; readonly machine: string },
  b: { readonly name: string; readonly machine: string },
): DatasetError {
  return new DatasetError(
    'BATCH_DIFFERS',
    `row ${index} of ${kind} is other bits in ${a.name} (machine ${a.machine}) and in ${b.name} (machine ${b.machine}), by the same ` +
      'model, data, version and options: one of the two computes wrongly; run the shard on a third',
  );
}
