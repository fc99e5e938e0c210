// Many spike vectors × one matrix, by adding the columns of neurons that fired. 64 rows at a time are written out column by
// column into a tile, which stays in the second-level cache while the vectors pass: what fired is read from a list, the
// sums stay in registers. Serves int8 and float matrices at any rate, and codes where few fire; integer sums are exact, so
// that for codes this and nibble.ts give the same bits.
//
//   tile     of integers   column 0: 64 rows, i8 │ column 1 …          of floats   rows 0 … 31: column 0: 32 f32 │ 1 … ‖ rows 32 … 63
//   list     (vectors, stride) i32: columns whose neuron fired, by groups as nibble.ts numbers them
//   nibbles  see nibble.ts

const BLOCK: i32 = 128;
/** Rows of a tile. */
const ROWS: i32 = 64;
/** Columns whose values −1, 0, 1 fit a byte sum. */
const SIGNS_PER_FLUSH: i32 = 127;
/** Columns of int8 that fit a sum of 16 bits: 255 · 128 = 32640. */
const BYTES_PER_FLUSH: i32 = 255;

/**
 * lists[n] = the columns with s[n, c] = 1, counts[n] how many                                          0 ≤ n0 ≤ n < n1
 * x nibbles of `groups` groups    lists (n1, stride) i32    counts (n1) i32
 * needs: n0 and n1 multiples of 8; stride at least the most that can fire
 * cost: per 8 vectors 3 ops for each group, and 12 for each spike
 */
export function spike_lists(x: usize, groups: i32, n0: i32, n1: i32, lists: usize, stride: i32, counts: usize): void {
  memory.fill(counts + (<usize>n0 << 2), 0, <usize>(n1 - n0) << 2);
  for (let n = n0; n < n1; n += 8) {
    let at = x + <usize>(n / BLOCK) * groups * BLOCK + (n % BLOCK);
    for (let g = 0; g < groups; g++, at += BLOCK) {
      const first = ((g & ~15) << 2) + (g & 15);
      for (let word = load<u64>(at); word != 0; word &= word - 1) {
        const bit = <i32>ctz(word);
        const v = n + (bit >> 3);
        const count = load<i32>(counts + (<usize>v << 2));
        store<i32>(counts + (<usize>v << 2), count + 1);
        store<i32>(lists + (<usize>(v * stride + count) << 2), first + ((bit & 3) << 4));
      }
    }
  }
}

