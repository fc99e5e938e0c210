/**
 * What every hostile file of a container test is held to, and its accepting neighbour.
 * @module
 */
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { readGguf } from '../../src/container/gguf.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { type BuiltTensor, ggufBytes, type GgufParts } from '../builders.ts';
import { countingSource } from '../faults.ts';
import { refuses } from '../refusal.ts';

/**
 * Refused with `code`, in less than 100 ms, reading no more than the file and setting aside no more than 1 MB beyond it.
 */
export async function refused(parts: GgufParts | Uint8Array, code: ErrorCode, ...words: string[]): Promise<void> {
  const bytes = parts instanceof Uint8Array ? parts : ggufBytes(parts);
  const source = countingSource(memorySource(bytes, 'test.gguf'));
  const millis = await bestMillis(100, () => refuses(readGguf(source), code, 'test.gguf', ...words));
  if (bytes.length < 1_000_000) assert.ok(millis < 100, `${millis} ms`);
  assert.ok(source.counts.largest <= bytes.length + 1_000_000, `${source.counts.largest} bytes set aside`);
  assert.ok(source.counts.end <= bytes.length);
}

/** Read without complaint. */
export async function accepted(parts: GgufParts | Uint8Array): Promise<void> {
  await readGguf(memorySource(parts instanceof Uint8Array ? parts : ggufBytes(parts)));
}

/** A small tensor that is right but for `overrides`. */
export const tensor = (overrides: Partial<BuiltTensor> = {}): BuiltTensor => ({
  name: 'a',
  type: 'F32',
  shape: [4],
  ...overrides,
});

/** How long `run` takes; tried up to three times while it takes more than `enough`, as other work may be in the way. */
export async function bestMillis(enough: number, run: () => Promise<unknown>): Promise<number> {
  let best = Infinity;
  for (let attempt = 0; attempt < 3 && best > enough; attempt++) {
    const start = performance.now();
    await run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
