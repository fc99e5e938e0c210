// Sums of the columns of neurons that fired. A silent neuron's column is never read; nothing is multiplied but each output
// by its scale, once. Matrices lie column by column (input by input), four columns are taken at a time, and the sums stay
// in the first-level cache.
//
//   list (count) i32, ascending: which columns.    sums: scratch, one integer per row

/**
 * y[r] = Σ_{i in list} w[i, r]                                                                           r0 ≤ r < r1
 * w (cols, stride) f32, column-major    y (r1) f32
 * needs: r0, r1, stride multiples of 4
 * order: columns ascending, four at a time: y + ((w0 + w1) + (w2 + w3)); then one by one
 * equals: reference.columnSum, bit for bit.   cost: 1.5 ops and 4 bytes per weight of an active column
 */
export function columns_f32(w: usize, stride: i32, list: usize, count: i32, y: usize, r0: i32, r1: i32): void {
  memory.fill(y + (<usize>r0 << 2), 0, <usize>(r1 - r0) << 2);
  let j = 0;
  for (; j + 4 <= count; j += 4, list += 16) {
    const a = w + (<usize>load<i32>(list) * stride << 2), b = w + (<usize>load<i32>(list, 4) * stride << 2);
    const c = w + (<usize>load<i32>(list, 8) * stride << 2), d = w + (<usize>load<i32>(list, 12) * stride << 2);
    for (let r = r0; r < r1; r += 4) {
      const at = <usize>r << 2;
      v128.store(y + at, f32x4.add(v128.load(y + at), f32x4.add(
        f32x4.add(v128.load(a + at), v128.load(b + at)), f32x4.add(v128.load(c + at), v128.load(d + at)),
      )));
    }
  }
  for (; j < count; j++, list += 4) {
    const a = w + (<usize>load<i32>(list) * stride << 2);
    for (let r = r0; r < r1; r += 4) {
      const at = <usize>r << 2;
      v128.store(y + at, f32x4.add(v128.load(y + at), v128.load(a + at)));
    }
  }
}

// Integer columns carry their scales beside them: one f32 for every row and every `span` inputs that follow one another, as
// (groups, rows). The sums of a group are whole, exact integers; then y + scale · sum is rounded twice, group after group from
// y = 0, groups without an active input left out. Where one scale serves a row, span is the number of inputs.

/** How many entries of a list that is not empty lie in the group of the first. */
@inline
export function in_group(list: usize, count: i32, span: i32): i32 {
  const end = (load<i32>(list) / span + 1) * span;
  if (load<i32>(list + (<usize>(count - 1) << 2)) < end) return count;
  let n = 1;
  while (load<i32>(list + (<usize>n << 2)) < end) n++;
  return n;
}

/** Four outputs: y += scale · sum, rounded twice. */
@inline
export function add_scaled(sum: v128, scale: usize, y: usize): void {
  v128.store(y, f32x4.add(v128.load(y), f32x4.mul(f32x4.convert_i32x4_s(sum), v128.load(scale))));
}

/**
 * y[r] = Σ_g scale[g, r] · Σ_{i in list, i / span = g} w[i, r]                                          r0 ≤ r < r1
 * w (cols, stride) i8, column-major    scales (cols / span, stride) f32    sums (rows) i32 scratch    y (rows) f32
 * needs: r0, r1 multiples of 16
 * exact: the sum of a group is an exact i32 up to 2^24 columns; four i8 are added in i16, then in i32
 * equals: reference.columnSumScaled, bit for bit.   cost: 0.7 ops and 1 byte per weight of an active column
 */