/** Sixteen rows of sixteen bytes at `a`, transposed in place; `b` is as large. Four passes that interleave halves. */
function transpose16(a: usize, b: usize): void {
  for (let pass = 0; pass < 4; pass++) {
    for (let i: usize = 0; i < 128; i += 16) {
      const low = v128.load(a + i), high = v128.load(a + i, 128);
      v128.store(b + 2 * i, v128.shuffle<i8>(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
      v128.store(b + 2 * i, v128.shuffle<i8>(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16);
    }
    const swap = a;
    a = b;
    b = swap;
  }
}

/**
 * tile[c, i] = w[r0 + i, c], i < rows; the rest of the 64 are not written or are meaningless
 * kind 0: w codes of `trit2`, `units` chunks   1: bits of `bit1`, `units` chunks   2: int8, `units` blocks of 32 columns
 * tile (cols, 64) i8    scratch 512 bytes
 * needs: r0 a multiple of 4.   cost: 0.3 ops per weight of codes, 0.6 of bytes
 */
export function tile_i8(kind: i32, w: usize, units: i32, r0: i32, rows: i32, tile: usize, scratch: usize): void {
  const three = i8x16.splat(3), one = i8x16.splat(1);
  // pieces of 16 bytes of a row: a chunk, a pair of chunks, half a block
  const pieces = kind == 0 ? units : kind == 1 ? units >> 1 : units << 1;
  const quad = <usize>pieces << 6;
  for (let piece = 0; piece < pieces; piece++) {
    for (let q = 0; q < rows; q += 16) {
      for (let i = 0; i < min(16, rows - q); i++) {
        const r = r0 + q + i;
        const from = w + <usize>(r >> 2) * quad + (kind == 2
          ? (<usize>(piece >> 1) << 7) + ((r & 3) << 5) + ((piece & 1) << 4)
          : (<usize>piece << 6) + ((r & 3) << 4));
        v128.store(scratch + (i << 4), v128.load(from));
      }
      transpose16(scratch, scratch + 256);
      for (let j = 0; j < 16; j++) {
        const v = v128.load(scratch + (j << 4));
        const out = tile + (<usize>j << 6) + q;
        if (kind == 2) {
          v128.store(out + (<usize>piece << 10), v);
        } else if (kind == 0) {
          for (let k = 0; k < 4; k++) {
            v128.store(out + (<usize>(4 * piece + k) << 10), i8x16.sub(v128.and(i16x8.shr_u(v, k << 1), three), one));
          }
        } else {
          for (let k = 0; k < 8; k++) {
            const bit = v128.and(i16x8.shr_u(v, k), one);
            v128.store(out + (<usize>(8 * piece + ((k & 1) << 2) + (k >> 1)) << 10), i8x16.sub(i8x16.add(bit, bit), one));
          }
        }
      }
    }
  }
}

/**
 * tile[c, i] = w[r0 + i, c], i < rows                                                     w (…, stride) f32, row-major
 * tile (2, stride, 32) f32.   needs: r0 and rows multiples of 4, stride too
 */
export function tile_f32(w: usize, stride: i32, r0: i32, rows: i32, tile: usize): void {
  const row = <usize>stride << 2;
  for (let i = 0; i < rows; i += 4) {
    let from = w + <usize>(r0 + i) * row;
    let out = tile + <usize>(i >> 5) * (row << 5) + ((i & 31) << 2);
    for (const end = from + row; from < end; from += 16, out += 512) {
      transpose4(v128.load(from), v128.load(from + row), v128.load(from + 2 * row), v128.load(from + 3 * row), out, 128);
    }
  }
}

/** Writes the transpose of four f32x4, each `stride` bytes from the last. */
// @ts-ignore: decorator
@inline
function transpose4(a: v128, b: v128, c: v128, d: v128, out: usize, stride: usize): void {
  const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5), cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const ef = v128.shuffle<i32>(a, b, 2, 6, 3, 7), gh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<i64>(ab, cd, 0, 2));
  v128.store(out + stride, v128.shuffle<i64>(ab, cd, 1, 3));
  v128.store(out + 2 * stride, v128.shuffle<i64>(ef, gh, 0, 2));
  v128.store(out + 3 * stride, v128.shuffle<i64>(ef, gh, 1, 3));
}

/** Sums of four vectors (4, 64) f32 → y[i, n … n + 3] = scale[i] · sum + bias[i], or sum + bias[i] without scales. */
function finish(sums: usize, scales: usize, bias: usize, y: usize, yStride: i32, rows: i32): void {
  const stride = <usize>yStride << 2;
  for (let i = 0; i < rows; i += 4, sums += 16, y += 4 * stride) {
    let a = v128.load(sums), b = v128.load(sums, 256), c = v128.load(sums, 512), d = v128.load(sums, 768);
    if (scales != 0) {
      const s = v128.load(scales + (i << 2));
      a = f32x4.mul(a, s), b = f32x4.mul(b, s), c = f32x4.mul(c, s), d = f32x4.mul(d, s);
    }
    const e = v128.load(bias + (i << 2));
    transpose4(f32x4.add(a, e), f32x4.add(b, e), f32x4.add(c, e), f32x4.add(d, e), y, stride);
  }
}

/** y[0 … 7] += eight exact sums. */
function add8(y: usize, sum: v128): void {
  v128.store(y, f32x4.add(v128.load(y), f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(sum))));
  v128.store(y, f32x4.add(v128.load(y, 16), f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(sum))), 16);
}

// @ts-ignore: decorator
@inline
function add16(y: usize, sum: v128): void {
  add8(y, i16x8.extend_low_i8x16_s(sum));
  add8(y + 32, i16x8.extend_high_i8x16_s(sum));
}

/** Sums of one vector of values −1, 0 and 1: y[i] = Σ_{c in list} tile[c, i]. */
function gather_signs(tile: usize, list: usize, count: i32, y: usize): void {
  while (count > 0) {
    const n = min(count, SIGNS_PER_FLUSH);
    count -= n;
    let a = i8x16.splat(0), b = a, c = a, d = a;
    for (const end = list + (n << 2); list < end; list += 4) {
      const p = tile + (<usize>load<i32>(list) << 6);
      a = i8x16.add(a, v128.load(p)), b = i8x16.add(b, v128.load(p, 16));
      c = i8x16.add(c, v128.load(p, 32)), d = i8x16.add(d, v128.load(p, 48));
    }
    add16(y, a), add16(y + 64, b), add16(y + 128, c), add16(y + 192, d);
  }
}

