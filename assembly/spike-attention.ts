// Attention with real queries over keys and values that are spikes. Nothing is multiplied: a score is the sum of a query's
// features where the key fired, a context the sum of the weights of tokens whose value fired. Lanes are queries.

import { exp4 } from './inline/mathf';

const BLOCK: i32 = 128;

/** y[i] += x[i], i < n, n a multiple of 4. */
// @ts-ignore: decorator
@inline
function addRow(y: usize, x: usize, n: i32): void {
  for (const end = y + (<usize>n << 2); y < end; y += 16, x += 16) v128.store(y, f32x4.add(v128.load(y), v128.load(x)));
}

/** The bits of feature f for four tokens from vector n on: bit 0 of each byte. Tokens from `left` on are left out. */
// @ts-ignore: decorator
@inline
function fired4(x: usize, groups: i32, f: i32, n: i32, left: i32): u32 {
  const g = ((f >> 6) << 4) + (f & 15);
  const word = load<u32>(x + <usize>(n / BLOCK * groups + g) * BLOCK + (n % BLOCK));
  const bits = (word >> ((f >> 4) & 3)) & 0x01010101;
  return left >= 4 ? bits : bits & ((1 << (left << 3)) - 1);
}

/**
 * q[f, i] ← Σ_j softmax_j(Σ_f q[f, i] · k[j, f] / root) · v[j, f]        one head, one step; i < tokens4, j < keys; in place
 * q (features, stride) f32: queries in, context out; its vectors n0 … are the step's tokens    k, v nibbles of `groups` groups
 * f0, headDim: the features of the head    scores (keys, tokens4) f32 scratch; softmax over rows, queries are columns
 * needs: n0 and tokens4 multiples of 4, keys at most tokens4; queries of padding hold numbers
 * order: features, then keys, ascending; the maximum is taken off before exponents; each weight is divided by the sum
 * equals: reference.spikeAttention within 1e-6, and itself in every build bit for bit
 * cost: 5 ops per 4 queries for each key and value that fired, 40 per 4 scores
 */
export function spike_attention(
  q: usize, stride: i32, k: usize, v: usize, groups: i32, n0: i32, tokens4: i32, keys: i32, f0: i32, headDim: i32, root: f32,
  scores: usize,
): void {
  const row = <usize>tokens4 << 2;
  const line = <usize>stride << 2;
  const head = q + <usize>f0 * line + (<usize>n0 << 2);
  memory.fill(scores, 0, <usize>keys * row);
  for (let f = 0; f < headDim; f++) {
    for (let j = 0; j < keys; j += 4) {
      for (let bits = fired4(k, groups, f0 + f, n0 + j, keys - j); bits != 0; bits &= bits - 1) {
        addRow(scores + <usize>(j + (<i32>ctz(bits) >> 3)) * row, head + <usize>f * line, tokens4);
      }
    }
  }
  const roots = f32x4.splat(root);
  const end = scores + <usize>keys * row;
  for (let i: usize = 0; i < row; i += 16) {
    let top = f32x4.splat(-Infinity);
    for (let p = scores + i; p < end; p += row) {
      const score = f32x4.div(v128.load(p), roots);
      v128.store(p, score);
      top = f32x4.pmax(top, score);
    }
    let sum = f32x4.splat(0);
    for (let p = scores + i; p < end; p += row) {
      const e = exp4(f32x4.sub(v128.load(p), top));
      v128.store(p, e);
      sum = f32x4.add(sum, e);
    }
    for (let p = scores + i; p < end; p += row) v128.store(p, f32x4.div(v128.load(p), sum));
  }
  for (let f = 0; f < headDim; f++) {
    const out = head + <usize>f * line;
    memory.fill(out, 0, row);
    for (let j = 0; j < keys; j += 4) {
      for (let bits = fired4(v, groups, f0 + f, n0 + j, keys - j); bits != 0; bits &= bits - 1) {
        addRow(out, scores + <usize>(j + (<i32>ctz(bits) >> 3)) * row, tokens4);
      }
    }
  }
}
