/**
 * `eval glue` on many machines: the samples of a shard, and the whole from its shards.
 * @module
 */
import { recordOf } from '../eval/glue.ts';
import { inShard, type Shard } from '../eval/shard.ts';
import type { ShardKey, ShardRow } from '../eval/shard-results.ts';
import {
  type Classify,
  type GlueRecord,
  type GlueResult,
  glueResult,
  type GlueSample,
  type GlueTask,
  glueTask,
} from '../entries/eval.ts';
import type { Context } from './command.ts';
import { printShard, readShards } from './shards.ts';

/** How shards of it are called. */
const KIND = 'eval glue';

/** What a record has that depends on sample, model and options alone. */
type Fixed = Omit<GlueRecord, 'index' | 'ms'>;

/** Classifies the samples of a shard and prints what came of them. @throws as `evaluateGlue` */
export async function runShard(
  classify: Classify,
  samples: AsyncIterable<GlueSample>,
  { task, shard, limit = Infinity, key }: {
    readonly task: GlueTask;
    readonly shard: Shard;
    readonly limit?: number;
    readonly key: ShardKey;
  },
  context: Context,
): Promise<void> {
  const { out, signal } = context;
  const rows: ShardRow<Fixed>[] = [];
  let total = 0;
  for await (const sample of samples) {
    if (sample.index >= limit) break;
    total = sample.index + 1;
    if (!inShard(shard, sample.index)) continue;
    signal.throwIfAborted();
    const start = performance.now();
    const said = await classify(sample.text, sample.pair, signal);
    const { index, ms, ...row } = recordOf(task, sample, said, performance.now() - start);
    rows.push({ index, row, beside: ms });
    out.progress(`${rows.length} samples of this shard, at ${total}`);
  }
  await printShard(
    { kind: KIND, shard, key: { ...key, limit: limit === Infinity ? undefined : limit }, total, rows },
    context,
  );
}

/** The whole from its shards. @throws {DatasetError} */
export async function mergeGlue(
  paths: readonly string[],
  context: Context,
): Promise<
  { readonly task: GlueTask; readonly key: ShardKey; readonly records: GlueRecord[]; readonly result: GlueResult }
> {
  const isRow = (row: unknown): boolean => {
    const { line, label, predicted, scores } = (row ?? {}) as Partial<Fixed>;
    return [line, label, predicted].every(Number.isFinite) && Array.isArray(scores) && scores.every(Number.isFinite);
  };
  const { key, rows } = await readShards<Fixed>(KIND, paths, isRow, context);
  const task = glueTask(String(key.task));
  const records = rows.map(({ index, row, beside }) => ({ index, ...row, ms: Number(beside) || 0 }));
  return { task, key, records, result: glueResult(task, records) };
}
