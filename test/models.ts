/**
 * Small models for tests: decoders without tokenizer or sampler, and files of random weights.
 * @module
 */
import * as assert from 'uvu/assert';
import { resolveSource } from '../src/bytes/resolve.ts';
import type { ByteSource } from '../src/bytes/source.ts';
import { openContainer } from '../src/container/open.ts';
import { llamaDecoder } from '../src/architectures/llama/decoder.ts';
import { llamaWeights } from '../src/architectures/llama/weights.ts';
import type { LlamaDescription } from '../src/architectures/llama/description.ts';
import { describeLlama } from '../src/architectures/llama/description.ts';
import type { KvType } from '../src/description/plan.ts';
import { Session, type SessionOptions } from '../src/session/session.ts';
import { Arena } from '../src/wasm/arena.ts';
import { builtinModule } from '../src/wasm/builtin.ts';
import type { Build } from '../src/wasm/features.ts';
import { instantiate } from '../src/wasm/instantiate.ts';
import { WeightLoader } from '../src/wasm/weights.ts';
import type { SessionDecoder } from '../src/forward/sessions.ts';

/** A decoder over its own memory. */
export interface Bare {
  readonly d: LlamaDescription;
  readonly arena: Arena;
  readonly decoder: SessionDecoder;
  session(options?: SessionOptions): Session;
}

/** Loads a model without tokenizer and sampler. */
export async function bare(
  source: string | ByteSource,
  options: { build?: Build; kv?: KvType; context?: number } = {},
): Promise<Bare> {
  const { module } = await builtinModule(options.build);
  const bytes = await resolveSource(source);
  const container = await openContainer(bytes);
  const d = describeLlama(container);
  const arena = new Arena(new WebAssembly.Memory({ initial: 1 }));
  const kernels = instantiate(module, arena.memory);
  const loader = new WeightLoader(kernels, arena, bytes, container);
  const { weights, finish } = llamaWeights(d, loader, options.context ?? 256);
  await loader.fill();
  finish(arena);
  await bytes.close?.();
  const decoder = llamaDecoder(kernels, arena, d, weights, {
    context: options.context ?? 256,
    kv: options.kv ?? 'f16',
  });
  return { d, arena, decoder, session: (session) => new Session(decoder, arena, session) };
}

/** Logits behind every id, one array each. */
export async function allLogits({ session, arena, d }: Bare, ids: readonly number[]): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  using own = session();
  await own.read(ids, {}, 0, (at) => void rows.push(arena.f32(at, d.vocab).slice()));
  return rows;
}

/** Index of the largest, the lowest on ties. */
export function argmax(row: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i] > row[best]) best = i;
  return best;
}

/** The ids a greedy generation chooses. */
export async function greedy({ session }: Bare, prompt: readonly number[], n: number): Promise<number[]> {
  using own = session();
  const ids: number[] = [];
  let row = await own.prefill(prompt);
  for (;;) {
    ids.push(argmax(row));
    if (ids.length === n) return ids;
    row = await own.step(ids[ids.length - 1]);
  }
}

/** softmax in f64. */
export function softmax(row: Float32Array): Float64Array {
  const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(row, (x) => Math.exp(x - max));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / total);
}

/** Asserts that greedy ids are those of a reference, as far as the best token leads the second by 5 %. */
export async function greedyAlike(
  { session }: Bare,
  prompt: readonly number[],
  expected: readonly number[],
): Promise<void> {
  using own = session();
  let row = await own.prefill(prompt);
  for (const [i, id] of expected.entries()) {
    const best = argmax(row);
    if (best !== id) {
      const lead = Math.exp(row[best] - row[id]);
      return assert.ok(lead < 1.05, `id ${i} is ${best}, expected ${id}, over which it leads by ${lead}`);
    }
    row = await own.step(id);
  }
}
