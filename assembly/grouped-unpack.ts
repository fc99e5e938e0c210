/**
 * Blocks of 4 to 6 bits, and of the K-quants → one code per weight in column order, and scales. Load time only.
 *
 * Q5_0 and IQ4_NL have no more than a scale: they become int8, as `unpack_q8_0` gives it. The rest become unsigned codes and
 * the parts drawn in grouped-pack.ts. All return −1, or the index of the first block with an f16 scale that is NaN or ±∞.
 */
import { isSpecialF16 } from './inline/half';

/** The numbers of ggml. */
const Q4_0: i32 = 2, Q4_1: i32 = 3, Q5_1: i32 = 7, Q2_K: i32 = 10, Q3_K: i32 = 11, Q4_K: i32 = 12, Q5_K: i32 = 13, Q6_K: i32 = 14;

const IQ4_VALUES = memory.data<i8>([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], 16);

/** codes[i] = src[i] >> shift & mask, i < n; n a multiple of 16. `shift` is under 8. */
@inline
function fields(src: usize, shift: i32, mask: i32, n: i32, codes: usize): void {
  const m = i8x16.splat(<i8>mask);
  for (let i = 0; i < n; i += 16) v128.store(codes + i, v128.and(i16x8.shr_u(v128.load(src + i), shift), m));
}

/** codes[i] |= (src[i] >> shift & mask) << up. */
@inline
function more(src: usize, shift: i32, mask: i32, up: i32, n: i32, codes: usize): void {
  const m = i8x16.splat(<i8>mask);
  for (let i = 0; i < n; i += 16) {
    const v = v128.and(i16x8.shr_u(v128.load(src + i), shift), m);
    v128.store(codes + i, v128.or(v128.load(codes + i), i16x8.shl(v, up)));
  }
}

/** Nibbles of 32 columns: 16 low ones, then 16 high ones. */
@inline
function nibbles(src: usize, codes: usize): void {
  fields(src, 0, 15, 16, codes);
  fields(src, 4, 15, 16, codes + 16);
}

/** The fifth bits of 32 columns, lowest first. */
@inline
function fifths(bits: u32, codes: usize): void {
  for (let i = 0; i < 32; i++) store<u8>(codes + i, load<u8>(codes + i) | <u8>((bits >> i & 1) << 4));
}

/** Q5_0, 32 weights in 22 bytes: d f16, fifth bits u32, nibbles; w = d · (code − 16).  equals: gguf's Python package */
export function unpack_q5_0(src: usize, q: usize, scales: usize, blocks: i32): i32 {
  for (let b = 0; b < blocks; b++, src += 22, q += 32, scales += 2) {
    if (isSpecialF16(<i32>load<u16>(src))) return b;
    store<u16>(scales, load<u16>(src));
    nibbles(src + 6, q);
    fifths(load<u32>(src, 2), q);
    for (let i = 0; i < 32; i += 16) v128.store(q + i, i8x16.sub(v128.load(q + i), i8x16.splat(16)));
  }
  return -1;
}

/** IQ4_NL, 32 weights in 18 bytes: d f16, nibbles that pick one of 16 values; w = d · value.  equals: gguf's Python package */
export function unpack_iq4_nl(src: usize, q: usize, scales: usize, blocks: i32): i32 {
  const values = v128.load(IQ4_VALUES);
  for (let b = 0; b < blocks; b++, src += 18, q += 32, scales += 2) {
    if (isSpecialF16(<i32>load<u16>(src))) return b;
    store<u16>(scales, load<u16>(src));
    nibbles(src + 2, q);
    for (let i = 0; i < 32; i += 16) v128.store(q + i, i8x16.swizzle(values, v128.load(q + i)));
  }
  return -1;
}

/** Q4_0 18 B: d, nibbles.  Q4_1 20 B: d, m, nibbles.  Q5_1 24 B: d, m, fifth bits, nibbles.  The minimum is −m. */
function legacy(type: i32, src: usize, codes: usize, parts: usize): void {
  const mins = type != Q4_0;
  store<u16>(parts, load<u16>(src));
  store<u16>(parts, mins ? load<u16>(src, 2) ^ 0x8000 : 0, 2);
  nibbles(src + (type == Q4_0 ? 2 : type == Q4_1 ? 4 : 8), codes);
  if (type == Q5_1) fifths(load<u32>(src, 4), codes);
}

