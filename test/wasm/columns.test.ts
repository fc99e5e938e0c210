/**
 * Matrices whose inputs are spikes, from the blocks of a file to their sums: every type, with one scale in a row or with
 * several, against plain sums over the codes, bit for bit.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { openContainer } from '../../src/container/open.ts';
import type { TensorType } from '../../src/container/tensor.ts';
import { accumulate } from '../../src/forward/spikes.ts';
import { SOLO } from '../../src/threads/context.ts';
import { columnSize } from '../../src/description/columns.ts';
import { Arena } from '../../src/wasm/arena.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { instantiate } from '../../src/wasm/instantiate.ts';
import { type Columns, WeightLoader } from '../../src/wasm/weights.ts';
import { ggufBytes } from '../builders.ts';
import { normals, random, sameBits } from '../kernels/harness.ts';
import {
  f16,
  f16Bits,
  type Unpacked,
  unpackI2s,
  unpackQ1,
  unpackQ2,
  unpackQ8,
  unpackTq1,
  unpackTq2,
} from '../reference.ts';
import { columnSum, columnSumScaled } from '../reference-spikes.ts';

const { module } = await builtinModule();
const test = suite('columns of files');

/** No multiple of what kernels take at a time, and several blocks of every type. */
const ROWS = 70;
const COLS = 768;
const LISTS = [[], [0], [767], [31, 32, 255, 256, 300], Array.from({ length: COLS }, (_, i) => i).filter((i) => i % 3)];

/** Loads a matrix of a file by columns, and sums those of every list. */
async function sums(
  type: TensorType,
  data: ArrayBufferView,
  scales?: Float32Array,
): Promise<{ m: Columns; results: Float32Array[]; spare: number }> {
  const tensors = [{ name: 'm.weight', type, shape: [ROWS, COLS], data }];
  const own = scales ? [{ name: 'm.scale', type: 'F32' as const, shape: [ROWS], data: scales }] : [];
  const source = memorySource(ggufBytes({ tensors: [...tensors, ...own] }));
  const container = await openContainer(source);
  const arena = new Arena(new WebAssembly.Memory({ initial: 64 }));
  const kernels = instantiate(module, arena.memory);
  const loader = new WeightLoader(kernels, arena, source, container);
  const before = arena.used;
  const m = loader.columns('m.weight');
  const { dataBytes, scaleBytes } = columnSize(container.tensors.get('m.weight')!);
  const spare = arena.used - before - dataBytes - scaleBytes;
  await loader.fill();
  const list = arena.alloc(COLS * 4, 'list');
  const y = arena.alloc(m.paddedRows * 4, 'y');
  const scratch = { sums: arena.alloc(m.paddedRows * 4, 'sums'), bytes: arena.alloc(m.paddedRows, 'sums') };
  const results = LISTS.map((active) => {
    arena.i32(list, COLS).set(active);
    accumulate(kernels, m, list, active.length, y, scratch, SOLO);
    return arena.f32(y, ROWS).slice();
  });
  return { m, results, spare };
}

/** Types of blocks: bytes of one, where its scale stands, how it is unpacked, and the weight of a code. */
const BLOCKS: [string, TensorType, number, number, (src: Uint8Array) => Unpacked, (code: number) => number][] = [
  ['Q8_0', 'Q8_0', 34, 0, unpackQ8, (code) => code],
  ['TQ1_0', 'TQ1_0', 54, 52, unpackTq1, (code) => code - 1],
  ['TQ2_0', 'TQ2_0', 66, 64, unpackTq2, (code) => code - 1],
  ['Q2_0 of 64', 'Q2_0', 18, 0, (src) => unpackQ2(src, 64), (code) => code - 1],
  ['Q2_0 of 128', 'Q2_0', 34, 0, (src) => unpackQ2(src, 128), (code) => code - 1],
  ['Q1_0', 'Q1_0', 18, 0, unpackQ1, (code) => 2 * code - 1],
];

