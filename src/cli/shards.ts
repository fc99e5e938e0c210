/**
 * Shards of evaluations on the command line: what `--shard` prints and `--merge` reads.
 * @module
 */
import { hostname } from 'node:os';
import { mergeShards, type ShardKey, shardResult, type ShardRow } from '../eval/shard-results.ts';
import { readShard, type Shard } from '../eval/shard.ts';
import { UsageError } from './args.ts';
import type { Context } from './command.ts';
import { version } from './package-folder.ts';
import { readJson } from './result-files.ts';

/** Options of evaluations that can be cut. */
export const SHARD_OPTIONS = {
  shard: {
    kind: 'text',
    value: 'I/N',
    help: 'only the part whose numbers leave I when divided by N; prints JSON for --merge',
  },
  merge: {
    kind: 'text',
    value: 'FILE',
    repeatable: true,
    help: 'put together what shards printed; runs nothing',
  },
} as const;

/** The shard that is asked for. @throws {OptionError}; {UsageError} where both are */
export function shardOf(
  { shard, merge }: { readonly shard?: string; readonly merge?: readonly string[] },
): Shard | undefined {
  if (shard !== undefined && merge !== undefined) throw new UsageError('give --shard or --merge, not both');
  return shard === undefined ? undefined : readShard(shard);
}

export interface Found<R> {
  readonly kind: string;
  readonly shard: Shard;
  readonly key: ShardKey;
  readonly total: number;
  readonly rows: readonly ShardRow<R>[];
}

/** Prints what a shard found, one line of JSON with and without `--json`. */
export async function printShard<R>(found: Found<R>, { out }: Context): Promise<void> {
  const result = shardResult({ ...found, key: { ...found.key, engine: version() }, machine: hostname() });
  await out.result(result, () => [JSON.stringify(result)]);
}

/** Reads shards and puts them together. @throws {DatasetError} */
export async function readShards<R>(
  kind: string,
  paths: readonly string[],
  isRow: (row: unknown) => boolean,
  { out, signal }: Context,
): Promise<{ readonly key: ShardKey; readonly rows: readonly ShardRow<R>[] }> {
  const parts: [string, unknown][] = [];
  for (const path of paths) parts.push([path, await readJson(path, signal)]);
  const { key, rows, compared } = mergeShards<R>(kind, parts, isRow);
  if (compared > 0) out.note(`${compared} rows were found twice, with equal bits`);
  return { key, rows };
}

/** Whether a value is an object whose fields are finite numbers. */
export function hasNumbers(value: unknown, names: readonly string[]): boolean {
  const fields = (value ?? {}) as Readonly<Record<string, unknown>>;
  return names.every((name) => Number.isFinite(fields[name]));
}
