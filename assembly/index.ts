// The exports of the module; nothing else. Both builds are compiled from this file.
export { quantize_absmax_i8, quantize_block32_i16 } from './quantize';
export { trit2_gemm_i8, bit1_gemm_i8 } from './ternary';
export { int8_gemm_i16 } from './int8';
export { f32_gemm, f16_gemm, bf16_gemm } from './dense';
export { rope_freqs_f64, rope_table_f32, rope_apply_f32 } from './rope';
export { pack_trit2, pack_bit1, pack_int8, pack_scales, uniform_scales, row_trit2, row_bit1, row_int8 } from './pack';
