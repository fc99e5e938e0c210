/** int8 rows with f32 activations, and with one scale per row: equal to the plain references bit for bit. */
import { int8VectorBytes } from '../../src/description/layout.ts';
import { f16, f16Bits } from '../reference.ts';
import { blockGemv, int8Exact, quantizeAbsmax } from '../reference-matrix.ts';
import { kernelSuite, normals, random, sameBits } from './harness.ts';

const up = (n: number, to: number): number => Math.ceil(n / to) * to;
const WIDTHS = [1, 7, 8, 31, 32, 33, 96, 127, 128, 200, 1536];
const HEIGHTS = [1, 3, 4, 5];

await kernelSuite('int8', ({ k, arena }, test) => {
  /** Packs, multiplies three vectors with f32 and with int8 activations, and compares. */
  const check = (rows: number, cols: number, q: Int8Array, perRow: boolean): void => {
    arena.reset();
    const blocks = Math.ceil(cols / 32);
    const padded = up(rows, 4);
    const bits = Uint16Array.from(normals(padded * blocks, 2, 0.1), f16Bits);
    const scales = perRow ? normals(padded, 3, 0.1) : Float32Array.from(bits, f16);
    const w = arena.alloc(padded * blocks * 32);
    const packed = perRow ? arena.put(scales) : arena.alloc(padded * blocks * 2);
    for (let r = 0; r < rows; r += 4) {
      const count = Math.min(4, rows - r);
      const four = new Int8Array(count * cols + 64);
      four.set(q.subarray(r * cols, (r + count) * cols));
      k.pack_int8(arena.put(four), cols, count, cols, blocks, w + r * blocks * 32);
      if (!perRow) {
        const own = arena.put(bits.subarray(r * blocks, (r + count) * blocks));
        k.pack_scales(own, blocks, count, blocks, blocks, packed + r * blocks * 2);
      }
    }
    const xs = [normals(cols, 5), new Float32Array(cols), normals(cols, 6, 1000)];
    const stride = up(cols, 128);
    const all = new Float32Array(xs.length * stride);
    xs.forEach((x, t) => all.set(x, t * stride));
    const x = arena.put(all);
    const y = arena.alloc(xs.length * padded * 4);
    const kind = perRow ? 0 : 1;
    k.int8_gemm_f32(w, packed, kind, blocks, x, stride, y, padded, 0, padded, xs.length);
    const m = { rows, cols, values: q, block: 32, scales };
    const what = `${rows} × ${cols}, ${perRow ? 'a scale per row' : 'a scale per block'}`;
    xs.forEach((v, t) =>
      sameBits(arena.f32(y + t * padded * 4, rows), int8Exact(m, v, perRow), `${what}, vector ${t}`)
    );
    if (!perRow) return;
    const bytes = int8VectorBytes(cols);
    const quantised = arena.alloc(bytes * xs.length);
    const one = { ...m, scales: new Float32Array(rows * blocks).fill(1) };
    for (const top of [127, 32767]) {
      k.quantize_block32_i16(x, stride, blocks, quantised, bytes, xs.length, top);
      k.int8_gemm_i16(w, packed, 0, blocks, quantised, bytes, y, padded, 0, padded, xs.length);
      xs.forEach((v, t) => {
        const expected = blockGemv(one, quantizeAbsmax(v, 32, top)).map((sum, r) => sum * scales[r]);
        sameBits(arena.f32(y + t * padded * 4, rows), expected, `${what}, integers to ${top}, vector ${t}`);
      });
    }
  };

  for (const perRow of [true, false]) {
    test(`rows with a scale per ${perRow ? 'row' : 'block'} equal the reference at every width and height`, () => {
      for (const cols of WIDTHS) {
        for (const rows of HEIGHTS) {
          const u = random(cols + rows);
          check(rows, cols, Int8Array.from({ length: rows * cols }, () => Math.floor(u() * 256) - 128), perRow);
          for (const extreme of [-128, 127]) check(rows, cols, new Int8Array(rows * cols).fill(extreme), perRow);
        }
      }
    });
  }
});
