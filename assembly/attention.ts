// Attention of one query head over the cached keys and values. Two kernels, one for each type of cache: they differ in more
// than the loads, because the f16 one rounds where llama.cpp's does, so that answers agree with it to the last digits.

import { f16FromF32, f32FromF16 } from './inline/half';
import { f16_mask, f16_scale, load_f16x4, reduce_f32 } from './inline/lanes';
import { exp4, expf } from './inline/mathf';

/** Keys of one step. Blocks begin at multiples of it, so that batches cannot move them. */
const BLOCK: i32 = 32;

/**
 * out = Σ_j softmax_j(scale · q·k[j]) · v[j]                                                             j < count
 * q (headDim) f32    k, v (count, headDim) f32    out (headDim) f32    scratch (32) f32
 * needs: headDim a multiple of 4, count ≥ 1.   a NaN in a score gives NaN out
 * order: online softmax over blocks of 32 keys from position 0: running maximum and sum, the output shrunk when the
 *   maximum grows. The same for any batch, so that prefill and single steps agree bit for bit
 * equals: reference.attention within 1e-6 relative, and itself in every build bit for bit.
 * cost: 4 ops per 4 cached elements, which are read once
 */
export function attention_f32(q: usize, k: usize, v: usize, out: usize, headDim: i32, count: i32, scale: f32, scratch: usize): void {
  const row = <usize>headDim << 2;
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
        sum = f32x4.add(sum, f32x4.mul(v128.load(q + (i << 2)), v128.load(key + (i << 2))));
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
      let value = v + <usize>first * row + (i << 2);
      for (let j = 0; j < n; j++, value += row) {
        sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(scratch + (j << 2)), v128.load(value)));
      }
      v128.store(out + (i << 2), sum);
    }
  }
  const norm = f32x4.splat(<f32>1 / total);
  for (let i = 0; i < headDim; i += 4) v128.store(out + (i << 2), f32x4.mul(v128.load(out + (i << 2)), norm));
}

/**
 * out = Σ_j f16(softmax_j(scale · f16(q)·k[j])) · v[j]                                                   j < count
 * q (headDim) f32    k, v (count, headDim) f16    out (headDim) f32    scratch (headDim + count, padded to 4) f32
 * needs: headDim a multiple of 4, count ≥ 1.   a NaN in a score gives NaN out
 * order: all scores, their maximum, the sum of their exponentials four by four, then values by blocks of 32 keys. 
 *   The query, and the probabilities once they are normalised, are rounded to f16, as llama.cpp does over an f16 cache; an
 *   online softmax could not. Against exact arithmetic that costs up to 2^-11 relative; `attention_f32` does not round
 * equals: reference.attentionHalf within 1e-6 relative, and itself in every build bit for bit.
 * cost: 7 ops per 4 cached elements, which are read once; 2 bytes each
 */
export function attention_f16(q: usize, k: usize, v: usize, out: usize, headDim: i32, count: i32, scale: f32, scratch: usize): void {
  const mask = f16_mask(), f16s = f16_scale();
  const row = <usize>headDim << 1;
  for (let i = 0; i < headDim; i += 4) v128.store(scratch + (i << 2), f32FromF16(f16FromF32(v128.load(q + (i << 2)))));
  q = scratch;
  scratch += <usize>headDim << 2;
  let max = -f32.MAX_VALUE;
  let key = k;
  for (let j = 0; j < count; j++, key += row) {
    let sum = f32x4.splat(0);
    for (let i = 0; i < headDim; i += 4) {
      sum = f32x4.add(sum, f32x4.mul(v128.load(q + (i << 2)), load_f16x4(key + (i << 1), mask, f16s)));
    }
    const score = reduce_f32(sum) * scale;
    store<f32>(scratch + (j << 2), score);
    max = NativeMathf.max(max, score);
  }
  const padded = (count + 3) & ~3;
  for (let j = count; j < padded; j++) store<f32>(scratch + (j << 2), -Infinity);
  const top = f32x4.splat(max);
  let totals = f32x4.splat(0);
  for (let j = 0; j < padded; j += 4) {
    const p = exp4(f32x4.sub(v128.load(scratch + (j << 2)), top));
    v128.store(scratch + (j << 2), p);
    totals = f32x4.add(totals, p);
  }
  const norm = f32x4.splat(<f32>1 / reduce_f32(totals));
  for (let j = 0; j < padded; j += 4) {
    v128.store(scratch + (j << 2), f32FromF16(f16FromF32(f32x4.mul(v128.load(scratch + (j << 2)), norm))));
  }
  memory.fill(out, 0, <usize>headDim << 2);
  for (let first = 0; first < count; first += BLOCK) {
    const n = min(BLOCK, count - first);
    for (let i = 0; i < headDim; i += 4) {
      let sum = v128.load(out + (i << 2));
      let value = v + <usize>first * row + (i << 1);
      for (let j = first; j < first + n; j++, value += row) {
        sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(scratch + (j << 2)), load_f16x4(value, mask, f16s)));
      }
      v128.store(out + (i << 2), sum);
    }
  }
}
