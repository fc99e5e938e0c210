/**
 * The exports of the kernels module, as assembly/ declares them. Pointers are addresses in the imported memory, counts
 * are elements; shapes, layouts and exactness stand in the headers of assembly/*.ts. Nothing is checked behind this line.
 * @module
 */
import type { Ptr } from './arena.ts';

/** Rows × vectors. `r0` and `r1` are multiples of 4; `n` vectors share one pass over the weights. */
type CodeGemm = (
  w: Ptr, scales: Ptr, kind: number, blockChunks: number, chunks: number,
  x: Ptr, xStride: number, y: Ptr, yStride: number, r0: number, r1: number, n: number,
) => void;
type DenseGemm = (
  w: Ptr, stride: number, x: Ptr, xStride: number, y: Ptr, yStride: number, r0: number, r1: number, n: number,
) => void;
type Attention = (
  q: Ptr, k: Ptr, v: Ptr, out: Ptr, headDim: number, count: number, scale: number, scratch: Ptr,
) => void;
type CodeRow = (
  w: Ptr, scales: Ptr, kind: number, blockChunks: number, chunks: number, row: number, cols: number, out: Ptr,
) => void;
/** Packs one group of four rows. */
type Pack = (from: Ptr, stride: number, rows: number, cols: number, chunks: number, out: Ptr) => void;

export interface Kernels {
  // quantize.ts
  quantize_absmax_i8(x: Ptr, xStride: number, n: number, chunks: number, out: Ptr, outStride: number, count: number): void;
  quantize_block32_i16(x: Ptr, xStride: number, blocks: number, out: Ptr, outStride: number, count: number): void;
  // ternary.ts, int8.ts, dense.ts
  trit2_gemm_i8: CodeGemm;
  bit1_gemm_i8: CodeGemm;
  int8_gemm_i16(
    w: Ptr, scales: Ptr, kind: number, blocks: number,
    x: Ptr, xStride: number, y: Ptr, yStride: number, r0: number, r1: number, n: number,
  ): void;
  f32_gemm: DenseGemm;
  f16_gemm: DenseGemm;
  bf16_gemm: DenseGemm;
  // attention.ts
  attention_f32: Attention;
  attention_f16: Attention;
  // rope.ts
  rope_freqs_f64(theta: number, dims: number, linear: number, factors: Ptr, out: Ptr): void;
  rope_table_f32(freqs: Ptr, half: number, pos: number, count: number, table: Ptr): void;
  rope_apply_f32(x: Ptr, heads: number, headDim: number, table: Ptr, half: number, halved: number): void;
  // pack.ts
  pack_trit2: Pack;
  pack_bit1: Pack;
  pack_int8: Pack;
  pack_scales(scales: Ptr, stride: number, rows: number, fileBlocks: number, blocks: number, out: Ptr): void;
  uniform_scales(scales: Ptr, fileBlocks: number, rowScales: Ptr): number;
  row_trit2: CodeRow;
  row_bit1: CodeRow;
  row_int8(w: Ptr, scales: Ptr, kind: number, blocks: number, row: number, cols: number, out: Ptr): void;
}
