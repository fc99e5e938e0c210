// Attention over a window of recent positions and a few anchors, where only positions that fired are visible.

import { exp4 } from './inline/mathf';
import { reduce4_f32, reduce_f32, reduce_max_f32 } from './inline/lanes';

/** Writes one byte: whether a position fired. Threads see a memory that grew in kernels first, in JavaScript views later. */
export function store_u8(at: usize, value: i32): void {
  store<u8>(at, value);
}

/** Scores of n slots side by side, four at a time: scale · q·k, −∞ for those that did not fire. Returns the largest. */
function run_scores(q: usize, k: usize, fired: usize, n: i32, headDim: i32, scale: f32, to: usize, most: f32): f32 {
  const row = <usize>headDim << 2, last = n - 1;
  const silent = f32x4.splat(-Infinity);
  for (let j = 0; j < n; j += 4, to += 16) {
    const left = n - j;
    let flags: u32 = 0;
    if (left >= 4) flags = load<u32>(fired + j);
    else for (let i = 0; i < left; i++) flags |= <u32>load<u8>(fired + j + i) << (i << 3);
    let score = silent;
    if (flags) {
      const bytes = i16x8.extend_low_i8x16_u(i32x4.splat(flags));
      const seen = i32x4.ne(i32x4.extend_low_i16x8_u(bytes), i32x4.splat(0));
      // where fewer than four are left the last is read again
      let k0 = k + <usize>j * row, k1 = k + <usize>min(j + 1, last) * row;
      let k2 = k + <usize>min(j + 2, last) * row, k3 = k + <usize>min(j + 3, last) * row;
      let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
      for (let p = q, end = q + row; p < end; p += 16, k0 += 16, k1 += 16, k2 += 16, k3 += 16) {
        const x = v128.load(p);
        s0 = f32x4.add(s0, f32x4.mul(x, v128.load(k0)));
        s1 = f32x4.add(s1, f32x4.mul(x, v128.load(k1)));
        s2 = f32x4.add(s2, f32x4.mul(x, v128.load(k2)));
        s3 = f32x4.add(s3, f32x4.mul(x, v128.load(k3)));
      }
      score = v128.bitselect(f32x4.mul(reduce4_f32(s0, s1, s2, s3), f32x4.splat(scale)), silent, seen);
      most = NativeMathf.max(most, NativeMathf.max(-f32.MAX_VALUE, reduce_max_f32(score))); // −∞ only where none is seen
    }
    if (left >= 4) v128.store(to, score);
    else {
      for (let i = 0; i < left; i++, score = v128.shuffle<i32>(score, score, 1, 2, 3, 0)) {
        store<f32>(to + (i << 2), f32x4.extract_lane(score, 0));
      }
    }
  }
  return most;
}

/** out += Σ p[j] · norm · v[j] over n slots side by side, those that fired, one after the other. */
function run_values(p: usize, norm: f32, v: usize, fired: usize, n: i32, headDim: i32, out: usize): void {
  const row = <usize>headDim << 2;
  let i: usize = 0;
  for (; i + 64 <= row; i += 64) {
    const o = out + i;
    let a0 = v128.load(o), a1 = v128.load(o, 16), a2 = v128.load(o, 32), a3 = v128.load(o, 48);
    for (let j = 0, at = v + i; j < n; j++, at += row) {
      if (!load<u8>(fired + j)) continue;
      const w = f32x4.splat(load<f32>(p + (j << 2)) * norm);
      a0 = f32x4.add(a0, f32x4.mul(w, v128.load(at)));
      a1 = f32x4.add(a1, f32x4.mul(w, v128.load(at, 16)));
      a2 = f32x4.add(a2, f32x4.mul(w, v128.load(at, 32)));
      a3 = f32x4.add(a3, f32x4.mul(w, v128.load(at, 48)));
    }
    v128.store(o, a0), v128.store(o, a1, 16), v128.store(o, a2, 32), v128.store(o, a3, 48);
  }
  for (; i < row; i += 16) {
    let a = v128.load(out + i);
    for (let j = 0, at = v + i; j < n; j++, at += row) {
      if (load<u8>(fired + j)) a = f32x4.add(a, f32x4.mul(f32x4.splat(load<f32>(p + (j << 2)) * norm), v128.load(at)));
    }
    v128.store(out + i, a);
  }
}

/**
 * out = Σ_j softmax_j(scale · q·k[j]) · v[j] over the visible j; zeros when none is
 * visible: j < anchors, or pos − window ≤ j ≤ pos; and fired[slot(j)] ≠ 0
 * q (headDim) f32    k, v (slots, headDim) f32    fired (slots) u8    out (headDim) f32
 * scratch (anchors + window + 1, padded to 4) f32
 *
 *   slot(j) = j for j < anchors, anchors + (j − anchors) mod ring from there on; ring ≥ window + 1 + the largest batch − 1
 *   so the visible ones are at most three runs of slots:   anchors │ from the window's start to the end of the ring │ its rest
 *
 * needs: headDim a multiple of 4.   order: anchors, then the window, ascending: the same for batches and single steps
 * equals: reference.windowAttention within 1e-6 relative, and itself in every build bit for bit
 * cost: 5 instructions per 4 products, of scores and of values, one of which multiplies and one adds; 4 bytes per cached element.
 *   Four silent slots in a row cost one load
 */
export function window_attention_f32(
  q: usize, k: usize, v: usize, fired: usize, out: usize, headDim: i32, pos: i32, window: i32, anchors: i32, ring: i32,
  scale: f32, scratch: usize,
): void {
  const row = <usize>headDim << 2;
  memory.fill(out, 0, row);
  const heads = min(anchors, pos + 1);
  const start = max(anchors, pos - window);
  const near = max(0, pos - start + 1), n = heads + near;
  const slot = anchors + (start - anchors) % ring;
  const before = min(near, anchors + ring - slot), wrapped = near - before;
  const first = <usize>slot * row, again = <usize>anchors * row;
  const toFirst = scratch + (heads << 2), toAgain = toFirst + (before << 2);

  let most = run_scores(q, k, fired, heads, headDim, scale, scratch, -Infinity);
  most = run_scores(q, k + first, fired + slot, before, headDim, scale, toFirst, most);
  most = run_scores(q, k + again, fired + anchors, wrapped, headDim, scale, toAgain, most);
  if (most == -Infinity) return;
  const padded = (n + 3) & ~3;
  for (let j = n; j < padded; j++) store<f32>(scratch + (j << 2), -Infinity);
  let totals = f32x4.splat(0);
  for (let j = 0; j < padded; j += 4) {
    const p = exp4(f32x4.sub(v128.load(scratch + (j << 2)), f32x4.splat(most)));
    v128.store(scratch + (j << 2), p);
    totals = f32x4.add(totals, p);
  }
  const norm: f32 = 1 / reduce_f32(totals);
  run_values(scratch, norm, v, fired, heads, headDim, out);
  run_values(toFirst, norm, v + first, fired + slot, before, headDim, out);
  run_values(toAgain, norm, v + again, fired + anchors, wrapped, headDim, out);
}
