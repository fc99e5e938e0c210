// Rows of unsigned codes in groups × int8 activations: the K-quants, and the older types with a minimum or four bits. A weight is
//
//   w = d · scale · (code − zero) − min · minimum      d, min f16 per block; scale, minimum small integers per group
//
// Blocks are 256 columns with 16 groups (K-quants), or 32 columns without groups, whose scale and minimum are 1. The sum of a
// block is an integer: codes times activations, times the scales of their groups; it meets floats once per block.
//
//   unit      32 columns of 4 rows, rows in lanes: nothing is added across a vector until a unit ends
//     4 bits, 64 B    16 B for 8 columns     byte 4r + c of row r    bits 3-0 column c    bits 7-4 column 4 + c
//     8 bits, 128 B   16 B for 4 columns     byte 4r + c             column c
//   scales    per 4 rows and block           d, 4 f16 │ min, 4 f16, where there are minima │ with groups, for each of 8 units:
//             scales, minima                 4 bits: a byte for each row      8 bits: two, of columns 0 … 15 and 16 … 31
//   kind      bit 0: groups    bit 1: minima    from bit 2 on: zero
//   x         `quantize_grouped`             s f32 × units │ Σ of 16 columns, i16 × 2 units │ to a multiple of 64 │ q
//             relaxed                        q i8, natural order
//             base                           q i16, of eight columns 0 2 4 6 1 3 5 7: codes are masked out of u16 lanes

import { f16_mask, f16_scale, load_f16x4 } from './inline/lanes';
import { dot_i8 } from './inline/codes';

// v128 constants are rebuilt at every use by V8; a load from memory is not.
const MASKS = memory.data<u64>([
  0x0f0f0f0f0f0f0f0f, 0x0f0f0f0f0f0f0f0f, 0x000f000f000f000f, 0x000f000f000f000f, 0x00ff00ff00ff00ff, 0x00ff00ff00ff00ff,
  0x0001000100010001, 0x0001000100010001,
], 16);

/** Bytes of the activations of a unit. */
// @ts-ignore: decorator
@inline
function unit_bytes(): i32 {
  return ASC_FEATURE_RELAXED_SIMD ? 32 : 64;
}

// @ts-ignore: decorator
@inline
export function grouped_data_offset(units: i32): i32 {
  return ((units << 3) + 63) & ~63;
}

/** Bytes of the scales of four rows and one block. */
// @ts-ignore: decorator
@inline
export function grouped_scale_bytes(bits: i32, kind: i32): i32 {
  const minima = kind >> 1 & 1;
  return (8 + (kind & 1) * 8 * bits) << minima;
}

/** acc + codes × activations of 16 bytes of 4-bit codes, taken apart by `codes4`; i16 pairs, or i32 in the base build. */
// @ts-ignore: decorator
@inline
function dot4(acc: v128, x: usize, a: v128, b: v128, c: v128, d: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return dot_i8(dot_i8(acc, v128.load32_splat(x), a), v128.load32_splat(x, 4), b);
  return i32x4.add(
    i32x4.add(acc, i32x4.add(i32x4.dot_i16x8_s(v128.load32_splat(x), a), i32x4.dot_i16x8_s(v128.load32_splat(x, 4), b))),
    i32x4.add(i32x4.dot_i16x8_s(v128.load32_splat(x, 8), c), i32x4.dot_i16x8_s(v128.load32_splat(x, 12), d)),
  );
}

/** What `dot4` gave for a unit, times the scale of its row, which lies in both i16 of a lane. */
// @ts-ignore: decorator
@inline
function times(acc: v128, scale: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i32x4.dot_i16x8_s(acc, scale) : i32x4.mul(acc, i32x4.shr_s(scale, 16));
}

/** 16 bytes of 8-bit codes × four activations × scale. `x` and `odd` are where the columns 0, 2 and 1, 3 are in the base build. */
// @ts-ignore: decorator
@inline
function dot8(acc: v128, x: usize, odd: usize, w: v128, byte: v128, scale: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    return i32x4.add(acc, i32x4.dot_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(v128.load32_splat(x), w), scale));
  }
  const sum = i32x4.add(
    i32x4.dot_i16x8_s(v128.load32_splat(x), v128.and(w, byte)), i32x4.dot_i16x8_s(v128.load32_splat(odd), i16x8.shr_u(w, 8)),
  );
  return i32x4.add(acc, i32x4.mul(sum, i32x4.shr_s(scale, 16)));
}

