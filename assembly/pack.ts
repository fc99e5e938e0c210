// Codes and int8 values in row order → the interleaved layouts of the kernels, and single rows back to f32.

import { f16_mask, f16_scale, load_f16x4 } from './inline/lanes';

/**
 * Four rows of one-byte codes → one row group of `trit2`                                  drawing: see ternary.ts
 * codes (4, stride) u8 in 0 … 3; `cols` are real, the rest to chunks · 64 is written as code 1 (weight 0); rows beyond
 * `rows` likewise    out (chunks, 4, 16) u8
 * needs: codes readable to stride rounded up to 16.   equals: reference.packTrit2.   cost: ~1 op per 2 weights
 */
export function pack_trit2(codes: usize, stride: i32, rows: i32, cols: i32, chunks: i32, out: usize): void {
  const one = i8x16.splat(1);
  for (let c = 0; c < chunks; c++) {
    for (let r = 0; r < 4; r++, out += 16) {
      const at = c << 6;
      const from = codes + r * stride + at;
      if (r < rows && at + 64 <= cols) {
        v128.store(out, v128.or(
          v128.or(v128.load(from), i16x8.shl(v128.load(from, 16), 2)),
          v128.or(i16x8.shl(v128.load(from, 32), 4), i16x8.shl(v128.load(from, 48), 6)),
        ));
        continue;
      }
      v128.store(out, v128.or(v128.or(one, i16x8.shl(one, 2)), v128.or(i16x8.shl(one, 4), i16x8.shl(one, 6))));
      if (r >= rows) continue;
      for (let i = 0; i < min(64, cols - at); i++) {
        const byte = out + (i & 15);
        const shift = (i >> 4) << 1;
        store<u8>(byte, <u8>((<i32>load<u8>(byte) & ~(3 << shift)) | (<i32>load<u8>(from + i) << shift)));
      }
    }
  }
}

/**
 * Four rows of one-byte bits → one row group of `bit1`                                    drawing: see ternary.ts
 * bits (4, stride) u8 in 0 … 1    out (pairs, 4, 16) u8; columns and rows that are not there are 0, their activations too
 * needs: cols a multiple of 64 or less than 64 in the last chunk only.   equals: reference.packBit1
 */
export function pack_bit1(bits: usize, stride: i32, rows: i32, cols: i32, pairs: i32, out: usize): void {
  for (let c = 0; c < pairs; c++) {
    for (let r = 0; r < 4; r++, out += 16) {
      v128.store(out, i8x16.splat(0));
      if (r >= rows) continue;
      const at = c << 7;
      const from = bits + r * stride + at;
      if (at + 128 <= cols) {
        let all = i8x16.splat(0);
        for (let k = 0; k < 4; k++) {
          all = v128.or(all, i16x8.shl(v128.load(from + (k << 4)), k << 1));
          all = v128.or(all, i16x8.shl(v128.load(from + 64 + (k << 4)), (k << 1) + 1));
        }
        v128.store(out, all);
        continue;
      }
      for (let i = 0; i < min(128, cols - at); i++) {
        const byte = out + (i & 15);
        const shift = (((i & 63) >> 4) << 1) + (i >> 6);
        store<u8>(byte, <u8>(<i32>load<u8>(byte) | (<i32>load<u8>(from + i) << shift)));
      }
    }
  }
}

/**
 * Four rows of int8 → one row group of `i8`                                                drawing: see int8.ts
 * q (4, stride) i8    out (blocks, 4, 32) i8; columns and rows that are not there are 0
 */
export function pack_int8(q: usize, stride: i32, rows: i32, cols: i32, blocks: i32, out: usize): void {
  for (let b = 0; b < blocks; b++) {
    for (let r = 0; r < 4; r++, out += 32) {
      const at = b << 5;
      const from = q + r * stride + at;
      if (r < rows && at + 32 <= cols) {
        v128.store(out, v128.load(from));
        v128.store(out, v128.load(from, 16), 16);
      } else {
        memory.fill(out, 0, 32);
        if (r < rows) memory.copy(out, from, max(0, cols - at));
      }
    }
  }
}

/**
 * f16 scales of four rows → the order of the kernels: out[b][r] = scales[r][b]
 * scales (4, stride) u16    out (blocks, 4) u16; rows and blocks that are not there are 0
 */
export function pack_scales(scales: usize, stride: i32, rows: i32, fileBlocks: i32, blocks: i32, out: usize): void {
  for (let b = 0; b < blocks; b++) {
    for (let r = 0; r < 4; r++, out += 2) {
      store<u16>(out, r < rows && b < fileBlocks ? load<u16>(scales + ((r * stride + b) << 1)) : 0);
    }
  }
}

@inline
function scale_at(scales: usize, kind: i32, row: i32, blocks: i32, block: i32): f32 {
  if (kind == 0) return load<f32>(scales + (<usize>row << 2));
  const at = scales + (<usize>((row >> 2) * blocks + block) << 3);
  return f32x4.extract_lane(load_f16x4(at + ((row & 3) << 1) , f16_mask(), f16_scale()), 0);
}

/** out[c] = scale · (code[row, c] − 1), c < cols: one row of `trit2` as f32, for embeddings. */
export function row_trit2(w: usize, scales: usize, kind: i32, blockChunks: i32, chunks: i32, row: i32, cols: i32, out: usize): void {
  const base = w + (<usize>(row >> 2) * chunks << 6) + ((row & 3) << 4);
  let scale: f32 = 0;
  for (let c = 0; c < cols; c++) {
    const chunk = c >> 6, i = c & 63;
    if (i == 0) scale = scale_at(scales, kind, row, chunks / blockChunks, chunk / blockChunks);
    const code = (<i32>load<u8>(base + (<usize>chunk << 6) + (i & 15)) >> ((i >> 4) << 1)) & 3;
    store<f32>(out + (c << 2), scale * <f32>(code - 1));
  }
}

/** out[c] = ± scale, c < cols: one row of `bit1` as f32. */
export function row_bit1(w: usize, scales: usize, kind: i32, blockPairs: i32, chunks: i32, row: i32, cols: i32, out: usize): void {
  const pairs = chunks >> 1;
  const base = w + (<usize>(row >> 2) * pairs << 6) + ((row & 3) << 4);
  let scale: f32 = 0;
  for (let c = 0; c < cols; c++) {
    const pair = c >> 7, i = c & 127;
    if (i == 0) scale = scale_at(scales, kind, row, pairs / blockPairs, pair / blockPairs);
    const bit = (<i32>load<u8>(base + (<usize>pair << 6) + (i & 15)) >> ((((i & 63) >> 4) << 1) + (i >> 6))) & 1;
    store<f32>(out + (c << 2), bit ? scale : -scale);
  }
}

/** out[c] = scale · w[row, c], c < cols: one row of `i8` as f32. */
export function row_int8(w: usize, scales: usize, kind: i32, blocks: i32, row: i32, cols: i32, out: usize): void {
  const base = w + (<usize>(row >> 2) * blocks << 7) + ((row & 3) << 5);
  let scale: f32 = 0;
  for (let c = 0; c < cols; c++) {
    const block = c >> 5, i = c & 31;
    if (i == 0) scale = scale_at(scales, kind, row, blocks, block);
    store<f32>(out + (c << 2), scale * <f32>load<i8>(base + (<usize>block << 7) + i));
  }
}

/** dst[i] = src[i], i < n. */
export function copy_f32(src: usize, dst: usize, n: i32): void {
  memory.copy(dst, src, <usize>n << 2);
}
