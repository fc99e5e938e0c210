// Packed codes × a batch of int8 activations, by tables of partial sums. Four columns of ternary codes have 81 possible sums
// with four given activations, four columns of bits have 16. They are added up once, for all tokens of the batch, and a row
// then adds one entry of each table: 32 tokens take four loads and four additions for 128 products, and no multiplication.
// Nothing here needs relaxed SIMD.
//
//   x       `quantize_absmax_batch`                 scales f32 (⌈chunks / 4⌉, T) │ q i8 (chunks · 64, T)      T = 16 or 32 tokens
//   table   one for 4 columns                       entry e: Σ_k (code_k − 1) · q_k, i16 × T
//             trits   e = Σ_k 3^k · code_k          columns j, 16 + j, 32 + j, 48 + j of a chunk: one byte of the packed row
//             bits    e = Σ_k 2^k · bit_k           columns j, 64 + j, 16 + j, 80 + j of a pair: the low four bits of a byte;
//                                                   the high four bits: the same 32 columns on
//   visit   4 tables of trits or 16 of bits, 21 and 16 kB, meet all rows of a tile; they stay in the first-level cache
//
//   scratch   sums i16 (ROWS, T) │ addresses u32 (4, ROWS, 4) │ tables │ totals f32 (ROWS, T)
//
// The i16 sums hold 64 tables of at most 4 · 127, which are 256 columns; then, or where a scale ends, they go to the totals.

import { CHUNK, CHUNKS_PER_SCALE, batch_data_offset, batch_width } from './inline/codes';
import { f16_mask, f16_scale, load_f16x4 } from './inline/lanes';

const PER_ROW: i32 = 0;
/** Rows that share tables. More make tables cheaper, fewer keep sums and totals in the second-level cache. */
const ROWS: i32 = 1024;
/** Bytes of the addresses of one visit; not a multiple of 4096, so that the four runs do not meet in the cache. */
const RUN: usize = 16 * 1024 + 320;
/** Rows whose codes are asked for before they are used. */
const AHEAD: i32 = 64;
/** Bytes of an entry: a line of the cache, of which 16 tokens fill half. */
const ENTRY: usize = 64;
/** Bytes of a visit's tables: 4 · 81 entries, or 16 · 16. */
const TABLES: usize = 4 * 81 * ENTRY;

// two codes → base 3, of the low and of the high half of a byte; the low half
const LOW = memory.data<u8>([
  0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 0, 0, 0, 0, 0, 9, 18, 0, 27, 36, 45, 0, 54, 63, 72, 0, 0, 0, 0, 0,
  15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
], 16);

/** The tables of one visit, trits: x are the first of four columns j … j + 3. */
function trit_tables(x: usize, T: i32, to: usize): void {
  for (let j = 0; j < 4; j++, x += T, to += 81 * ENTRY) {
    for (let t = 0; t < T; t += 8) {
      const p = x + t;
      const x0 = v128.load8x8_s(p), x1 = v128.load8x8_s(p + 16 * T);
      const x2 = v128.load8x8_s(p + 32 * T), x3 = v128.load8x8_s(p + 48 * T);
      let a = i16x8.sub(i16x8.neg(x0), i16x8.add(i16x8.add(x1, x2), x3));
      let at = to + (t << 1);
      for (let c3 = 0; c3 < 3; c3++, a = i16x8.add(a, x3)) {
        let b = a;
        for (let c2 = 0; c2 < 3; c2++, at += 9 * ENTRY, b = i16x8.add(b, x2)) {
          let c = b;
          v128.store(at, c), c = i16x8.add(c, x0);
          v128.store(at, c, ENTRY), v128.store(at, i16x8.add(c, x0), 2 * ENTRY);
          c = i16x8.add(b, x1);
          v128.store(at, c, 3 * ENTRY);
          let d = i16x8.add(c, x0);
          v128.store(at, d, 4 * ENTRY), v128.store(at, i16x8.add(d, x0), 5 * ENTRY);
          c = i16x8.add(c, x1);
          v128.store(at, c, 6 * ENTRY);
          d = i16x8.add(c, x0);
          v128.store(at, d, 7 * ENTRY), v128.store(at, i16x8.add(d, x0), 8 * ENTRY);
        }
      }
    }
  }
}

