/**
 * The early exit of SymbolicLight's 194M variant: where the head is sure of the last token after fewer blocks, the pass ends
 * there. Its authors define it for whole texts without a cache, and so it is here: never while generating.
 * @module
 */
import { OptionError } from '../errors.ts';
import { wrongValue } from '../options.ts';
import type { Session } from './session.ts';
import type { Ptr } from '../wasm/arena.ts';

/** @throws {OptionError} `OPTION` unless the threshold is a number from 0 on and the model has blocks to leave out */
export function checkEntropyExit(threshold: number, blocks: number | undefined): number {
  if (!(typeof threshold === 'number' && threshold >= 0 && threshold < Infinity)) {
    throw wrongValue('entropyExit', threshold, 'a number of nats from 0 on, such as 0.3');
  }
  if (blocks === undefined) {
    throw new OptionError('OPTION', 'entropyExit is for SymbolicLight; this model has no early exit', {
      mentions: ['entropyExit'],
    });
  }
  return blocks;
}

/**
 * After how many of the blocks the pass over `ids` ends: the first behind which the entropy of the last position is below
 * `threshold`, or all.
 *
 * A block sees nothing of those behind it, so one pass over all but the last id serves every depth; then the last id alone is
 * read to each.
 * @param session empty; it has read all but the last id afterwards
 * @param entropy of logits, in nats
 */
export async function exitBlock(
  session: Session,
  ids: readonly number[],
  blocks: number,
  threshold: number,
  entropy: (logits: Ptr) => number,
  signal?: AbortSignal,
): Promise<number> {
  const before = ids.slice(0, -1);
  await session.read(before, { signal }, before.length, () => {});
  for (let depth = 1; depth < blocks; depth++) {
    const fork = session.fork();
    let nats = Infinity;
    try {
      await fork.read(ids.slice(-1), { signal, blocks: depth }, 0, (logits) => void (nats = entropy(logits)));
    } finally {
      fork.dispose();
    }
    if (nats < threshold) return depth;
  }
  return blocks;
}
