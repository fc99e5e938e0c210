/** Batches of vectors × packed codes and int8 rows: equal to the plain references bit for bit, token by token. */
import { codeVectorBytes, int8VectorBytes, TILE_BYTES } from '../../src/description/layout.ts';
import { f16, f16Bits } from '../reference.ts';
import { blockGemv, quantizeAbsmax } from '../reference-matrix.ts';
import { kernelSuite, normals, random, sameBits } from './harness.ts';

const up = (n: number, to: number): number => Math.ceil(n / to) * to;

/** n different vectors: random, zero, both extremes, alternating, and scaled. */
function vectors(n: number, cols: number): Float32Array[] {
  const kinds = [
    (i: number): number => Math.sin(i * 1.7 + cols) * (1 + (i % 7)),
    () => 0,
    () => 127,
    () => -127,
    (i: number): number => (i % 2 ? 127 : -127),
  ];
  return Array.from({ length: n }, (_, t) => {
    if (t < kinds.length) return Float32Array.from({ length: cols }, (_, i) => kinds[t](i));
    return normals(cols, t, 10 ** (t % 9 - 4));
  });
}

function flat(xs: Float32Array[], stride: number): Float32Array {
  const all = new Float32Array(xs.length * stride);
  xs.forEach((x, t) => all.set(x, t * stride));
  return all;
}