/** Four bytes, one for each row, as pairs of i16. */
// @ts-ignore: decorator
@inline
function row_pairs(at: usize): v128 {
  const v = i16x8.extend_low_i8x16_s(v128.load32_zero(at));
  return v128.shuffle<i16>(v, v, 0, 0, 1, 1, 2, 2, 3, 3);
}

/** y + f32(sum) · (d · s) − f32(taken) · (min · s) where there are minima; without them `taken` is zero times the sum. */
// @ts-ignore: decorator
@inline
function finish(y: v128, sum: v128, taken: v128, minima: bool, d: v128, min: v128, s: usize): v128 {
  const xs = v128.load32_splat(s);
  if (!minima) sum = i32x4.sub(sum, taken);
  y = f32x4.add(y, f32x4.mul(f32x4.convert_i32x4_s(sum), f32x4.mul(d, xs)));
  return minima ? f32x4.sub(y, f32x4.mul(f32x4.convert_i32x4_s(taken), f32x4.mul(min, xs))) : y;
}

/**
 * y[t,r] = Σ_b s[t,b] · (d[r,b] · Σ_g scale[r,g] · Σ_{c in g} (code[r,c] − zero) · q[t,c] − min[r,b] · Σ_g minimum[r,g] · Σ_{c in g} q[t,c])
 * w, scales, kind, x as drawn above, codes of 4 bits    x n vectors, xStride bytes apart    y (n, yStride) f32    r0 ≤ r < r1, t < n
 * needs: r0, r1 multiples of 4, y writable to r1; units % 8 = 0 with groups; w and x 16-aligned
 * exact: a lane of i16 holds 8 products pairs of 127 · 15, 30480; a block at most 256 · 127 · 15 · 128 < 2^31; then f32, block after
 *   block: a sum beyond 2^24 is rounded once
 * equals: reference.groupedGemv, bit for bit, in every build.
 * cost: per 128 weights 48 instructions for one vector, 36 per vector where four meet them; 0.58 byte per weight
 */
export function grouped_gemm_u4(
  w: usize, scales: usize, kind: i32, units: i32,
  x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32,
): void {
  // one copy of the loops for each kind that types have, so that nothing is decided in them
  if (kind & 1) gemm_u4(true, true, 0, w, scales, units, x, xStride, y, yStride, r0, r1, n);
  else if (kind & 2) gemm_u4(false, true, 0, w, scales, units, x, xStride, y, yStride, r0, r1, n);
  else gemm_u4(false, false, kind >> 2, w, scales, units, x, xStride, y, yStride, r0, r1, n);
}

