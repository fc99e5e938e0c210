// Attention of one query head over the keys and values that are cached, with an online softmax.

import { exp4, expf } from './inline/mathf';
import { f16_mask, f16_scale, load_f16x4, reduce_f32 } from './inline/lanes';

/** Keys of one step of the online softmax. Blocks begin at multiples of it, so that batches cannot move them. */
const BLOCK: i32 = 32;

// @ts-ignore: decorator
@inline
function load4(half: bool, p: usize, mask: v128, scale: v128): v128 {
  return half ? load_f16x4(p, mask, scale) : v128.load(p);
}

/** The one body of the two kernels below; `half` is a constant where this is inlined. */
// @ts-ignore: decorator
@inline
function attend(half: bool, q: usize, k: usize, v: usize, out: usize, headDim: i32, count: i32, scale: f32, scratch: usize): void {
  const mask = f16_mask(), f16s = f16_scale();
  const size = half ? 2 : 4;
  const row = <usize>headDim * size;
  let max = -f32.MAX_VALUE;
  let total: f32 = 0;
  memory.fill(out, 0, <usize>headDim << 2);
  for (let first = 0; first < count; first += BLOCK) {
    const n = min(BLOCK, count - first);
    let blockMax = max;
    for (let j = 0; j < n; j++) {
      const key = k + <usize>(first + j) * row;
      let sum = f32x4.splat(0);
      for (let i = 0; i < headDim; i += 4) {
        sum = f32x4.add(sum, f32x4.mul(v128.load(q + (i << 2)), load4(half, key + i * size, mask, f16s)));
      }
      const score = reduce_f32(sum) * scale;
      store<f32>(scratch + (j << 2), score);
      blockMax = NativeMathf.max(blockMax, score);
    }
    for (let j = n; j < ((n + 3) & ~3); j++) store<f32>(scratch + (j << 2), -Infinity);
    if (blockMax != max) {
      const shrink = expf(max - blockMax);
      total *= shrink;
      const factor = f32x4.splat(shrink);
      for (let i = 0; i < headDim; i += 4) v128.store(out + (i << 2), f32x4.mul(v128.load(out + (i << 2)), factor));
      max = blockMax;
    }
    const top = f32x4.splat(max);
    for (let j = 0; j < n; j += 4) {
      const p = exp4(f32x4.sub(v128.load(scratch + (j << 2)), top));
      v128.store(scratch + (j << 2), p);
      total += reduce_f32(p);
    }
    for (let i = 0; i < headDim; i += 4) {
      let sum = v128.load(out + (i << 2));
      let value = v + <usize>first * row + i * size;
      for (let j = 0; j < n; j++, value += row) {
        sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(scratch + (j << 2)), load4(half, value, mask, f16s)));
      }
      v128.store(out + (i << 2), sum);
    }
  }
  const norm = f32x4.splat(<f32>1 / total);
  for (let i = 0; i < headDim; i += 4) v128.store(out + (i << 2), f32x4.mul(v128.load(out + (i << 2)), norm));
}

/**
 * out = Σ_j softmax_j(scale · q·k[j]) · v[j]                                                             j < count
 * q (headDim) f32    k, v (count, headDim) f32    out (headDim) f32    scratch (32) f32
 * needs: headDim a multiple of 4, count ≥ 1.   NaN in a score gives NaN out
 * order: blocks of 32 keys from position 0; the same for any batch, so that prefill and single steps agree bit for bit
 * equals: reference.attention within 1e-6 relative, and itself in every build bit for bit.
 * cost: 4 ops per 4 cached elements, which are read once
 */
export function attention_f32(q: usize, k: usize, v: usize, out: usize, headDim: i32, count: i32, scale: f32, scratch: usize): void {
  attend(false, q, k, v, out, headDim, count, scale, scratch);
}

/** `attention_f32` over keys and values kept as f16. */
export function attention_f16(q: usize, k: usize, v: usize, out: usize, headDim: i32, count: i32, scale: f32, scratch: usize): void {
  attend(true, q, k, v, out, headDim, count, scale, scratch);
}
