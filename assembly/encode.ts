/**
 * f32 → blocks of model files, byte for byte as ggml's reference quantisers write them.
 *
 * All return −1 when every block was written, or the index of the first block that cannot be: a NaN or ±∞ in it, or a
 * scale over the largest f16. Work stops at that block.
 */
import { f16FromF32 } from './inline/half';
import { reduce_max_f32 } from './inline/lanes';

/** max |x| over n elements, n % 4 = 0; NaN where one of them is NaN. */
@inline
function largest(x: usize, n: usize): f32 {
  let m = f32x4.splat(0);
  for (const end = x + (n << 2); x < end; x += 16) m = f32x4.max(m, f32x4.abs(v128.load(x)));
  return reduce_max_f32(m);
}

/** Bits of the f16 nearest to d ≥ 0, or −1 where d is NaN or rounds beyond 65504. */
@inline
function scaleBits(d: f32): i32 {
  return d < 65520 ? i32x4.extract_lane(f16FromF32(f32x4.splat(d)), 0) : -1;
}

/** 1 / d; 0 where d is 0, or so small that the quotient is ∞ (its f16 is 0 then, and so is every weight). */
@inline
function inverse(d: f32): f32 {
  const id: f32 = 1 / d;
  return id < Infinity ? id : 0;
}

/** Nearest integer, halves away from zero, of four |v| < 2^22. */
@inline
function round4(v: v128): v128 {
  const whole = f32x4.trunc(v);
  const up = f32x4.ge(f32x4.abs(f32x4.sub(v, whole)), f32x4.splat(0.5)); // the difference is exact
  const away = v128.or(i32x4.shr_s(v, 31), i32x4.splat(1)); // +1 or −1, the sign of v
  return i32x4.add(i32x4.trunc_sat_f32x4_s(whole), v128.and(away, up));
}

/** Sixteen rounded products x · id as i8. */
function round16(x: usize, id: v128): v128 {
  const a = i16x8.narrow_i32x4_s(round4(f32x4.mul(v128.load(x), id)), round4(f32x4.mul(v128.load(x, 16), id)));
  const b = i16x8.narrow_i32x4_s(round4(f32x4.mul(v128.load(x, 32), id)), round4(f32x4.mul(v128.load(x, 48), id)));
  return i8x16.narrow_i16x8_s(a, b);
}

/** Codes w + 1 of 16 elements. */
@inline
function codes16(x: usize, id: v128): v128 {
  return i8x16.add(round16(x, id), i8x16.splat(1));
}

/** 3 q + c on bytes. */
@inline
function push(q: v128, c: v128): v128 {
  return i8x16.add(i8x16.add(q, i8x16.add(q, q)), c);
}

/**
 * Q8_0: d = max |x| / 127 of 32, q = round(x / d), halves away from zero
 * x (blocks, 32) f32    dst (blocks, 34) u8
 * layout: see unpack_q8_0
 * needs: nothing of alignment.   exact: 1 / d and x · (1 / d) are rounded to f32 as in ggml, d itself only when stored
 * equals: reference.encodeQ8, byte for byte.   cost: 4 bytes read, 1.06 written, 4 operations per weight
 */
export function encode_q8_0(x: usize, dst: usize, blocks: i32): i32 {
  for (let b = 0; b < blocks; ++b, x += 128, dst += 34) {
    const d: f32 = largest(x, 32) / 127;
    const bits = scaleBits(d);
    if (bits < 0) return b;
    const id = f32x4.splat(inverse(d));
    store<u16>(dst, <u16>bits);
    v128.store(dst, round16(x, id), 2);
    v128.store(dst, round16(x + 64, id), 18);
  }
  return -1;
}

/**
 * TQ2_0: d = max |x| of 256, code = round(x / d) + 1, halves away from zero
 * x (blocks, 256) f32    dst (blocks, 66) u8
 * layout: see unpack_tq2_0
 * needs: nothing of alignment.   exact: as encode_q8_0
 * equals: reference.encodeTq2, byte for byte.   cost: 4 bytes read, 0.26 written, 4 operations per weight
 */
