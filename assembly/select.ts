/** Choosing from logits: largest, k largest, weights e^((x − max) / T) and a draw by them. NaN is never chosen. */
import { exp4 } from './inline/mathf';
import { headMask, load4, loadHead, store4 } from './inline/tail';

/**
 * index of the largest x, the lowest on ties; −1 where there is none (n = 0 or all −∞); −2 where any x is NaN
 * x (n) f32
 * layout: plain vector
 * needs: nothing of alignment or length.   exact: −0 and +0 are equal
 * equals: reference.argmax.   cost: 8 bytes, 1 operation per element
 */
export function argmax_f32(x: usize, n: i32): i32 {
  const none = f32x4.splat(-Infinity);
  let m = none;
  let o = none;
  let nan = i32x4.splat(0);
  let i = 0;
  for (let p = x; i + 8 <= n; i += 8, p += 32) {
    const a = v128.load(p);
    const b = v128.load(p, 16);
    nan = v128.or(nan, v128.or(f32x4.ne(a, a), f32x4.ne(b, b)));
    m = f32x4.pmax(m, a);
    o = f32x4.pmax(o, b);
  }
  for (let p = x + (<usize>i << 2); i < n; i += 4, p += 16) { // at most twice
    const a = v128.bitselect(load4(p, n - i), none, headMask(n - i));
    nan = v128.or(nan, f32x4.ne(a, a));
    m = f32x4.pmax(m, a);
  }
  if (v128.any_true(nan)) return -2;
  m = f32x4.pmax(m, o);
  m = f32x4.pmax(m, v128.shuffle<i32>(m, m, 2, 3, 0, 1));
  m = f32x4.pmax(m, v128.shuffle<i32>(m, m, 1, 0, 3, 2));
  if (f32x4.extract_lane(m, 0) == -Infinity) return -1;
  for (i = 0; i + 4 <= n; i += 4, x += 16) {
    const hit = f32x4.eq(v128.load(x), m);
    if (v128.any_true(hit)) return i + ctz(i32x4.bitmask(hit));
  }
  // it is one of the last three
  return i + ctz(i32x4.bitmask(v128.and(f32x4.eq(loadHead(x, n - i), m), headMask(n - i))));
}

/** Whether (v, i) comes after (w, j) in the order wanted: larger values first, then lower indices. */
@inline
function after(v: f32, i: i32, w: f32, j: i32): bool {
  return v < w || (v == w && i > j);
}

/** Puts (v, id) into a heap of n, whose root is the last in order, starting at the free place `at` and going down. */
function siftDown(ids: usize, values: usize, n: i32, at: i32, v: f32, id: i32): void {
  for (;;) {
    let child = 2 * at + 1;
    if (child >= n) break;
    let w = load<f32>(values + (<usize>child << 2));
    let j = load<i32>(ids + (<usize>child << 2));
    if (child + 1 < n) {
      const r = load<f32>(values + (<usize>child << 2), 4);
      const k = load<i32>(ids + (<usize>child << 2), 4);
      if (after(r, k, w, j)) {
        w = r;
        j = k;
        ++child;
      }
    }
    if (!after(w, j, v, id)) break;
    store<f32>(values + (<usize>at << 2), w);
    store<i32>(ids + (<usize>at << 2), j);
    at = child;
  }
  store<f32>(values + (<usize>at << 2), v);
  store<i32>(ids + (<usize>at << 2), id);
}

/** Adds (v, id) to a heap of n. */
function siftUp(ids: usize, values: usize, n: i32, v: f32, id: i32): void {
  let at = n;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const w = load<f32>(values + (<usize>parent << 2));
    const j = load<i32>(ids + (<usize>parent << 2));
    if (!after(v, id, w, j)) break;
    store<f32>(values + (<usize>at << 2), w);
    store<i32>(ids + (<usize>at << 2), j);
    at = parent;
  }
  store<f32>(values + (<usize>at << 2), v);
  store<i32>(ids + (<usize>at << 2), id);
}

/**
 * the k largest x in descending order, ties by lower index; −∞ and NaN are never selected; returns how many there are
 * x (n) f32    ids (k) i32    values (k) f32
 * layout: a heap of the k best so far lies in ids and values, its root the worst; 16 elements at a time are compared
 *   with the root, and few pass
 * needs: nothing of alignment or length; values must not overlap x.   exact
 * equals: reference.topK.   cost: 4 bytes, 1/2 operation per element, and log k for each that passes
 */
export function top_k_f32(x: usize, n: i32, k: i32, ids: usize, values: usize): i32 {
  if (k <= 0) return 0;
  let count = 0;
  let bound: f32 = -Infinity;
  for (let i = 0; i < n; ) {
    if (i + 16 <= n) {
      const p = x + (<usize>i << 2);
      const t = f32x4.splat(bound);
      const a = v128.or(f32x4.gt(v128.load(p), t), f32x4.gt(v128.load(p, 16), t));
      const b = v128.or(f32x4.gt(v128.load(p, 32), t), f32x4.gt(v128.load(p, 48), t));
      if (!v128.any_true(v128.or(a, b))) {
        i += 16;
        continue;
      }
    }
    for (const end = min(i + 16, n); i < end; ++i) {
      const v = load<f32>(x + (<usize>i << 2));
      if (!(v > bound)) continue;
      if (count < k) siftUp(ids, values, count++, v, i);
      else siftDown(ids, values, k, 0, v, i);
      if (count == k) bound = load<f32>(values);
    }
  }
  for (let last = count - 1; last > 0; --last) {
    const v = load<f32>(values + (<usize>last << 2));
    const id = load<i32>(ids + (<usize>last << 2));
    store<f32>(values + (<usize>last << 2), load<f32>(values));
    store<i32>(ids + (<usize>last << 2), load<i32>(ids));
    siftDown(ids, values, last, 0, v, id);
  }
  return count;
}

