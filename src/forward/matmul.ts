/**
 * Products of packed matrices with vectors, whatever the layout: choose the kernel, split the rows between threads.
 * @module
 */
import { firstRow, type ThreadContext } from '../threads/context.ts';
import { codeVectorBytes, groupedVectorBytes, int8VectorBytes, TILE_BYTES, VECTOR_PAD } from '../description/layout.ts';
import { type Allocator, PREFILL_BATCH } from '../description/plan.ts';
import { alignUp } from '../bytes/align.ts';
import type { Ptr } from '../wasm/arena.ts';
import type { Kernels } from '../wasm/kernels.ts';
import type { Matrix } from '../wasm/weights.ts';

/** Elements from one vector of a batch to the next. */
export function strideOf(n: number): number {
  return alignUp(n, VECTOR_PAD);
}

/** A thread's own copies of the present activations, in the forms that kernels read. */
export interface Activations {
  /** Vectors of `quantize_absmax_i8` with one scale each, for packed codes with one scale per row. */
  readonly codes: Ptr;
  /** The same with a scale for every 256 columns, for packed codes with scales per block. */
  readonly blocks: Ptr;
  /** Vectors of `quantize_block32_i16`, for int8 rows. */
  readonly ints: Ptr;
  /** Vectors of `quantize_grouped` with a scale for every 32 columns, for grouped codes without groups. */
  readonly units: Ptr;
  /** The same with a scale for every 256 columns, for K-quants. */
  readonly groups: Ptr;
  /** Scratch of the kernels for batches, `TILE_BYTES`; 0 where every vector is to be multiplied by itself. */
  readonly tile: Ptr;
}

/** Places a thread's buffers for a batch of vectors. @throws {MemoryError} */
export function allocateActivations(allocator: Allocator, widest: number): Activations {
  const forms = (bytes: number): Ptr => allocator.alloc(PREFILL_BATCH * bytes, 'quantised activations');
  return {
    codes: forms(codeVectorBytes(widest)),
    blocks: forms(codeVectorBytes(widest)),
    ints: forms(int8VectorBytes(widest)),
    units: forms(groupedVectorBytes(widest)),
    groups: forms(groupedVectorBytes(widest)),
    tile: allocator.alloc(TILE_BYTES, 'tables of a batch'),
  };
}

/** Vectors from which the tables of lookup.ts cost less than they save: they are made for at least 16. */
const LOOKUP_VECTORS = 8;
/** Vectors from which widening eight rows of int8 pays: four meet them at a time. */
const TILE_VECTORS = 4;
/** Vectors from which widening rows of 16 bits by themselves pays: two meet them at a time. */
const WIDENED_VECTORS = 4;

/**
 * Quantises n vectors of `cols` floats once for all matrices that will read them. Every thread does it for itself: that
 * costs a few microseconds and saves a barrier.
 */
export function quantize(k: Kernels, to: Activations, x: Ptr, n: number, matrices: readonly Matrix[]): void {
  let done = 0;
  for (const m of matrices) {
    const form = formOf(m);
    if (form === 0 || (done & form) !== 0) continue;
    done |= form;
    const { cols, units } = m;
    if (form === INTS) k.quantize_block32_i16(x, strideOf(cols), units, to.ints, int8VectorBytes(cols), n, m.top);
    else if (form === UNITS || form === GROUPS) {
      const vectors = form === UNITS ? to.units : to.groups;
      k.quantize_grouped(x, strideOf(cols), units, m.unitsPerScale, vectors, groupedVectorBytes(cols), n);
    } else {
      const span = form === CODES ? units : UNITS_PER_SCALE;
      const out = form === CODES ? to.codes : to.blocks;
      if (byTables(m, to, n)) k.quantize_absmax_batch(x, strideOf(cols), cols, units, span, out, n);
      else k.quantize_absmax_i8(x, strideOf(cols), cols, units, span, out, codeVectorBytes(cols), n);
    }
  }
}

// forms of activations, as bits
const CODES = 1;
const BLOCKS = 2;
const INTS = 4;
const UNITS = 8;
const GROUPS = 16;
/** Chunks of 64 columns that share an activation scale in the form `blocks`. */
const UNITS_PER_SCALE = 4;

function formOf({ layout, scaleKind, exact, grouping }: Matrix): number {
  if (layout === 'u4' || layout === 'u8') return grouping & 1 ? GROUPS : UNITS;
  if (layout === 'trit2' || layout === 'bit1') return scaleKind === 0 ? CODES : BLOCKS;
  return layout === 'i8' && !exact ? INTS : 0;
}

/** Whether packed codes take n vectors as one batch: its activations are laid out in another way. */
function byTables({ threes }: Matrix, { tile }: Activations, n: number): boolean {
  return tile !== 0 && !threes && n >= LOOKUP_VECTORS && n <= PREFILL_BATCH;
}

/** Chunks of 64 columns whose products with codes up to 3 fit the 16-bit sums of a kernel. */
const CHUNKS_OF_THREES = 4;

/**
 * y[t] = m · x[t] for n vectors, this thread's rows only. `quantize` has seen m and x. Which kernel serves depends on n, the
 * bits do not.
 */
