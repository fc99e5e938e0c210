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
/** A batch of n ≤ 32 vectors, which lie side by side in `x`. */
type CodeLookup = (
  w: Ptr, scales: Ptr, kind: number, blockChunks: number, chunks: number,
  x: Ptr, y: Ptr, yStride: number, r0: number, r1: number, n: number, scratch: Ptr,
) => void;
type GroupedGemm = (
  w: Ptr, scales: Ptr, kind: number, units: number,
  x: Ptr, xStride: number, y: Ptr, yStride: number, r0: number, r1: number, n: number,
) => void;
type DenseGemm = (
  w: Ptr, stride: number, x: Ptr, xStride: number, y: Ptr, yStride: number, r0: number, r1: number, n: number,
) => void;
/** The heads that share a key head, of n tokens; token t sees count + t keys. Strides are elements. */
type Attention = (
  q: Ptr, qStride: number, heads: number, k: Ptr, v: Ptr, out: Ptr, outStride: number,
  headDim: number, count: number, n: number, scale: number, scratch: Ptr,
) => void;
type CodeRow = (
  w: Ptr, scales: Ptr, kind: number, blockChunks: number, chunks: number, row: number, cols: number, out: Ptr,
) => void;
/** Sums of columns of codes; `span` inputs share a row of scales. `sums` takes an i32 and `bytes` a byte for every row. */
type CodeColumns = (
  w: Ptr, rows: number, scales: Ptr, span: number, list: Ptr, count: number, sums: Ptr, bytes: Ptr, y: Ptr, r0: number,
  r1: number,
) => void;
/** Packs one group of four rows. */
type Pack = (from: Ptr, stride: number, rows: number, cols: number, chunks: number, out: Ptr) => void;

/** File blocks to codes. Returns −1; b ≥ 0: the scale of block b is not finite; −2 − b: block b holds a bad code. */
type Unpack = (src: Ptr, codes: Ptr, scales: Ptr, blocks: number) => number;
/** f32 to file blocks. Returns −1, or the index of the first block that cannot be written. */
type Encode = (x: Ptr, dst: Ptr, blocks: number) => number;
type InPlace = (x: Ptr, n: number) => void;
/** The first operand is the result. */
type Pairwise = (y: Ptr, x: Ptr, n: number) => void;
type Convert = (src: Ptr, dst: Ptr, n: number) => void;