/** The tables of one visit, bits: x is the first of sixteen columns. */
function bit_tables(x: usize, T: i32, to: usize): void {
  for (let j = 0; j < 16; j++, x += T, to += 16 * ENTRY) {
    for (let t = 0; t < T; t += 8) {
      const p = x + t;
      const x0 = v128.load8x8_s(p), x1 = v128.load8x8_s(p + 64 * T);
      const x2 = v128.load8x8_s(p + 16 * T), x3 = v128.load8x8_s(p + 80 * T);
      const d0 = i16x8.add(x0, x0), d1 = i16x8.add(x1, x1), d2 = i16x8.add(x2, x2), d3 = i16x8.add(x3, x3);
      let a = i16x8.sub(i16x8.neg(x0), i16x8.add(i16x8.add(x1, x2), x3));
      let at = to + (t << 1);
      for (let b3 = 0; b3 < 2; b3++, a = i16x8.add(a, d3)) {
        let b = a;
        for (let b2 = 0; b2 < 2; b2++, at += 4 * ENTRY, b = i16x8.add(b, d2)) {
          const c = i16x8.add(b, d1);
          v128.store(at, b), v128.store(at, i16x8.add(b, d0), ENTRY);
          v128.store(at, c, 2 * ENTRY), v128.store(at, i16x8.add(c, d0), 3 * ENTRY);
        }
      }
    }
  }
}

/** Asks for the codes of some rows at once: they are `stride` apart, and the hardware would fetch one after the other. */
// @ts-ignore: decorator
@inline
function touch(w: usize, stride: usize, rows: i32, sink: usize): void {
  let seen = 0;
  for (let r = 0; r < rows; r += 4, w += stride) seen |= load<i32>(w);
  store<i32>(sink, seen); // overwritten; without it nothing would be read
}

/** [at, at + step, at + 2 · step, at + 3 · step] */
// @ts-ignore: decorator
@inline
function addresses(at: usize, step: usize): v128 {
  let v = i32x4.splat(<i32>at);
  v = i32x4.replace_lane(v, 1, <i32>(at + step));
  v = i32x4.replace_lane(v, 2, <i32>(at + 2 * step));
  return i32x4.replace_lane(v, 3, <i32>(at + 3 * step));
}

/** Addresses of the entries that a chunk of each row picks: byte 4v + i of row r goes to run v, row r, place i. */
function trit_entries(w: usize, stride: usize, rows: i32, tables: usize, to: usize): void {
  const low = v128.load(LOW), high = v128.load(LOW, 16), half = v128.load(LOW, 32);
  const base = addresses(tables, 81 * ENTRY);
  for (; rows > 0; rows -= AHEAD) {
    const some = min(rows, AHEAD);
    touch(w, stride, some, to);
    for (let r = 0; r < some; r += 4, w += stride) {
      for (let i = 0; i < 64; i += 16, to += 16) {
        const v = v128.load(w + i);
        const e = i8x16.add(
          i8x16.swizzle(low, v128.and(v, half)),
          i8x16.swizzle(high, v128.and(i16x8.shr_u(v, 4), half)),
        );
        const a = i16x8.shl(i16x8.extend_low_i8x16_u(e), 6), b = i16x8.shl(i16x8.extend_high_i8x16_u(e), 6);
        v128.store(to, i32x4.add(base, i32x4.extend_low_i16x8_u(a)));
        v128.store(to, i32x4.add(base, i32x4.extend_high_i16x8_u(a)), RUN);
        v128.store(to, i32x4.add(base, i32x4.extend_low_i16x8_u(b)), 2 * RUN);
        v128.store(to, i32x4.add(base, i32x4.extend_high_i16x8_u(b)), 3 * RUN);
      }
    }
  }
}

