// Attention over a window of recent positions and a few anchors, where only positions that fired are visible.

import { exp4 } from './inline/mathf';
import { reduce_f32 } from './inline/lanes';

/** Writes one byte: whether a position fired. Threads see a memory that grew in kernels first, in JavaScript views later. */
export function store_u8(at: usize, value: i32): void {
  store<u8>(at, value);
}

/**
 * out = Σ_j softmax_j(scale · q·k[j]) · v[j] over the visible j; zeros when none is
 * visible: j < anchors, or pos − window ≤ j ≤ pos; and fired[slot(j)] ≠ 0
 * q (headDim) f32    k, v (slots, headDim) f32    fired (slots) u8    out (headDim) f32    scratch (anchors + window + 1, padded to 4) f32
 *
 *   slot(j) = j for j < anchors, anchors + (j − anchors) mod ring from there on; ring ≥ window + 1 + the largest batch − 1
 *
 * needs: headDim a multiple of 4.   order: anchors, then the window, ascending: the same for batches and single steps
 * equals: reference.windowAttention within 1e-6 relative, and itself in every build bit for bit
 * cost: 4 ops per 4 cached elements of a visible position
 */
export function window_attention_f32(
  q: usize, k: usize, v: usize, fired: usize, out: usize, headDim: i32, pos: i32, window: i32, anchors: i32, ring: i32,
  scale: f32, scratch: usize,
): void {
  memory.fill(out, 0, <usize>headDim << 2);
  const heads = min(anchors, pos + 1);
  const start = max(anchors, pos - window);
  const n = heads + max(0, pos - start + 1);
  let max: f32 = -f32.MAX_VALUE;
  let seen = 0;
  let slot = 0;
  for (let j = 0; j < n; j++, slot++) {
    if (j == heads) slot = anchors + (start - anchors) % ring;
    else if (slot == anchors + ring) slot = anchors;
    let score: f32 = -Infinity;
    if (load<u8>(fired + slot)) {
      const key = k + (<usize>slot * headDim << 2);
      let sum = f32x4.splat(0);
      for (let i = 0; i < headDim; i += 4) {
        sum = f32x4.add(sum, f32x4.mul(v128.load(q + (i << 2)), v128.load(key + (i << 2))));
      }
      score = reduce_f32(sum) * scale;
      max = NativeMathf.max(max, score);
      seen++;
    }
    store<f32>(scratch + (j << 2), score);
  }
  if (seen == 0) return;
  const padded = (n + 3) & ~3;
  for (let j = n; j < padded; j++) store<f32>(scratch + (j << 2), -Infinity);
  let totals = f32x4.splat(0);
  for (let j = 0; j < padded; j += 4) {
    const p = exp4(f32x4.sub(v128.load(scratch + (j << 2)), f32x4.splat(max)));
    v128.store(scratch + (j << 2), p);
    totals = f32x4.add(totals, p);
  }
  const norm: f32 = 1 / reduce_f32(totals);
  slot = 0;
  for (let j = 0; j < n; j++, slot++) {
    if (j == heads) slot = anchors + (start - anchors) % ring;
    else if (slot == anchors + ring) slot = anchors;
    if (!load<u8>(fired + slot)) continue;
    const p = f32x4.splat(load<f32>(scratch + (j << 2)) * norm);
    const value = v + (<usize>slot * headDim << 2);
    for (let i = 0; i < headDim; i += 4) {
      v128.store(out + (i << 2), f32x4.add(v128.load(out + (i << 2)), f32x4.mul(p, v128.load(value + (i << 2)))));
    }
  }
}
