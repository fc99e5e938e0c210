/** Spike vectors × matrices, by looked-up sums and by columns: both equal the plain sums bit for bit, whoever fired. */
import * as assert from 'uvu/assert';
import { f16, f16Bits } from '../reference.ts';
import { firedColumns, groupsOf, packNibbles, spikeGemm, type SpikeMatrix, type Spikes } from '../reference-snn.ts';
import { type Guarded, type KernelEnv, kernelSuite, normals, random, sameBits } from './harness.ts';

const WIDTHS = [1, 3, 4, 5, 15, 16, 17, 48, 63, 64, 65, 127, 128, 129, 160, 300];
/** Vectors; a kernel takes them by four, 32 and 128. */
const COUNTS = [1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 96, 97, 127, 128, 129, 160, 257];
const RATES = [0, 0.07, 0.5, 1];
const up = (n: number, to: number): number => Math.ceil(n / to) * to;

/** n vectors of `cols` spikes. */
function randomSpikes(n: number, cols: number, rate: number, seed: number): Spikes {
  const u = random(seed);
  return Array.from({ length: n }, () => Uint8Array.from({ length: cols }, () => Number(u() < rate)));
}

type Kind = 'trit2' | 'bit1' | 'i8' | 'f32';
const KINDS: readonly Kind[] = ['trit2', 'bit1', 'i8', 'f32'];

/** A matrix of one scale per row, or per `block` columns. */
function randomMatrix(kind: Kind, rows: number, cols: number, seed: number, block: number = cols): SpikeMatrix {
  const u = random(seed);
  const pick = {
    trit2: () => Math.floor(u() * 3) - 1,
    bit1: () => (u() < 0.5 ? -1 : 1),
    i8: () => Math.floor(u() * 256) - 128,
  };
  const values = kind === 'f32' ? normals(rows * cols, seed) : Int8Array.from({ length: rows * cols }, pick[kind]);
  const count = rows * Math.ceil(cols / block);
  const scales = block === cols
    ? normals(count, seed + 1)
    : Float32Array.from({ length: count }, () => f16(f16Bits(u())));
  return { rows, cols, values, block, scales: kind === 'f32' ? null : scales, bias: normals(rows, seed + 2) };
}

/** A packed matrix in the memory of a test. */
interface Packed {
  readonly data: number;
  readonly units: number;
  readonly scales: number;
  readonly bias: number;
  /** 0: a scale per row; 1: f16 per block. */
  readonly scaleKind: 0 | 1;
}

function pack({ k, arena }: KernelEnv, kind: Kind, m: SpikeMatrix): Packed {
  const padded = up(m.rows, 4);
  const units = kind === 'f32' ? up(m.cols, 8) : kind === 'i8' ? Math.ceil(m.cols / 32) : up(m.cols, 128) / 64;
  const unitBytes = { trit2: 16, bit1: 8, i8: 32, f32: 4 }[kind];
  const data = arena.alloc(padded * units * unitBytes);
  for (let r = 0; r < m.rows; r += 4) {
    const count = Math.min(4, m.rows - r);
    const at = data + r * units * unitBytes;
    const four = Array.from({ length: count * m.cols }, (_, i) => m.values[r * m.cols + i]);
    if (kind === 'f32') {
      for (let i = 0; i < count; i++) {
        new Float32Array(arena.memory.buffer, at + i * units * 4).set(four.slice(i * m.cols, (i + 1) * m.cols));
      }
    } else {
      // packing may read a few bytes behind the last code
      const bytes = new Uint8Array(four.length + 64);
      bytes.set(four.map((v) => (kind === 'trit2' ? v + 1 : kind === 'bit1' ? Number(v > 0) : v & 255)));
      const from = arena.put(bytes);
      if (kind === 'trit2') k.pack_trit2(from, m.cols, count, m.cols, units, at);
      else if (kind === 'bit1') k.pack_bit1(from, m.cols, count, m.cols, units / 2, at);
      else k.pack_int8(from, m.cols, count, m.cols, units, at);
    }
  }
  const bias = new Float32Array(padded);
  bias.set(m.bias);
  if (m.block === m.cols) {
    const scales = new Float32Array(padded);
    scales.set(m.scales ?? []);
    return { data, units, scales: arena.put(scales), bias: arena.put(bias), scaleKind: 0 };
  }
  const fileBlocks = Math.ceil(m.cols / m.block);
  const blocks = up(m.cols, 128) / m.block;
  const scales = arena.alloc(padded * blocks * 2 + 16);
  for (let r = 0; r < m.rows; r += 4) {
    const own = Array.from(m.scales!).slice(r * fileBlocks, (r + 4) * fileBlocks).map(f16Bits);
    const from = arena.put(Uint16Array.from(own));
    k.pack_scales(from, fileBlocks, Math.min(4, m.rows - r), fileBlocks, blocks, scales + r * blocks * 2);
  }
  return { data, units, scales, bias: arena.put(bias), scaleKind: 1 };
}