/** Addresses of the entries that one half of a pair of each row picks: byte i of row r goes to row r, place i. */
function bit_entries(w: usize, stride: usize, rows: i32, half: i32, tables: usize, to: usize): void {
  const low = v128.load(LOW, 32);
  const step = ENTRY * 16;
  const a = addresses(tables, step), b = addresses(tables + 4 * step, step);
  const c = addresses(tables + 8 * step, step), d = addresses(tables + 12 * step, step);
  for (; rows > 0; rows -= AHEAD) {
    const some = min(rows, AHEAD);
    touch(w, stride, some, to);
    for (let r = 0; r < some; r += 4, w += stride) {
      for (let i = 0; i < 64; i += 16, to += 64) {
        const v = v128.and(i16x8.shr_u(v128.load(w + i), half << 2), low);
        const e = i16x8.shl(i16x8.extend_low_i8x16_u(v), 6), f = i16x8.shl(i16x8.extend_high_i8x16_u(v), 6);
        v128.store(to, i32x4.add(a, i32x4.extend_low_i16x8_u(e)));
        v128.store(to, i32x4.add(b, i32x4.extend_high_i16x8_u(e)), 16);
        v128.store(to, i32x4.add(c, i32x4.extend_low_i16x8_u(f)), 32);
        v128.store(to, i32x4.add(d, i32x4.extend_high_i16x8_u(f)), 48);
      }
    }
  }
}

/** sums[r] += Σ entries at `quads` · 4 addresses, all rows. The loop that the batch kernels spend their time in. */
// @ts-ignore: decorator
@inline
function add_entries(sums: usize, at: usize, rows: i32, quads: i32, T: i32): void {
  for (const end = sums + <usize>(rows * T << 1); sums < end; sums += T << 1) {
    let a = v128.load(sums), b = v128.load(sums, 16), c = a, d = a;
    if (T == 32) {
      c = v128.load(sums, 32);
      d = v128.load(sums, 48);
    }
    let left = quads;
    do {
      let e = <usize>load<u32>(at);
      a = i16x8.add(a, v128.load(e)), b = i16x8.add(b, v128.load(e, 16));
      if (T == 32) c = i16x8.add(c, v128.load(e, 32)), d = i16x8.add(d, v128.load(e, 48));
      e = <usize>load<u32>(at, 4);
      a = i16x8.add(a, v128.load(e)), b = i16x8.add(b, v128.load(e, 16));
      if (T == 32) c = i16x8.add(c, v128.load(e, 32)), d = i16x8.add(d, v128.load(e, 48));
      e = <usize>load<u32>(at, 8);
      a = i16x8.add(a, v128.load(e)), b = i16x8.add(b, v128.load(e, 16));
      if (T == 32) c = i16x8.add(c, v128.load(e, 32)), d = i16x8.add(d, v128.load(e, 48));
      e = <usize>load<u32>(at, 12);
      a = i16x8.add(a, v128.load(e)), b = i16x8.add(b, v128.load(e, 16));
      if (T == 32) c = i16x8.add(c, v128.load(e, 32)), d = i16x8.add(d, v128.load(e, 48));
      at += 16;
    } while (quads > 1 && --left > 0);
    v128.store(sums, a), v128.store(sums, b, 16);
    if (T == 32) v128.store(sums, c, 32), v128.store(sums, d, 48);
  }
}

/** One visit: tables of some columns, and all rows of a tile. Widths are constants in the innermost loops. */
function visit(bits: bool, x: usize, T: i32, tables: usize, sums: usize, at: usize, rows: i32): void {
  if (bits) {
    bit_tables(x, T, tables);
    if (T == 32) add_entries(sums, at, rows, 4, 32);
    else add_entries(sums, at, rows, 4, 16);
  } else {
    trit_tables(x, T, tables);
    if (T == 32) add_entries(sums, at, rows, 1, 32);
    else add_entries(sums, at, rows, 1, 16);
  }
}

