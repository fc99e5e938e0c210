/**
 * The learning rate over a run: a linear rise, then half a cosine down to a floor.
 * @module
 */

export interface Schedule {
  /** Highest rate. */
  readonly rate: number;
  /** Updates until it is reached. */
  readonly warmup: number;
  /** The last rate, as a share of the highest. */
  readonly floor: number;
}

/**
 * The rate of one update.
 * @param step updates made before it, from 0 on
 * @param progress share of the run that is behind, 0 … 1
 */
export function learningRate({ rate, warmup, floor }: Schedule, step: number, progress: number): number {
  const rise = Math.min(1, (step + 1) / Math.max(1, warmup));
  const fall = floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, Math.max(0, progress))));
  return rate * Math.min(rise, fall);
}
