/**
 * What a batch of a classifying student is, and what is asked of it.
 *
 *   soft · τ² · KL(softmax(t/τ) ‖ softmax(z/τ)) + hard · CE(z, label)        of a regression (z − t)² and (z − label)²
 *   + hidden · mean over stages of 4κ² · mean (rate − clamp(encoded state of the teacher))²
 *   + attention · mean over encoders of mean (scores − teacher's scores)², rows without their means
 *   + rate · mean over layers of neurons of (rate − target)²
 * @module
 */
import type { Phase } from './config.ts';

/** Weights of an update. */
export interface SpikingLosses {
  readonly kind: Phase['kind'];
  readonly timeSteps: number;
  readonly hidden: number;
  readonly attention: number;
  readonly soft: number;
  readonly hard: number;
  readonly rate: number;
  readonly temperature: number;
  readonly targetRate: number;
  /** Whether this update is the first that counts the variance of spikes: gains of norms are then made to fit. */
  readonly fit: boolean;
}
