/**
 * Pooler and classifier over the first token of each text, forward and backward:
 *
 *   p = drop(tanh(Wp·x₀ + bp)),   z = Wc·p + bc          or relu in the place of tanh
 * @module
 */
import { logitLoss } from './logit-loss.ts';
import { dot } from './teacher.ts';
import { drop } from './dropout.ts';

/** Weights, or their gradients. */
export interface HeadTensors {
  /** (width, width) */
  readonly pooler: Float32Array;
  readonly poolerBias: Float32Array;
  /** (classes, width) */
  readonly classifier: Float32Array;
  readonly classifierBias: Float32Array;
}

export interface HeadOptions {
  readonly activation: 'tanh' | 'relu';
  readonly dropout: number;
  readonly seed: number;
}

/** Of a text, what the way back needs. */
interface Said {
  readonly bent: Float32Array;
  readonly pooled: Float32Array;
  readonly logits: Float32Array;
}

/** @param first the stream at the first token @param site tells one text's dropout from another's */
export function headForward(w: HeadTensors, first: Float32Array, options: HeadOptions, site: number): Said {
  const bend = options.activation === 'relu' ? (x: number): number => Math.max(x, 0) : Math.tanh;
  const bent = Float32Array.from(w.poolerBias, (bias, r) => bend(dot(w.pooler, r, first) + bias));
  const pooled = bent.slice();
  drop(pooled, options.dropout, options.seed, site);
  return {
    bent,
    pooled,
    logits: Float32Array.from(w.classifierBias, (bias, c) => dot(w.classifier, c, pooled) + bias),
  };
}

/**
 * Loss of one text against its label; gradients are added to `grads` and to `dfirst`.
 * @param share what this text counts of the batch
 */
export function headBackward(
  w: HeadTensors,
  grads: HeadTensors,
  first: Float32Array,
  { bent, pooled, logits }: Said,
  label: number,
  share: number,
  options: HeadOptions,
  site: number,
  dfirst: Float32Array,
): number {
  const width = first.length;
  const { hard, gradient } = logitLoss(logits, null, label, { soft: 0, hard: 1, temperature: 1 });
  const dpooled = new Float32Array(width);
  gradient.forEach((slope, c) => {
    const g = slope * share;
    grads.classifierBias[c] += g;
    for (let i = 0, at = c * width; i < width; i++, at++) {
      grads.classifier[at] += g * pooled[i];
      dpooled[i] += g * w.classifier[at];
    }
  });
  drop(dpooled, options.dropout, options.seed, site);
  for (let r = 0; r < width; r++) {
    const slope = options.activation === 'relu' ? Number(bent[r] > 0) : 1 - bent[r] * bent[r];
    const g = dpooled[r] * slope;
    if (g === 0) continue;
    grads.poolerBias[r] += g;
    for (let i = 0, at = r * width; i < width; i++, at++) {
      grads.pooler[at] += g * first[i];
      dfirst[i] += g * w.pooler[at];
    }
  }
  return hard;
}