const putTables = ({ k, arena }: KernelEnv): number => {
  const at = arena.alloc(8192);
  k.nibble_tables(at);
  return at;
};

/** Rows of y, n numbers each. */
function rowsOf(arena: Guarded, y: number, stride: number, rows: number, n: number): Float32Array[] {
  return Array.from({ length: rows }, (_, r) => arena.f32(y + r * stride * 4, n));
}

/** Looked-up sums of rows r0 …; y holds nothing behind n padded to four. */
function byNibbles(env: KernelEnv, kind: 'trit2' | 'bit1', m: SpikeMatrix, spikes: Spikes, r0 = 0): Float32Array[] {
  const { k, arena } = env;
  arena.reset();
  const tables = putTables(env);
  const w = pack(env, kind, m);
  const n4 = up(spikes.length, 4);
  const x = arena.put(packNibbles(spikes, m.cols));
  const y = arena.alloc((m.rows - r0) * n4 * 4);
  const perScale = w.scaleKind === 0 ? w.units : m.block / 64;
  const scratch = arena.alloc(272);
  k.nibble_gemm(
    Number(kind === 'bit1'),
    w.data,
    w.scales,
    w.scaleKind,
    perScale,
    w.units,
    w.bias,
    tables,
    x,
    y,
    n4,
    r0,
    m.rows,
    n4,
    scratch,
  );
  return rowsOf(arena, y, n4, m.rows - r0, spikes.length);
}

/** Sums of columns of up to 64 rows from r0. */
function byColumns(env: KernelEnv, kind: Kind, m: SpikeMatrix, spikes: Spikes, r0 = 0): Float32Array[] {
  const { k, arena } = env;
  arena.reset();
  const w = pack(env, kind, m);
  const rows = up(m.rows, 4) - r0;
  const n8 = up(spikes.length, 8);
  const groups = groupsOf(m.cols);
  const lists = arena.alloc(n8 * m.cols * 4);
  const counts = arena.alloc(n8 * 4);
  k.spike_lists(arena.put(packNibbles(spikes, m.cols)), groups, 0, n8, lists, m.cols, counts);
  const y = arena.alloc(rows * n8 * 4);
  const scratch = arena.alloc(1024);
  const n4 = up(spikes.length, 4);
  if (kind === 'f32') {
    const tile = arena.alloc(64 * w.units * 4);
    k.tile_f32(w.data, w.units, r0, rows, tile);
    k.gather_f32(tile, w.units, lists, m.cols, counts, w.bias + r0 * 4, y, n8, rows, n4, scratch);
  } else {
    const code = kind === 'trit2' ? 0 : kind === 'bit1' ? 1 : 2;
    const tile = arena.alloc(64 * w.units * (kind === 'i8' ? 32 : 64));
    k.tile_i8(code, w.data, w.units, r0, rows, tile, scratch);
    k.gather_i8(code, tile, lists, m.cols, counts, w.scales + r0 * 4, w.bias + r0 * 4, y, n8, rows, n4, scratch);
  }
  return rowsOf(arena, y, n8, m.rows - r0, spikes.length);
}

function same(actual: Float32Array[], expected: Float32Array[], what: string): void {
  assert.is(actual.length, expected.length);
  actual.forEach((row, r) => sameBits(row, expected[r], `${what}, row ${r}`));
}

