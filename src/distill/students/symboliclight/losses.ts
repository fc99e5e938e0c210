/**
 * What a student is to minimise, mean over all positions:
 *
 *   (1 − α)·H(y, softmax z)  +  α·τ²·H(softmax(t/τ), softmax(z/τ))                      z logits, t of the teacher, y labels
 *   + β · mean over pairs of mean (P·c − h)²                                            h of the teacher, P learned
 *   + ρ · mean over layers of (rate − target)²
 *
 * Hinton, Vinyals, Dean, arXiv 1503.02531; hidden states as in FitNets, arXiv 1412.6550.
 * @module
 */
import type { Array as Tensor } from '@jax-js/jax';
import type { GraphInputs, Tensors } from './graph.ts';
import type { Jax } from './jax.ts';
import { fastExp } from './ops.ts';
import type { LossWeights } from './types.ts';

/** Key of the projection of the n-th pair of hidden states. */
export function projectionKey(n: number): string {
  return `projection.${n}`;
}

/** Softmax over rows: z − max, e^(z − max) over its sum, and the logarithm of that sum, (N, 1). No derivatives. */
function softmaxRows(jax: Jax, z: Tensor): { shifted: Tensor; p: Tensor; logSum: Tensor } {
  const { np } = jax;
  const shifted = z.ref.sub(np.max(z, 1, { keepdims: true }));
  const powers = fastExp(jax, shifted.ref);
  const total = np.sum(powers.ref, 1, { keepdims: true });
  return { shifted, p: powers.mul(np.reciprocal(total.ref)), logSum: np.log(total) };
}

/** Σ over rows of H(p, softmax z): rows first, for a sum to one number has no SIMD form. */
function crossEntropy({ np }: Jax, p: Tensor, { shifted, logSum }: { shifted: Tensor; logSum: Tensor }): Tensor {
  return np.sum(logSum).sub(np.sum(np.sum(shifted.mul(p), 1)));
}

/**
 * The loss as a scalar with its gradient, and [loss, soft, hard, hidden]. The gradient of both cross-entropies by the
 * logits is known: it is written out, so that only one pass over the vocabulary is differentiated.
 * @param hidden streams behind each block, (N, width)
 * @param rates firing rates of mixer, feed-forward and output of each block
 */
export function distillation(
  jax: Jax,
  weights: LossWeights,
  w: Tensors,
  logits: Tensor,
  inputs: GraphInputs,
  hidden: readonly Tensor[],
  rates: readonly Tensor[],
): { objective: Tensor; report: Tensor } {
  const { np, lax } = jax;
  const { temperature } = weights;
  const { alpha, hidden: pull, rate } = inputs.weights;
  const rows = logits.shape[0];
  const z = lax.stopGradient(logits.ref);
  const student = softmaxRows(jax, z.ref);
  const hard = crossEntropy(jax, inputs.labels.ref, student).mul(1 / rows);
  const plain = np.subtract(1, alpha.ref);
  let slope = student.p.sub(inputs.labels).mul(plain.ref.mul(1 / rows));
  let soft: Tensor = np.array(0);
  if (weights.alpha > 0) {
    const teacher = softmaxRows(jax, inputs.teacher.mul(1 / temperature));
    const warm = softmaxRows(jax, z.ref.mul(1 / temperature));
    slope = slope.add(warm.p.sub(teacher.p.ref).mul(alpha.ref.mul(temperature / rows)));
    soft = crossEntropy(jax, teacher.p, warm).mul(temperature ** 2 / rows);
    teacher.shifted.dispose();
    teacher.logSum.dispose();
  } else inputs.teacher.dispose();
  let objective = np.sum(np.sum(logits.mul(slope.ref), 1)).sub(np.sum(np.sum(z.mul(slope), 1)));

  let distance: Tensor = np.array(0);
  if (weights.hidden > 0) {
    weights.hiddenPairs.forEach((pair, n) => {
      const made = np.matmul(hidden[pair.student].ref, w[projectionKey(n)].ref.transpose());
      const mean = np.mean(np.square(made.sub(inputs.hidden[n].ref)));
      distance = distance.add(mean.mul(1 / weights.hiddenPairs.length));
    });
    objective = objective.add(distance.ref.mul(pull.ref));
  }
  let excess: Tensor = np.array(0);
  if (weights.rate > 0) {
    // the mixer's spikes feed nothing, nor do those of the last output
    const learn = rates.filter((_, n) => n % 3 !== 0 && n !== rates.length - 1);
    const encoder = np.mean(inputs.spikes.ref);
    for (const fired of [encoder, ...learn.map((y) => y.ref)]) {
      excess = excess.add(np.square(fired.sub(weights.targetRate)).mul(1 / (learn.length + 1)));
    }
    objective = objective.add(excess.ref.mul(rate.ref));
  }
  const loss = hard.ref.mul(plain).add(soft.ref.mul(alpha)).add(distance.ref.mul(pull)).add(excess.mul(rate));
  const report = lax.stopGradient(np.stack([loss, soft, hard, distance]));
  return { objective, report };
}