// @ts-ignore: decorator
@inline
function gemm_u4(
  groups: bool, minima: bool, zero: i32, w: usize, scales: usize, units: i32,
  x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32,
): void {
  const low = v128.load(MASKS), nibble = v128.load(MASKS, 16), one = v128.load(MASKS, 48);
  const f16m = f16_mask(), f16s = f16_scale();
  const data = grouped_data_offset(units);
  const span = groups ? 8 : 1;
  const head: usize = minima ? 16 : 8;
  const scaleBytes: usize = groups ? 80 : head;
  const taken = minima ? one : i16x8.splat(<i16>zero);
  for (let r = r0; r < r1; r += 4) {
    const group = w + (<usize>(r >> 2) * units << 6);
    const own = scales + <usize>(r >> 2) * (units / span) * scaleBytes;
    for (let t = 0; t < n;) {
      // four vectors at a time, or one
      const four = t + 4 <= n;
      const step = four ? <usize>xStride : 0;
      const s0 = x + <usize>t * xStride;
      const yt = y + (<usize>(t * yStride + r) << 2), next = <usize>yStride << 2;
      let sp = own, wp = group, xp = s0 + data, sums = s0 + (units << 2);
      let y0 = f32x4.splat(0), y1 = y0, y2 = y0, y3 = y0;
      for (let b = 0; b < units; b += span) {
        let a0 = i32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, m0 = a0, m1 = a0, m2 = a0, m3 = a0;
        let gp = sp + head;
        for (let u = 0; u < span; u++, sums += 4) {
          let scale = one, minimum = taken;
          if (groups) scale = row_pairs(gp), minimum = row_pairs(gp + 4), gp += 8;
          let q0 = i32x4.splat(0);
          if (four) {
            let q1 = q0, q2 = q0, q3 = q0;
            for (const end = wp + 64; wp < end; wp += 16, xp += unit_bytes() >> 2) {
              const v = v128.load(wp);
              let a: v128, b: v128, c = v, d = v;
              if (ASC_FEATURE_RELAXED_SIMD) a = v128.and(v, low), b = v128.and(i16x8.shr_u(v, 4), low);
              else {
                a = v128.and(v, nibble), b = v128.and(i16x8.shr_u(v, 4), nibble);
                c = v128.and(i16x8.shr_u(v, 8), nibble), d = i16x8.shr_u(v, 12);
              }
              q0 = dot4(q0, xp, a, b, c, d), q1 = dot4(q1, xp + step, a, b, c, d);
              q2 = dot4(q2, xp + 2 * step, a, b, c, d), q3 = dot4(q3, xp + 3 * step, a, b, c, d);
            }
            a1 = i32x4.add(a1, times(q1, scale)), a2 = i32x4.add(a2, times(q2, scale)), a3 = i32x4.add(a3, times(q3, scale));
            m1 = i32x4.add(m1, i32x4.dot_i16x8_s(minimum, v128.load32_splat(sums + step)));
            m2 = i32x4.add(m2, i32x4.dot_i16x8_s(minimum, v128.load32_splat(sums + 2 * step)));
            m3 = i32x4.add(m3, i32x4.dot_i16x8_s(minimum, v128.load32_splat(sums + 3 * step)));
          } else {
            for (const end = wp + 64; wp < end; wp += 16, xp += unit_bytes() >> 2) {
              const v = v128.load(wp);
              if (ASC_FEATURE_RELAXED_SIMD) q0 = dot4(q0, xp, v128.and(v, low), v128.and(i16x8.shr_u(v, 4), low), v, v);
              else {
                q0 = dot4(
                  q0, xp, v128.and(v, nibble), v128.and(i16x8.shr_u(v, 4), nibble),
                  v128.and(i16x8.shr_u(v, 8), nibble), i16x8.shr_u(v, 12),
                );
              }
            }
          }
          a0 = i32x4.add(a0, times(q0, scale));
          m0 = i32x4.add(m0, i32x4.dot_i16x8_s(minimum, v128.load32_splat(sums)));
        }
        const d = load_f16x4(sp, f16m, f16s), min = minima ? load_f16x4(sp + 8, f16m, f16s) : d, s = s0 + (<usize>b << 2);
        y0 = finish(y0, a0, m0, minima, d, min, s);
        if (four) {
          y1 = finish(y1, a1, m1, minima, d, min, s + step);
          y2 = finish(y2, a2, m2, minima, d, min, s + 2 * step);
          y3 = finish(y3, a3, m3, minima, d, min, s + 3 * step);
        }
        sp += scaleBytes;
      }
      v128.store(yt, y0);
      if (four) v128.store(yt + next, y1), v128.store(yt + 2 * next, y2), v128.store(yt + 3 * next, y3);
      t += four ? 4 : 1;
    }
  }
}

/**
 * The same with codes of 8 bits, 0 … 63: Q2_K, Q3_K, Q5_1, Q5_K and Q6_K, some with a scale for every 16 columns.
 * exact: as above; a lane of i16 holds two products of 127 · 63; a block at most 256 · 127 · 63 · 128 < 2^31
 * equals: reference.groupedGemv, bit for bit, in every build.
 * cost: per 128 weights 50 instructions for one vector, 40 per vector where four meet them; 1.1 to 1.2 bytes per weight
 */
