/** Sums of columns against plain sums, bit for bit: who fired from none to all, extreme weights, shares of a lane. */
import * as assert from 'uvu/assert';
import * as reference from '../reference-spikes.ts';
import { type Guarded, kernelSuite, normals, random, sameBits } from './harness.ts';

/** Around fours and sixteens, and around the 84 columns that byte sums hold. */
const COUNTS = [0, 1, 2, 3, 4, 5, 7, 15, 16, 17, 33, 83, 84, 85, 168, 169, 255, 256];

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

await kernelSuite('columns', ({ k, arena }, test) => {
  // case: N1
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

  /** Integer columns of one layout: how weights are packed, and the kernel over them. */
  interface Layout {
    readonly name: string;
    /** Outputs at a time. */
    readonly unit: number;
    /** The lowest and the highest weight of the layout; all between them occur. */
    readonly weights: readonly [number, number];
    readonly step: number;
    pack(w: Int8Array, rows: number): Uint8Array | Int8Array;
    run(
      at: { w: number; scales: number; list: number; y: number },
      n: { rows: number; span: number; count: number; r0: number; r1: number },
    ): void;
  }

  /** Codes of 1 or 2 bits as the drawings say: row j of those that share 16 bytes lies in byte j mod 16. */
  const packed = (w: Int8Array, rows: number, bits: number, codeOf: (weight: number) => number): Uint8Array => {
    const together = 128 / bits;
    const bytes = new Uint8Array((w.length * bits) / 8);
    w.forEach((weight, at) => {
      const j = (at % rows) % together;
      const block = Math.floor(at / rows) * (rows / together) + Math.floor((at % rows) / together);
      bytes[block * 16 + (j & 15)] |= codeOf(weight) << (bits * (j >> 4));
    });
    return bytes;
  };

  const scratch = (rows: number): [number, number] => [arena.alloc(rows * 4), arena.alloc(rows)];
  const LAYOUTS: Layout[] = [
    {
      name: 'int8',
      unit: 16,
      weights: [-128, 127],
      step: 1,
      pack: (w) => w,
      run: ({ w, scales, list, y }, { rows, span, count, r0, r1 }) =>
        k.columns_i8(w, rows, scales, span, list, count, scratch(rows)[0], y, r0, r1),
    },
    {
      name: '2-bit',
      unit: 64,
      weights: [-1, 2],
      step: 1,
      pack: (w, rows) => packed(w, rows, 2, (weight) => weight + 1),
      run: ({ w, scales, list, y }, { rows, span, count, r0, r1 }) =>
        k.columns_trit2(w, rows, scales, span, list, count, ...scratch(rows), y, r0, r1),
    },
    {
      name: '1-bit',
      unit: 128,
      weights: [-1, 1],
      step: 2,
      pack: (w, rows) => packed(w, rows, 1, (weight) => (weight + 1) / 2),
      run: ({ w, scales, list, y }, { rows, span, count, r0, r1 }) =>
        k.columns_bit1(w, rows, scales, span, list, count, ...scratch(rows), y, r0, r1),
    },
  ];

  for (const { name, unit, weights: [lowest, highest], step, pack, run } of LAYOUTS) {
    /** Weights by columns, and packed. */
    const matrix = (w: Int8Array, rows: number) => ({ w, rows, cols: w.length / rows, bytes: pack(w, rows) });
    const noisy = (cols: number, rows: number): Int8Array => {
      const u = random(cols + rows);
      const kinds = (highest - lowest) / step + 1;
      return Int8Array.from({ length: cols * rows }, () => lowest + step * Math.floor(u() * kinds));
    };
    /** Runs all rows, and the second part alone, and compares. */
    const check = (
      { w, rows, cols, bytes }: ReturnType<typeof matrix>,
      list: readonly number[],
      span: number,
      what: string,
    ): void => {
      const scales = normals(rows * Math.ceil(cols / span), 8);
      const expected = reference.columnSumScaled((column, r) => w[column * rows + r], list, scales, rows, span);
      for (const r0 of [0, unit]) {
        if (r0 >= rows) continue;
        arena.reset();
        const y = arena.put(new Float32Array(rows).fill(7));
        const at = { w: arena.put(bytes), scales: arena.put(scales), list: putList(arena, list), y };
        run(at, { rows, span, count: list.length, r0, r1: rows });
        const got = arena.f32(y, rows);
        sameBits(got.subarray(r0), expected.subarray(r0), what);
        assert.ok(got.subarray(0, r0).every((value) => value === 7), `${what}: rows of another lane`);
      }
    };
    test(`${name} columns are exact`, () => {
      for (const rows of [unit, 3 * unit]) {
        const m = matrix(noisy(300, rows), rows);
        for (const count of COUNTS) check(m, choose(300, count), 300, `${rows} rows, ${count} columns`);
      }
    });

    test(`${name} columns with several scales: every group of inputs is a sum of its own`, () => {
      const m = matrix(noisy(768, 2 * unit), 2 * unit);
      for (const span of [32, 64, 128, 256]) {
        for (const count of [0, 1, 2, 40, 300, 768]) {
          check(m, choose(768, count), span, `groups of ${span}, ${count} columns`);
        }
        // groups without an input, the first and the last alone, and their edges
        for (const list of [[0], [767], [span - 1, span], [1, 700], [300, 301, 302, 303, 304]]) {
          check(m, list, span, `groups of ${span}, columns ${list}`);
        }
      }
    });

    test(`${name} columns of extreme weights are exact when thousands fire`, () => {
      for (const count of [255, 4097]) {
        const list = Array.from({ length: count }, (_, i) => i);
        for (const value of [lowest, highest]) {
          const m = matrix(new Int8Array(count * unit).fill(value), unit);
          check(m, list, count, `all ${value}, ${count} columns`);
        }
        const both = Int8Array.from({ length: count * unit }, (_, i) => (Math.floor(i / unit) % 2 ? highest : lowest));
        check(matrix(both, unit), list, count, `alternating, ${count} columns`);
      }
    });
  }

  test('nothing is read of a silent column, nor behind the last', () => {
    const rows = 64;
    const w = new Float32Array(4 * rows).fill(NaN);
    w.fill(2, 3 * rows);
    const y = arena.alloc(rows * 4);
    const list = arena.alloc(16);
    new Int32Array(arena.memory.buffer, list, 4).set([3, 1 << 24, 1 << 24, 1 << 24]);
    k.columns_f32(arena.putAtEnd(w), rows, list, 1, y, 0, rows);
    sameBits(arena.f32(y, rows), new Float32Array(rows).fill(2));
    const wide = 2 * rows;
    const scales = arena.put(new Float32Array(wide).fill(1));
    const [sums, bytes] = scratch(wide);
    const out = arena.alloc(wide * 4);
    k.columns_i8(arena.putAtEnd(new Int8Array(4 * rows).fill(5)), rows, scales, 4, list, 1, sums, out, 0, rows);
    sameBits(arena.f32(out, rows), new Float32Array(rows).fill(5));
    const codes = arena.putAtEnd(new Uint8Array(rows).fill(0xaa));
    k.columns_trit2(codes, rows, scales, 4, list, 1, sums, bytes, out, 0, rows);
    sameBits(arena.f32(out, rows), new Float32Array(rows).fill(1));
    const bits = arena.putAtEnd(new Uint8Array(wide / 2).fill(0xff));
    k.columns_bit1(bits, wide, scales, 4, list, 1, sums, bytes, out, 0, wide);
    sameBits(arena.f32(out, wide), new Float32Array(wide).fill(1));
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
