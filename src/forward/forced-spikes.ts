/**
 * Spikes at random, for benchmarks alone: how fast a model would be at a given sparsity. What it then says means nothing.
 * @module
 */
import type { Arena, Ptr } from '../wasm/arena.ts';

/** Patterns that are drawn once and taken in turn; a prime number, so that layers and tokens meet different ones. */
const PATTERNS = 61;

/** Overwrites the bits of n spikes at an address, and says how many fire. */
export type ForceSpikes = (spikes: Ptr, n: number) => number;

/** One pattern. */
interface Pattern {
  readonly bytes: Uint8Array;
  readonly fired: number;
}

/**
 * Spikes of the given sparsity, the same for the same seed.
 * @param sparsity share of neurons that are silent, 0 … 1
 */
export function forcedSpikes(arena: Arena, sparsity: number, seed: number = 1): ForceSpikes {
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
  let turn = 0;
  return (spikes, n) => {
    let pool = pools.get(n);
    if (!pool) pools.set(n, pool = Array.from({ length: PATTERNS }, () => pattern(n)));
    turn = (turn + 1) % PATTERNS;
    const { bytes, fired } = pool[turn];
    arena.u8(spikes, bytes.length).set(bytes);
    return fired;
  };
}
