// Many spike vectors × one matrix of packed codes, by looking up instead of adding. Four columns of a row have 16 possible
// partial sums: a table of 16 bytes, which the row's byte of four codes picks from 256. A byte swizzle then looks up the four
// spikes of 16 vectors at a time: 64 pairs of weight and input with one swizzle and one addition, and no multiplication.
//
//   spikes of a layer, nibbles   vectors in blocks of 128    block 0: group 0 128 B │ group 1 128 B │ …    block 1: …
//     byte n of group 16a + j    bit k: feature 64a + 16k + j of vector n; bits 4 … 7 are 0
//     so that a group meets one byte of a chunk as inline/codes.ts draws it, and 128 vectors one stretch of the cache
//   features are padded to 128 and vectors to 128; features that are not there are silent
//
//   tables   256 of 16 bytes     table b, entry s: 4 + Σ_k s_k · (code_k − 1), 0 … 12    s_k, code_k: bit and 2-bit field k of s, b
//            in those for bits the fields are 0 and 1, for −1 and +1; 16 of the 256 are used
//
// Sums of 16 groups stay in bytes (at most 192), then in u16: whole lanes, and their upper halves. The two builds differ in
// the swizzle alone, and both look up indices under 16, where all engines agree.

import { f16_mask, f16_scale, load_f16x4 } from './inline/lanes';

/** Vectors of one block. */
const BLOCK: i32 = 128;
/** Chunks whose sums a u16 holds, with codes up to 3: 340 · 16 groups · 12 = 65280. */
const MAX_CHUNKS: i32 = 340;

/** Writes the 256 tables of ternary codes, and behind them those of bits: 8192 bytes. */
export function nibble_tables(out: usize): void {
  for (let at = 0; at < 8192; at++, out++) {
    const two = 1 + (at >> 12); // what a field counts
    let sum = 4;
    for (let k = 0; k < 4; k++) {
      if ((at >> k) & 1) sum += ((at >> (4 + 2 * k)) & 3) * two - 1;
    }
    store<u8>(out, <u8>sum);
  }
}

/** Entries x of a table, for sixteen vectors. */
// @ts-ignore: decorator
@inline
function look(table: v128, x: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i8x16.relaxed_swizzle(table, x) : i8x16.swizzle(table, x);
}

/** The table that a byte of codes picks. */
// @ts-ignore: decorator
@inline
function table(tables: usize, w: usize): v128 {
  return v128.load(tables + (<usize>load<u8>(w) << 4));
}

/** Adds sixteen byte sums to u16 sums: eight whole lanes, eight upper halves. */
// @ts-ignore: decorator
@inline
function flush(sums: usize, a: v128): void {
  v128.store(sums, i16x8.add(v128.load(sums), a));
  v128.store(sums, i16x8.add(v128.load(sums, 16), i16x8.shr_u(a, 8)), 16);
}

/** Where the codes of a chunk begin: in the row, or of bits every other one of a pair of chunks, taken out to `codes`. */
// @ts-ignore: decorator
@inline
function chunkAt(bits: i32, row: usize, chunk: i32, codes: usize): usize {
  if (!bits) return row + (<usize>chunk << 6);
  const pair = v128.load(row + (<usize>(chunk >> 1) << 6));
  v128.store(codes, v128.and(i16x8.shr_u(pair, chunk & 1), i8x16.splat(0x55)));
  return codes;
}

/** u16 sums of chunks from … end − 1 of a row against 128 vectors. */
function sum8(bits: i32, tables: usize, row: usize, from: i32, end: i32, x: usize, sums: usize): void {
  for (let i = 0; i < 256; i += 16) v128.store(sums + i, i8x16.splat(0));
  for (let chunk = from; chunk < end; chunk++) {
    let w = chunkAt(bits, row, chunk, sums + 256);
    let xp = x + (<usize>chunk << 11);
    let a = i8x16.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    for (const last = w + 16; w < last; w++, xp += BLOCK) {
      const t = table(tables, w);
      a = i8x16.add(a, look(t, v128.load(xp))), b = i8x16.add(b, look(t, v128.load(xp, 16)));
      c = i8x16.add(c, look(t, v128.load(xp, 32))), d = i8x16.add(d, look(t, v128.load(xp, 48)));
      e = i8x16.add(e, look(t, v128.load(xp, 64))), f = i8x16.add(f, look(t, v128.load(xp, 80)));
      g = i8x16.add(g, look(t, v128.load(xp, 96))), h = i8x16.add(h, look(t, v128.load(xp, 112)));
    }
    flush(sums, a), flush(sums + 32, b), flush(sums + 64, c), flush(sums + 96, d);
    flush(sums + 128, e), flush(sums + 160, f), flush(sums + 192, g), flush(sums + 224, h);
  }
}

