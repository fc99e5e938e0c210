// The exports of relaxed.wasm: the kernels that relaxed SIMD makes faster, and those that write what only they read. It is
// instantiated over the same memory as base.wasm, and its exports stand in for those of the same name.
export { quantize_absmax_i8, quantize_grouped } from './quantize';
export { grouped_gemm_u4, grouped_gemm_u8 } from './grouped';
export { trit2_gemm_i8, bit1_gemm_i8 } from './ternary';
export { nibble_gemm } from './nibble';
