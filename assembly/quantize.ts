// f32 activations → int8 or int16, as the packed-code and the int8 kernels read them. Rounding is half to even, as PyTorch
// does.

import {
  batch_data_offset, batch_width, CHUNK, CHUNKS_PER_SCALE, x_chunk_bytes, x_data_offset, x_sums_offset,
} from './inline/codes';
import { grouped_data_offset } from './grouped';
import { reduce_i32 } from './inline/lanes';

/** Below this a vector counts as zero: 32767 / absmax must stay finite. */
const ABSMAX_FLOOR: f32 = 1e-30;

/** Largest |x| over n elements; NaN if any is NaN. */
// @ts-ignore: decorator
@inline
function absmax(x: usize, n: i32): f32 {
  let best = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4) best = f32x4.max(best, f32x4.abs(v128.load(x + (i << 2))));
  let max: f32 = 0;
  for (; i < n; i++) max = NativeMathf.max(max, NativeMathf.abs(load<f32>(x + (i << 2))));
  best = f32x4.max(best, f32x4.splat(max));
  best = f32x4.max(best, v128.shuffle<i32>(best, best, 2, 3, 0, 1));
  best = f32x4.max(best, v128.shuffle<i32>(best, best, 1, 0, 3, 2));
  return f32x4.extract_lane(best, 0);
}

/** Four activations as i32, in −127 … 127 or −32767 … 32767. A NaN or infinite input gives 0: its scale carries the fault to the output. */
// @ts-ignore: decorator
@inline
function quantized(x: usize, inverse: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x), inverse)));
}

/** The inverse scale of `span` chunks from chunk c of a vector of n; their scale goes to `scale`. */
// @ts-ignore: decorator
@inline
function span_inverse(x: usize, n: i32, c: i32, span: i32, scale: usize): v128 {
  const left = n - c * CHUNK;
  const max = absmax(x + (<usize>(c * CHUNK) << 2), min(span * CHUNK, left > 0 ? left : 0));
  store<f32>(scale, max / 127);
  return f32x4.splat(max >= ABSMAX_FLOOR ? <f32>127 / max : 0);
}

/** Sixteen activations as i8. */
// @ts-ignore: decorator
@inline
function quantized16(x: usize, inverse: v128): v128 {
  return i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(quantized(x, inverse), quantized(x + 16, inverse)),
    i16x8.narrow_i32x4_s(quantized(x + 32, inverse), quantized(x + 48, inverse)),
  );
}

/**
 * s[b] = absmax(x in block b) / 127,   q[i] = round(x[i] · 127 / absmax)              per vector of `count`, blocks of `span`
 * x (count, xStride) f32, zero from n to the next multiple of 128     out (count, outStride bytes)
 * one vector of out:  s f32 × ⌈chunks/4⌉ │ Σq, i32 × chunks │ to a multiple of 64 │ q, see inline/codes.ts for both
 * span = 4: a scale for every 256 columns;   span = chunks: one for the vector (absmax per token, BitNet b1.58), in s[0]
 * needs: chunks even, chunks · 64 ≥ n, outStride ≥ all of this at 128 bytes per chunk, 16-aligned
 * exact: q and the sums are exact; |x| < 1e-30 throughout a block counts as zero; NaN or ∞ in x give a NaN or infinite s
 * equals: reference.quantizeAbsmax, bit for bit.   cost: two passes over x, ~1 op per element; once per vector, not per row
 */
export function quantize_absmax_i8(
  x: usize, xStride: i32, n: i32, chunks: i32, span: i32, out: usize, outStride: i32, count: i32,
): void {
  for (let t = 0; t < count; t++, x += <usize>xStride << 2, out += outStride) {
    let inverse = f32x4.splat(0), sum = i32x4.splat(0);
    let until = 0;
    let to = out + x_data_offset(chunks);
    for (let c = 0; c < chunks; c++, to += x_chunk_bytes()) {
      if (c == until) {
        until += span;
        inverse = span_inverse(x, n, c, span, out + (c / CHUNKS_PER_SCALE << 2));
      }
      if ((c & (CHUNKS_PER_SCALE - 1)) == 0) sum = i32x4.splat(0);
      for (let k = 0; k < 4; k++) {
        const q = quantized16(x + (((c * CHUNK) + (k << 4)) << 2), inverse);
        sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(q)));
        if (ASC_FEATURE_RELAXED_SIMD) {
          v128.store(to + (k << 4), q);
        } else {
          const times = (3 - k) << 1; // 4^(3-k)
          v128.store(to + (k << 4), i16x8.shl(i16x8.shr_s(i16x8.shl(q, 8), 8), times));
          v128.store(to + (k << 4) + 64, i16x8.shl(i16x8.shr_s(q, 8), times));
        }
      }
      store<i32>(out + x_sums_offset(chunks) + (c << 2), reduce_i32(sum));
    }
  }
}

