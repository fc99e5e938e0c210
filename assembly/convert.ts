/** Float formats of files ↔ f32. Eight elements a step, then one by one through the same code. */
import { f16FromF32, f32FromF16 } from './inline/half';

@inline
function store8(dst: usize, a: v128, b: v128): void {
  v128.store(dst, i16x8.narrow_i32x4_u(a, b));
}

/**
 * dst[i] = f32(src[i])                                                                                     0 ≤ i < n
 * src (n) f16    dst (n) f32
 * layout: plain vectors; must not overlap
 * needs: nothing of alignment or length.   exact: all 65536 patterns, NaN payloads included
 * equals: reference.f16, bit for bit, in every build.   cost: 6 bytes, 2 operations per element
 */
export function f16_to_f32(src: usize, dst: usize, n: i32): void {
  for (; n >= 8; n -= 8, src += 16, dst += 32) {
    const h = v128.load(src);
    v128.store(dst, f32FromF16(i32x4.extend_low_i16x8_u(h)));
    v128.store(dst, f32FromF16(i32x4.extend_high_i16x8_u(h)), 16);
  }
  for (; n > 0; --n, src += 2, dst += 4) {
    v128.store_lane<f32>(dst, f32FromF16(i32x4.splat(load<u16>(src))), 0);
  }
}

/**
 * dst[i] = f16(src[i]), nearest, ties to even                                                              0 ≤ i < n
 * src (n) f32    dst (n) f16
 * layout: plain vectors; must not overlap
 * needs: nothing of alignment or length.   range: finite values over 65504 saturate to ±65504; ±∞ stays; NaN gets quiet
 * equals: reference.f16Bits, bit for bit, in every build.   cost: 6 bytes, 5 operations per element
 */
export function f32_to_f16(src: usize, dst: usize, n: i32): void {
  for (; n >= 8; n -= 8, src += 32, dst += 16) {
    store8(dst, f16FromF32(v128.load(src)), f16FromF32(v128.load(src, 16)));
  }
  for (; n > 0; --n, src += 4, dst += 2) {
    store<u16>(dst, <u16>i32x4.extract_lane(f16FromF32(v128.load_splat<u32>(src)), 0));
  }
}

/**
 * dst[i] = f32(src[i])                                                                                     0 ≤ i < n
 * src (n) bf16    dst (n) f32
 * layout: plain vectors; must not overlap
 * needs: nothing of alignment or length.   exact: all 65536 patterns, NaN payloads included
 * equals: reference.bf16, bit for bit, in every build.   cost: 6 bytes, 1/2 operation per element
 */
export function bf16_to_f32(src: usize, dst: usize, n: i32): void {
  for (; n >= 8; n -= 8, src += 16, dst += 32) {
    const h = v128.load(src);
    v128.store(dst, i32x4.shl(i32x4.extend_low_i16x8_u(h), 16));
    v128.store(dst, i32x4.shl(i32x4.extend_high_i16x8_u(h), 16), 16);
  }
  for (; n > 0; --n, src += 2, dst += 4) store<u32>(dst, <u32>load<u16>(src) << 16);
}
