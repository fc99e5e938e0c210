/**
 * Blocks of model files → one u8 code per weight in column order, and the raw scale bits. Load time only.
 *
 * All return −1 when every block was good, b ≥ 0 when the f16 scale of block b is NaN or ±∞, and −2 − b when block b
 * holds a code that the format does not have. Work stops at that block; what lies before it has been written.
 */
import { isSpecialF16 } from './inline/half';

/** Byte constants, one 16-byte row each; read into locals at the start of a call. */
const BYTES: usize = memory.data<u8>([
  3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
  0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55,
  86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86, 86,
  171, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171,
  1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128,
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,
], 16);

/** Non-zero bits where one of the four codes of a byte is 3: both bits of a pair are set. */
@inline
function threes(v: v128): v128 {
  return v128.and(v, i16x8.shr_u(v, 1));
}

/** The leading trit of bytes q that stand for q / 256: ⌊3 q / 256⌋, which is [q ≥ 86] + [q ≥ 171]. */
@inline
function trit(q: v128, one: v128, two: v128): v128 {
  return i8x16.neg(i8x16.add(i8x16.ge_u(q, one), i8x16.ge_u(q, two)));
}

/** 3 q modulo 256: the next trit becomes the leading one. */
@inline
function next(q: v128): v128 {
  return i8x16.add(i8x16.add(q, q), q);
}

/**
 * TQ1_0, 256 weights in 54 bytes: codes = digits base 3 of the bytes' fractions, w = d · (code − 1)
 * src (blocks, 54) u8    codes (blocks, 256) u8 in 0..2    scales (blocks) u16 = f16 bits of d
 * layout: bytes 0–31 hold 5 digits each: weight 32 l + m is digit l of byte m; bytes 32–47 likewise: weight
 *   160 + 16 l + m; bytes 48–51 hold 4 each: weight 240 + 4 l + m; bytes 52–53 d
 * needs: nothing of alignment.   exact: every byte has digits, so no code is bad
 * equals: reference.unpackTq1.   cost: 0.2 byte read, 1 written, 1/3 operation per weight
 */
export function unpack_tq1_0(src: usize, codes: usize, scales: usize, blocks: i32): i32 {
  const one = v128.load(BYTES, 32);
  const two = v128.load(BYTES, 48);
  for (let b = 0; b < blocks; ++b, src += 54, codes += 256, scales += 2) {
    const d = <i32>load<u16>(src, 52);
    if (isSpecialF16(d)) return b;
    store<u16>(scales, <u16>d);
    let p = v128.load(src);
    let q = v128.load(src, 16);
    let r = v128.load(src, 32);
    for (let l: usize = 0; l < 5; ++l) {
      v128.store(codes + (l << 5), trit(p, one, two));
      v128.store(codes + (l << 5), trit(q, one, two), 16);
      v128.store(codes + (l << 4), trit(r, one, two), 160);
      p = next(p);
      q = next(q);
      r = next(r);
    }
    let s = v128.load_zero<u32>(src, 48);
    for (let l: usize = 0; l < 4; ++l) {
      store<i32>(codes + (l << 2), i32x4.extract_lane(trit(s, one, two), 0), 240);
      s = next(s);
    }
  }
  return -1;
}

/**
 * TQ2_0, 256 weights in 66 bytes: w = d · (code − 1), code 3 is refused
 * src (blocks, 66) u8    codes (blocks, 256) u8 in 0..2    scales (blocks) u16 = f16 bits of d
 * layout: weight 128 h + 32 l + m is bits 2l, 2l+1 of byte 32 h + m (h 0..1, l 0..3, m 0..31); bytes 64–65 d
 * needs: nothing of alignment.   exact
 * equals: reference.unpackTq2.   cost: 0.25 byte read, 1 written, 1/5 operation per weight
 */
