// Attention of the query heads that share one key head, for a batch of tokens. Two kernels, one for each type of cache: they
// differ in more than the loads, because the f16 one rounds where llama.cpp's does, so that answers agree with it to the last
// digits.
//
//   queries   token t, head h: query t · heads + h, over the keys 0 … count + t − 1          heads of one token side by side
//   tile      eight queries meet a block of 32 keys or values together: it is widened to f32 once and stays in the
//             first-level cache. Two queries × four keys, or two × sixteen dimensions, are in registers at a time
//
//   scratch   rounded queries f32 (8, headDim) │ block f32 (32, headDim) │ scores f32 (8, most keys, padded to 4)
//
// Every query is summed in an order of its own position alone, so that batches and single steps agree bit for bit.

import { f16FromF32, f32FromF16 } from './inline/half';
import { f16_mask, f16_scale, load_f16x4, reduce4_f32, reduce_f32, reduce_max_f32 } from './inline/lanes';
import { exp4, expf } from './inline/mathf';

/** Keys of one step. Blocks begin at multiples of it, so that batches cannot move them. */
const BLOCK: i32 = 32;
/** Queries of a tile. */
const QUERIES: i32 = 8;

/** Scores of one or two queries against n ≤ 32 woven keys, four at a time: scale · q·k. The last may be of no key. */
// @ts-ignore: decorator
@inline
function scores(two: bool, a: usize, b: usize, keys: usize, n: i32, headDim: i32, scale: v128, toA: usize, toB: usize): void {
  const row = <usize>headDim << 2;
  let k = keys;
  for (let j = 0; j < n; j += 4) {
    let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (let p = a, q = b, end = a + row; p < end; p += 16, q += 16, k += 64) {
      const x = v128.load(p), y = two ? v128.load(q) : x;
      let w = v128.load(k);
      a0 = f32x4.add(a0, f32x4.mul(x, w));
      if (two) b0 = f32x4.add(b0, f32x4.mul(y, w));
      w = v128.load(k, 16);
      a1 = f32x4.add(a1, f32x4.mul(x, w));
      if (two) b1 = f32x4.add(b1, f32x4.mul(y, w));
      w = v128.load(k, 32);
      a2 = f32x4.add(a2, f32x4.mul(x, w));
      if (two) b2 = f32x4.add(b2, f32x4.mul(y, w));
      w = v128.load(k, 48);
      a3 = f32x4.add(a3, f32x4.mul(x, w));
      if (two) b3 = f32x4.add(b3, f32x4.mul(y, w));
    }
    v128.store(toA + (j << 2), f32x4.mul(reduce4_f32(a0, a1, a2, a3), scale));
    if (two) v128.store(toB + (j << 2), f32x4.mul(reduce4_f32(b0, b1, b2, b3), scale));
  }
}

function scores1(a: usize, keys: usize, n: i32, headDim: i32, scale: f32, toA: usize): void {
  scores(false, a, a, keys, n, headDim, f32x4.splat(scale), toA, toA);
}

function scores2(a: usize, b: usize, keys: usize, n: i32, headDim: i32, scale: f32, toA: usize, toB: usize): void {
  scores(true, a, b, keys, n, headDim, f32x4.splat(scale), toA, toB);
}

/** n keys as f32, woven: four dimensions of four keys, the next four dimensions of the same keys, …  */
// @ts-ignore: decorator
@inline
function weave(half: bool, from: usize, n: i32, headDim: i32, to: usize): void {
  const mask = f16_mask(), scale = f16_scale();
  const row = <usize>headDim << (half ? 1 : 2), step = <usize>(half ? 8 : 16);
  for (let j = 0; j < n; j += 4) {
    // where fewer than four are left the last is woven again; its scores are not looked at
    let k0 = from + <usize>j * row, k1 = from + <usize>min(j + 1, n - 1) * row;
    let k2 = from + <usize>min(j + 2, n - 1) * row, k3 = from + <usize>min(j + 3, n - 1) * row;
    for (const end = k0 + row; k0 < end; k0 += step, k1 += step, k2 += step, k3 += step, to += 64) {
      v128.store(to, half ? load_f16x4(k0, mask, scale) : v128.load(k0));
      v128.store(to, half ? load_f16x4(k1, mask, scale) : v128.load(k1), 16);
      v128.store(to, half ? load_f16x4(k2, mask, scale) : v128.load(k2), 32);
      v128.store(to, half ? load_f16x4(k3, mask, scale) : v128.load(k3), 48);
    }
  }
}