for (const [name, type, blockBytes, scaleAt, unpack, weight] of BLOCKS) {
  for (const several of [false, true]) {
    test(`${name} with ${several ? 'several scales' : 'one scale'} in a row`, async () => {
      const elements = unpack(new Uint8Array(blockBytes)).codes.length;
      const perRow = COLS / elements;
      const u = random(blockBytes + Number(several));
      const data = new Uint8Array(ROWS * perRow * blockBytes);
      const view = new DataView(data.buffer);
      const trits = (): number => [0, 1, 2, 3].reduce((byte, k) => byte | (Math.floor(u() * 3) << (2 * k)), 0);
      for (let b = 0; b < ROWS * perRow; b++) {
        for (let i = 0; i < blockBytes; i++) {
          const byte = Math.floor(u() * 256);
          data[b * blockBytes + i] = type === 'TQ2_0' ? trits() : type === 'TQ1_0' ? byte - byte % 9 : byte;
        }
        const row = Math.floor(b / perRow);
        // a silent block fits any scale where a code stands for 0
        const silent = type !== 'Q1_0' && b % 5 === 2;
        const scale = silent ? 0 : 0.01 * (1 + (row % 9)) * (several && row % 2 ? 1 + (b % 3) : 1);
        view.setUint16(b * blockBytes + scaleAt, f16Bits(scale), true);
      }
      const { codes, scales } = unpack(data);
      assert.is(codes.length, ROWS * COLS, 'the blocks of this test are sound');
      const { m, results, spare } = await sums(type, data);
      assert.is(m.span, several ? elements : COLS);
      assert.ok(spare >= 0 && spare < 128, `${spare}`);
      // a block of scale 0 has no weights, whatever its codes say
      const scale = (row: number, column: number): number => f16(scales[row * perRow + Math.floor(column / elements)]);
      const w = (column: number, row: number): number =>
        scale(row, column) === 0 ? 0 : weight(codes[row * COLS + column]);
      const largest = (row: number): number => Math.max(...scales.slice(row * perRow, (row + 1) * perRow).map(f16));
      const table = several
        ? Float32Array.from({ length: perRow * ROWS }, (_, i) => scale(i % ROWS, Math.floor(i / ROWS) * elements))
        : Float32Array.from({ length: ROWS }, (_, row) => largest(row));
      LISTS.forEach((list, i) => {
        const expected = columnSumScaled(w, list, table, ROWS, m.span);
        sameBits(results[i], expected, `${list.length} columns`);
      });
    });
  }
}

test('types of one scale, and floats', async () => {
  const u = random(7);
  const ints = Int8Array.from({ length: ROWS * COLS }, () => Math.floor(u() * 255) - 127);
  const scales = normals(ROWS, 3);
  const int8 = await sums('I8', ints, scales);
  assert.is(int8.m.span, COLS);
  const packed = Uint8Array.from(
    { length: (ROWS * COLS) / 4 + 32 },
    () => [0x00, 0x55, 0xaa, 0x19, 0x62][Math.floor(u() * 5)],
  );
  new DataView(packed.buffer).setFloat32((ROWS * COLS) / 4, 0.375, true);
  const i2s = await sums('I2_S', packed);
  const { codes } = unpackI2s(packed.subarray(0, (ROWS * COLS) / 4));
  const floats = normals(ROWS * COLS, 5);
  const dense = await sums('F32', floats);
  LISTS.forEach((list, i) => {
    const at = (column: number, row: number): number => row * COLS + column;
    sameBits(int8.results[i], columnSumScaled((c, r) => ints[at(c, r)], list, scales, ROWS));
    const one = new Float32Array(ROWS).fill(0.375);
    sameBits(i2s.results[i], columnSumScaled((c, r) => codes[at(c, r)] - 1, list, one, ROWS));
    sameBits(dense.results[i], columnSum((c, r) => floats[at(c, r)], list, ROWS));
  });
});

test.run();
