/**
 * Several completions of one prompt, which read it once.
 * @module
 */
import { CALL_RULES, type CallOptions } from '../bytes/pace.ts';
import { picked } from '../options.ts';
import { randomSeed } from '../sample/rng.ts';
import type { Session } from '../session/session.ts';
import { Generation, type GenerationParts, type PromptScores } from './generation.ts';
import { checkMaxTokens } from './prompt.ts';
import type { GenerateChunk, GenerateOptions } from './types.ts';

/**
 * Chunks of all completions as they come, each with its index. Completion i has the tokens that seed + i has alone.
 * @param open makes the session that reads the prompt
 * @throws as a generation; {MemoryError} where so many sessions do not fit
 */
export async function* generateMany(
  parts: Omit<GenerationParts, 'index'>,
  options: GenerateOptions & { readonly n: number },
  open: () => Session,
): AsyncGenerator<GenerateChunk, void> {
  const { n, seed = randomSeed(), onPrefill, logprobs, echo } = options;
  const { ids } = parts;
  const seeded = (i: number): GenerateOptions => ({ ...options, seed: (seed + i) % (Number.MAX_SAFE_INTEGER + 1) });
  const all = Array.from({ length: n }, (_, index) => new Generation({ ...parts, index }, seeded(index)));
  const sessions = [open()];
  let streams: AsyncGenerator<GenerateChunk, void>[] = [];
  try {
    const [session] = sessions;
    checkMaxTokens(options.maxTokens, session, ids.length);
    const scores: PromptScores = [];
    const read = ids.length - 1; // each reads the last by itself, and draws
    const call = picked<CallOptions>(options, CALL_RULES);
    const onRead = onPrefill && ((done: number): void => onPrefill({ read: done, total: ids.length }));
    await session.read(
      ids.slice(0, read),
      { ...call, onRead },
      echo && logprobs !== undefined ? 0 : read,
      (logits, i) => {
        scores[i + 1] = all[0].scoreAt(logits, ids[i + 1]);
      },
    );
    while (sessions.length < n) sessions.push(session.fork());
    streams = all.map((generation, i) => generation.run(sessions[i], { read, scores }));
    yield* merged(streams);
  } finally {
    await Promise.allSettled(streams.map((stream) => stream.return()));
    for (const session of sessions) session.dispose();
  }
}

/** What several streams say, as it comes; those that are ahead wait for who reads. */
async function* merged<T>(streams: readonly AsyncGenerator<T, void>[]): AsyncGenerator<T, void> {
  const step = async (i: number): Promise<{ i: number; next: IteratorResult<T, void> }> => ({
    i,
    next: await streams[i].next(),
  });
  const waiting = new Map(streams.map((_, i) => [i, step(i)]));
  try {
    while (waiting.size > 0) {
      const { i, next } = await Promise.race(waiting.values());
      waiting.delete(i);
      if (next.done) continue;
      yield next.value;
      waiting.set(i, step(i));
    }
  } finally {
    await Promise.allSettled(waiting.values());
  }
}