await kernelSuite('nibble', (env, test) => {
  const { k, arena } = env;

  test('a table holds the sixteen partial sums of its codes', () => {
    const tables = arena.bytes(putTables(env), 8192);
    for (let at = 0; at < 4096; at++) {
      let trits = 4;
      let signs = 4;
      for (let bit = 0; bit < 4; bit++) {
        const field = (at >> (4 + 2 * bit)) & 3;
        if ((at >> bit) & 1) trits += field - 1, signs += 2 * field - 1;
      }
      assert.is(tables[at], trits);
      if (((at >> 4) & 0xaa) === 0) assert.is(tables[4096 + at], signs);
    }
  });

  test('widths, vectors and rates, of every type', () => {
    for (const [i, cols] of WIDTHS.entries()) {
      const n = COUNTS[(5 * i) % COUNTS.length];
      const rate = RATES[i % RATES.length];
      const spikes = randomSpikes(n, cols, rate, i);
      for (const kind of KINDS) {
        const m = randomMatrix(kind, 5, cols, i + 3);
        const expected = spikeGemm(m, spikes);
        const what = `${kind}, ${cols} columns, ${n} vectors, rate ${rate}`;
        same(byColumns(env, kind, m, spikes), expected, `${what}, by columns`);
        if (kind === 'trit2' || kind === 'bit1') same(byNibbles(env, kind, m, spikes), expected, `${what}, by nibbles`);
      }
    }
  });

  test('every number of vectors', () => {
    for (const n of [...Array.from({ length: 33 }, (_, i) => i + 1), ...COUNTS]) {
      const spikes = randomSpikes(n, 70, 0.3, n);
      for (const kind of ['trit2', 'bit1'] as const) {
        const m = randomMatrix(kind, 4, 70, n + 9);
        const expected = spikeGemm(m, spikes);
        same(byNibbles(env, kind, m, spikes), expected, `${kind}, ${n} vectors`);
        same(byColumns(env, kind, m, spikes), expected, `${kind}, ${n} vectors, by columns`);
      }
    }
  });

  test('extremes: all weights alike and every neuron firing, beyond what bytes and 16 bits hold', () => {
    for (const cols of [128, 127 * 3, 2048, 10_000, 33_000]) {
      const n = cols > 2048 ? 2 : 33;
      const all = Array.from({ length: n }, () => new Uint8Array(cols).fill(1));
      for (const kind of ['trit2', 'bit1', 'i8'] as const) {
        for (const value of kind === 'i8' ? [-128, 127] : [-1, 1]) {
          const m: SpikeMatrix = {
            rows: 1,
            cols,
            values: new Int8Array(cols).fill(value),
            block: cols,
            scales: [0.5],
            bias: new Float32Array(1),
          };
          const expected = spikeGemm(m, all);
          if (kind !== 'i8') same(byNibbles(env, kind, m, all), expected, `${kind}, ${cols} columns of ${value}`);
          // a tile of 33,000 columns does not fit the memory of a test
          if (cols <= 10_000) {
            same(byColumns(env, kind, m, all), expected, `${kind}, ${cols} columns of ${value}, by columns`);
          }
        }
      }
    }
  });

  test('scales per block of columns are applied block by block', () => {
    for (const [cols, block] of [[256, 64], [500, 256], [512, 256], [384, 128]]) {
      const spikes = randomSpikes(20, cols, 0.4, cols);
      const trits = randomMatrix('trit2', 6, cols, cols, block);
      same(byNibbles(env, 'trit2', trits, spikes), spikeGemm(trits, spikes), `trit2, ${cols} by ${block}`);
      if (block % 128 !== 0) continue;
      const bits = randomMatrix('bit1', 6, cols, cols, block);
      same(byNibbles(env, 'bit1', bits, spikes), spikeGemm(bits, spikes), `bit1, ${cols} by ${block}`);
    }
  });

  test('a share of the rows', () => {
    const spikes = randomSpikes(21, 200, 0.3, 1);
    for (const kind of KINDS) {
      const m = randomMatrix(kind, 72, 200, 5);
      const expected = spikeGemm(m, spikes).slice(68);
      if (kind === 'trit2' || kind === 'bit1') same(byNibbles(env, kind, m, spikes, 68), expected, kind);
      same(byColumns(env, kind, m, spikes, 68), expected, `${kind}, by columns`);
    }
  });

  test('64 rows of a tile', () => {
    const spikes = randomSpikes(9, 150, 0.2, 2);
    for (const kind of KINDS) {
      const m = randomMatrix(kind, 64, 150, 6);
      same(byColumns(env, kind, m, spikes), spikeGemm(m, spikes), kind);
    }
  });

  test('lists name who fired, by groups', () => {
    const spikes = randomSpikes(16, 150, 0.3, 4);
    const lists = arena.alloc(16 * 150 * 4);
    const counts = arena.alloc(64);
    k.spike_lists(arena.put(packNibbles(spikes, 150)), groupsOf(150), 8, 16, lists, 150, counts);
    assert.equal([...arena.i32(counts, 8)], new Array(8).fill(0), 'vectors before n0 are left alone');
    for (let n = 8; n < 16; n++) {
      const count = arena.i32(counts + n * 4, 1)[0];
      assert.equal([...arena.i32(lists + n * 600, count)], firedColumns(spikes[n]));
    }
  });
});
