/** Packed and float matrices × vectors: equal to the plain references bit for bit, over widths, rows, batches, extremes. */
import * as assert from 'uvu/assert';
import { codeVectorBytes, int8VectorBytes } from '../../src/description/layout.ts';
import { bf16, f16, f16Bits } from '../reference.ts';
import { blockGemv, denseGemv, quantizeAbsmax } from '../reference-matrix.ts';
import { type Guarded, type KernelEnv, kernelSuite, normals, random, sameBits } from './harness.ts';

const WIDTHS = [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1024, 4099];
const HEIGHTS = [1, 3, 4, 5];
const up = (n: number, to: number): number => Math.ceil(n / to) * to;

/** Activations: random, zero, both extremes, alternating. */
function activations(n: number): Float32Array[] {
  return [
    normals(n, n + 11),
    new Float32Array(n),
    new Float32Array(n).fill(127),
    new Float32Array(n).fill(-127),
    Float32Array.from({ length: n }, (_, i) => (i % 2 ? 127 : -127)),
  ];
}

/** Scales as f16 bits and their values; positive, negative, subnormal, zero. */
function halfScales(n: number, seed: number): { bits: Uint16Array; values: Float32Array } {
  const u = random(seed);
  const pick = [f16Bits(0.05), f16Bits(-0.25), 0x0001, 0x8000, 0x7bff];
  const bits = Uint16Array.from(
    { length: n },
    () => (u() < 0.2 ? pick[Math.floor(u() * pick.length)] : f16Bits(u() * 2)),
  );
  return { bits, values: Float32Array.from(bits, f16) };
}

/** Puts n vectors one after the other, each padded with zeros to `stride`. */
function batch(arena: Guarded, xs: Float32Array[], stride: number): number {
  const all = new Float32Array(xs.length * stride);
  xs.forEach((x, t) => all.set(x, t * stride));
  return arena.put(all);
}

type Codes = 'trit2' | 'bit1';

/** Packs codes group by group and multiplies; returns y per vector. `block` 0: one f32 scale per row. */
function runCodes(
  { k, arena }: KernelEnv,
  layout: Codes,
  codes: Uint8Array,
  rows: number,
  cols: number,
  block: number,
  scales: { bits: Uint16Array; values: Float32Array },
  xs: Float32Array[],
): Float32Array[] {
  const chunks = up(cols, 128) / 64;
  const padded = up(rows, 4);
  const groupBytes = layout === 'trit2' ? chunks * 64 : chunks * 32;
  const w = arena.alloc((padded / 4) * groupBytes);
  const perBlock = block === 0 ? chunks : block / 64;
  const blocks = block === 0 ? 1 : up(cols, 128) / block;
  const fileBlocks = block === 0 ? 1 : Math.ceil(cols / block);
  const packedScales = block === 0
    ? arena.put(Float32Array.from({ length: padded }, (_, r) => scales.values[r] ?? 0))
    : arena.alloc(padded * blocks * 2);
  for (let g = 0; g < padded / 4; g++) {
    const count = Math.min(4, rows - g * 4);
    // pack kernels may read a few bytes behind the last code, as the loader's buffer allows
    const four = new Uint8Array(count * cols + 64);
    four.set(codes.subarray(g * 4 * cols, (g * 4 + count) * cols));
    const pack = layout === 'trit2' ? k.pack_trit2 : k.pack_bit1;
    pack(arena.put(four), cols, count, cols, layout === 'trit2' ? chunks : chunks / 2, w + g * groupBytes);
    if (block !== 0) {
      const own = scales.bits.subarray(g * 4 * fileBlocks, (g * 4 + count) * fileBlocks);
      k.pack_scales(arena.put(own), fileBlocks, count, fileBlocks, blocks, packedScales + g * 4 * blocks * 2);
    }
  }
  const stride = up(cols, 128);
  const bytes = codeVectorBytes(cols);
  const x = arena.alloc(bytes * xs.length);
  k.quantize_absmax_i8(batch(arena, xs, stride), stride, cols, chunks, block === 0 ? chunks : 4, x, bytes, xs.length);
  const y = arena.alloc(xs.length * padded * 4);
  const gemm = layout === 'trit2' ? k.trit2_gemm_i8 : k.bit1_gemm_i8;
  const unit = layout === 'trit2' ? perBlock : perBlock / 2;
  gemm(w, packedScales, block === 0 ? 0 : 1, unit, chunks, x, bytes, y, padded, 0, padded, xs.length);
  // rows read back one by one are the codes that went in
  const row = layout === 'trit2' ? k.row_trit2 : k.row_bit1;
  const out = arena.alloc(cols * 4);
  for (let r = 0; r < rows; r++) {
    row(w, packedScales, block === 0 ? 0 : 1, unit, chunks, r, cols, out);
    const read = arena.f32(out, cols);
    for (let c = 0; c < cols; c++) {
      const scale = scales.values[block === 0 ? r : r * fileBlocks + Math.floor(c / block)];
      const code = codes[r * cols + c];
      const value = layout === 'trit2' ? Math.fround(scale * (code - 1)) : code ? scale : -scale;
      if (read[c] !== value) {
        assert.unreachable(`row ${r} column ${c} of ${rows} × ${cols} reads ${read[c]}, not ${value}`);
      }
    }
  }
  return xs.map((_, t) => arena.f32(y + t * padded * 4, padded));
}