/** e^((x − max) · inverse) of four. */
@inline
function weigh(x: v128, top: v128, inverse: v128): v128 {
  return exp4(f32x4.mul(f32x4.sub(x, top), inverse));
}

/**
 * y[i] = e^((x[i] − top) · inverse); returns Σ y in f64                                                    0 ≤ i < n
 * x (n) f32    y (n) f32, may be x, 0 = only the sum is wanted
 * layout: plain vectors. The sum: element i in f64 lane i mod 4, then (l0 + l2) + (l1 + l3)
 * needs: nothing of alignment or length; top ≥ x and finite.   range: −∞ gives 0
 * equals: the sum of reference.expWeights within 2 ulp per weight, the same bits in every build
 * cost: 8 bytes, 8 operations per element
 */
export function exp_sum_f32(x: usize, y: usize, n: i32, top: f32, inverse: f32): f64 {
  const t = f32x4.splat(top);
  const s = f32x4.splat(inverse);
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  for (; n > 0; n -= 4, x += 16) {
    const e = v128.and(weigh(load4(x, n), t, s), headMask(n));
    if (y != 0) {
      store4(y, e, n);
      y += 16;
    }
    a = f64x2.add(a, f64x2.promote_low_f32x4(e));
    b = f64x2.add(b, f64x2.promote_low_f32x4(v128.shuffle<i64>(e, e, 1, 1)));
  }
  const sum = f64x2.add(a, b);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/**
 * Σ y[i]·(shift − x[i]) over y[i] ≥ least, and `other` for each of the rest                                0 ≤ i < n
 * x (n) f32    y (n) f32, the weights of x
 * layout: plain vectors; products in f32, their sum as in exp_sum_f32
 * needs: nothing of alignment or length; least > 0.   range: x = −∞ has y = 0 and is one of the rest
 * equals: reference.entropySum within 1e-6 relative, the same bits in every build.   cost: 8 bytes, 5 operations per element
 */
export function entropy_sum_f32(x: usize, y: usize, n: i32, shift: f32, least: f32, other: f64): f64 {
  const s = f32x4.splat(shift);
  const l = f32x4.splat(least);
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let rest = n;
  for (; n > 0; n -= 4, x += 16, y += 16) {
    const w = load4(y, n);
    const keep = v128.and(f32x4.ge(w, l), headMask(n));
    const e = v128.and(f32x4.mul(w, f32x4.sub(s, load4(x, n))), keep);
    a = f64x2.add(a, f64x2.promote_low_f32x4(e));
    b = f64x2.add(b, f64x2.promote_low_f32x4(v128.shuffle<i64>(e, e, 1, 1)));
    rest -= popcnt(i32x4.bitmask(keep));
  }
  const sum = f64x2.add(a, b);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1) + other * <f64>rest;
}

/**
 * the first i with Σ_{j ≤ i} e^((x[j] − top) · inverse) > target; where rounding leaves the sum at or below it, the
 *   last i of non-zero weight; −1 where there is none
 * x (n) f32    target f64 = u · exp_sum_f32(x, 0, n, top, inverse), 0 ≤ u < 1
 * layout: plain vector. The sum is f64 and runs over groups of four: ((w0 + w1) + (w2 + w3)) each
 * needs: nothing of alignment or length; top ≥ x and finite.   range: weight 0 is never drawn
 * equals: reference.draw, given the same weights.   cost: 4 bytes, 8 operations per element
 */
export function draw_f32(x: usize, n: i32, top: f32, inverse: f32, target: f64): i32 {
  const t = f32x4.splat(top);
  const s = f32x4.splat(inverse);
  let sum: f64 = 0;
  let last = -1;
  for (let i = 0; i < n; i += 4, x += 16) {
    const e = v128.and(weigh(load4(x, n - i), t, s), headMask(n - i));
    const mass = i32x4.bitmask(f32x4.gt(e, f32x4.splat(0)));
    if (mass == 0) continue;
    last = i + 31 - clz(mass);
    const w0 = <f64>f32x4.extract_lane(e, 0);
    const w1 = <f64>f32x4.extract_lane(e, 1);
    const w2 = <f64>f32x4.extract_lane(e, 2);
    const w3 = <f64>f32x4.extract_lane(e, 3);
    const next = sum + ((w0 + w1) + (w2 + w3));
    if (next > target) {
      if (w0 > 0 && sum + w0 > target) return i;
      if (w1 > 0 && sum + w0 + w1 > target) return i + 1;
      if (w2 > 0 && sum + (w0 + w1) + w2 > target) return i + 2;
      return last;
    }
    sum = next;
  }
  return last;
}
