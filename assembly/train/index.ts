// The exports of train-base.wasm and train-relaxed.wasm: products and gradients for training, which running a model never loads.
export { gemm, gemm_scratch } from './gemm';
export { add_bias, column_sums, add_scaled, rates, rates_back, total, variance, variance_back } from './rows';
export { norm, norm_back, gelu, gelu_back, squares, squares_back, match } from './rows';
export { attention, attention_back, match_scores } from './attention';