function checkCodes(env: KernelEnv, layout: Codes, rows: number, cols: number, block: number, codes: Uint8Array): void {
  env.arena.reset();
  const scales = halfScales(rows * (block === 0 ? 1 : Math.ceil(cols / block)), rows + cols);
  const xs = activations(cols);
  const ys = runCodes(env, layout, codes, rows, cols, block, scales, xs);
  const values = Int8Array.from(codes, (code) => (layout === 'trit2' ? code - 1 : 2 * code - 1));
  const reference = { rows, cols, values, block: block || up(cols, 128), scales: scales.values };
  xs.forEach((x, t) => {
    const expected = blockGemv(reference, quantizeAbsmax(x, block === 0 ? up(cols, 128) : 256));
    const what = `${layout} ${rows} × ${cols}, block ${block}, vector ${t}`;
    sameBits(ys[t].subarray(0, rows), expected, what);
    // padding rows stay zero
    assert.ok(ys[t].subarray(rows).every((v) => v === 0), `${what}: padding`);
  });
}

await kernelSuite('gemm', (env, test) => {
  const { k, arena } = env;

  for (const layout of ['trit2', 'bit1'] as const) {
    const values = layout === 'trit2' ? 3 : 2;
    const codesOf = (n: number, seed: number, of = values): Uint8Array => {
      const u = random(seed);
      return Uint8Array.from({ length: n }, () => Math.floor(u() * of));
    };

    // case: N1
    test(`${layout} with a scale per row equals the reference at every width and height`, () => {
      for (const cols of WIDTHS) {
        for (const rows of HEIGHTS) checkCodes(env, layout, rows, cols, 0, codesOf(rows * cols, rows * cols));
      }
    });

    test(`${layout} with a scale per block of 64, 128 or 256 columns equals the reference`, () => {
      for (const block of layout === 'trit2' ? [64, 128, 256] : [128, 256]) {
        for (const blocks of [1, 2, 3, 17]) {
          if ((block * blocks) % 128 === 0 || block === 64) {
            for (const rows of HEIGHTS) {
              checkCodes(env, layout, rows, block * blocks, block, codesOf(rows * block * blocks, block + rows));
            }
          }
        }
      }
    });

    // case: N5
    test(`${layout}: no sum overflows with extreme codes and activations on rows of 2^14`, () => {
      for (let code = 0; code <= (layout === 'trit2' ? 2 : 1); code++) {
        for (const block of [0, 256]) checkCodes(env, layout, 4, 1 << 14, block, new Uint8Array(4 << 14).fill(code));
      }
    });
  }

  test('int8 with scales per block of 32 equals the reference at every width and height', () => {
    for (const cols of WIDTHS) {
      for (const rows of HEIGHTS) {
        for (const extreme of [0, 127, -128]) {
          arena.reset();
          const u = random(cols + rows);
          const q = Int8Array.from({ length: rows * cols }, () => extreme || Math.floor(u() * 256) - 128);
          const blocks = Math.ceil(cols / 32);
          const scales = halfScales(rows * blocks, cols);
          const padded = up(rows, 4);
          const w = arena.alloc(padded * blocks * 32);
          const packed = arena.alloc(padded * blocks * 2);
          for (let g = 0; g < padded / 4; g++) {
            const count = Math.min(4, rows - g * 4);
            const four = new Int8Array(count * cols + 64);
            four.set(q.subarray(g * 4 * cols, (g * 4 + count) * cols));
            k.pack_int8(arena.put(four), cols, count, cols, blocks, w + g * blocks * 128);
            const own = scales.bits.subarray(g * 4 * blocks, (g * 4 + count) * blocks);
            k.pack_scales(arena.put(own), blocks, count, blocks, blocks, packed + g * blocks * 8);
          }
          const xs = activations(cols);
          const stride = up(cols, 128);
          const bytes = int8VectorBytes(cols);
          const x = arena.alloc(bytes * xs.length);
          const given = batch(arena, xs, stride);
          const y = arena.alloc(xs.length * padded * 4);
          const m = { rows, cols, values: q, block: 32, scales: scales.values };
          for (const top of [127, 32767]) {
            k.quantize_block32_i16(given, stride, blocks, x, bytes, xs.length, top);
            k.int8_gemm_i16(w, packed, 1, blocks, x, bytes, y, padded, 0, padded, xs.length);
            xs.forEach((v, t) => {
              const expected = blockGemv(m, quantizeAbsmax(v, 32, top));
              sameBits(arena.f32(y + t * padded * 4, rows), expected, `${rows} × ${cols}, to ${top}, vector ${t}`);
            });
          }
          const out = arena.alloc(cols * 4);
          k.row_int8(w, packed, 1, blocks, rows - 1, cols, out);
          const last = Float32Array.from(
            { length: cols },
            (_, c) => scales.values[(rows - 1) * blocks + Math.floor(c / 32)] * q[(rows - 1) * cols + c],
          );
          assert.equal([...arena.f32(out, cols)], [...last]);
        }
      }
    }
  });

  for (const type of ['f32', 'f16', 'bf16'] as const) {
    test(`${type} rows equal the reference at every width and height`, () => {
      for (const cols of WIDTHS) {
        for (const rows of HEIGHTS) {
          arena.reset();
          const stride = up(cols, 8);
          const padded = up(rows, 4);
          const wide = normals(rows * cols, cols + rows);
          const bits = Uint16Array.from(
            wide,
            (v) => (type === 'f16' ? f16Bits(v) : new Uint32Array(Float32Array.of(v).buffer)[0] >>> 16),
          );
          const values = type === 'f32' ? wide : Float32Array.from(bits, type === 'f16' ? f16 : bf16);
          const laid = type === 'f32' ? new Float32Array(padded * stride) : new Uint16Array(padded * stride);
          for (let r = 0; r < rows; r++) {
            laid.set((type === 'f32' ? wide : bits).subarray(r * cols, (r + 1) * cols), r * stride);
          }
          const xs = [
            normals(cols, 5),
            normals(cols, 6, 100),
            new Float32Array(cols),
            normals(cols, 7, 1e30), // sums that overflow
            normals(cols, 8, 1e-39), // subnormal
            normals(cols, 9),
            normals(cols, 10),
          ];
          const gemm = { f32: k.f32_gemm, f16: k.f16_gemm, bf16: k.bf16_gemm }[type];
          const w = arena.put(laid);
          const x = batch(arena, xs, up(cols, 128));
          const right = xs.map((each) => denseGemv(values, rows, cols, each));
          for (let n = 0; n <= xs.length; n++) {
            const y = arena.alloc(n * padded * 4);
            gemm(w, stride, x, up(cols, 128), y, padded, 0, padded, n);
            for (let t = 0; t < n; t++) {
              sameBits(arena.f32(y + t * padded * 4, rows), right[t], `${type} ${rows} × ${cols}, vector ${t} of ${n}`);
            }
          }
        }
      }
    });
  }

  test('a part of the rows is what the whole has there', () => {
    const rows = 12;
    const cols = 256;
    const x = arena.put(normals(cols, 1));
    const w = arena.put(normals(rows * cols, 2));
    const whole = arena.alloc(rows * 4);
    const parts = arena.alloc(rows * 4);
    k.f32_gemm(w, cols, x, cols, whole, rows, 0, rows, 1);
    k.f32_gemm(w, cols, x, cols, parts, rows, 4, 8, 1);
    assert.equal([...arena.f32(parts, 4)], [0, 0, 0, 0]);
    k.f32_gemm(w, cols, x, cols, parts, rows, 0, 4, 1);
    k.f32_gemm(w, cols, x, cols, parts, rows, 8, 12, 1);
    sameBits(arena.f32(parts, rows), arena.f32(whole, rows));
  });

  // case: N3 N4
  test('scales and sums of quantised activations equal the reference; NaN and infinity show in the scale', () => {
    for (const cols of WIDTHS) {
      for (const x of [...activations(cols), new Float32Array(cols).fill(1e-31), new Float32Array(cols).fill(3e38)]) {
        arena.reset();
        const chunks = up(cols, 128) / 64;
        const padded = new Float32Array(chunks * 64);
        padded.set(x);
        const out = arena.alloc(codeVectorBytes(cols));
        k.quantize_absmax_i8(arena.put(padded), chunks * 64, cols, chunks, 4, out, 0, 1);
        const expected = quantizeAbsmax(padded, 256);
        sameBits(arena.f32(out, expected.scales.length), expected.scales, `scales of ${cols}`);
        const sums = Array.from(
          { length: chunks },
          // from the first of a group of four chunks
          (_, c) => expected.q.subarray((c >> 2) * 256, c * 64 + 64).reduce((a, b) => a + b, 0),
        );
        assert.equal([...arena.i32(out + Math.ceil(chunks / 4) * 4, chunks)], sums);
      }
    }
    for (const bad of [NaN, Infinity]) {
      arena.reset();
      const x = new Float32Array(128).fill(1);
      x[77] = bad;
      const out = arena.alloc(codeVectorBytes(128));
      k.quantize_absmax_i8(arena.put(x), 128, 128, 2, 2, out, 0, 1);
      assert.is(Number.isFinite(arena.f32(out, 1)[0]), false);
      const ints = arena.alloc(int8VectorBytes(128));
      k.quantize_block32_i16(arena.put(x), 128, 4, ints, 0, 1, 127);
      assert.equal([...arena.f32(ints, 4)].map(Number.isFinite), [true, true, false, true]);
    }
  });
});
