/**
 * Dropout (Srivastava and others, 2014) without a mask in memory: whether an element stays depends on the seed, the place in the
 * network and its index alone, so that the way back makes the same choice again.
 * @module
 */

/** 2³², the range of a hash. */
const RANGE = 2 ** 32;

/**
 * Sets a share of `x` to 0 and scales the rest so that sums stay the same on average; in place.
 * @param share 0 … 1, less than 1; 0 leaves all as it is
 * @param seed of the pass @param site the place in the network
 */
export function drop(x: Float32Array, share: number, seed: number, site: number): void {
  if (share === 0) return;
  const cut = share * RANGE;
  const scale = 1 / (1 - share);
  const start = Math.imul(seed, 0x9e3779b9) ^ Math.imul(site + 1, 0x85ebca6b);
  for (let i = 0; i < x.length; i++) {
    let h = (start + i) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
    h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
    x[i] = ((h ^ (h >>> 16)) >>> 0) < cut ? 0 : x[i] * scale;
  }
}
