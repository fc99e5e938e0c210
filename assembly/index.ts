// The exports of base.wasm, which holds every kernel; nothing else. relaxed.ts compiles some of them a second time.
export { quantize_absmax_i8, quantize_block32_i16 } from './quantize';
export { trit2_gemm_i8, bit1_gemm_i8 } from './ternary';
export { int8_gemm_i16, int8_gemm_f32 } from './int8';
export { f32_gemm, f16_gemm, bf16_gemm } from './dense';
export { attention_f32, attention_f16 } from './attention';
export { rope_freqs_f64, rope_table_f32, rope_apply_f32 } from './rope';
export { pack_trit2, pack_bit1, pack_int8, pack_scales, row_trit2, row_bit1, row_int8, copy_f32 } from './pack';
export { rms_norm_f32, layer_norm_f32 } from './norm';
export { add_f32, mul_f32, scale_f32, silu_f32, silu_mul_f32, gelu_f32, gelu_mul_f32 } from './elementwise';
export { relu2_f32, relu2_mul_f32, softmax_f32, not_finite_f32 } from './elementwise';
export { math_exp_f32, math_tanh_f32, math_erf_f32, math_sigmoid_f32, math_cossin_f64 } from './math';
export { f16_to_f32, f32_to_f16, bf16_to_f32, f32_to_bf16 } from './convert';
export { unpack_tq1_0, unpack_tq2_0, unpack_q2_0, unpack_q1_0, unpack_i2_s, unpack_q8_0 } from './unpack';
export { encode_q8_0, encode_tq2_0, encode_tq1_0 } from './encode';
export { argmax_f32, top_k_f32, exp_sum_f32, entropy_sum_f32, draw_f32 } from './select';
export { lif_scan_f32, threshold_f32, active_list, decay_scan_f32, mix_f32 } from './spike';
export { columns_f32, columns_i8, columns_trit2, transpose_f32 } from './columns';
export { window_attention_f32 } from './window';
