/** Sums of columns against plain sums, bit for bit: who fired from none to all, extreme weights, shares of a lane. */
import * as assert from 'uvu/assert';
import * as reference from '../reference-spikes.ts';
import { type Guarded, kernelSuite, normals, random, sameBits } from './harness.ts';

const ROWS = [64, 128, 192];
/** Around groups of four, and around the 84 columns that byte sums hold. */
const COUNTS = [0, 1, 2, 3, 4, 5, 7, 83, 84, 85, 168, 169, 255, 256];

/** `count` of `cols` columns, ascending. */
function choose(cols: number, count: number): number[] {
  const u = random(count + 1);
  const list: number[] = [];
  for (let i = 0; i < cols && list.length < count; i++) {
    if (u() * (cols - i) < count - list.length) list.push(i);
  }
  return list;
}

const putList = (arena: Guarded, list: readonly number[]): number => arena.put(Int32Array.from(list));

/** Shares of rows in multiples of 64: everything, and the second part alone. */
const shares = (rows: number): [number, number][] => (rows > 64 ? [[0, rows], [64, rows]] : [[0, rows]]);

await kernelSuite('columns', ({ k, arena }, test) => {
  test('f32 columns are added in the order that is documented', () => {
    for (const rows of [4, 12, 64, 192]) {
      for (const count of COUNTS) {
        arena.reset();
        const cols = Math.max(count, 300);
        const w = normals(cols * rows, 3);
        const list = choose(cols, count);
        const expected = reference.columnSum((column, r) => w[column * rows + r], list, rows);
        const y = arena.put(new Float32Array(rows).fill(9));
        k.columns_f32(arena.put(w), rows, putList(arena, list), count, y, 0, rows);
        sameBits(arena.f32(y, rows), expected, `${rows} rows, ${count} columns`);
      }
    }
  });

  test('a lane writes its own rows only', () => {
    const w = normals(8 * 64, 4);
    const y = arena.put(new Float32Array(64).fill(7));
    k.columns_f32(arena.put(w), 64, putList(arena, [1, 5]), 2, y, 16, 32);
    const expected = Float32Array.from(
      { length: 64 },
      (_, r) => (r < 16 || r >= 32 ? 7 : Math.fround(w[64 + r] + w[320 + r])),
    );
    sameBits(arena.f32(y, 64), expected);
  });

  /** Runs i8 columns and compares. */
  const int8 = (w: Int8Array, rows: number, list: readonly number[], what: string): void => {
    const scales = normals(rows, 8);
    const expected = reference.columnSumScaled((column, r) => w[column * rows + r], list, scales);
    for (const [r0, r1] of shares(rows)) {
      arena.reset();
      const y = arena.alloc(rows * 4);
      const sums = arena.alloc(rows * 4);
      k.columns_i8(arena.put(w), rows, arena.put(scales), putList(arena, list), list.length, sums, y, r0, r1);
      sameBits(arena.f32(y, rows).subarray(r0, r1), expected.subarray(r0, r1), what);
    }
  };

  test('int8 columns are exact', () => {
    const u = random(1);
    for (const rows of ROWS) {
      for (const count of COUNTS) {
        const cols = Math.max(count, 300);
        const w = Int8Array.from({ length: cols * rows }, () => Math.floor(u() * 256) - 128);
        int8(w, rows, choose(cols, count), `${rows} rows, ${count} columns`);
      }
    }
  });

  test('int8 columns of the most extreme weights are exact when 6144 fire', () => {
    const all = Array.from({ length: 6144 }, (_, i) => i);
    for (const value of [-128, 127]) int8(new Int8Array(6144 * 64).fill(value), 64, all, `all ${value}`);
    int8(Int8Array.from({ length: 6144 * 64 }, (_, i) => ((i >> 6) % 2 ? 127 : -128)), 64, all, 'alternating');
  });

  /** Packs codes as the drawing says, runs them and compares. */
  const codes = (code: Uint8Array, rows: number, list: readonly number[], what: string): void => {
    const packed = new Uint8Array(code.length / 4);
    code.forEach((c, at) => {
      const r = at % rows;
      const byte = ((at - r) + (r & ~63)) / 4 + (r & 15);
      packed[byte] |= c << (2 * ((r & 63) >> 4));
    });
    const scales = normals(rows, 8);
    const expected = reference.columnSumScaled((column, r) => code[column * rows + r] - 1, list, scales);
    for (const [r0, r1] of shares(rows)) {
      arena.reset();
      const y = arena.alloc(rows * 4);
      const sums = arena.alloc(rows * 4);
      const bytes = arena.alloc(rows);
      const w = arena.put(packed);
      k.columns_trit2(w, rows, arena.put(scales), putList(arena, list), list.length, sums, bytes, y, r0, r1);
      sameBits(arena.f32(y, rows).subarray(r0, r1), expected.subarray(r0, r1), what);
    }
  };

  test('2-bit columns are exact', () => {
    const u = random(2);
    for (const rows of ROWS) {
      for (const count of COUNTS) {
        const cols = Math.max(count, 300);
        const code = Uint8Array.from({ length: cols * rows }, () => Math.floor(u() * 4));
        codes(code, rows, choose(cols, count), `${rows} rows, ${count} columns`);
      }
    }
  });

  test('2-bit columns of one code are exact when thousands fire', () => {
    for (const count of [84, 85, 4095, 6144]) {
      const list = Array.from({ length: count }, (_, i) => i);
      for (const code of [0, 1, 2, 3]) {
        codes(new Uint8Array(count * 64).fill(code), 64, list, `all ${code}, ${count} columns`);
      }
    }
  });

  test('nothing is read of a silent column, nor behind the last', () => {
    const rows = 64;
    const w = new Float32Array(4 * rows).fill(NaN);
    w.fill(2, 3 * rows);
    const y = arena.alloc(rows * 4);
    const list = arena.alloc(16);
    new Int32Array(arena.memory.buffer, list, 4).set([3, 1 << 24, 1 << 24, 1 << 24]);
    k.columns_f32(arena.putAtEnd(w), rows, list, 1, y, 0, rows);
    sameBits(arena.f32(y, rows), new Float32Array(rows).fill(2));
    const scales = arena.put(new Float32Array(rows).fill(1));
    const sums = arena.alloc(rows * 4);
    k.columns_i8(arena.putAtEnd(new Int8Array(4 * rows).fill(5)), rows, scales, list, 1, sums, y, 0, rows);
    sameBits(arena.f32(y, rows), new Float32Array(rows).fill(5));
    k.columns_trit2(
      arena.putAtEnd(new Uint8Array(rows).fill(0xaa)),
      rows,
      scales,
      list,
      1,
      sums,
      arena.alloc(rows),
      y,
      0,
      rows,
    );
    sameBits(arena.f32(y, rows), new Float32Array(rows).fill(1));
  });

  test('rows are written across the columns', () => {
    for (const [rows, cols] of [[1, 1], [3, 5], [4, 64]]) {
      arena.reset();
      const src = normals(rows * cols, 1);
      const stride = 7;
      const dst = arena.alloc(cols * stride * 4);
      k.transpose_f32(arena.put(src), rows, cols, dst, stride);
      const got = arena.f32(dst, cols * stride);
      for (let c = 0; c < cols; c++) {
        for (let r = 0; r < stride; r++) assert.is(got[c * stride + r], r < rows ? src[r * cols + c] : 0);
      }
    }
  });
});
