/**
 * The rotary frequencies of a model: plain, divided (linear), divided by factors of the file, or blended by YaRN.
 *
 *   freq[i]  = θ^(−2i / dims) / factor[i]                                                                         i < dims / 2
 *   linear     freq[i] / s
 *   Llama 3    freq[i] / s · (1 − m[i]) + freq[i] · m[i],   m[i] = clamp((original · freq[i] / 2π − low) / (high − low), 0, 1)
 *   YaRN       freq[i] / s · (1 − m[i]) + freq[i] · m[i],   m[i] = 1 − clamp((i − low) / max(0.001, high − low), 0, 1)
 *              low, high = ⌊c(β fast)⌋, ⌈c(β slow)⌉,        c(β) = dims · ln(original / (β · 2π)) / (2 · ln θ)
 *              cosines and sines · (1 + 0.1 · ln s)
 *
 * YaRN: arXiv 2309.00071, as ggml computes it. Logarithms are our own, so that every engine has the same table.
 * @module
 */
import type { Arena, Ptr } from '../../wasm/arena.ts';
import type { Kernels } from '../../wasm/kernels.ts';
import type { RopeDescription } from '../../description/description.ts';

/**
 * Writes the frequencies, (dims / 2) f64, to `out`.
 * @param factors (dims / 2) f32 that divide them, 0 for none
 * @returns the magnitude of cosines and sines
 */
export function ropeFrequencies(k: Kernels, arena: Arena, rope: RopeDescription, factors: Ptr, out: Ptr): number {
  const { theta, dims, linear, yarn, llama3, attnFactor = 1 } = rope;
  k.rope_freqs_f64(theta, dims, yarn ? 1 : linear, factors, out);
  const freqs = new Float64Array(arena.memory.buffer, out, dims / 2);
  if (llama3) {
    for (let i = 0; i < freqs.length; i++) {
      const turns = (llama3.original * freqs[i]) / (2 * Math.PI);
      const kept = Math.min(1, Math.max(0, (turns - llama3.low) / (llama3.high - llama3.low)));
      freqs[i] = ((1 - kept) * freqs[i]) / llama3.factor + kept * freqs[i];
    }
  }
  if (!yarn) return attnFactor;
  const corner = (beta: number): number =>
    (dims * k.log_f64(yarn.original / (beta * 2 * Math.PI))) / (2 * k.log_f64(theta));
  const low = Math.max(0, Math.floor(corner(yarn.betaFast)));
  const high = Math.min(dims - 1, Math.ceil(corner(yarn.betaSlow)));
  for (let i = 0; i < freqs.length; i++) {
    const ramp = Math.min(1, Math.max(0, (i - low) / Math.max(0.001, high - low)));
    freqs[i] = (freqs[i] / linear) * ramp + freqs[i] * (1 - ramp);
  }
  return attnFactor * (yarn.magnitude ?? 1 + 0.1 * k.log_f64(linear));
}