export function grouped_gemm_u8(
  w: usize, scales: usize, kind: i32, units: i32,
  x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32,
): void {
  const byte = v128.load(MASKS, 32), one = v128.load(MASKS, 48);
  const f16m = f16_mask(), f16s = f16_scale();
  const data = grouped_data_offset(units);
  const span = kind & 1 ? 8 : 1;
  const head = kind & 2 ? 16 : 8;
  const scaleBytes = grouped_scale_bytes(8, kind), minima = (kind & 2) != 0;
  const zero = i32x4.splat(minima ? 1 : kind >> 2);
  for (let r = r0; r < r1; r += 4) {
    const group = w + (<usize>(r >> 2) * units << 7);
    const own = scales + <usize>(r >> 2) * (units / span) * scaleBytes;
    for (let t = 0; t < n;) {
      const four = t + 4 <= n;
      const step = four ? <usize>xStride : 0;
      const s0 = x + <usize>t * xStride;
      const yt = y + (<usize>(t * yStride + r) << 2), next = <usize>yStride << 2;
      let sp = own, wp = group, xp = s0 + data, sums = s0 + (units << 2);
      let y0 = f32x4.splat(0), y1 = y0, y2 = y0, y3 = y0;
      for (let b = 0; b < units; b += span) {
        let a0 = i32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, m0 = a0, m1 = a0, m2 = a0, m3 = a0;
        let gp = sp + head;
        for (let u = 0; u < span; u++, sums += 4) {
          let scale = one, minimum = one, other = one;
          if (kind & 1) {
            const both = v128.load8x8_s(gp);
            minimum = both, gp += 8;
            if (kind & 2) minimum = v128.load8x8_s(gp), gp += 8;
            scale = v128.shuffle<i16>(both, both, 0, 0, 2, 2, 4, 4, 6, 6);
            other = v128.shuffle<i16>(both, both, 1, 1, 3, 3, 5, 5, 7, 7);
          }
          for (let half = 0; half < 2; half++, scale = other) {
            for (const end = wp + 64; wp < end; wp += 32, xp += unit_bytes() >> 2) {
              const v = v128.load(wp), v1 = v128.load(wp, 16);
              a0 = dot8(dot8(a0, xp, xp + 8, v, byte, scale), xp + 4, xp + 12, v1, byte, scale);
              if (four) {
                let p = xp + step;
                a1 = dot8(dot8(a1, p, p + 8, v, byte, scale), p + 4, p + 12, v1, byte, scale), p += step;
                a2 = dot8(dot8(a2, p, p + 8, v, byte, scale), p + 4, p + 12, v1, byte, scale), p += step;
                a3 = dot8(dot8(a3, p, p + 8, v, byte, scale), p + 4, p + 12, v1, byte, scale);
              }
            }
          }
          m0 = i32x4.add(m0, i32x4.dot_i16x8_s(minimum, v128.load32_splat(sums)));
          if (four) {
            m1 = i32x4.add(m1, i32x4.dot_i16x8_s(minimum, v128.load32_splat(sums + step)));
            m2 = i32x4.add(m2, i32x4.dot_i16x8_s(minimum, v128.load32_splat(sums + 2 * step)));
            m3 = i32x4.add(m3, i32x4.dot_i16x8_s(minimum, v128.load32_splat(sums + 3 * step)));
          }
        }
        const d = load_f16x4(sp, f16m, f16s), min = load_f16x4(sp + head - 8, f16m, f16s), s = s0 + (<usize>b << 2);
        y0 = finish(y0, a0, i32x4.mul(m0, zero), minima, d, min, s);
        if (four) {
          y1 = finish(y1, a1, i32x4.mul(m1, zero), minima, d, min, s + step);
          y2 = finish(y2, a2, i32x4.mul(m2, zero), minima, d, min, s + 2 * step);
          y3 = finish(y3, a3, i32x4.mul(m3, zero), minima, d, min, s + 3 * step);
        }
        sp += scaleBytes;
      }
      v128.store(yt, y0);
      if (four) v128.store(yt + next, y1), v128.store(yt + 2 * next, y2), v128.store(yt + 3 * next, y3);
      t += four ? 4 : 1;
    }
  }
}