export function columns_i8(
  w: usize, stride: i32, scales: usize, span: i32, list: usize, count: i32, sums: usize, y: usize, r0: i32, r1: i32,
): void {
  memory.fill(y + (<usize>r0 << 2), 0, <usize>(r1 - r0) << 2);
  while (count > 0) {
    let n = in_group(list, count, span);
    const scale = scales + (<usize>(load<i32>(list) / span * stride) << 2);
    count -= n;
    // all but the last four are added up beside; a group of four or less needs no sums
    const summed = i32x4.splat(n > 4 ? -1 : 0);
    if (n > 4) memory.fill(sums + (<usize>r0 << 2), 0, <usize>(r1 - r0) << 2);
    for (; n > 4; n -= 4, list += 16) {
      const a = w + <usize>load<i32>(list) * stride, b = w + <usize>load<i32>(list, 4) * stride;
      const c = w + <usize>load<i32>(list, 8) * stride, d = w + <usize>load<i32>(list, 12) * stride;
      for (let r = r0; r < r1; r += 8) {
        const sum = i16x8.add(
          i16x8.add(v128.load8x8_s(a + r), v128.load8x8_s(b + r)), i16x8.add(v128.load8x8_s(c + r), v128.load8x8_s(d + r)),
        );
        const at = sums + (<usize>r << 2);
        v128.store(at, i32x4.add(v128.load(at), i32x4.extend_low_i16x8_s(sum)));
        v128.store(at, i32x4.add(v128.load(at, 16), i32x4.extend_high_i16x8_s(sum)), 16);
      }
    }
    // columns behind the last are read as the first again and not added
    const a = w + <usize>load<i32>(list) * stride;
    const b = n > 1 ? w + <usize>load<i32>(list, 4) * stride : a;
    const c = n > 2 ? w + <usize>load<i32>(list, 8) * stride : a;
    const d = n > 3 ? w + <usize>load<i32>(list, 12) * stride : a;
    const mb = i16x8.splat(n > 1 ? -1 : 0), mc = i16x8.splat(n > 2 ? -1 : 0), md = i16x8.splat(n > 3 ? -1 : 0);
    list += <usize>n << 2;
    for (let r = r0; r < r1; r += 8) {
      const sum = i16x8.add(
        i16x8.add(v128.load8x8_s(a + r), v128.and(v128.load8x8_s(b + r), mb)),
        i16x8.add(v128.and(v128.load8x8_s(c + r), mc), v128.and(v128.load8x8_s(d + r), md)),
      );
      const at = <usize>r << 2;
      const low = i32x4.add(i32x4.extend_low_i16x8_s(sum), v128.and(v128.load(sums + at), summed));
      const high = i32x4.add(i32x4.extend_high_i16x8_s(sum), v128.and(v128.load(sums + at, 16), summed));
      add_scaled(low, scale + at, y + at);
      add_scaled(high, scale + at + 16, y + at + 16);
    }
  }
}

/** Columns whose codes fit a byte sum: 255 / 3, in fours. */
const CODES_PER_FLUSH: i32 = 84;

// V8 rebuilds v128 constants at every use; a load from memory is free beside that.
const FIELDS = memory.data<u32>([
  0x33333333, 0x33333333, 0x33333333, 0x33333333, 0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f,
], 16);

/** Adds byte sums to i32 sums and clears them. */
@inline
function flush(bytes: usize, sums: usize, r0: i32, r1: i32): void {
  for (let r = r0; r < r1; r += 16) {
    const v = v128.load(bytes + r);
    const low = i16x8.extend_low_i8x16_u(v), high = i16x8.extend_high_i8x16_u(v);
    const at = sums + (<usize>r << 2);
    v128.store(at, i32x4.add(v128.load(at), i32x4.extend_low_i16x8_u(low)));
    v128.store(at, i32x4.add(v128.load(at, 16), i32x4.extend_high_i16x8_u(low)), 16);
    v128.store(at, i32x4.add(v128.load(at, 32), i32x4.extend_low_i16x8_u(high)), 32);
    v128.store(at, i32x4.add(v128.load(at, 48), i32x4.extend_high_i16x8_u(high)), 48);
    v128.store(bytes + r, i8x16.splat(0));
  }
}