/** Sums of one vector of any int8. */
function gather_bytes(tile: usize, list: usize, count: i32, y: usize): void {
  while (count > 0) {
    const n = min(count, BYTES_PER_FLUSH);
    count -= n;
    let a = i16x8.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    for (const end = list + (n << 2); list < end; list += 4) {
      const p = tile + (<usize>load<i32>(list) << 6);
      a = i16x8.add(a, v128.load8x8_s(p)), b = i16x8.add(b, v128.load8x8_s(p, 8));
      c = i16x8.add(c, v128.load8x8_s(p, 16)), d = i16x8.add(d, v128.load8x8_s(p, 24));
      e = i16x8.add(e, v128.load8x8_s(p, 32)), f = i16x8.add(f, v128.load8x8_s(p, 40));
      g = i16x8.add(g, v128.load8x8_s(p, 48)), h = i16x8.add(h, v128.load8x8_s(p, 56));
    }
    add8(y, a), add8(y + 32, b), add8(y + 64, c), add8(y + 96, d);
    add8(y + 128, e), add8(y + 160, f), add8(y + 192, g), add8(y + 224, h);
  }
}

/**
 * y[i, n] = scale[i] · (Σ_{c in list n} tile[c, i]) + bias[i]                                   i < rows, n < vectors
 * tile of `tile_i8`; kind 0, 1: its values are −1, 0, 1    lists, counts of `spike_lists`    y (rows, yStride) f32
 * scales, bias (rows) f32, those of the tile's rows    scratch 1024 bytes
 * needs: rows and vectors multiples of 4
 * exact: the integer sum, up to 2^24 in magnitude; then f32: · scale, + bias.   equals: reference.spikeGemm, bit for bit
 * cost: per spike and 64 rows 9 ops, of any int8 17
 */
export function gather_i8(
  kind: i32, tile: usize, lists: usize, stride: i32, counts: usize, scales: usize, bias: usize, y: usize, yStride: i32,
  rows: i32, n: i32, scratch: usize,
): void {
  for (let first = 0; first < n; first += 4, y += 16) {
    memory.fill(scratch, 0, 4 * ROWS * 4);
    for (let v = 0; v < 4; v++, lists += <usize>stride << 2, counts += 4) {
      const sums = scratch + v * ROWS * 4;
      if (kind == 2) gather_bytes(tile, lists, load<i32>(counts), sums);
      else gather_signs(tile, lists, load<i32>(counts), sums);
    }
    finish(scratch, scales, bias, y, yStride, rows);
  }
}

/**
 * y[i, n] = (Σ_{c in list n} tile[c, i]) + bias[i]                                              i < rows, n < vectors
 * tile of `tile_f32` with `cols` columns; all else as `gather_i8`
 * order: the columns of the list, one after the other, then the bias.   equals: reference.spikeGemm, bit for bit
 * cost: per spike and 32 rows 9 ops
 */
export function gather_f32(
  tile: usize, cols: i32, lists: usize, stride: i32, counts: usize, bias: usize, y: usize, yStride: i32,
  rows: i32, n: i32, scratch: usize,
): void {
  for (let first = 0; first < n; first += 4, y += 16) {
    for (let v = 0; v < 4; v++, lists += <usize>stride << 2, counts += 4) {
      const end = lists + (<usize>load<i32>(counts) << 2);
      for (let half = 0; half < rows; half += 32) {
        const from = tile + (<usize>half * cols << 2);
        let a = f32x4.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
        for (let list = lists; list < end; list += 4) {
          const p = from + (<usize>load<i32>(list) << 7);
          a = f32x4.add(a, v128.load(p)), b = f32x4.add(b, v128.load(p, 16));
          c = f32x4.add(c, v128.load(p, 32)), d = f32x4.add(d, v128.load(p, 48));
          e = f32x4.add(e, v128.load(p, 64)), f = f32x4.add(f, v128.load(p, 80));
          g = f32x4.add(g, v128.load(p, 96)), h = f32x4.add(h, v128.load(p, 112));
        }
        const out = scratch + v * ROWS * 4 + (half << 2);
        v128.store(out, a), v128.store(out, b, 16), v128.store(out, c, 32), v128.store(out, d, 48);
        v128.store(out, e, 64), v128.store(out, f, 80), v128.store(out, g, 96), v128.store(out, h, 112);
      }
    }
    finish(scratch, 0, bias, y, yStride, rows);
  }
}
