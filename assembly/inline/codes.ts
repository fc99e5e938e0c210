// The inner step of the packed-code kernels: 64 columns of one row against int8 activations. This is the only place
// where the base and the relaxed build differ; both give the same integer.
//
//   a chunk, 16 bytes, 64 codes of 2 bits     byte j   bits 1-0 w[j]   3-2 w[16+j]   5-4 w[32+j]   7-6 w[48+j]
//
// relaxed   activations as i8 in natural order, 64 bytes per chunk. `chunk & 3` are the codes of columns 0 … 15, `chunk & 12`
//           four times those of columns 16 … 31, and after a shift by 4 follow the other two: one shift serves four groups.
//           The relaxed dot gives eight i16 sums of two products. Its second operand is under 16, so that every engine gives
//           the same answer. Eight chunks fit: 2 · 127 · 8 in each of 16 dot products.
// base      the chunk is read as eight u16 lanes of eight codes. `chunk & (3 << 2k)` is 4^k times the code of columns
//           16k + 2l, and after a shift by 8 of columns 16k + 2l + 1. The activations are stored as i16, in that order and
//           already multiplied by 4^(3-k): every product is 64 times the true one, and no further shift is needed.
//           Even part, then odd part: 128 bytes per chunk.

/** Columns of one chunk. */
export const CHUNK: i32 = 64;

/** Bytes of activations per chunk in this build. */
@inline
export function x_chunk_bytes(): i32 {
  return ASC_FEATURE_RELAXED_SIMD ? 64 : 128;
}

/** Chunks that share one activation scale, unless one serves the whole vector: 256 columns, as ggml's Q8_K. */
export const CHUNKS_PER_SCALE: i32 = 4;

/** Where the sums begin in one quantised vector: behind its scales. Each is that of its chunk and those before it in its group
 *  of four, so that one difference gives the sum of any block. */
@inline
export function x_sums_offset(chunks: i32): i32 {
  return ((chunks + CHUNKS_PER_SCALE - 1) / CHUNKS_PER_SCALE) << 2;
}

/** Where the activations begin: behind the scales and one i32 sum per chunk. */
@inline
export function x_data_offset(chunks: i32): i32 {
  return (x_sums_offset(chunks) + (chunks << 2) + 63) & ~63;
}

/** Tokens that a batch of n ≤ 32 is laid out for. */
@inline
export function batch_width(n: i32): i32 {
  return n > 16 ? 32 : 16;
}

/** Where the activations of a batch begin: behind one scale per 256 columns and token. */
@inline
export function batch_data_offset(chunks: i32, width: i32): i32 {
  return (chunks + CHUNKS_PER_SCALE - 1) / CHUNKS_PER_SCALE * width << 2;
}

/** acc + eight sums of two products of i8 activations and codes under 128, relaxed build. */
@inline
export function dot_i8(acc: v128, x: v128, codes: v128): v128 {
  return i16x8.add(acc, i16x8.relaxed_dot_i8x16_i7x16_s(x, codes));
}

/** One masked group of a chunk, base build: adds four sums of two products, 64 times too large, to `acc`. */
@inline
export function dot_masked(acc: v128, x: v128, v: v128, mask: v128): v128 {
  return i32x4.add(acc, i32x4.dot_i16x8_s(x, v128.and(v, mask)));
}
