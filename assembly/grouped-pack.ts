// Grouped codes in row order → the layouts of grouped.ts, and back to f32. Load time and embeddings only. What unpackers write:
//
//   codes   one byte for each weight, in column order, unsigned
//   parts   per block: d f16 │ min f16 │ of K-quants 16 scales i8, 16 minima u8, one for every 16 columns

import { grouped_scale_bytes } from './grouped';
import { f32FromF16 } from './inline/half';

// @ts-ignore: decorator
@inline
function part_bytes(kind: i32): i32 {
  return kind & 1 ? 36 : 4;
}

@inline
function half(at: usize): f32 {
  return f32x4.extract_lane(f32FromF16(i32x4.splat(<i32>load<u16>(at))), 0);
}

/** d · scale · (code − zero) − min · minimum, rounded as in gguf's Python package: products in turn, then the difference. */
@inline
function weight(d: f32, scale: f32, code: i32, min: f32, kind: i32): f32 {
  const product = scale * <f32>(code - (kind >> 2));
  return kind & 2 ? product - min : product;
}

/** out[i] = weight i of whole blocks. */
export function grouped_to_f32(codes: usize, parts: usize, kind: i32, blocks: i32, out: usize): void {
  const groups = kind & 1 ? 16 : 2;
  for (let b = 0; b < blocks; b++, parts += part_bytes(kind)) {
    const d = half(parts), min = half(parts + 2);
    for (let g = 0; g < groups; g++) {
      const scale = kind & 1 ? d * <f32>load<i8>(parts + 4 + g) : d;
      const m = kind & 1 ? min * <f32>load<u8>(parts + 20 + g) : min;
      for (let i = 0; i < 16; i++, codes++, out += 4) store<f32>(out, weight(d, scale, load<u8>(codes), m, kind));
    }
  }
}

/** Four rows of codes → one row group. codes (rows, 32 · units) u8; rows that are not there are 0    bits: 4 or 8 */
export function pack_grouped(bits: i32, codes: usize, rows: i32, units: i32, out: usize): void {
  const columns = bits == 4 ? 8 : 4;
  for (let c = 0; c < units << 5; c += columns) {
    for (let r = 0; r < 4; r++, out += 4) {
      const from = codes + <usize>r * (units << 5) + c;
      store<u32>(out, r >= rows ? 0 : bits == 4 ? load<u32>(from) | (load<u32>(from, 4) << 4) : load<u32>(from));
    }
  }
}

/** The parts of four rows → their scales. parts (rows, blocks) */
export function pack_parts(bits: i32, parts: usize, rows: i32, kind: i32, blocks: i32, out: usize): void {
  const size = part_bytes(kind), stride = <usize>blocks * size;
  memory.fill(out, 0, blocks * grouped_scale_bytes(bits, kind));
  for (let b = 0; b < blocks; b++, parts += size, out += grouped_scale_bytes(bits, kind)) {
    for (let r = 0; r < rows; r++) {
      const from = parts + r * stride;
      let to = out + (r << 1);
      store<u16>(to, load<u16>(from));
      if (kind & 2) store<u16>(to + 8, load<u16>(from, 2));
      if (!(kind & 1)) continue;
      to = out + (kind & 2 ? 16 : 8) + (bits == 4 ? r : r << 1);
      for (let g = 4; g < 20; g += 2) {
        if (bits == 4) store<u8>(to, load<u8>(from + g));
        else store<u16>(to, load<u16>(from + g));
        to += bits == 4 ? 4 : 8;
        if (!(kind & 2)) continue;
        if (bits == 4) store<u8>(to, load<u8>(from + g, 16));
        else store<u16>(to, load<u16>(from + g, 16));
        to += bits == 4 ? 4 : 8;
      }
    }
  }
}

/** One packed row as f32: an embedding. */
export function row_grouped(bits: i32, w: usize, scales: usize, kind: i32, units: i32, row: i32, out: usize): void {
  const unitBytes = bits << 4, step = bits == 4 ? 4 : 8, lane = row & 3;
  const blocks = kind & 1 ? units >> 3 : units;
  const span = kind & 1 ? 8 : 1;
  let from = w + <usize>(row >> 2) * units * unitBytes + (lane << 2);
  let part = scales + <usize>(row >> 2) * blocks * grouped_scale_bytes(bits, kind);
  for (let b = 0; b < blocks; b++, part += grouped_scale_bytes(bits, kind)) {
    const d = half(part + (lane << 1)), min: f32 = kind & 2 ? half(part + 8 + (lane << 1)) : 0;
    let group = part + (kind & 2 ? 16 : 8) + (bits == 4 ? lane : lane << 1);
    for (let u = 0; u < span; u++, from += unitBytes) {
      for (let c = 0; c < 32; c++, out += 4) {
        const other = bits == 8 && c >= 16 ? 1 : 0;
        const scale = kind & 1 ? d * <f32>load<i8>(group + other) : d;
        const m = kind & 1 && kind & 2 ? min * <f32>load<u8>(group + step + other) : min;
        const code = bits == 4
          ? <i32>load<u8>(from + (c >> 3 << 4) + (c & 3)) >> (c & 4) & 15
          : <i32>load<u8>(from + (c >> 2 << 4) + (c & 3));
        store<f32>(out, weight(d, scale, code, m, kind));
      }
      if (kind & 1) group += kind & 2 ? step << 1 : step;
    }
  }
}
