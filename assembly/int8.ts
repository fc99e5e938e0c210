// int8 rows × int8, int16 or f32 activations.

import { f16_mask, f16_scale, load_f16x4, reduce4_f32, reduce4_i32 } from './inline/lanes';

/** One row's 32 weights at w against 32 widened activations; four i32 sums of eight products each. */
// @ts-ignore: decorator
@inline
function dot32(w: usize, x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  return i32x4.add(
    i32x4.add(i32x4.dot_i16x8_s(v128.load8x8_s(w), x0), i32x4.dot_i16x8_s(v128.load8x8_s(w, 8), x1)),
    i32x4.add(i32x4.dot_i16x8_s(v128.load8x8_s(w, 16), x2), i32x4.dot_i16x8_s(v128.load8x8_s(w, 24), x3)),
  );
}

/**
 * y[t,r] = Σ_b scale[r,b] · s[t,b] · (Σ_{c in block b} w[r,c] · q[t,c])      blocks of 32 columns     r0 ≤ r < r1, t < n
 * w int8, 4 rows interleaved by 32    x n vectors of `quantize_block32_i16`, xStride bytes apart    y (n, yStride) f32
 * scales  kind 0: f32 per row, applied once at the end;   kind 1: f16, (rows/4, blocks, 4)
 *
 *   w   block 0: row0 32 B │ row1 32 B │ row2 32 B │ row3 32 B │ block 1: …
 *
 * needs: r0, r1 multiples of 4, y writable to r1; w and x 16-aligned
 * exact: |Σ| ≤ 32·128·32767 < 2^27; of int8 activations below 2^19, whose f32 is exact too; then f32, block after block
 * equals: reference.int8Gemm, bit for bit, in every build.
 * cost: 60 ops per 128 weights; 1.06 bytes read per weight and batch of n. Limited by memory on one thread
 */
export function int8_gemm_i16(
  w: usize, scales: usize, kind: i32, blocks: i32,
  x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32,
): void {
  const f16m = f16_mask(), f16s = f16_scale();
  const data = ((blocks << 2) + 63) & ~63;
  for (let r = r0; r < r1; r += 4) {
    const group = w + (<usize>(r >> 2) * blocks << 7);
    for (let t = 0; t < n; t++) {
      const xt = x + <usize>t * xStride;
      let wp = group;
      let xp = xt + data;
      let sp = scales + (<usize>(r >> 2) * blocks << 3);
      let out = f32x4.splat(0);
      for (let b = 0; b < blocks; b++, wp += 128, xp += 64, sp += 8) {
        const x0 = v128.load(xp), x1 = v128.load(xp, 16), x2 = v128.load(xp, 32), x3 = v128.load(xp, 48);
        const sum = reduce4_i32(
          dot32(wp, x0, x1, x2, x3),
          dot32(wp + 32, x0, x1, x2, x3),
          dot32(wp + 64, x0, x1, x2, x3),
          dot32(wp + 96, x0, x1, x2, x3),
        );
        const xs = v128.load32_splat(xt + (b << 2));
        const scale = kind == 0 ? xs : f32x4.mul(load_f16x4(sp, f16m, f16s), xs);
        out = f32x4.add(out, f32x4.mul(f32x4.convert_i32x4_s(sum), scale));
      }
      if (kind == 0) out = f32x4.mul(out, v128.load(scales + (<usize>r << 2)));
      v128.store(y + (<usize>(t * yStride + r) << 2), out);
    }
  }
}

/** Blocks whose weights are widened at a time: 16 kB for eight rows, half of a first-level cache. */
const TILE_BLOCKS: i32 = 32;

/** Eight pairs of columns of four rows: rows of a pair come together, and bytes become i16. Room is left for four more rows. */
// @ts-ignore: decorator
@inline
function widen(w: usize, to: usize): void {
  const a = v128.load(w), b = v128.load(w, 32), c = v128.load(w, 64), d = v128.load(w, 96);
  const ab = v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11), cd = v128.shuffle<i16>(c, d, 0, 8, 1, 9, 2, 10, 3, 11);
  const ef = v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15), gh = v128.shuffle<i16>(c, d, 4, 12, 5, 13, 6, 14, 7, 15);
  let v = v128.shuffle<i32>(ab, cd, 0, 4, 1, 5);
  v128.store(to, i16x8.extend_low_i8x16_s(v)), v128.store(to, i16x8.extend_high_i8x16_s(v), 32);
  v = v128.shuffle<i32>(ab, cd, 2, 6, 3, 7);
  v128.store(to, i16x8.extend_low_i8x16_s(v), 64), v128.store(to, i16x8.extend_high_i8x16_s(v), 96);
  v = v128.shuffle<i32>(ef, gh, 0, 4, 1, 5);
  v128.store(to, i16x8.extend_low_i8x16_s(v), 128), v128.store(to, i16x8.extend_high_i8x16_s(v), 160);
  v = v128.shuffle<i32>(ef, gh, 2, 6, 3, 7);
  v128.store(to, i16x8.extend_low_i8x16_s(v), 192), v128.store(to, i16x8.extend_high_i8x16_s(v), 224);
}