export function matmul(
  k: Kernels,
  m: Matrix,
  x: Ptr,
  from: Activations,
  y: Ptr,
  n: number,
  thread: ThreadContext,
): void {
  const r0 = firstRow(m.paddedRows, thread.index, thread.count);
  const r1 = firstRow(m.paddedRows, thread.index + 1, thread.count);
  const out = strideOf(m.rows);
  switch (m.layout) {
    case 'trit2':
    case 'bit1': {
      const codes = m.scaleKind === 0 ? from.codes : from.blocks;
      const bytes = codeVectorBytes(m.cols);
      const { data, scales, scaleKind, units } = m;
      const chunks = m.threes && scaleKind === 0 ? CHUNKS_OF_THREES : m.unitsPerScale;
      const span = m.layout === 'bit1' ? chunks / 2 : chunks; // pairs of chunks are the unit of bits
      if (byTables(m, from, n)) {
        const lookup = m.layout === 'bit1' ? k.bit1_gemm_lookup : k.trit2_gemm_lookup;
        return lookup(data, scales, scaleKind, span, units, codes, y, out, r0, r1, n, from.tile);
      }
      const gemm = m.layout === 'bit1' ? k.bit1_gemm_i8 : k.trit2_gemm_i8;
      return gemm(data, scales, scaleKind, span, units, codes, bytes, y, out, r0, r1, n);
    }
    case 'i8': {
      const { data, scales, scaleKind, units } = m;
      if (m.exact) return k.int8_gemm_f32(data, scales, scaleKind, units, x, strideOf(m.cols), y, out, r0, r1, n);
      const bytes = int8VectorBytes(m.cols);
      if (from.tile !== 0 && n >= TILE_VECTORS) {
        return k.int8_gemm_tile(data, scales, scaleKind, units, from.ints, bytes, y, out, r0, r1, n, from.tile);
      }
      return k.int8_gemm_i16(data, scales, scaleKind, units, from.ints, bytes, y, out, r0, r1, n);
    }
    case 'u4':
    case 'u8': {
      const vectors = m.grouping & 1 ? from.groups : from.units;
      const gemm = m.layout === 'u4' ? k.grouped_gemm_u4 : k.grouped_gemm_u8;
      const bytes = groupedVectorBytes(m.cols);
      return gemm(m.data, m.scales, m.grouping, m.units, vectors, bytes, y, out, r0, r1, n);
    }
    case 'f32':
      return k.f32_gemm(m.data, m.units, x, strideOf(m.cols), y, out, r0, r1, n);
    case 'f16':
    case 'bf16': {
      if (from.tile !== 0 && n >= WIDENED_VECTORS && WIDENED_ROWS * m.units * 4 <= TILE_BYTES) {
        return widened(k, m, x, from.tile, y, n, r0, r1);
      }
      const gemm = m.layout === 'f16' ? k.f16_gemm : k.bf16_gemm;
      return gemm(m.data, m.units, x, strideOf(m.cols), y, out, r0, r1, n);
    }
    default:
      m.layout satisfies never;
  }
}

/** Rows of 16 bits that are widened at a time, at least; as many more as fit into half of the first-level cache. */
const WIDENED_ROWS = 4;
const WIDENED_BYTES = 24 << 10;

/** The products of rows of 16 bits by way of f32: a weight is widened once for all vectors. */
function widened(k: Kernels, m: Matrix, x: Ptr, tile: Ptr, y: Ptr, n: number, r0: number, r1: number): void {
  const widen = m.layout === 'f16' ? k.widen_f16 : k.bf16_to_f32;
  const rows = WIDENED_ROWS * Math.max(1, Math.floor(WIDENED_BYTES / (WIDENED_ROWS * m.units * 4)));
  for (let r = r0; r < r1; r += rows) {
    const some = Math.min(rows, r1 - r);
    widen(m.data + r * m.units * 2, tile, some * m.units);
    k.f32_gemm(tile, m.units, x, strideOf(m.cols), y + r * 4, strideOf(m.rows), 0, some, n);
  }
}

/** out = row `row` of m as floats: an embedding. */
export function readRow(k: Kernels, m: Matrix, row: number, out: Ptr): void {
  switch (m.layout) {
    case 'trit2':
      return k.row_trit2(m.data, m.scales, m.scaleKind, m.unitsPerScale, m.units, row, m.cols, out);
    case 'bit1':
      return k.row_bit1(m.data, m.scales, m.scaleKind, m.unitsPerScale / 2, m.units, row, m.cols, out);
    case 'i8':
      return k.row_int8(m.data, m.scales, m.scaleKind, m.units, row, m.cols, out);
    case 'u4':
      return k.row_grouped(4, m.data, m.scales, m.grouping, m.units, row, out);
    case 'u8':
      return k.row_grouped(8, m.data, m.scales, m.grouping, m.units, row, out);
    case 'f32':
      return k.copy_f32(m.data + row * m.units * 4, out, m.cols);
    case 'f16':
      return k.f16_to_f32(m.data + row * m.units * 2, out, m.cols);
    case 'bf16':
      return k.bf16_to_f32(m.data + row * m.units * 2, out, m.cols);
    default:
      m.layout satisfies never;
  }
}
