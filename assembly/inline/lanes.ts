// Small lane helpers shared by the kernels. Everything here is inlined.

/** Sums of the lanes of four i32x4, one per result lane: [Σa, Σb, Σc, Σd]. Wraps like i32. */
@inline
export function reduce4_i32(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

/** The f32 twin of `reduce4_i32`, in one fixed order: (x0 + x2) + (x1 + x3) for each. */
@inline
export function reduce4_f32(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

/** Sum of four f32 lanes, in the order of `reduce4_f32`. */
@inline
export function reduce_f32(a: v128): f32 {
  return (f32x4.extract_lane(a, 0) + f32x4.extract_lane(a, 2)) + (f32x4.extract_lane(a, 1) + f32x4.extract_lane(a, 3));
}

/** Largest of four f32 lanes; NaN if any is NaN. */
@inline
export function reduce_max_f32(a: v128): f32 {
  const b = f32x4.max(a, v128.shuffle<i32>(a, a, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.max(b, v128.shuffle<i32>(b, b, 1, 0, 3, 2)), 0);
}

/** Sum of four i32 lanes. */
@inline
export function reduce_i32(a: v128): i32 {
  return i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 2) + i32x4.extract_lane(a, 1) + i32x4.extract_lane(a, 3);
}

/**
 * Four finite f16 at p as f32x4, exact, subnormals included. An exponent of 31 reads as 2^16·(1 + m): infinities and NaN
 * are refused when a file is loaded and never written by our own conversion.
 *   bits of f16   s eeeee mmmmmmmmmm   sign-extended and shifted by 13   s sss eeeee mmmmmmmmmm 0…   mask s 000 …, × 2^112
 */
@inline
export function load_f16x4(p: usize, mask: v128, scale: v128): v128 {
  return f32x4.mul(v128.and(i32x4.shl(v128.load16x4_s(p), 13), mask), scale);
}

// V8 rebuilds v128 constants at every use; a load from memory is free beside that.
const F16_CONSTANTS = memory.data<u32>([
  0x8fffe000, 0x8fffe000, 0x8fffe000, 0x8fffe000, 0x77800000, 0x77800000, 0x77800000, 0x77800000,
], 16);

/** The mask that `load_f16x4` needs; kept in a local by its caller. */
@inline
export function f16_mask(): v128 {
  return v128.load(F16_CONSTANTS);
}

/** 2^112, which moves an f16 exponent to where f32 has it. */
@inline
export function f16_scale(): v128 {
  return v128.load(F16_CONSTANTS, 16);
}
