/** Half precision and bfloat16, four lanes at a time, by integer operations: NaN payloads come through unchanged. */

/** f32 lanes of four f16 in the low halves of u32 lanes. Exact; subnormals by one multiplication with 2^112. */
@inline
export function f32FromF16(h: v128): v128 {
  const magnitude = i32x4.shl(v128.and(h, i32x4.splat(0x7fff)), 13);
  const sign = i32x4.shl(v128.and(h, i32x4.splat(0x8000)), 16);
  // NaN and ±∞ have all five exponent bits set: all eight of f32 must be
  const special = v128.and(i32x4.gt_s(magnitude, i32x4.splat(0x0f7fffff)), i32x4.splat(0x7f800000));
  const scaled = f32x4.mul(magnitude, i32x4.splat(0x77800000));
  return v128.or(v128.or(scaled, special), sign);
}

/** Four f16 in u32 lanes: nearest, ties to even; finite values saturate at 65504; ±∞ stays; NaN becomes quiet. */
@inline
export function f16FromF32(x: v128): v128 {
  const a = v128.and(x, i32x4.splat(0x7fffffff));
  const sign = v128.and(i32x4.shr_u(x, 16), i32x4.splat(0x8000));
  // normal: round the 13 lower bits, move the exponent bias from 127 to 15
  const odd = v128.and(i32x4.shr_u(a, 13), i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(a, i32x4.splat(0xfff - (112 << 23))), odd), 13);
  const normal = i32x4.min_u(rounded, i32x4.splat(0x7bff));
  // under 2^-14: an addition to 1/2 rounds to multiples of 2^-24, the spacing of f16 subnormals
  const half = f32x4.splat(0.5);
  const small = i32x4.sub(f32x4.add(a, half), half);
  const finite = v128.bitselect(small, normal, i32x4.lt_s(a, i32x4.splat(0x38800000)));
  const isNan = i32x4.gt_s(a, i32x4.splat(0x7f800000));
  const payload = v128.and(v128.or(i32x4.shr_u(a, 13), i32x4.splat(0x200)), i32x4.splat(0x3ff));
  const special = v128.or(i32x4.splat(0x7c00), v128.and(payload, isNan));
  return v128.or(v128.bitselect(special, finite, i32x4.gt_s(a, i32x4.splat(0x7f7fffff))), sign);
}

/** Whether f16 bits stand for NaN or ±∞. */
@inline
export function isSpecialF16(h: i32): bool {
  return (h & 0x7c00) == 0x7c00;
}