/** Four totals of a row: integers with one scale per row, else already scaled. */
// @ts-ignore: decorator
@inline
function add_total(total: usize, s: v128, kind: i32, scale: v128, xs: usize): void {
  v128.store(total, kind == PER_ROW
    ? i32x4.add(v128.load(total), s)
    : f32x4.add(v128.load(total), f32x4.mul(f32x4.convert_i32x4_s(s), f32x4.mul(scale, v128.load(xs)))));
}

// @ts-ignore: decorator
@inline
function flush_row(sums: usize, totals: usize, T: i32, kind: i32, scale: v128, xs: usize): void {
  for (let t = 0; t < T; t += 8) {
    const s = v128.load(sums + (t << 1));
    const total = totals + (t << 2), at = xs + (t << 2);
    v128.store(sums + (t << 1), i16x8.splat(0));
    add_total(total, i32x4.extend_low_i16x8_s(s), kind, scale, at);
    add_total(total + 16, i32x4.extend_high_i16x8_s(s), kind, scale, at + 16);
  }
}

// @ts-ignore: decorator
@inline
function flush_rows(sums: usize, totals: usize, rows: i32, T: i32, kind: i32, scales: usize, stride: usize, xs: usize): void {
  const f16m = f16_mask(), f16s = f16_scale();
  const short = <usize>T << 1, long = <usize>T << 2;
  for (let r = 0; r < rows; r += 4, scales += stride, sums += 4 * short, totals += 4 * long) {
    const s = kind == PER_ROW ? f16s : load_f16x4(scales, f16m, f16s);
    flush_row(sums, totals, T, kind, v128.shuffle<i32>(s, s, 0, 0, 0, 0), xs);
    flush_row(sums + short, totals + long, T, kind, v128.shuffle<i32>(s, s, 1, 1, 1, 1), xs);
    flush_row(sums + 2 * short, totals + 2 * long, T, kind, v128.shuffle<i32>(s, s, 2, 2, 2, 2), xs);
    flush_row(sums + 3 * short, totals + 3 * long, T, kind, v128.shuffle<i32>(s, s, 3, 3, 3, 3), xs);
  }
}

/** totals += scale · s · sums;  sums = 0. `stride` bytes lie between the scales of two row groups. */
function flush(sums: usize, totals: usize, rows: i32, T: i32, kind: i32, scales: usize, stride: usize, xs: usize): void {
  if (kind == PER_ROW) flush_rows(sums, totals, rows, T, 0, scales, stride, xs);
  else flush_rows(sums, totals, rows, T, 1, scales, stride, xs);
}

/** Four rows of one token. */
// @ts-ignore: decorator
@inline
function put(y: usize, s: v128, kind: i32, scale: v128, xs: usize): void {
  v128.store(y, kind == PER_ROW
    ? f32x4.add(f32x4.splat(0), f32x4.mul(f32x4.convert_i32x4_s(s), f32x4.mul(scale, v128.load32_splat(xs))))
    : s);
}

/** y[t, r] = totals[r, t], with one scale per row times it and the token's. */
function finish(totals: usize, rows: i32, T: i32, n: i32, kind: i32, scales: usize, xs: usize, y: usize, yStride: i32): void {
  const row = <usize>T << 2, next = <usize>yStride << 2;
  for (let t = 0; t < n; t += 4, totals += 16, xs += 16, y += next << 2) {
    const left = n - t;
    for (let r = 0; r < rows; r += 4) {
      const p = totals + <usize>r * row, to = y + (r << 2);
      const a = v128.load(p), b = v128.load(p + row), c = v128.load(p + 2 * row), d = v128.load(p + 3 * row);
      const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5), cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
      const ef = v128.shuffle<i32>(a, b, 2, 6, 3, 7), gh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
      const scale = kind == PER_ROW ? v128.load(scales + (r << 2)) : a;
      put(to, v128.shuffle<i64>(ab, cd, 0, 2), kind, scale, xs);
      if (left > 1) put(to + next, v128.shuffle<i64>(ab, cd, 1, 3), kind, scale, xs + 4);
      if (left > 2) put(to + 2 * next, v128.shuffle<i64>(ef, gh, 0, 2), kind, scale, xs + 8);
      if (left > 3) put(to + 3 * next, v128.shuffle<i64>(ef, gh, 1, 3), kind, scale, xs + 12);
    }
  }
}