export function encode_tq2_0(x: usize, dst: usize, blocks: i32): i32 {
  for (let b = 0; b < blocks; ++b, dst += 66) {
    const d = largest(x, 256);
    const bits = scaleBits(d);
    if (bits < 0) return b;
    const id = f32x4.splat(inverse(d));
    store<u16>(dst, <u16>bits, 64);
    for (let h: usize = 0; h < 64; h += 32, x += 512) {
      for (let m: usize = 0; m < 32; m += 16) {
        const p = x + (m << 2);
        let q = codes16(p, id);
        q = v128.or(q, i16x8.shl(codes16(p + 128, id), 2));
        q = v128.or(q, i16x8.shl(codes16(p + 256, id), 4));
        q = v128.or(q, i16x8.shl(codes16(p + 384, id), 6));
        v128.store(dst + h + m, q);
      }
    }
  }
  return -1;
}

/**
 * TQ1_0: the codes of TQ2_0 as digits base 3, five (the last four bytes: four) to a byte ⌈256 q / 243⌉
 * x (blocks, 256) f32    dst (blocks, 54) u8
 * layout: see unpack_tq1_0
 * needs: nothing of alignment.   exact: as encode_q8_0
 * equals: reference.encodeTq1, byte for byte.   cost: 4 bytes read, 0.21 written, 5 operations per weight
 */
export function encode_tq1_0(x: usize, dst: usize, blocks: i32): i32 {
  for (let b = 0; b < blocks; ++b, x += 1024, dst += 54) {
    const d = largest(x, 256);
    const bits = scaleBits(d);
    if (bits < 0) return b;
    const id = f32x4.splat(inverse(d));
    store<u16>(dst, <u16>bits, 52);
    for (let m: usize = 0; m < 48; m += 16) {
      // bytes 0–31: digits 32 weights apart from weight m on; bytes 32–47: 16 apart from weight 160 on
      let p = m < 32 ? x + (m << 2) : x + 640;
      const apart: usize = m < 32 ? 128 : 64;
      let q = codes16(p, id);
      for (let l = 1; l < 5; ++l) {
        p += apart;
        q = push(q, codes16(p, id));
      }
      v128.store(dst + m, q);
    }
    const last = codes16(x + 960, id); // four digits of four bytes
    let q = last;
    q = push(q, v128.shuffle<i32>(last, last, 1, 1, 1, 1));
    q = push(q, v128.shuffle<i32>(last, last, 2, 2, 2, 2));
    q = push(q, v128.shuffle<i32>(last, last, 3, 3, 3, 3));
    v128.store_lane<u32>(dst, push(q, i8x16.splat(0)), 0, 48);
    for (let k: usize = 0; k < 52; ++k) {
      store<u8>(dst + k, <u8>((<u32>load<u8>(dst + k) * 256 + 242) / 243));
    }
  }
  return -1;
}

/**
 * Q4_0: d = m / −8 of 32, m the weight of largest size, code = ⌊x / d + 8.5⌋, at most 15
 * x (blocks, 32) f32    dst (blocks, 18) u8
 * layout: d f16, 16 low nibbles of columns 0 … 15, high ones of 16 … 31
 * exact: as encode_q8_0
 * equals: gguf's Python package, byte for byte.   cost: 4 bytes read, 0.56 written per weight
 */
export function encode_q4_0(x: usize, dst: usize, blocks: i32): i32 {
  for (let b = 0; b < blocks; ++b, x += 128, dst += 18) {
    let most = load<f32>(x);
    for (let i: usize = 4; i < 128; i += 4) {
      const v = load<f32>(x + i);
      if (NativeMathf.abs(v) > NativeMathf.abs(most)) most = v;
    }
    const d: f32 = most / -8;
    const size: f32 = largest(x, 32) / 8;
    const bits = scaleBits(size);
    if (bits < 0) return b;
    const id: f32 = inverse(size) == 0 ? <f32>0 : <f32>1 / d;
    store<u16>(dst, <u16>(bits | (reinterpret<i32>(d) >> 16 & 0x8000)));
    for (let i: usize = 0; i < 16; i++) {
      const low = min(15, <i32>(load<f32>(x + (i << 2)) * id + 8.5));
      const high = min(15, <i32>(load<f32>(x + (i << 2), 64) * id + 8.5));
      store<u8>(dst + i, <u8>(low | high << 4), 2);
    }
  }
  return -1;
}