/**
 * The same values for `trit2_gemm_lookup` and `bit1_gemm_lookup`: column by column, the tokens side by side.
 * x (count, xStride) f32 as above, count ≤ 32    out: drawn in lookup.ts; scales of tokens that are not there are 0
 * needs: out of batch_data_offset + chunks · 64 · width bytes, 16-aligned
 * equals: `quantize_absmax_i8`, bit for bit.   cost: 3 ops per element, most of them to write one byte each
 */
export function quantize_absmax_batch(x: usize, xStride: i32, n: i32, chunks: i32, span: i32, out: usize, count: i32): void {
  const width = batch_width(count);
  const data = out + batch_data_offset(chunks, width);
  memory.fill(out, 0, data - out);
  for (let t = 0; t < count; t++, x += <usize>xStride << 2) {
    let inverse = f32x4.splat(0);
    let until = 0;
    let to = data + t;
    for (let c = 0; c < chunks; c++) {
      if (c == until) {
        until += span;
        inverse = span_inverse(x, n, c, span, out + ((c / CHUNKS_PER_SCALE * width + t) << 2));
      }
      for (let k = 0; k < 4; k++) {
        let q = quantized16(x + (((c * CHUNK) + (k << 4)) << 2), inverse);
        for (let i = 0; i < 4; i++) {
          v128.store_lane<u8>(to, q, 0), to += width;
          v128.store_lane<u8>(to, q, 1), to += width;
          v128.store_lane<u8>(to, q, 2), to += width;
          v128.store_lane<u8>(to, q, 3), to += width;
          q = v128.shuffle<i32>(q, q, 1, 2, 3, 0);
        }
      }
    }
  }
}

/**
 * s[b] = absmax(x[32b … 32b+31]) / top,   q[i] = round(x[i] · top / absmax)                 per vector of `count`
 * x (count, xStride) f32, zero from n to the next multiple of 32     out (count, outStride bytes)
 * one vector of out:  s f32 × blocks │ to a multiple of 64 │ q as i16 × 32 · blocks, natural order
 * top: 127, as ggml's Q8_0, or 32767: the kernel that reads q takes as long, and its inputs are 256 times as fine
 * needs: blocks · 32 ≥ n, 16-aligned.   exact: as above, for each block of 32
 * equals: reference.quantizeBlock32, bit for bit.   cost: ~1.5 ops per element, once per vector
 */
export function quantize_block32_i16(
  x: usize, xStride: i32, blocks: i32, out: usize, outStride: i32, count: i32, top: f32,
): void {
  const data = ((blocks << 2) + 63) & ~63;
  for (let t = 0; t < count; t++, x += <usize>xStride << 2, out += outStride) {
    let from = x;
    let to = out + data;
    for (let b = 0; b < blocks; b++, from += 128, to += 64) {
      const max = absmax(from, 32);
      store<f32>(out + (b << 2), max / top);
      const inverse = f32x4.splat(max >= ABSMAX_FLOOR ? top / max : 0);
      for (let k = 0; k < 4; k++) {
        const at = from + (k << 5);
        v128.store(to + (k << 4), i16x8.narrow_i32x4_s(quantized(at, inverse), quantized(at + 16, inverse)));
      }
    }
  }
}

/** Σ of sixteen i8. */
// @ts-ignore: decorator
@inline
function sum16(q: v128): i32 {
  return reduce_i32(i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(q)));
}

/**
 * s[u] = absmax(x in block of u) / 127,   q[i] = round(x[i] · 127 / absmax)     per vector of `count`, units of 32, blocks of `span` units
 * x (count, xStride) f32    out: drawn in grouped.ts    span 1: as ggml's Q8_0, 8: as its Q8_K
 * needs: units a multiple of span, x readable to units · 32, 16-aligned.   exact: as `quantize_absmax_i8`
 * equals: reference.quantizeAbsmax, bit for bit.   cost: ~1.5 ops per element, once per vector
 */
export function quantize_grouped(x: usize, xStride: i32, units: i32, span: i32, out: usize, outStride: i32, count: i32): void {
  for (let t = 0; t < count; t++, x += <usize>xStride << 2, out += outStride) {
    let from = x, to = out + grouped_data_offset(units);
    let scale: f32 = 0, inverse = f32x4.splat(0);
    for (let u = 0; u < units; u++, from += 128) {
      if (u % span == 0) {
        const max = absmax(from, span << 5);
        scale = max / 127;
        inverse = f32x4.splat(max >= ABSMAX_FLOOR ? <f32>127 / max : 0);
      }
      store<f32>(out + (u << 2), scale);
      for (let k = 0; k < 2; k++) {
        const q = quantized16(from + (k << 6), inverse);
        store<i16>(out + (units << 2) + (u << 2) + (k << 1), <i16>sum16(q));
        if (ASC_FEATURE_RELAXED_SIMD) {
          v128.store(to, q), to += 16;
        } else {
          const even = v128.shuffle<i8>(q, q, 0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
          v128.store(to, i16x8.extend_low_i8x16_s(even)), v128.store(to, i16x8.extend_high_i8x16_s(even), 16), to += 32;
        }
      }
    }
  }
}
