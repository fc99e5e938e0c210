/**
 * Logits of a whole text, teacher-forced.
 * @module
 */
import { entropyAt } from '../sample/sampler.ts';
import { checkEntropyExit, exitBlock } from '../session/entropy-exit.ts';
import type { Session } from '../session/session.ts';
import { eachStream } from '../session/streams.ts';
import type { Ptr } from '../wasm/arena.ts';
import type { GenerationParts } from './generation.ts';
import type { LogitsOptions } from './types.ts';

/** @param open makes a session @throws as `Model.logits` */
export async function logitsOf(
  parts: GenerationParts['parts'],
  ids: readonly number[],
  { signal, from = 0, entropyExit, onHidden }: LogitsOptions,
  open: () => Session,
): Promise<Float32Array[]> {
  const { arena, description, generator: { decoder } } = parts;
  const afterLayer = onHidden && eachStream(arena, decoder, description, onHidden);
  const blocks = entropyExit === undefined ? undefined : await exit(parts, ids, entropyExit, open, signal);
  const session = open();
  try {
    const rows: Float32Array[] = [];
    const see = (at: Ptr): void => void rows.push(arena.f32(at, decoder.vocab).slice());
    await session.read(ids, { signal, blocks, afterLayer }, from, see);
    return rows;
  } finally {
    session.dispose();
  }
}

/** After how many blocks the head is sure of the last of `ids`. */
async function exit(
  { arena, generator: { decoder, sampler } }: GenerationParts['parts'],
  ids: readonly number[],
  threshold: number,
  open: () => Session,
  signal?: AbortSignal,
): Promise<number> {
  const blocks = checkEntropyExit(threshold, decoder.blocks);
  const entropy = (logits: Ptr): number => {
    const best = sampler.kernels.argmax_f32(logits, decoder.vocab);
    return entropyAt(sampler, logits, decoder.vocab, arena.f32(logits + 4 * best, 1)[0]);
  };
  const session = open();
  try {
    return await exitBlock(session, ids, blocks, threshold, entropy, signal);
  } finally {
    session.dispose();
  }
}