/** Four rows of some blocks to a tile: weights, and scales as f32. */
function widen_rows(w: usize, scales: usize, kind: i32, blocks: i32, to: usize, toScales: usize): void {
  const f16m = f16_mask(), f16s = f16_scale();
  for (let b = 0; b < blocks; b++, w += 128, scales += 8, to += 512, toScales += 32) {
    widen(w, to);
    widen(w + 16, to + 256);
    // one scale per row is applied at the end
    v128.store(toScales, kind == 0 ? f32x4.splat(1) : load_f16x4(scales, f16m, f16s));
  }
}

/** out[0 … 7] += f32(sums) · (scale · s), of one token. */
// @ts-ignore: decorator
@inline
function add_block(out: usize, low: v128, high: v128, s: v128, scale0: v128, scale1: v128): void {
  v128.store(out, f32x4.add(v128.load(out), f32x4.mul(f32x4.convert_i32x4_s(low), f32x4.mul(scale0, s))));
  v128.store(out, f32x4.add(v128.load(out, 16), f32x4.mul(f32x4.convert_i32x4_s(high), f32x4.mul(scale1, s))), 16);
}

/** Eight rows × the four tokens at a, b, c, d over some blocks. Rows lie in lanes: nothing is added across a vector. */
function tile(w: usize, scales: usize, blocks: i32, s: usize, q: usize, a: usize, b: usize, c: usize, d: usize, out: usize): void {
  for (let i = 0; i < blocks; i++, s += 4, scales += 32) {
    let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
    for (const end = w + 512; w < end; w += 64, q += 8) {
      const pa = a + q, pb = b + q, pc = c + q, pd = d + q;
      let w0 = v128.load(w), w1 = v128.load(w, 16), p = v128.load32_splat(pa);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(w0, p)), a1 = i32x4.add(a1, i32x4.dot_i16x8_s(w1, p)), p = v128.load32_splat(pb);
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(w0, p)), b1 = i32x4.add(b1, i32x4.dot_i16x8_s(w1, p)), p = v128.load32_splat(pc);
      c0 = i32x4.add(c0, i32x4.dot_i16x8_s(w0, p)), c1 = i32x4.add(c1, i32x4.dot_i16x8_s(w1, p)), p = v128.load32_splat(pd);
      d0 = i32x4.add(d0, i32x4.dot_i16x8_s(w0, p)), d1 = i32x4.add(d1, i32x4.dot_i16x8_s(w1, p));
      w0 = v128.load(w, 32), w1 = v128.load(w, 48), p = v128.load32_splat(pa, 4);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(w0, p)), a1 = i32x4.add(a1, i32x4.dot_i16x8_s(w1, p)), p = v128.load32_splat(pb, 4);
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(w0, p)), b1 = i32x4.add(b1, i32x4.dot_i16x8_s(w1, p)), p = v128.load32_splat(pc, 4);
      c0 = i32x4.add(c0, i32x4.dot_i16x8_s(w0, p)), c1 = i32x4.add(c1, i32x4.dot_i16x8_s(w1, p)), p = v128.load32_splat(pd, 4);
      d0 = i32x4.add(d0, i32x4.dot_i16x8_s(w0, p)), d1 = i32x4.add(d1, i32x4.dot_i16x8_s(w1, p));
    }
    const scale0 = v128.load(scales), scale1 = v128.load(scales, 16);
    add_block(out, a0, a1, v128.load32_splat(a + s), scale0, scale1);
    add_block(out + 32, b0, b1, v128.load32_splat(b + s), scale0, scale1);
    add_block(out + 64, c0, c1, v128.load32_splat(c + s), scale0, scale1);
    add_block(out + 96, d0, d1, v128.load32_splat(d + s), scale0, scale1);
  }
}

/**
 * `int8_gemm_i16` for many vectors: eight rows are widened once, into a tile, and meet four vectors at a time.
 *
 *   tile      block 0: columns 0, 1 of rows 0 … 7, i16, 32 B │ columns 2, 3 │ … │ columns 30, 31 ‖ block 1: …
 *   scratch   tile, 16 kB │ scales f32 (32, 8) │ out f32 (n rounded up to 4, 8)
 *
 * needs: as `int8_gemm_i16`; scratch of 17408 + 32 · (n + 3) bytes, 16-aligned
 * equals: `int8_gemm_i16`, bit for bit.
 * cost: 55 instructions per 128 products at 32 vectors, of which 16 multiply and 16 add; 75 in `int8_gemm_i16`
 */