/** out += Σ_j p[j] · values[j] for one or two queries, value after value. */
// @ts-ignore: decorator
@inline
function values(two: bool, pa: usize, pb: usize, v: usize, n: i32, headDim: i32, outA: usize, outB: usize): void {
  const row = <usize>headDim << 2;
  const end = pa + (<usize>n << 2);
  let i: usize = 0;
  for (; i + 64 <= row; i += 64) {
    const a = outA + i, b = outB + i;
    let a0 = v128.load(a), a1 = v128.load(a, 16), a2 = v128.load(a, 32), a3 = v128.load(a, 48);
    let b0 = a0, b1 = a1, b2 = a2, b3 = a3;
    if (two) b0 = v128.load(b), b1 = v128.load(b, 16), b2 = v128.load(b, 32), b3 = v128.load(b, 48);
    for (let p = pa, q = pb, at = v + i; p < end; p += 4, q += 4, at += row) {
      const x = v128.load32_splat(p), y = two ? v128.load32_splat(q) : x;
      let w = v128.load(at);
      a0 = f32x4.add(a0, f32x4.mul(x, w));
      if (two) b0 = f32x4.add(b0, f32x4.mul(y, w));
      w = v128.load(at, 16);
      a1 = f32x4.add(a1, f32x4.mul(x, w));
      if (two) b1 = f32x4.add(b1, f32x4.mul(y, w));
      w = v128.load(at, 32);
      a2 = f32x4.add(a2, f32x4.mul(x, w));
      if (two) b2 = f32x4.add(b2, f32x4.mul(y, w));
      w = v128.load(at, 48);
      a3 = f32x4.add(a3, f32x4.mul(x, w));
      if (two) b3 = f32x4.add(b3, f32x4.mul(y, w));
    }
    v128.store(a, a0), v128.store(a, a1, 16), v128.store(a, a2, 32), v128.store(a, a3, 48);
    if (two) v128.store(b, b0), v128.store(b, b1, 16), v128.store(b, b2, 32), v128.store(b, b3, 48);
  }
  for (; i < row; i += 16) {
    let a = v128.load(outA + i), b = two ? v128.load(outB + i) : a;
    for (let p = pa, q = pb, at = v + i; p < end; p += 4, q += 4, at += row) {
      const w = v128.load(at);
      a = f32x4.add(a, f32x4.mul(v128.load32_splat(p), w));
      if (two) b = f32x4.add(b, f32x4.mul(v128.load32_splat(q), w));
    }
    v128.store(outA + i, a);
    if (two) v128.store(outB + i, b);
  }
}

function values1(pa: usize, v: usize, n: i32, headDim: i32, outA: usize): void {
  if (n > 0) values(false, pa, pa, v, n, headDim, outA, outA);
}

/** The first query has no more keys left than the second: na ≤ nb. */
function values2(pa: usize, pb: usize, v: usize, na: i32, nb: i32, headDim: i32, outA: usize, outB: usize): void {
  if (na > 0) values(true, pa, pb, v, na, headDim, outA, outB);
  const both = max(na, 0);
  values1(pb + (<usize>both << 2), v + <usize>(both * headDim << 2), nb - both, headDim, outB);
}

/** Fills a row of scores up to a multiple of four with −∞. */
// @ts-ignore: decorator
@inline
function close(row: usize, n: i32): void {
  for (let j = n; j & 3; j++) store<f32>(row + (j << 2), -Infinity);
}

// 0xfff, what is kept of a mantissa, the least normal f16, 1/2, 1: see `round_half`
const ROUND = memory.data<u32>([0xfff, 0xffffe000, 0x38800000, 0x3f000000, 1], 16);

/**
 * Four numbers of 0 … 1 rounded to f16, as f32: what `f32FromF16(f16FromF32(x))` gives for them, in a third of the time.
 * Normal: the lower 13 bits of the mantissa go, ties to even. Under 2^-14: an addition to 1/2 rounds to multiples of 2^-24.
 */
// @ts-ignore: decorator
@inline
function round_half(x: v128): v128 {
  const half = v128.load32_splat(ROUND + 12);
  const odd = v128.and(i32x4.shr_u(x, 13), v128.load32_splat(ROUND + 16));
  const normal = v128.and(i32x4.add(i32x4.add(x, v128.load32_splat(ROUND)), odd), v128.load32_splat(ROUND + 4));
  const small = f32x4.sub(f32x4.add(x, half), half);
  const rounded = v128.bitselect(small, normal, f32x4.lt(x, v128.load32_splat(ROUND + 8)));
  return v128.or(rounded, f32x4.ne(x, x)); // NaN stays NaN
}

