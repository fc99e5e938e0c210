/** Grouped codes: blocks as ggml lays them out, rows, products and Q4_0 written, equal to plain references bit for bit. */
import * as assert from 'uvu/assert';
import { TYPE_LAYOUTS } from '../../src/container/ggml-types.ts';
import type { TensorType } from '../../src/container/tensor.ts';
import { groupedVectorBytes, packedSize } from '../../src/description/layout.ts';
import { f16Bits } from '../reference.ts';
import {
  encodeQ4,
  GROUPED_TYPES,
  type GroupedBlock,
  groupedGemv,
  type GroupedType,
  groupedWeights,
} from '../reference-grouped.ts';
import { quantizeAbsmax } from '../reference-matrix.ts';
import { type KernelEnv, kernelSuite, normals, random, sameBits } from './harness.ts';

const BATCHES = [1, 2, 3, 4, 5, 7, 8, 16, 33];

/** Blocks of random bits, or all of one byte, with sane f16 numbers: both signs, zero, subnormal. */
function stored(type: GroupedType, blocks: number, seed: number, fill?: number): Uint8Array {
  const u = random(seed);
  const bytes = Uint8Array.from({ length: blocks * type.bytes }, () => fill ?? Math.floor(u() * 256));
  const pick = [0x0001, 0x8000, 0x0000, f16Bits(0.5)];
  for (let b = 0; b < blocks; b++) {
    for (const at of type.halves) {
      const bits = u() < 0.2 ? pick[Math.floor(u() * pick.length)] : f16Bits((u() - 0.4) * 0.1);
      bytes[b * type.bytes + at] = bits & 255;
      bytes[b * type.bytes + at + 1] = bits >> 8;
    }
  }
  return bytes;
}

/** n vectors: random, zero, extremes of both signs, alternating. */
function vectors(n: number, cols: number): Float32Array[] {
  const kinds = [(): number => 127, (): number => -127, (i: number): number => (i % 2 ? 127 : -127), (): number => 0];
  return Array.from(
    { length: n },
    (
      _,
      t,
    ) => (t % 5 === 0 ? normals(cols, t + cols) : Float32Array.from({ length: cols }, (_, i) => kinds[t % 5 - 1](i))),
  );
}

function check({ k, arena }: KernelEnv, type: GroupedType, rows: number, perRow: number, fill?: number): void {
  const cols = perRow * type.elements;
  const name = type.name as TensorType;
  const info = { name, type: name, shape: [rows, cols], blockElements: type.elements, offset: 0, byteLength: 0 };
  const { paddedRows, units, unitsPerScale, grouping, dataBytes, scaleBytes } = packedSize(info);
  const bytes = stored(type, rows * perRow, rows + perRow, fill);
  const blocks: GroupedBlock[][] = Array.from({ length: rows }, (_, r) =>
    Array.from({ length: perRow }, (_, b) => {
      const at = (r * perRow + b) * type.bytes;
      return type.block(bytes.subarray(at, at + type.bytes));
    }));
  const weights = blocks.map((row) => row.flatMap((block) => [...groupedWeights(block, type)]));
  arena.reset();
  const src = arena.put(bytes, 2);
  const codes = arena.alloc(4 * cols);
  const parts = arena.alloc(4 * perRow * 36);
  const w = arena.alloc(dataBytes);
  const scales = arena.alloc(scaleBytes);
  const out = arena.alloc(cols * 4);
  for (let r = 0; r < rows; r += 4) {
    const count = Math.min(4, rows - r);
    assert.is(k.unpack_grouped(type.id, src + r * perRow * type.bytes, codes, parts, count * perRow), -1);
    k.grouped_to_f32(codes, parts, grouping, perRow, out);
    sameBits(arena.f32(out, cols), Float32Array.from(weights[r]), `${name}, unpacked row ${r}`);
    k.pack_grouped(type.bits, codes, count, units, w + r * units * 4 * type.bits);
    k.pack_parts(type.bits, parts, count, grouping, units / unitsPerScale, scales + (r / paddedRows) * scaleBytes);
  }
  for (let r = 0; r < rows; r++) {
    k.row_grouped(type.bits, w, scales, grouping, units, r, out);
    sameBits(arena.f32(out, cols), Float32Array.from(weights[r]), `${name}, row ${r}`);
  }
  const gemm = type.bits === 4 ? k.grouped_gemm_u4 : k.grouped_gemm_u8;
  const vectorBytes = groupedVectorBytes(cols);
  for (const n of rows === 5 ? BATCHES : [6]) {
    const xs = vectors(n, cols);
    const x = arena.put(Float32Array.from(xs.flatMap((v) => [...v])));
    const q = arena.alloc(n * vectorBytes);
    const y = arena.alloc(n * paddedRows * 4);
    k.quantize_grouped(x, cols, units, unitsPerScale, q, vectorBytes, n);
    gemm(w, scales, grouping, units, q, vectorBytes, y, paddedRows, 0, paddedRows, n);
    xs.forEach((v, t) => {
      const expected = groupedGemv(blocks, type, quantizeAbsmax(v, unitsPerScale * 32));
      sameBits(arena.f32(y + t * paddedRows * 4, rows), expected, `${name} ${rows} × ${cols}, vector ${t} of ${n}`);
      assert.ok(arena.f32(y + (t * paddedRows + rows) * 4, paddedRows - rows).every((v) => v === 0), 'padding rows');
    });
  }
}

