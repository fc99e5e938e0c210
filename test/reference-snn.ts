/**
 * Plain versions of the kernels for many spike vectors: products, neurons over time, normalisation over features, attention
 * over spikes. They work on one row of 0 and 1 per vector, know nothing of nibbles, and share no code with assembly/.
 * @module
 */
const f = Math.fround;

/** Spikes of one layer: a row per vector, 0 and 1. */
export type Spikes = readonly Uint8Array[];

/** Features padded to 128, four to a byte. */
export function groupsOf(features: number): number {
  return Math.ceil(features / 128) * 32;
}

/** Feature of bit k in group g. */
export function featureOf(g: number, k: number): number {
  return 64 * Math.floor(g / 16) + 16 * k + (g % 16);
}

/** The nibbles of `spikes` as assembly/nibble.ts draws them. */
export function packNibbles(spikes: Spikes, features: number): Uint8Array {
  const groups = groupsOf(features);
  const bytes = new Uint8Array(Math.ceil(spikes.length / 128) * 128 * groups);
  spikes.forEach((row, n) => {
    for (let g = 0; g < groups; g++) {
      for (let k = 0; k < 4; k++) {
        const on = row[featureOf(g, k)] ?? 0;
        bytes[(Math.floor(n / 128) * groups + g) * 128 + (n % 128)] |= on << k;
      }
    }
  });
  return bytes;
}

/** Columns that fired, by groups: the order in which floats are added. */
export function firedColumns(row: Uint8Array): number[] {
  const list: number[] = [];
  for (let g = 0; g < groupsOf(row.length); g++) {
    for (let k = 0; k < 4; k++) if (row[featureOf(g, k)]) list.push(featureOf(g, k));
  }
  return list;
}

/** A matrix whose inputs are spikes. `block` columns share a scale; without scales the values are floats. */
export interface SpikeMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly values: ArrayLike<number>;
  readonly block: number;
  readonly scales: ArrayLike<number> | null;
  readonly bias: Float32Array;
}

/** y[r][n]: per block the integer sum · scale, or the sum of floats in the order of `firedColumns`; then + bias. */
export function spikeGemm(m: SpikeMatrix, spikes: Spikes): Float32Array[] {
  const blocks = Math.ceil(m.cols / m.block);
  const lists = spikes.map(firedColumns);
  return Array.from({ length: m.rows }, (_, r) =>
    Float32Array.from(lists, (list) => {
      if (m.scales === null) return f(list.reduce((sum, c) => f(sum + m.values[r * m.cols + c]), 0) + m.bias[r]);
      const sums = new Float64Array(blocks);
      for (const c of list) sums[Math.floor(c / m.block)] += m.values[r * m.cols + c];
      const y = sums.reduce((y, sum, b) => f(y + f(sum * m.scales![r * blocks + b])), 0);
      return f(y + m.bias[r]);
    }));
}

/** One neuron over its currents; `u` in, the last membrane out. */
export function integrateFire(
  currents: ArrayLike<number>,
  u: number,
  theta: number,
  leak: number,
): { spikes: number[]; u: number } {
  const [t, l] = [f(theta), f(leak)];
  const spikes = Array.from(currents, (current) => {
    u = f(u + current);
    const fired = Number(u >= t);
    u = f(f(u - fired * t) * l);
    return fired;
  });
  return { spikes, u };
}

/** Layer norm of one vector: sums in f64 in order, one rounding, then weight and bias in f32. */
export function normaliseFeatures(
  x: ArrayLike<number>,
  weight: Float32Array,
  bias: Float32Array,
  eps: number,
): Float32Array {
  const n = x.length;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += x[i];
  const mean = sum / n;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
  const inverse = 1 / Math.sqrt(squares / n + eps);
  return Float32Array.from({ length: n }, (_, i) => f(f(f((x[i] - mean) * inverse) * weight[i]) + bias[i]));
}

/** Context of one head, in double precision; q[i][f], k[j][f], v[j][f]. */
export function spikeAttention(q: readonly Float32Array[], k: Spikes, v: Spikes, root: number): number[][] {
  return q.map((query) => {
    const scores = k.map((key) => query.reduce((sum, value, i) => sum + value * key[i], 0) / root);
    const top = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - top));
    const total = weights.reduce((a, b) => a + b, 0);
    return Array.from(query, (_, i) => weights.reduce((sum, weight, j) => sum + (weight / total) * v[j][i], 0));
  });
}
