/**
 * Batches of labelled texts, and what the logits of a text cost:
 *
 *   soft · τ² · KL(softmax(t/τ) ‖ softmax(z/τ)) + hard · CE(z, label)        of a regression (z − t)² and (z − label)²
 * @module
 */
import type { TextBatch } from './teacher.ts';

/** Texts of one length with their labels: a class, a number, or NaN where there is none. */
export interface LabelledBatch extends TextBatch {
  readonly ids: Int32Array;
  readonly types: Int32Array;
  readonly labels: Float32Array;
  /** Of the noise. */
  readonly seed: number;
}

/** What counts how much. */
export interface LogitWeights {
  readonly soft: number;
  readonly hard: number;
  readonly temperature: number;
}

/** What logits of one text cost. */
export interface LogitLoss {
  readonly soft: number;
  readonly hard: number;
  /** ∂(soft·w + hard·w′)/∂logits. */
  readonly gradient: Float64Array;
}

/** @param teacher logits, or null */
export function logitLoss(
  logits: ArrayLike<number>,
  teacher: ArrayLike<number> | null,
  label: number,
  { soft, hard, temperature }: LogitWeights,
): LogitLoss {
  const n = logits.length;
  const gradient = new Float64Array(n);
  if (n === 1) {
    const from = (wanted: number): number => (Number.isNaN(wanted) ? 0 : logits[0] - wanted);
    const [s, h] = [from(teacher ? teacher[0] : NaN), from(label)];
    gradient[0] = 2 * (soft * s + hard * h);
    return { soft: s * s, hard: h * h, gradient };
  }
  let softLoss = 0;
  if (teacher) {
    const p = logSoftmax(teacher, temperature);
    const q = logSoftmax(logits, temperature);
    for (let i = 0; i < n; i++) {
      const share = Math.exp(p[i]);
      softLoss += temperature ** 2 * share * (p[i] - q[i]);
      gradient[i] += soft * temperature * (Math.exp(q[i]) - share);
    }
  }
  let hardLoss = 0;
  if (!Number.isNaN(label)) {
    const q = logSoftmax(logits, 1);
    hardLoss = -q[label];
    for (let i = 0; i < n; i++) gradient[i] += hard * (Math.exp(q[i]) - Number(i === label));
  }
  return { soft: softLoss, hard: hardLoss, gradient };
}

function logSoftmax(logits: ArrayLike<number>, temperature: number): Float64Array {
  const scaled = Float64Array.from(logits, (z) => z / temperature);
  const top = scaled.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = scaled.reduce((all, z) => all + Math.exp(z - top), 0);
  return scaled.map((z) => z - top - Math.log(sum));
}