await kernelSuite('grouped', (env, test) => {
  const { k, arena } = env;
  for (const type of GROUPED_TYPES) {
    test(`${type.name}: the row of its type says what it is`, () => {
      const { id, blockElements, blockBytes, rows, grouping } = TYPE_LAYOUTS[type.name as TensorType];
      assert.equal(
        { id, blockElements, blockBytes, rows, grouping },
        {
          id: type.id,
          blockElements: type.elements,
          blockBytes: type.bytes,
          rows: `u${type.bits}`,
          grouping: Number(type.groups) + 2 * Number(type.minima) + 4 * type.zero,
        },
      );
    });

    test(`${type.name}: rows and products at every height, width and batch`, () => {
      for (const rows of [1, 4, 5]) {
        for (const perRow of type.groups ? [1, 2, 5] : [1, 2, 3, 8, 40]) check(env, type, rows, perRow);
      }
    });

    test(`${type.name}: no sum overflows with extreme codes, scales and activations`, () => {
      for (const fill of [0, 255, 0x80, 0x7f]) check(env, type, 5, type.groups ? 4 : 32, fill);
    });

    test(`${type.name}: a scale that is NaN or infinite is refused with its block`, () => {
      for (const at of type.halves) {
        for (const bits of [0x7c00, 0xfc00, 0x7e01]) {
          arena.reset();
          const bytes = stored(type, 3, 1);
          bytes[2 * type.bytes + at] = bits & 255;
          bytes[2 * type.bytes + at + 1] = bits >> 8;
          const to = arena.alloc(3 * type.elements);
          assert.is(k.unpack_grouped(type.id, arena.put(bytes), to, arena.alloc(108), 3), 2);
        }
      }
    });
  }

  test('Q4_0 is written as ggml writes it, byte for byte, and read back', () => {
    const inputs = [
      ...[1, 2, 3].map((seed) => normals(32 * 9, seed, 10 ** (2 - seed))),
      new Float32Array(64),
      Float32Array.from({ length: 32 }, (_, i) => (i === 31 ? -1 : i === 30 ? 1 : i / 64)), // a tie: the first counts
      Float32Array.from({ length: 32 }, (_, i) => (i - 16) / 16),
    ];
    for (const x of inputs) {
      arena.reset();
      const to = arena.alloc((x.length / 32) * 18, 2);
      assert.is(k.encode_q4_0(arena.putAtEnd(x), to, x.length / 32), -1);
      const expected = encodeQ4(x, (v) => (Object.is(v, -0) ? 0x8000 : f16Bits(v)));
      assert.equal([...arena.bytes(to, expected.length)], [...expected]);
    }
    for (const bad of [NaN, Infinity, 1e9]) {
      arena.reset();
      const x = normals(96, 1);
      x[70] = bad;
      assert.is(k.encode_q4_0(arena.put(x), arena.alloc(54), 3), 2);
    }
  });
});
