/**
 * A part of a work that many machines share: shard i of n has the items whose number leaves i when divided by n.
 * @module
 */
import { OptionError } from '../errors.ts';
import { shown } from '../options.ts';

/** Shards of one work. Each loads the model, so that more would load longer than they work. */
export const MAX_SHARDS: number = 100_000;

export interface Shard {
  /** From 0 on. */
  readonly index: number;
  readonly count: number;
}

/**
 * Reads `i/n`. Both ways of counting are whole: 0/n … (n−1)/n, and 1/n … n/n, for n/n is the same shard as 0/n.
 * @throws {OptionError} `OPTION` for anything else
 * @example readShard('3/3') // { index: 0, count: 3 }
 */
export function readShard(text: string): Shard {
  const [, i, n] = /^(\d{1,7})\/(\d{1,7})$/.exec(text) ?? [];
  const [index, count] = [Number(i), Number(n)];
  if (i !== undefined && count >= 1 && count <= MAX_SHARDS && index <= count) return { index: index % count, count };
  throw new OptionError(
    'OPTION',
    `shard is ${shown(text)}, expected i/n such as 0/4: one of n parts, n in 1 … ${MAX_SHARDS}`,
    { option: 'shard' },
  );
}

/** Whether the item with this number, from 0 on, is the shard's; without one all are. */
export function inShard(shard: Shard | undefined, item: number): boolean {
  return !shard || item % shard.count === shard.index;
}