export function int8_gemm_tile(
  w: usize, scales: usize, kind: i32, blocks: i32,
  x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32, scratch: usize,
): void {
  const data = <usize>(((blocks << 2) + 63) & ~63);
  const rowScales = scratch + (TILE_BLOCKS << 9), out = rowScales + (TILE_BLOCKS << 5);
  const rowBytes = <usize>blocks << 7;
  for (let r = r0; r < r1; r += 8) {
    const both = r + 4 < r1;
    memory.fill(out, 0, <usize>((n + 3) & ~3) << 5);
    for (let b = 0; b < blocks; b += TILE_BLOCKS) {
      const some = min(TILE_BLOCKS, blocks - b);
      const group = <usize>(r >> 2) * blocks + b;
      widen_rows(w + (group << 7), scales + (group << 3), kind, some, scratch, rowScales);
      if (both) {
        widen_rows(w + (group << 7) + rowBytes, scales + (group + blocks << 3), kind, some, scratch + 16, rowScales + 16);
      }
      for (let t = 0; t < n; t += 4) {
        // vectors behind the last are read again in its place, and not stored
        tile(
          scratch, rowScales, some, <usize>b << 2, data + (<usize>b << 6),
          x + <usize>t * xStride, x + <usize>min(t + 1, n - 1) * xStride,
          x + <usize>min(t + 2, n - 1) * xStride, x + <usize>min(t + 3, n - 1) * xStride, out + (<usize>t << 5),
        );
      }
    }
    for (let t = 0; t < n; t++) {
      const from = out + (<usize>t << 5), to = y + (<usize>(t * yStride + r) << 2);
      let low = v128.load(from), high = v128.load(from, 16);
      if (kind == 0) {
        low = f32x4.mul(low, v128.load(scales + (<usize>r << 2)));
        if (both) high = f32x4.mul(high, v128.load(scales + (<usize>r << 2), 16));
      }
      v128.store(to, low);
      if (both) v128.store(to, high, 16);
    }
  }
}

/** sum + the products of a row's eight weights at w with eight activations, in four lanes. */
// @ts-ignore: decorator
@inline
function exact8(sum: v128, w: usize, low: v128, high: v128): v128 {
  const pair = v128.load8x8_s(w);
  return f32x4.add(sum, f32x4.add(
    f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(pair)), low),
    f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(pair)), high),
  ));
}

/**
 * y[t,r] = Σ_b scale[r,b] · (Σ_{c in block b} w[r,c] · x[t,c])      blocks of 32 columns     r0 ≤ r < r1, t < n
 * w and scales as `int8_gemm_i16`    x (n, xStride) f32, zeros after the last column    y (n, yStride) f32
 * needs: r0, r1 multiples of 4; x readable to blocks · 32
 * order: per block eight by eight in four lanes, these as (0 + 2) + (1 + 3), then block after block
 * equals: reference.int8Exact, bit for bit, in every build.   cost: 160 ops per 128 weights
 */
export function int8_gemm_f32(
  w: usize, scales: usize, kind: i32, blocks: i32,
  x: usize, xStride: i32, y: usize, yStride: i32, r0: i32, r1: i32, n: i32,
): void {
  const f16m = f16_mask(), f16s = f16_scale();
  for (let r = r0; r < r1; r += 4) {
    for (let t = 0; t < n; t++) {
      let wp = w + (<usize>(r >> 2) * blocks << 7);
      let xp = x + (<usize>t * xStride << 2);
      let sp = scales + (<usize>(r >> 2) * blocks << 3);
      let out = f32x4.splat(0);
      for (let b = 0; b < blocks; b++, wp += 96, sp += 8) {
        let s0 = f32x4.splat(0), s1 = f32x4.splat(0), s2 = f32x4.splat(0), s3 = f32x4.splat(0);
        for (let i = 0; i < 4; i++, wp += 8, xp += 32) {
          const low = v128.load(xp), high = v128.load(xp, 16);
          s0 = exact8(s0, wp, low, high);
          s1 = exact8(s1, wp + 32, low, high);
          s2 = exact8(s2, wp + 64, low, high);
          s3 = exact8(s3, wp + 96, low, high);
        }
        const sum = reduce4_f32(s0, s1, s2, s3);
        out = f32x4.add(out, kind == 0 ? sum : f32x4.mul(load_f16x4(sp, f16m, f16s), sum));
      }
      if (kind == 0) out = f32x4.mul(out, v128.load(scales + (<usize>r << 2)));
      v128.store(y + (<usize>(t * yStride + r) << 2), out);
    }
  }
}
