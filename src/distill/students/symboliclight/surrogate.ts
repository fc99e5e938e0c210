/**
 * Thresholds that learn: the step [x ≥ θ] forwards, and in its place the derivative of a smooth one backwards.
 *
 *   arctan     h(x) = (k/2) / (1 + (π/2 · k·(x − θ))²)
 *   sigmoid    h(x) = k · σ(k·(x − θ)) · (1 − σ(k·(x − θ)))
 *   triangle   h(x) = max(0, 1 − |x − θ| / k) / k                        k: `surrogateWidth`
 *
 * Neftci, Mostafa, Zenke, arXiv 1901.09948; arctan as in Fang et al., arXiv 2007.05785.
 * @module
 */
import type { Array as Tensor } from '@jax-js/jax';
import type { Jax } from './jax.ts';
import type { StudentConfig, Surrogate } from './types.ts';

/** h at x − θ = `distance`. */
export function surrogateDerivative(kind: Surrogate, k: number, distance: number): number {
  switch (kind) {
    case 'arctan':
      return k / 2 / (1 + (Math.PI / 2 * k * distance) ** 2);
    case 'sigmoid': {
      const e = Math.exp(-Math.abs(k * distance));
      return (k * e) / (1 + e) ** 2;
    }
    case 'triangle':
      return Math.max(0, 1 - Math.abs(distance) / k) / k;
  }
}

/** The value of `value` with the derivative of x. `value` must hang on nothing that is differentiated. */
export function straightThrough({ lax }: Jax, value: Tensor, x: Tensor): Tensor {
  return value.add(x.ref.sub(lax.stopGradient(x)));
}

/** [x ≥ θ] as 0 and 1, with the derivative h. */
export function thresholded(
  jax: Jax,
  x: Tensor,
  { threshold, surrogate, surrogateWidth: k }: Pick<StudentConfig, 'threshold' | 'surrogate' | 'surrogateWidth'>,
): Tensor {
  const { np, lax } = jax;
  const fixed = lax.stopGradient(x.ref);
  const fired = np.where(np.less(fixed.ref, threshold), 0, 1);
  const distance = fixed.sub(threshold);
  const slope = slopeOf(jax, surrogate, k, distance);
  return fired.add(x.ref.sub(lax.stopGradient(x)).mul(slope));
}

function slopeOf({ np }: Jax, kind: Surrogate, k: number, distance: Tensor): Tensor {
  switch (kind) {
    case 'arctan':
      return np.reciprocal(np.square(distance.mul(Math.PI / 2 * k)).add(1)).mul(k / 2);
    case 'sigmoid': {
      const e = np.exp(np.absolute(distance).mul(-k));
      return e.ref.mul(np.reciprocal(np.square(e.add(1)))).mul(k);
    }
    case 'triangle':
      return np.maximum(np.absolute(distance).mul(-1 / k).add(1), 0).mul(1 / k);
  }
}