export function unpack_tq2_0(src: usize, codes: usize, scales: usize, blocks: i32): i32 {
  const mask = v128.load(BYTES);
  const pairs = v128.load(BYTES, 16);
  for (let b = 0; b < blocks; ++b, src += 66, scales += 2) {
    const d = <i32>load<u16>(src, 64);
    if (isSpecialF16(d)) return b;
    store<u16>(scales, <u16>d);
    let bad = i32x4.splat(0);
    for (let h: usize = 0; h < 64; h += 32, codes += 128) {
      const p = v128.load(src + h);
      const q = v128.load(src + h, 16);
      bad = v128.or(bad, v128.or(threes(p), threes(q)));
      v128.store(codes, v128.and(p, mask));
      v128.store(codes, v128.and(q, mask), 16);
      v128.store(codes, v128.and(i16x8.shr_u(p, 2), mask), 32);
      v128.store(codes, v128.and(i16x8.shr_u(q, 2), mask), 48);
      v128.store(codes, v128.and(i16x8.shr_u(p, 4), mask), 64);
      v128.store(codes, v128.and(i16x8.shr_u(q, 4), mask), 80);
      v128.store(codes, v128.and(i16x8.shr_u(p, 6), mask), 96);
      v128.store(codes, v128.and(i16x8.shr_u(q, 6), mask), 112);
    }
    if (v128.any_true(v128.and(bad, pairs))) return -2 - b;
  }
  return -1;
}

/**
 * Q2_0, 64 or 128 weights in 18 or 34 bytes: w = d · (code − 1)
 * src (blocks, 2 + group / 4) u8    codes (blocks, group) u8 in 0..3    scales (blocks) u16 = f16 bits of d
 * layout: bytes 0–1 d; then weight 4 k + l is bits 2l, 2l+1 of byte 2 + k
 * needs: group = 64 or 128; nothing of alignment.   exact: code 3 stands for +2 and is good
 * equals: reference.unpackQ2.   cost: 0.25 byte read, 1 written, 1/5 operation per weight
 */
