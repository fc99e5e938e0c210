/**
 * What every hostile file of a container test is held to, and its accepting neighbour.
 * @module
 */
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import type { ByteSource } from '../../src/bytes/source.ts';
import { readGguf } from '../../src/container/parts.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { type BuiltTensor, ggufBytes, type GgufParts } from '../builders.ts';
import { cpuMillisOf } from '../clock.ts';
import { countingSource } from '../faults.ts';
import { refuses } from '../refusal.ts';

/** Reads everything but the weights of a container. */
export type Read = (source: ByteSource) => Promise<unknown>;

/**
 * Refused with `code`, in less than 100 ms, reading no more than the file and setting aside at most 1 MB beyond it.
 */
export async function refusedBy(read: Read, bytes: Uint8Array, code: ErrorCode, ...words: string[]): Promise<void> {
  const source = countingSource(memorySource(bytes, 'test.file'));
  const millis = await bestMillis(100, () => refuses(read(source), code, 'test.file', ...words));
  if (bytes.length < 1_000_000) assert.ok(millis < 100, `${millis} ms`);
  assert.ok(source.counts.largest <= bytes.length + 1_000_000, `${source.counts.largest} bytes set aside`);
  assert.ok(source.counts.end <= bytes.length);
}

/** A GGUF file that is refused, as above. */
export async function refused(parts: GgufParts | Uint8Array, code: ErrorCode, ...words: string[]): Promise<void> {
  await refusedBy(readGguf, parts instanceof Uint8Array ? parts : ggufBytes(parts), code, ...words);
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

/** Processor time that `run` takes; tried up to three times while it takes more than `enough`, as the host may compile meanwhile. */
export async function bestMillis(enough: number, run: () => Promise<unknown>): Promise<number> {
  let best = Infinity;
  for (let attempt = 0; attempt < 3 && best > enough; attempt++) {
    best = Math.min(best, await cpuMillisOf(run));
  }
  return best;
}
