/**
 * Spikes at random, for benchmarks alone: how fast a model would be at a given sparsity. What it then says means nothing.
 * @module
 */
import type { Ptr } from '../wasm/arena.ts';

/** Patterns that are drawn once and taken in turn; a prime number, so that layers and tokens meet different ones. */
const PATTERNS = 61;

/** Overwrites the bits of n spikes at an address, and says how many fire. The same turn has the same pattern. */
export type ForceSpikes = (spikes: Ptr, n: number, turn: number) => number;

/** One pattern. */
interface Pattern {
  readonly bytes: Uint8Array;
  readonly fired: number;
}

/**
 * Spikes of the given sparsity, the same for the same seed.
 * @param sparsity share of neurons that are silent, 0 … 1
 */
export function forcedSpikes(memory: WebAssembly.Memory, sparsity: number, seed: number = 1): ForceSpikes {
  const pools = new Map<number, Pattern[]>();
  let state = seed >>> 0;
  const draw = (): number => {
    state = (state + 0x9e3779b9) >>> 0; // splitmix32
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
  const pattern = (n: number): Pattern => {
    const bytes = new Uint8Array(Math.ceil(n / 32) * 4); // kernels read whole words
    let fired = 0;
    for (let i = 0; i < n; i++) {
      if (draw() < sparsity) continue;
      bytes[i >> 3] |= 1 << (i & 7);
      fired++;
    }
    return { bytes, fired };
  };
  return (spikes, n, turn) => {
    let pool = pools.get(n);
    if (!pool) pools.set(n, pool = Array.from({ length: PATTERNS }, () => pattern(n)));
    const { bytes, fired } = pool[turn % PATTERNS];
    new Uint8Array(memory.buffer, spikes, bytes.length).set(bytes);
    return fired;
  };
}