/** The same against 32 vectors. */
function sum2(bits: i32, tables: usize, row: usize, from: i32, end: i32, x: usize, sums: usize, codes: usize): void {
  for (let i = 0; i < 64; i += 16) v128.store(sums + i, i8x16.splat(0));
  for (let chunk = from; chunk < end; chunk++) {
    let w = chunkAt(bits, row, chunk, codes);
    let xp = x + (<usize>chunk << 11);
    let a = i8x16.splat(0), b = a;
    for (const last = w + 16; w < last; w++, xp += BLOCK) {
      const t = table(tables, w);
      a = i8x16.add(a, look(t, v128.load(xp))), b = i8x16.add(b, look(t, v128.load(xp, 16)));
    }
    flush(sums, a), flush(sums + 32, b);
  }
}

/** y[n] = s · (sum[n] − offset) + b, or with `more` plus y[n]; n < count. */
function finish(sums: usize, offset: i32, s: v128, b: v128, y: usize, count: i32, more: bool): void {
  const zero = i16x8.splat(<i16>offset);
  for (let left = count; left > 0; left -= 16, sums += 32) {
    // lanes and their upper halves
    const all = v128.load(sums), odd = v128.load(sums, 16);
    const even = i16x8.sub(i16x8.sub(all, i16x8.shl(odd, 8)), zero);
    const rest = i16x8.sub(odd, zero);
    let eight = v128.shuffle<i16>(even, rest, 0, 8, 1, 9, 2, 10, 3, 11);
    for (let i = 0; i < min(left, 16); i += 4, y += 16) {
      if (i == 8) eight = v128.shuffle<i16>(even, rest, 4, 12, 5, 13, 6, 14, 7, 15);
      let out = f32x4.mul(s, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(eight)));
      eight = v128.shuffle<i64>(eight, eight, 1, 0);
      out = f32x4.add(more ? v128.load(y) : b, out);
      v128.store(y, out);
    }
  }
}

/**
 * y[r − r0, n] = scale[r] · (Σ_c weight[r, c] · s[n, c]) + bias[r]                                  r0 ≤ r < r1, all n
 * bits 0: w codes as `trit2_gemm_i8`, weight = code − 1    1: w bits as `bit1_gemm_i8`, weight = 2·bit − 1
 * x nibbles    tables of `nibble_tables`    y (r1 − r0, yStride) f32    bias (r1) f32    scratch 272 bytes
 * scales, kind  as `trit2_gemm_i8`, of `blockChunks` chunks; a scale per block of columns: Σ_b scale[r, b] · (Σ_{c in b} …) + bias[r]
 * needs: n a multiple of 4; blockChunks at most 340 unless kind is 0; w, x, tables and scratch 16-aligned
 * exact: the integer sum, up to 2^24 columns; then f32: · scale, + bias, blocks in turn
 * equals: reference.spikeGemm, bit for bit, in every build
 * cost: per 64 pairs 3 ops (base 4), and 3 per four weights and 128 vectors
 */
export function nibble_gemm(
  bits: i32, w: usize, scales: usize, kind: i32, blockChunks: i32, chunks: i32, bias: usize, tables: usize,
  x: usize, y: usize, yStride: i32, r0: i32, r1: i32, n: i32, scratch: usize,
): void {
  const f16m = f16_mask(), f16s = f16_scale();
  const quad = <usize>chunks << (bits ? 5 : 6); // bytes of four rows
  const none = f32x4.splat(0), one = f32x4.splat(1);
  const whole = min(blockChunks, MAX_CHUNKS) == chunks; // one sum per row
  if (bits) tables += 4096;
  for (; n > 0; n -= BLOCK, x += <usize>chunks << 11, y += BLOCK * 4) {
    const count = min(n, BLOCK);
    let out = y;
    for (let r = r0; r < r1; r++, out += <usize>yStride << 2) {
      const row = w + <usize>(r >> 2) * quad + ((r & 3) << 4);
      const b = v128.load32_splat(bias + (<usize>r << 2));
      const scale = kind == 0 ? v128.load32_splat(scales + (<usize>r << 2)) : one;
      for (let from = 0; from < chunks;) {
        const end = min(chunks, from + min(blockChunks, MAX_CHUNKS));
        if (count > 96) sum8(bits, tables, row, from, end, x, scratch);
        else for (let i = 0; i < count; i += 32) sum2(bits, tables, row, from, end, x + i, scratch + (i << 1), scratch + 256);
        let s = whole ? scale : one;
        if (kind != 0) {
          const block = scales + (<usize>((r >> 2) * (chunks / blockChunks) + from / blockChunks) << 3) + ((r & 3) << 1);
          s = f32x4.splat(f32x4.extract_lane(load_f16x4(block, f16m, f16s), 0));
        }
        finish(scratch, (end - from) << 6, s, whole ? b : none, out, count, from > 0);
        from = end;
      }
      if (whole) continue;
      for (let i = 0; i < count << 2; i += 16) {
        v128.store(out + i, f32x4.add(f32x4.mul(v128.load(out + i), scale), b));
      }
    }
  }
}