/** Largest of `least` and n scores, padded to four; NaN if any is NaN. */
// @ts-ignore: decorator
@inline
function largest(row: usize, n: i32, least: f32): f32 {
  let top = f32x4.splat(least);
  for (let j = 0; j < n; j += 4) top = f32x4.max(top, v128.load(row + (j << 2)));
  return reduce_max_f32(top);
}

/** Keys that a block from `first` on holds for a query of `count`; not above 32, below 1 where there are none. */
// @ts-ignore: decorator
@inline
function within(count: i32, first: i32): i32 {
  return min(BLOCK, count - first);
}

/**
 * out = Σ_j softmax_j(scale · q·k[j]) · v[j]                                     j < count + t, for every query (t < n, h < heads)
 * q (n, qStride) f32, heads · headDim used    k, v (count + n − 1, headDim) f32    out as q, (n, outStride)
 * scratch (272 + 32 · headDim) f32
 * needs: headDim a multiple of 4, count ≥ 1.   a NaN in a score gives NaN out
 * order: online softmax over blocks of 32 keys from position 0: running maximum and sum, the output shrunk when the
 *   maximum grows. The same for any batch, so that prefill and single steps agree bit for bit
 * equals: reference.attention within 1e-6 relative, and itself in every build bit for bit.
 * cost: 2.8 instructions per 4 products with eight queries, of which one multiplies and one adds; 4 bytes per cached element
 *   and tile of queries
 */
export function attention_f32(
  q: usize, qStride: i32, heads: i32, k: usize, v: usize, out: usize, outStride: i32,
  headDim: i32, count: i32, n: i32, scale: f32, scratch: usize,
): void {
  const row = <usize>headDim << 2;
  // per query: 32 scores, its maximum and its sum
  const state = scratch + (QUERIES * BLOCK << 2), block = state + (QUERIES << 3);
  for (let from = 0; from < n * heads; from += QUERIES) {
    const some = min(QUERIES, n * heads - from);
    const most = count + (from + some - 1) / heads;
    for (let i = 0; i < some; i++) {
      store<f32>(state + (i << 3), -f32.MAX_VALUE);
      store<f32>(state + (i << 3), 0, 4);
      memory.fill(place(out, outStride, heads, row, from + i), 0, row);
    }
    for (let first = 0; first < most; first += BLOCK) {
      const held = v + <usize>first * row, left = within(most, first);
      weave(false, k + <usize>first * row, left, headDim, block);
      for (let i = 0; i < some; i += 2) {
        const a = place(q, qStride, heads, row, from + i), toA = scratch + (i * BLOCK << 2);
        if (i + 1 < some) {
          scores2(a, place(q, qStride, heads, row, from + i + 1), block, left, headDim, scale, toA, toA + (BLOCK << 2));
        } else scores1(a, block, left, headDim, scale, toA);
      }
      for (let i = 0; i < some; i++) {
        const own = within(count + (from + i) / heads, first);
        if (own > 0) online(scratch + (i * BLOCK << 2), own, state + (i << 3), place(out, outStride, heads, row, from + i), row);
      }
      for (let i = 0; i < some; i += 2) {
        const pa = scratch + (i * BLOCK << 2), a = place(out, outStride, heads, row, from + i);
        const na = within(count + (from + i) / heads, first);
        if (i + 1 < some) {
          const nb = within(count + (from + i + 1) / heads, first);
          values2(pa, pa + (BLOCK << 2), held, na, nb, headDim, a, place(out, outStride, heads, row, from + i + 1));
        } else values1(pa, held, na, headDim, a);
      }
    }
    for (let i = 0; i < some; i++) {
      const norm = f32x4.splat(<f32>1 / load<f32>(state + (i << 3), 4));
      const to = place(out, outStride, heads, row, from + i);
      for (let j: usize = 0; j < row; j += 16) v128.store(to + j, f32x4.mul(v128.load(to + j), norm));
    }
  }
}

/** Where query i begins. */
// @ts-ignore: decorator
@inline
function place(base: usize, stride: i32, heads: i32, row: usize, i: i32): usize {
  return base + (<usize>(i / heads * stride) << 2) + <usize>(i % heads) * row;
}

/** Takes n scores of a block into the running maximum and sum; they become e^(score − maximum). */
function online(p: usize, n: i32, state: usize, out: usize, row: usize): void {
  close(p, n);
  const before = load<f32>(state);
  const top = largest(p, n, before);
  let total = load<f32>(state, 4);
  if (top != before) {
    const shrink = expf(before - top);
    total *= shrink;
    const factor = f32x4.splat(shrink);
    for (let i: usize = 0; i < row; i += 16) v128.store(out + i, f32x4.mul(v128.load(out + i), factor));
  }
  const most = f32x4.splat(top);
  for (let j = 0; j < n; j += 4) {
    const e = exp4(f32x4.sub(v128.load(p + (j << 2)), most));
    v128.store(p + (j << 2), e);
    total += reduce_f32(e);
  }
  store<f32>(state, top);
  store<f32>(state, total, 4);
}