export function unpack_q2_0(src: usize, codes: usize, scales: usize, blocks: i32, group: i32): i32 {
  const mask = v128.load(BYTES);
  const bytes = <usize>(group >> 2);
  for (let b = 0; b < blocks; ++b, scales += 2) {
    const d = <i32>load<u16>(src);
    if (isSpecialF16(d)) return b;
    store<u16>(scales, <u16>d);
    src += 2;
    for (const end = src + bytes; src < end; src += 16, codes += 64) {
      const v = v128.load(src);
      const c0 = v128.and(v, mask);
      const c1 = v128.and(i16x8.shr_u(v, 2), mask);
      const c2 = v128.and(i16x8.shr_u(v, 4), mask);
      const c3 = v128.and(i16x8.shr_u(v, 6), mask);
      // c0[0] c1[0] c0[1] c1[1] …, c2[0] c3[0] c2[1] c3[1] …, then pairs of the two alternate
      let a = v128.shuffle<u8>(c0, c1, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      let e = v128.shuffle<u8>(c2, c3, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      v128.store(codes, v128.shuffle<u16>(a, e, 0, 8, 1, 9, 2, 10, 3, 11));
      v128.store(codes, v128.shuffle<u16>(a, e, 4, 12, 5, 13, 6, 14, 7, 15), 16);
      a = v128.shuffle<u8>(c0, c1, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      e = v128.shuffle<u8>(c2, c3, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      v128.store(codes, v128.shuffle<u16>(a, e, 0, 8, 1, 9, 2, 10, 3, 11), 32);
      v128.store(codes, v128.shuffle<u16>(a, e, 4, 12, 5, 13, 6, 14, 7, 15), 48);
    }
  }
  return -1;
}

/**
 * Q1_0, 128 weights in 18 bytes: w = +d where the bit is 1, −d where it is 0
 * src (blocks, 18) u8    codes (blocks, 128) u8 in 0..1 = the bit    scales (blocks) u16 = f16 bits of d
 * layout: bytes 0–1 d; then weight 8 k + l is bit l of byte 2 + k
 * needs: nothing of alignment.   exact: no code is bad
 * equals: reference.unpackQ1.   cost: 0.14 byte read, 1 written, 1/3 operation per weight
 */
export function unpack_q1_0(src: usize, codes: usize, scales: usize, blocks: i32): i32 {
  const bits = v128.load(BYTES, 64);
  const one = v128.load(BYTES, 80);
  const first = v128.load(BYTES, 96);
  const two = i8x16.add(one, one);
  for (let b = 0; b < blocks; ++b, src += 18, scales += 2) {
    const d = <i32>load<u16>(src);
    if (isSpecialF16(d)) return b;
    store<u16>(scales, <u16>d);
    const v = v128.load(src, 2);
    let pair = first;
    for (const end = codes + 128; codes < end; codes += 16) {
      const set = i8x16.eq(v128.and(i8x16.swizzle(v, pair), bits), bits);
      v128.store(codes, v128.and(set, one));
      pair = i8x16.add(pair, two);
    }
  }
  return -1;
}

/**
 * I2_S, 128 weights in 32 bytes: w = s · (code − 1), code 3 is refused; b counts runs of 128
 * src (n / 4) u8    codes (n) u8 in 0..2; the one scale s of the tensor lies behind all codes and is the caller's
 * layout: byte k of a run holds weights k, k + 32, k + 64, k + 96 in bits 7–6, 5–4, 3–2, 1–0
 * needs: n % 128 = 0; nothing of alignment.   exact
 * equals: reference.unpackI2s.   cost: 0.25 byte read, 1 written, 1/5 operation per weight
 */
export function unpack_i2_s(src: usize, codes: usize, n: i32): i32 {
  const mask = v128.load(BYTES);
  const pairs = v128.load(BYTES, 16);
  const runs = n >> 7;
  for (let b = 0; b < runs; ++b, src += 32, codes += 128) {
    const p = v128.load(src);
    const q = v128.load(src, 16);
    if (v128.any_true(v128.and(v128.or(threes(p), threes(q)), pairs))) return -2 - b;
    v128.store(codes, v128.and(i16x8.shr_u(p, 6), mask));
    v128.store(codes, v128.and(i16x8.shr_u(q, 6), mask), 16);
    v128.store(codes, v128.and(i16x8.shr_u(p, 4), mask), 32);
    v128.store(codes, v128.and(i16x8.shr_u(q, 4), mask), 48);
    v128.store(codes, v128.and(i16x8.shr_u(p, 2), mask), 64);
    v128.store(codes, v128.and(i16x8.shr_u(q, 2), mask), 80);
    v128.store(codes, v128.and(p, mask), 96);
    v128.store(codes, v128.and(q, mask), 112);
  }
  return -1;
}

/**
 * U2_ROWS, a quarter of the bits of n bytes: w = s · (code − 1), code 3 is refused; b counts runs of 16
 * src (n) u8    codes (n) u8 in 0..2; the scale s of the tensor is the caller's
 * layout: bits shift + 1, shift of byte k are the code of column k, shift 0, 2, 4 or 6
 * needs: src readable and codes writable to n rounded up to 16; bytes behind n are not looked at.   exact
 * equals: reference.unpackU2.   cost: 1 byte read, 1 written, 1/5 operation per weight
 */
export function unpack_u2_rows(src: usize, codes: usize, n: i32, shift: i32): i32 {
  const mask = v128.load(BYTES);
  for (let b = 0; b << 4 < n; ++b, src += 16, codes += 16) {
    const c = v128.and(i16x8.shr_u(v128.load(src), shift), mask);
    v128.store(codes, c);
    const bad = i8x16.bitmask(i8x16.eq(c, mask));
    const left = n - (b << 4);
    if (bad & (left < 16 ? (1 << left) - 1 : 0xffff)) return -2 - b;
  }
  return -1;
}

/**
 * Q8_0, 32 weights in 34 bytes: w = d · q
 * src (blocks, 34) u8    q (blocks, 32) i8    scales (blocks) u16 = f16 bits of d
 * layout: bytes 0–1 d; then the weights in order
 * needs: nothing of alignment.   exact
 * equals: reference.unpackQ8.   cost: 1.06 bytes read, 1.06 written per weight
 */
export function unpack_q8_0(src: usize, q: usize, scales: usize, blocks: i32): i32 {
  for (let b = 0; b < blocks; ++b, src += 34, q += 32, scales += 2) {
    const d = <i32>load<u16>(src);
    if (isSpecialF16(d)) return b;
    store<u16>(scales, <u16>d);
    v128.store(q, v128.load(src, 2));
    v128.store(q, v128.load(src, 18), 16);
  }
  return -1;
}