await kernelSuite('batch', ({ k, arena }, test) => {
  /** Runs the tables over codes in row order, and compares. `block` 0: one f32 scale per row. */
  const checkCodes = (
    layout: 'trit2' | 'bit1',
    rows: number,
    cols: number,
    block: number,
    n: number,
    codes: Uint8Array,
  ): void => {
    arena.reset();
    const chunks = up(cols, 128) / 64;
    const padded = up(rows, 4);
    const bits = layout === 'bit1';
    const groupBytes = chunks * (bits ? 32 : 64);
    const w = arena.alloc((padded / 4) * groupBytes);
    const fileBlocks = block === 0 ? 1 : Math.ceil(cols / block);
    const blocks = block === 0 ? 1 : (chunks * 64) / block;
    const half = Uint16Array.from(normals(rows * fileBlocks, rows + cols, 0.3), f16Bits);
    const scales = Float32Array.from(half, f16);
    const packed = block === 0 ? arena.alloc(padded * 4) : arena.alloc(padded * blocks * 2);
    const four = arena.alloc(4 * cols + 64);
    const own = arena.alloc(4 * fileBlocks * 2);
    for (let r = 0; r < rows; r += 4) {
      const count = Math.min(4, rows - r);
      new Uint8Array(arena.memory.buffer, four, count * cols).set(codes.subarray(r * cols, (r + count) * cols));
      const to = w + (r / 4) * groupBytes;
      if (bits) k.pack_bit1(four, cols, count, cols, chunks / 2, to);
      else k.pack_trit2(four, cols, count, cols, chunks, to);
      if (block === 0) continue;
      new Uint16Array(arena.memory.buffer, own, count * fileBlocks).set(
        half.subarray(r * fileBlocks, (r + count) * fileBlocks),
      );
      k.pack_scales(own, fileBlocks, count, fileBlocks, blocks, packed + r * blocks * 2);
    }
    if (block === 0) new Float32Array(arena.memory.buffer, packed, rows).set(scales);
    const xs = vectors(n, cols);
    const x = arena.alloc(32 * codeVectorBytes(cols));
    const span = block === 0 ? chunks : 4;
    k.quantize_absmax_batch(arena.put(flat(xs, chunks * 64)), chunks * 64, cols, chunks, span, x, n);
    const y = arena.alloc(n * padded * 4);
    const perScale = (block === 0 ? chunks : block / 64) / (bits ? 2 : 1);
    const lookup = bits ? k.bit1_gemm_lookup : k.trit2_gemm_lookup;
    lookup(w, packed, block === 0 ? 0 : 1, perScale, chunks, x, y, padded, 0, padded, n, arena.alloc(TILE_BYTES));
    const values = Int8Array.from(codes, (code) => (bits ? 2 * code - 1 : code - 1));
    const reference = { rows, cols, values, block: block || chunks * 64, scales };
    xs.forEach((v, t) => {
      const expected = blockGemv(reference, quantizeAbsmax(v, block === 0 ? chunks * 64 : 256));
      const what = `${layout} ${rows} × ${cols}, block ${block}, vector ${t} of ${n}`;
      sameBits(arena.f32(y + t * padded * 4, rows), expected, what);
    });
  };

  const draw = (n: number, values: number, seed: number): Uint8Array => {
    const u = random(seed);
    return Uint8Array.from({ length: n }, () => Math.floor(u() * values));
  };

  for (const layout of ['trit2', 'bit1'] as const) {
    const values = layout === 'trit2' ? 3 : 2;

    test(`${layout}: tables of 1 to 32 vectors equal the reference at every width and scale`, () => {
      for (const n of [1, 16, 17, 32]) {
        for (const cols of [1, 65, 257, 640]) {
          for (const rows of [1, 6]) checkCodes(layout, rows, cols, 0, n, draw(rows * cols, values, rows + cols));
        }
        for (const block of layout === 'trit2' ? [64, 128, 256] : [128, 256]) {
          for (const blocks of [2, 3]) {
            if ((block * blocks) % 128) continue;
            checkCodes(layout, 7, block * blocks, block, n, draw(7 * block * blocks, values, block + n));
          }
        }
      }
    });

    test(`${layout}: tables over more rows than share them`, () => {
      for (const n of [9, 20]) checkCodes(layout, 1090, 256, 256, n, draw(1090 * 256, values, n));
      checkCodes(layout, 1026, 384, 0, 8, draw(1026 * 384, values, 3));
    });

    // case: N5
    test(`${layout}: no sum of entries overflows with extreme codes and activations`, () => {
      for (const code of layout === 'trit2' ? [0, 2] : [0, 1]) {
        for (const block of [0, 256]) checkCodes(layout, 4, 1 << 12, block, 6, new Uint8Array(4 << 12).fill(code));
      }
    });
  }

  test('int8 tiles of 1 to 32 vectors equal the reference, with all kinds of scales and activations', () => {
    for (const n of [1, 4, 5, 32]) {
      for (const rows of [3, 13]) {
        for (const cols of [1, 33, 1060]) {
          for (const [extreme, top] of [[0, 127], [-128, 127], [0, 32767], [127, 32767]]) {
            for (const perRow of [false, true]) {
              arena.reset();
              const u = random(cols + rows);
              const q = Int8Array.from({ length: rows * cols }, () => extreme || Math.floor(u() * 256) - 128);
              const blocks = Math.ceil(cols / 32);
              const padded = up(rows, 4);
              const bits = Uint16Array.from(normals(rows * blocks, 2, 0.1), f16Bits);
              const scales = perRow ? normals(padded, 3, 0.1) : Float32Array.from(bits, f16);
              const w = arena.alloc(padded * blocks * 32);
              const packed = perRow ? arena.put(scales) : arena.alloc(padded * blocks * 2);
              for (let r = 0; r < rows; r += 4) {
                const count = Math.min(4, rows - r);
                const four = new Int8Array(count * cols + 64);
                four.set(q.subarray(r * cols, (r + count) * cols));
                k.pack_int8(arena.put(four), cols, count, cols, blocks, w + r * blocks * 32);
                if (perRow) continue;
                const own = arena.put(bits.subarray(r * blocks, (r + count) * blocks));
                k.pack_scales(own, blocks, count, blocks, blocks, packed + r * blocks * 2);
              }
              const xs = vectors(n, cols);
              const stride = up(cols, 128);
              const bytes = int8VectorBytes(cols);
              const x = arena.alloc(bytes * n);
              k.quantize_block32_i16(arena.put(flat(xs, stride)), stride, blocks, x, bytes, n, top);
              const y = arena.alloc(n * padded * 4);
              const scratch = arena.alloc(TILE_BYTES);
              k.int8_gemm_tile(w, packed, perRow ? 0 : 1, blocks, x, bytes, y, padded, 0, padded, n, scratch);
              const one = arena.alloc(n * padded * 4);
              k.int8_gemm_i16(w, packed, perRow ? 0 : 1, blocks, x, bytes, one, padded, 0, padded, n);
              xs.forEach((v, t) => {
                const what = `int8 ${rows} × ${cols}, vector ${t} of ${n}, ${perRow}, ${top}`;
                const got = arena.f32(y + t * padded * 4, rows);
                sameBits(got, arena.f32(one + t * padded * 4, rows), what);
                if (perRow || t > 5) return;
                const reference = { rows, cols, values: q, block: 32, scales };
                sameBits(got, blockGemv(reference, quantizeAbsmax(v, 32, top)), what);
              });
            }
          }
        }
      }
    }
  });

  test('a part of the rows leaves the others alone', () => {
    const x = arena.alloc(32 * codeVectorBytes(128));
    k.quantize_absmax_batch(arena.put(normals(8 * 128, 1)), 128, 128, 2, 2, x, 8);
    const w = arena.put(new Uint8Array(6 * 128).fill(0b10010110));
    const scales = arena.put(new Float32Array(24).fill(1));
    const [whole, part] = [arena.alloc(8 * 24 * 4), arena.alloc(8 * 24 * 4)];
    const scratch = arena.alloc(TILE_BYTES);
    k.trit2_gemm_lookup(w, scales, 0, 2, 2, x, whole, 24, 0, 24, 8, scratch);
    k.trit2_gemm_lookup(w, scales, 0, 2, 2, x, part, 24, 8, 12, 8, scratch);
    for (let t = 0; t < 8; t++) {
      const expected = arena.f32(whole + t * 96, 24).map((v, r) => (r >= 8 && r < 12 ? v : 0));
      sameBits(arena.f32(part + t * 96, 24), expected, `vector ${t}`);
    }
  });
});