/** n rows of f16 → f32. */
function widen(from: usize, n: i32, headDim: i32, to: usize): void {
  const mask = f16_mask(), scale = f16_scale();
  for (const end = to + <usize>(n * headDim << 2); to < end; to += 16, from += 8) v128.store(to, load_f16x4(from, mask, scale));
}

/** Scores → probabilities, rounded to f16. */
function soften(p: usize, n: i32): void {
  close(p, n);
  const top = f32x4.splat(largest(p, n, -f32.MAX_VALUE));
  let totals = f32x4.splat(0);
  for (let j = 0; j < n; j += 4) {
    const e = exp4(f32x4.sub(v128.load(p + (j << 2)), top));
    v128.store(p + (j << 2), e);
    totals = f32x4.add(totals, e);
  }
  const norm = f32x4.splat(<f32>1 / reduce_f32(totals));
  for (let j = 0; j < n; j += 4) v128.store(p + (j << 2), round_half(f32x4.mul(v128.load(p + (j << 2)), norm)));
}

/**
 * out = Σ_j f16(softmax_j(scale · f16(q)·k[j])) · v[j]                           j < count + t, for every query (t < n, h < heads)
 * q (n, qStride) f32, heads · headDim used    k, v (count + n − 1, headDim) f16    out as q, (n, outStride)
 * scratch (40 · headDim + 8 · (count + n + 3)) f32
 * needs: headDim a multiple of 4, count ≥ 1.   a NaN in a score gives NaN out
 * order: all scores, their maximum, the sum of their exponentials four by four, then values by blocks of 32 keys.
 *   The query, and the probabilities once they are normalised, are rounded to f16, as llama.cpp does over an f16 cache; an
 *   online softmax could not. Against exact arithmetic that costs up to 2^-11 relative; `attention_f32` does not round
 * equals: reference.attentionHalf within 1e-6 relative, and itself in every build bit for bit.
 * cost: 3.4 instructions per 4 products with eight queries; 2 bytes per cached element and tile of queries
 */
export function attention_f16(
  q: usize, qStride: i32, heads: i32, k: usize, v: usize, out: usize, outStride: i32,
  headDim: i32, count: i32, n: i32, scale: f32, scratch: usize,
): void {
  const row = <usize>headDim << 2;
  const block = scratch + <usize>QUERIES * row, table = block + <usize>BLOCK * row;
  const stride = <usize>((count + n + 2) & ~3) << 2;
  for (let from = 0; from < n * heads; from += QUERIES) {
    const some = min(QUERIES, n * heads - from);
    const most = count + (from + some - 1) / heads;
    for (let i = 0; i < some; i++) {
      const a = place(q, qStride, heads, row, from + i), to = scratch + <usize>i * row;
      for (let j: usize = 0; j < row; j += 16) v128.store(to + j, f32FromF16(f16FromF32(v128.load(a + j))));
      memory.fill(place(out, outStride, heads, row, from + i), 0, row);
    }
    for (let first = 0; first < most; first += BLOCK) {
      const left = within(most, first);
      weave(true, k + (<usize>first * row >> 1), left, headDim, block);
      for (let i = 0; i < some; i += 2) {
        const a = scratch + <usize>i * row, toA = table + <usize>i * stride + (first << 2);
        if (i + 1 < some) scores2(a, a + row, block, left, headDim, scale, toA, toA + stride);
        else scores1(a, block, left, headDim, scale, toA);
      }
    }
    for (let i = 0; i < some; i++) soften(table + <usize>i * stride, count + (from + i) / heads);
    for (let first = 0; first < most; first += BLOCK) {
      widen(v + (<usize>first * row >> 1), within(most, first), headDim, block);
      for (let i = 0; i < some; i += 2) {
        const pa = table + <usize>i * stride + (first << 2), a = place(out, outStride, heads, row, from + i);
        const na = within(count + (from + i) / heads, first);
        if (i + 1 < some) {
          const nb = within(count + (from + i + 1) / heads, first);
          values2(pa, pa + stride, block, na, nb, headDim, a, place(out, outStride, heads, row, from + i + 1));
        } else values1(pa, block, na, headDim, a);
      }
    }
  }
}