/**
 * y[r] = Σ_g scale[g, r] · Σ_{i in list, i / span = g} (code[i, r] − 1)                                 r0 ≤ r < r1
 * w (cols, rows / 4) u8, column-major    scales (cols / span, rows) f32    sums (rows) i32 scratch    bytes (rows) u8 scratch
 * y (rows) f32
 *
 *   64 rows of one column, 16 bytes     byte j   bits 1-0 row j   3-2 row 16+j   5-4 row 32+j   7-6 row 48+j
 *
 * needs: r0, r1 multiples of 64; codes 0 … 3
 * exact: 2-bit codes of four columns are added as 4-bit fields (at most 12), these as bytes, flushed every 84 columns
 * equals: reference.columnSumScaled, bit for bit.   cost: 0.15 ops and 0.25 byte per weight of an active column
 */
export function columns_trit2(
  w: usize, rows: i32, scales: usize, span: i32, list: usize, count: i32, sums: usize, bytes: usize, y: usize, r0: i32,
  r1: i32,
): void {
  const stride = <usize>rows >> 2;
  const pairs = v128.load(FIELDS), low = v128.load(FIELDS, 16);
  memory.fill(bytes + r0, 0, r1 - r0);
  memory.fill(y + (<usize>r0 << 2), 0, <usize>(r1 - r0) << 2);
  while (count > 0) {
    let n = in_group(list, count, span);
    const scale = scales + (<usize>(load<i32>(list) / span * rows) << 2);
    count -= n;
    const first = i32x4.splat(-n);
    for (let r = r0; r < r1; r += 4) v128.store(sums + (<usize>r << 2), first);
    for (let left = CODES_PER_FLUSH; n > 0; n -= 4) {
      const a = w + <usize>load<i32>(list) * stride;
      const b = n > 1 ? w + <usize>load<i32>(list, 4) * stride : a;
      const c = n > 2 ? w + <usize>load<i32>(list, 8) * stride : a;
      const d = n > 3 ? w + <usize>load<i32>(list, 12) * stride : a;
      const mb = i8x16.splat(n > 1 ? -1 : 0), mc = i8x16.splat(n > 2 ? -1 : 0), md = i8x16.splat(n > 3 ? -1 : 0);
      list += <usize>min(n, 4) << 2;
      for (let r = r0; r < r1; r += 64) {
        const from = <usize>r >> 2;
        const va = v128.load(a + from), vb = v128.and(v128.load(b + from), mb);
        const vc = v128.and(v128.load(c + from), mc), vd = v128.and(v128.load(d + from), md);
        const even = i8x16.add(
          i8x16.add(v128.and(va, pairs), v128.and(vb, pairs)), i8x16.add(v128.and(vc, pairs), v128.and(vd, pairs)),
        );
        const odd = i8x16.add(
          i8x16.add(v128.and(i16x8.shr_u(va, 2), pairs), v128.and(i16x8.shr_u(vb, 2), pairs)),
          i8x16.add(v128.and(i16x8.shr_u(vc, 2), pairs), v128.and(i16x8.shr_u(vd, 2), pairs)),
        );
        const at = bytes + r;
        v128.store(at, i8x16.add(v128.load(at), v128.and(even, low)));
        v128.store(at, i8x16.add(v128.load(at, 16), v128.and(odd, low)), 16);
        v128.store(at, i8x16.add(v128.load(at, 32), v128.and(i16x8.shr_u(even, 4), low)), 32);
        v128.store(at, i8x16.add(v128.load(at, 48), v128.and(i16x8.shr_u(odd, 4), low)), 48);
      }
      left -= 4;
      if (left == 0) {
        flush(bytes, sums, r0, r1);
        left = CODES_PER_FLUSH;
      }
    }
    flush(bytes, sums, r0, r1);
    for (let r = r0; r < r1; r += 4) {
      const at = <usize>r << 2;
      add_scaled(v128.load(sums + at), scale + at, y + at);
    }
  }
}

/** dst[c · stride + r] = src[r · cols + c]: a few rows written across columns, while loading. */
export function transpose_f32(src: usize, rows: i32, cols: i32, dst: usize, stride: i32): void {
  for (let c = 0; c < cols; c++) {
    for (let r = 0; r < rows; r++) {
      store<f32>(dst + (<usize>(c * stride + r) << 2), load<f32>(src + (<usize>(r * cols + c) << 2)));
    }
  }
}
