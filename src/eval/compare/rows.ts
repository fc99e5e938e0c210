/**
 * Two rows of logits for the same place of a text, and how far apart the distributions are.
 * @module
 */
import { exp, log } from './portable-math.ts';

/** Largest tokens of each side that are looked at together. */
export const TOP = 5;

/** A distribution, computed once and used for all figures. */
export interface Distribution {
  readonly logits: ArrayLike<number>;
  /** Entries that count. */
  readonly size: number;
  /** The largest logit, and the first place that has it. */
  readonly most: number;
  readonly best: number;
  /** ln Σ exp(logit − most). */
  readonly logTotal: number;
}

/** What is known of a row of logits. @param size entries that count, from the first on */
export function distribution(logits: ArrayLike<number>, size: number = logits.length): Distribution {
  let best = 0;
  for (let i = 1; i < size; i++) if (logits[i] > logits[best]) best = i;
  const most = logits[best];
  let total = 0;
  for (let i = 0; i < size; i++) total += exp(logits[i] - most);
  return { logits, size, most, best, logTotal: log(total) };
}

/** −ln of the probability of a token. */
export function surprise({ logits, most, logTotal }: Distribution, id: number): number {
  return most + logTotal - logits[id];
}

/**
 * KL(a‖b) = Σ pₐ·(ln pₐ − ln p_b) in nats: what predicting by b costs where a is true. Exactly 0 of equal rows; a rounding below 0
 * counts as 0.
 */
export function divergence(a: Distribution, b: Distribution): number {
  const shift = b.most + b.logTotal - (a.most + a.logTotal);
  const offset = a.most + a.logTotal;
  let sum = 0;
  for (let i = 0; i < a.size; i++) {
    const x = a.logits[i];
    const p = exp(x - offset);
    if (p > 0) sum += p * (x - b.logits[i] + shift);
  }
  return Math.max(0, sum);
}

/** The places of the largest logits, the largest first; of equals the first. */
export function largest({ logits, size }: Distribution, count: number = TOP): number[] {
  const found: number[] = [];
  for (let i = 0; i < size; i++) {
    const x = logits[i];
    if (found.length === count && !(x > logits[found[count - 1]])) continue;
    let at = found.length;
    while (at > 0 && x > logits[found[at - 1]]) at--;
    found.splice(at, 0, i);
    if (found.length > count) found.pop();
  }
  return found;
}

/** The share of the largest tokens of a that are among those of b. */
export function overlap(a: Distribution, b: Distribution): number {
  const theirs = new Set(largest(b));
  const ours = largest(a);
  return ours.filter((id) => theirs.has(id)).length / ours.length;
}
