/**
 * AdamW with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101), on the host: one pass over the weights.
 * @module
 */
export interface AdamOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Of matrices; vectors are not decayed. */
  readonly weightDecay: number;
}

/** Moments smaller than this are 0: subnormal numbers slow the loop down. */
const LEAST = 1e-30;

/** Σ g² of elements from … to − 1, in order. */
export function squareSum(g: Float32Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += g[i] * g[i];
  return sum;
}

/**
 * One update of elements from … to − 1.
 *
 *   m ← β₁m + (1−β₁)g;   v ← β₂v + (1−β₂)g²;   w ← w − lr·(m̂ / (√v̂ + ε) + λw),   m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ)
 *
 * @param scale multiplies the gradients first: clipping
 * @param step t, from 1
 */
export function adamw(
  w: Float32Array,
  g: Float32Array,
  m: Float32Array,
  v: Float32Array,
  from: number,
  to: number,
  scale: number,
  lr: number,
  decay: number,
  step: number,
  { beta1, beta2, epsilon }: AdamOptions,
): void {
  const rate = lr / (1 - beta1 ** step);
  const root = 1 / Math.sqrt(1 - beta2 ** step);
  const shrink = 1 - lr * decay;
  for (let i = from; i < to; i++) {
    const slope = g[i] * scale;
    const first = beta1 * m[i] + (1 - beta1) * slope;
    const second = beta2 * v[i] + (1 - beta2) * slope * slope;
    m[i] = Math.abs(first) < LEAST ? 0 : first;
    v[i] = second < LEAST ? 0 : second;
    w[i] = w[i] * shrink - (rate * first) / (Math.sqrt(second) * root + epsilon);
  }
}
