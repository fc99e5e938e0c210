/**
 * Building blocks of the student for jax-js, written for what it does fast on CPUs: two-dimensional products, sums as products
 * with ones, and on large arrays no operation without a SIMD form (jax-js has none for exp, log and division).
 * All consume their tensors.
 * @module
 */
import type { Array as Tensor } from '@jax-js/jax';
import type { Jax } from './jax.ts';
import { straightThrough } from './surrogate.ts';

/** Score of a key that is not seen, before the exponential. */
export const UNSEEN: number = -1e30;
const NORM_EPS = 1e-5;

/** e^x for x ≤ 0 as (Taylor of x/256)^256, all in SIMD: relative error 4e-6 at −15, 7e-5 at −30, constant below. */
export function fastExp({ np }: Jax, x: Tensor): Tensor {
  const y = np.maximum(x, -30).mul(1 / 256);
  let p = y.ref.mul(1 / 24).add(1 / 6);
  p = p.mul(y.ref).add(0.5);
  p = p.mul(y.ref).add(1);
  p = p.mul(y).add(1);
  for (let i = 0; i < 8; i++) p = np.square(p);
  return p;
}

/** ln x: that of jax-js is off by as much as 1.2e-5, which one step of Newton squares. */
export function log({ np }: Jax, x: Tensor): Tensor {
  const near = np.log(x.ref);
  return near.ref.add(x.mul(np.exp(near.mul(-1)))).sub(1);
}

/** Mean over the last axis of (N, n), as (N, 1). */
export function meanRows({ np }: Jax, x: Tensor): Tensor {
  const n = x.shape[1];
  return np.matmul(x, np.full([n, 1], 1 / n));
}

/** LayerNorm of rows (N, n). */
export function layerNorm(jax: Jax, x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const { np } = jax;
  const centred = x.ref.sub(meanRows(jax, x));
  const variance = meanRows(jax, np.square(centred.ref));
  return centred.mul(np.reciprocal(np.sqrt(variance.add(NORM_EPS)))).mul(weight).add(bias);
}

/** x rounded to multiples of absmax / 127 in spans of its rows, as the engine's kernels take it; gradients pass. */
export function roundActivations(jax: Jax, x: Tensor, span: number): Tensor {
  const { np, lax } = jax;
  const [rows, cols] = x.shape;
  const whole = cols % span === 0 ? span : cols;
  const parts = lax.stopGradient(x.ref).reshape([(rows * cols) / whole, whole]);
  const top = np.max(np.absolute(parts.ref), 1, { keepdims: true });
  const inverse = np.where(np.less(top.ref, 1e-30), 0, np.reciprocal(np.maximum(top.ref, 1e-30)).mul(127));
  const rounded = np.floor(parts.mul(inverse).add(0.5)).mul(top.mul(1 / 127)).reshape([rows, cols]);
  return straightThrough(jax, rounded, x);
}

/** x · wᵀ for w (out, in) as checkpoints hold it. */
export function linear({ np }: Jax, x: Tensor, w: Tensor): Tensor {
  return np.matmul(x, w.transpose());
}

/** Softmax over the last axis; its derivative is written out, so that nothing of the exponential is kept. */
export function softmax(jax: Jax, x: Tensor): Tensor {
  const { np, lax } = jax;
  const fixed = lax.stopGradient(x.ref);
  const top = np.max(fixed.ref, -1, { keepdims: true });
  const powers = fastExp(jax, fixed.ref.sub(top));
  // what is not seen is 1e-13 of the largest by `fastExp`, and must be nothing
  const seen = np.where(np.less(fixed, UNSEEN / 2), 0, powers);
  // a row that sees nothing is zeros
  const p = seen.ref.mul(np.reciprocal(np.maximum(np.sum(seen, -1, { keepdims: true }), 1e-30)));
  return withDerivative(jax, p, x);
}

/** p with the derivative p·(dx − Σ p·dx) of a softmax. */
function withDerivative({ np, lax }: Jax, p: Tensor, x: Tensor): Tensor {
  const moved = x.ref.sub(lax.stopGradient(x)).mul(p.ref);
  return p.ref.add(moved.ref.sub(p.mul(np.sum(moved, -1, { keepdims: true }))));
}