/** The loops over tiles of rows and over columns that both kernels share. */
function gemm(
  bits: bool, w: usize, scales: usize, kind: i32, blockChunks: i32, chunks: i32,
  x: usize, y: usize, yStride: i32, r0: i32, r1: i32, n: i32, scratch: usize,
): void {
  const T = batch_width(n);
  const sums = scratch, at = sums + (ROWS << 6), tables = at + 4 * RUN, totals = tables + TABLES;
  const data = x + batch_data_offset(chunks, T);
  const span = kind == PER_ROW ? CHUNKS_PER_SCALE : blockChunks;
  const scaleStride = <usize>(chunks / blockChunks << 3);
  const stride = <usize>chunks << (bits ? 5 : 6);
  for (let first = r0; first < r1; first += ROWS) {
    const rows = min(ROWS, r1 - first);
    const group = w + <usize>(first >> 2) * stride;
    memory.fill(sums, 0, <usize>(rows * T << 1));
    memory.fill(totals, 0, <usize>(rows * T << 2));
    for (let c = 0; c < chunks; c++) {
      if (bits) {
        const from = group + (<usize>(c >> 1) << 6);
        bit_entries(from, stride, rows, c & 1, tables, at);
        visit(true, data + <usize>(((c >> 1) * 128 + ((c & 1) << 5)) * T), T, tables, sums, at, rows);
      } else {
        const from = group + (<usize>c << 6);
        trit_entries(from, stride, rows, tables, at);
        let xp = data + <usize>(c * CHUNK * T);
        let run = at;
        for (let v = 0; v < 4; v++, xp += T << 2, run += RUN) visit(false, xp, T, tables, sums, run, rows);
      }
      if ((c + 1) % span != 0 && c + 1 != chunks) continue;
      const own = scales + <usize>(first >> 2) * scaleStride + (<usize>(c / span) << 3);
      flush(sums, totals, rows, T, kind, own, scaleStride, x + <usize>(c / CHUNKS_PER_SCALE * T << 2));
    }
    finish(totals, rows, T, n, kind, scales + (<usize>first << 2), x, y + (<usize>first << 2), yStride);
  }
}

/**
 * y[t,r] = Σ_b scale[r,b] · s[t,b] · (Σ_{c in block b} (code[r,c] − 1) · q[t,c])                r0 ≤ r < r1, t < n ≤ 32
 * w, scales, kind, blockChunks, chunks, y as `trit2_gemm_i8`;  x as drawn above;  scratch 284160 bytes
 * needs: r0 and r1 multiples of 4, y writable to r1; blockChunks 1, 2 or 4 with kind 1; codes 0 … 2; everything 16-aligned
 * equals: `trit2_gemm_i8` of each token, bit for bit.
 * cost at 32 tokens: 12 instructions of 128 bits for 128 products, of which tables and addresses take 2
 */
export function trit2_gemm_lookup(
  w: usize, scales: usize, kind: i32, blockChunks: i32, chunks: i32,
  x: usize, y: usize, yStride: i32, r0: i32, r1: i32, n: i32, scratch: usize,
): void {
  gemm(false, w, scales, kind, blockChunks, chunks, x, y, yStride, r0, r1, n, scratch);
}

/**
 * y[t,r] = Σ_b scale[r,b] · s[t,b] · (Σ_{c in block b} (2·bit[r,c] − 1) · q[t,c])               r0 ≤ r < r1, t < n ≤ 32
 * the rest as `trit2_gemm_lookup`, with w, scales and blockPairs as `bit1_gemm_i8`, 1 or 2 with kind 1
 */
export function bit1_gemm_lookup(
  w: usize, scales: usize, kind: i32, blockPairs: i32, chunks: i32,
  x: usize, y: usize, yStride: i32, r0: i32, r1: i32, n: i32, scratch: usize,
): void {
  gemm(true, w, scales, kind, blockPairs << 1, chunks, x, y, yStride, r0, r1, n, scratch);
}