export interface Kernels {
  // quantize.ts
  quantize_absmax_i8(
    x: Ptr, xStride: number, n: number, chunks: number, span: number, out: Ptr, outStride: number, count: number,
  ): void;
  /** `top` is 127 or 32767. */
  quantize_block32_i16(
    x: Ptr, xStride: number, blocks: number, out: Ptr, outStride: number, count: number, top: number,
  ): void;
  /** `span` units of 32 share a scale. */
  quantize_grouped(
    x: Ptr, xStride: number, units: number, span: number, out: Ptr, outStride: number, count: number,
  ): void;
  quantize_absmax_batch(
    x: Ptr, xStride: number, n: number, chunks: number, span: number, out: Ptr, count: number,
  ): void;
  // ternary.ts, lookup.ts, int8.ts, dense.ts
  trit2_gemm_i8: CodeGemm;
  bit1_gemm_i8: CodeGemm;
  trit2_gemm_lookup: CodeLookup;
  bit1_gemm_lookup: CodeLookup;
  int8_gemm_i16(
    w: Ptr, scales: Ptr, kind: number, blocks: number,
    x: Ptr, xStride: number, y: Ptr, yStride: number, r0: number, r1: number, n: number,
  ): void;
  int8_gemm_tile(
    w: Ptr, scales: Ptr, kind: number, blocks: number,
    x: Ptr, xStride: number, y: Ptr, yStride: number, r0: number, r1: number, n: number, scratch: Ptr,
  ): void;
  int8_gemm_f32(
    w: Ptr, scales: Ptr, kind: number, blocks: number,
    x: Ptr, xStride: number, y: Ptr, yStride: number, r0: number, r1: number, n: number,
  ): void;
  f32_gemm: DenseGemm;
  f16_gemm: DenseGemm;
  bf16_gemm: DenseGemm;
  widen_f16: Convert;
  // grouped.ts, grouped-pack.ts
  /** n vectors of `quantize_grouped`, whatever n. */
  grouped_gemm_u4: GroupedGemm;
  grouped_gemm_u8: GroupedGemm;
  grouped_to_f32(codes: Ptr, parts: Ptr, kind: number, blocks: number, out: Ptr): void;
  pack_grouped(bits: number, codes: Ptr, rows: number, units: number, out: Ptr): void;
  pack_parts(bits: number, parts: Ptr, rows: number, kind: number, blocks: number, out: Ptr): void;
  row_grouped(bits: number, w: Ptr, scales: Ptr, kind: number, units: number, row: number, out: Ptr): void;
  // attention.ts
  attention_f32: Attention;
  attention_f16: Attention;
  // rope.ts
  rope_freqs_f64(theta: number, dims: number, linear: number, factors: Ptr, out: Ptr): void;
  rope_table_f32(freqs: Ptr, half: number, pos: number, count: number, magnitude: number, table: Ptr): void;
  log_f64(x: number): number;
  rope_apply_f32(x: Ptr, heads: number, headDim: number, table: Ptr, half: number, halved: number): void;
  // pack.ts
  pack_trit2: Pack;
  pack_bit1: Pack;
  pack_int8: Pack;
  pack_scales(scales: Ptr, stride: number, rows: number, fileBlocks: number, blocks: number, out: Ptr): void;
  row_trit2: CodeRow;
  row_bit1: CodeRow;
  copy_f32(src: Ptr, dst: Ptr, n: number): void;
  row_int8(w: Ptr, scales: Ptr, kind: number, blocks: number, row: number, cols: number, out: Ptr): void;
  // norm.ts
  rms_norm_f32(x: Ptr, weight: Ptr, y: Ptr, n: number, eps: number): void;
  layer_norm_f32(x: Ptr, weight: Ptr, bias: Ptr, y: Ptr, n: number, eps: number): void;
  // elementwise.ts
  add_f32: Pairwise;
  scale_f32(y: Ptr, s: number, n: number): void;
  silu_mul_f32: Pairwise;
  gelu_f32: InPlace;
  gelu_tanh_mul_f32: Pairwise;
  relu2_mul_f32: Pairwise;
  softmax_f32: InPlace;
  /** Index of the first NaN or ±∞, or −1. */
  not_finite_f32(x: Ptr, n: number): number;
  // math.ts
  math_sigmoid_f32: Convert;
  /** Writes sin x and cos x, two f64. */
  math_cossin_f64(x: number, out: Ptr): void;
  // convert.ts
  f16_to_f32: Convert;
  f32_to_f16: Convert;
  bf16_to_f32: Convert;
  // unpack.ts
  unpack_tq1_0: Unpack;
  unpack_tq2_0: Unpack;
  unpack_q2_0(src: Ptr, codes: Ptr, scales: Ptr, blocks: number, group: number): number;
  unpack_q1_0: Unpack;
  unpack_i2_s(src: Ptr, codes: Ptr, n: number): number;
  unpack_u2_rows(src: Ptr, codes: Ptr, n: number, shift: number): number;
  unpack_q8_0: Unpack;
  // grouped-unpack.ts
  unpack_q5_0: Unpack;
  unpack_iq4_nl: Unpack;
  /** `type` is the number of ggml. */
  unpack_grouped(type: number, src: Ptr, codes: Ptr, parts: Ptr, blocks: number): number;
  // encode.ts
  encode_q8_0: Encode;
  encode_tq2_0: Encode;
  encode_tq1_0: Encode;
  encode_q4_0: Encode;
  // select.ts
  /** Index of the largest, the lowest on ties; −1: none; −2: a NaN is among them. */
  argmax_f32(x: Ptr, n: number): number;
  /** Returns how many were found, at most k. */
  top_k_f32(x: Ptr, n: number, k: number, ids: Ptr, values: Ptr): number;
  /** Σ e^((x − top) · inverse); the terms are written to `y` unless it is 0. */
  exp_sum_f32(x: Ptr, y: Ptr, n: number, top: number, inverse: number): number;
  /** Σ y · (shift − x) over y ≥ least, and `other` for each of the rest. */
  entropy_sum_f32(x: Ptr, y: Ptr, n: number, shift: number, least: number, other: number): number;
  draw_f32(x: Ptr, n: number, top: number, inverse: number, target: number): number;
  // spike.ts, columns.ts, window.ts
  lif_scan_f32(
    x: Ptr, xStride: number, v: Ptr, spikes: Ptr, spikeStride: number, n: number, count: number, leak: number, theta: number,
    limit: number,
  ): void;
  threshold_f32(x: Ptr, n: number, theta: number, spikes: Ptr): number;
  active_list(spikes: Ptr, n: number, list: Ptr): number;
  decay_scan_f32(x: Ptr, xStride: number, h: Ptr, a: Ptr, heads: number, headDim: number, count: number): void;
  mix_f32(y: Ptr, x: Ptr, gate: number, n: number): void;
  columns_f32(w: Ptr, stride: number, list: Ptr, count: number, y: Ptr, r0: number, r1: number): void;
  /** `span` inputs share a row of scales. */
  columns_i8(
    w: Ptr, stride: number, scales: Ptr, span: number, list: Ptr, count: number, sums: Ptr, y: Ptr, r0: number, r1: number,
  ): void;
  columns_trit2: CodeColumns;
  columns_bit1: CodeColumns;
  transpose_f32(src: Ptr, rows: number, cols: number, dst: Ptr, stride: number): void;
  store_u8(at: Ptr, value: number): void;
  window_attention_f32(
    q: Ptr, k: Ptr, v: Ptr, fired: Ptr, out: Ptr, headDim: number, pos: number, window: number, anchors: number, ring: number,
    scale: number, scratch: Ptr,
  ): void;
  // nibble.ts, gather.ts, integrate.ts, spike-attention.ts
  /** 8192 bytes. */
  nibble_tables(out: Ptr): void;
  nibble_gemm(
    bits: number, w: Ptr, scales: Ptr, kind: number, blockChunks: number, chunks: number, bias: Ptr, tables: Ptr,
    x: Ptr, y: Ptr, yStride: number, r0: number, r1: number, n: number, scratch: Ptr,
  ): void;
  spike_lists(x: Ptr, groups: number, n0: number, n1: number, lists: Ptr, stride: number, counts: Ptr): void;
  tile_i8(kind: number, w: Ptr, units: number, r0: number, rows: number, tile: Ptr, scratch: Ptr): void;
  tile_f32(w: Ptr, stride: number, r0: number, rows: number, tile: Ptr): void;
  gather_i8(
    kind: number, tile: Ptr, lists: Ptr, stride: number, counts: Ptr, scales: Ptr, bias: Ptr, y: Ptr, yStride: number,
    rows: number, n: number, scratch: Ptr,
  ): void;
  gather_f32(
    tile: Ptr, cols: number, lists: Ptr, stride: number, counts: Ptr, bias: Ptr, y: Ptr, yStride: number,
    rows: number, n: number, scratch: Ptr,
  ): void;
  integrate_fire(
    current: Ptr, stride: number, advance: number, u: Ptr, counts: Ptr, tokens4: number, steps: number, theta: number,
    leak: number, x: Ptr, groups: number, g0: number,
  ): void;
  count_nibbles(x: Ptr, groups: number, n0: number, n1: number): number;
  add_nibbles(current: Ptr, stride: number, rows: number, x: Ptr, groups: number, g0: number, count: number): void;
  feature_stats(
    x: Ptr, stride: number, rows: number, n0: number, n1: number, eps: number, mean: Ptr, inverse: Ptr,
  ): void;
  normalise_features(
    x: Ptr, stride: number, rows: number, count: number, mean: Ptr, inverse: Ptr, weight: Ptr, bias: Ptr,
  ): void;
  spike_attention(
    q: Ptr, stride: number, k: Ptr, v: Ptr, groups: number, n0: number, tokens4: number, keys: number, f0: number,
    headDim: number, root: number, scores: Ptr,
  ): void;
}