/** Scales and minima of Q4_K and Q5_K, 6 bits each in 12 bytes; each serves 32 columns, so is written twice. */
function six_bits(src: usize, parts: usize): void {
  for (let g = 0; g < 8; g++) {
    const at = src + (g & 3);
    let scale = <i32>load<u8>(at), min = <i32>load<u8>(at, 4);
    if (g < 4) scale &= 63, min &= 63;
    else {
      const both = <i32>load<u8>(at, 8);
      scale = (both & 15) | (scale >> 2 & 48), min = both >> 4 | (min >> 2 & 48);
    }
    store<u16>(parts + (g << 1), <u16>(scale * 257), 4);
    store<u16>(parts + (g << 1), <u16>(min * 257), 20);
  }
}

/** Q4_K 144 B: d, min, 12 B of scales, nibbles.  Q5_K 176 B: likewise, with 32 B of fifth bits before the nibbles. */
function k45(five: bool, src: usize, codes: usize, parts: usize): void {
  store<u32>(parts, load<u32>(src));
  six_bits(src + 4, parts);
  const qs = src + (five ? 48 : 16);
  for (let g = 0; g < 8; g++) {
    fields(qs + (g >> 1 << 5), (g & 1) << 2, 15, 32, codes + (g << 5));
    if (five) more(src + 16, g, 1, 4, 32, codes + (g << 5));
  }
}

/** Q2_K 84 B: 16 scales and minima of 4 bits, 64 B of 2-bit codes, d, min. */
function k2(src: usize, codes: usize, parts: usize): void {
  store<u32>(parts, load<u32>(src, 80));
  fields(src, 0, 15, 16, parts + 4);
  fields(src, 4, 15, 16, parts + 20);
  for (let g = 0; g < 8; g++) fields(src + 16 + (g >> 2 << 5), (g & 3) << 1, 3, 32, codes + (g << 5));
}

/** Q3_K 110 B: 32 B of third bits, 64 B of 2-bit codes, 16 scales of 6 bits less 32, d; code − 4. */
function k3(src: usize, codes: usize, parts: usize): void {
  store<u32>(parts, load<u16>(src, 108));
  for (let g = 0; g < 16; g++) {
    const low = <i32>load<u8>(src + (g & 7), 96) >> (g >> 3 << 2) & 15;
    const high = <i32>load<u8>(src + (g & 3), 104) >> (g >> 2 << 1) & 3;
    store<i8>(parts + g, <i8>((low | high << 4) - 32), 4);
  }
  for (let g = 0; g < 8; g++) {
    fields(src + 32 + (g >> 2 << 5), (g & 3) << 1, 3, 32, codes + (g << 5));
    more(src, g, 1, 2, 32, codes + (g << 5));
  }
}

/** Q6_K 210 B: 128 B of nibbles, 64 B of upper bits, 16 scales i8, d; code − 32. */
function k6(src: usize, codes: usize, parts: usize): void {
  store<u32>(parts, load<u16>(src, 208));
  v128.store(parts, v128.load(src, 192), 4);
  for (let g = 0; g < 8; g++) {
    const s = g & 3, at = src + (g >> 2 << 6) + ((s & 1) << 5);
    fields(at, s >> 1 << 2, 15, 32, codes + (g << 5));
    more(src + 128 + (g >> 2 << 5), s << 1, 3, 4, 32, codes + (g << 5));
  }
}

/**
 * Blocks of `type`, a number of ggml, to codes and parts.
 * src (blocks, bytes)    codes (blocks, 32 or 256) u8    parts (blocks, 4 or 36)
 * needs: nothing of alignment.   exact
 * equals: gguf's Python package.   cost: load time
 */
export function unpack_grouped(type: i32, src: usize, codes: usize, parts: usize, blocks: i32): i32 {
  const large = type >= Q2_K;
  let bytes = 18;
  if (type == Q4_1) bytes = 20;
  else if (type == Q5_1) bytes = 24;
  else if (type == Q2_K) bytes = 84;
  else if (type == Q3_K) bytes = 110;
  else if (type == Q4_K) bytes = 144;
  else if (type == Q5_K) bytes = 176;
  else if (type == Q6_K) bytes = 210;
  for (let b = 0; b < blocks; b++, src += bytes, codes += large ? 256 : 32, parts += large ? 36 : 4) {
    if (!large) legacy(type, src, codes, parts);
    else if (type == Q2_K) k2(src, codes, parts);
    else if (type == Q3_K) k3(src, codes, parts);
    else if (type == Q6_K) k6(src, codes, parts);
    else k45(type == Q5_K, src, codes, parts);
    if (isSpecialF16(<i32>load<u16>(parts)) || isSpecialF16(<i32>load<u16>(parts, 2))) return b;
  }
  return -1;
}
