/**
 * The numbers of a training run, with their defaults and bounds.
 * @module
 */
import { OptionError } from '../../../errors.ts';
import { number, type Rules, whole } from '../../../options.ts';
import { checkedNumbers, type RunSettings, UNLIMITED_STEPS } from '../../settings.ts';
import type { LossWeights } from './types.ts';

/** Everything that steers a run besides the student's shape. */
export interface TrainSettings extends RunSettings {
  /** Windows of one pass. */
  readonly batch: number;
  /** Ids of a window. */
  readonly seq: number;
  /** Passes whose gradients are averaged for one update. */
  readonly accumulate: number;
  /** Highest learning rate, updates until it is reached, and its share at the end. */
  readonly lr: number;
  readonly warmup: number;
  readonly floor: number;
  /** Largest norm of all gradients together. */
  readonly clip: number;
  readonly weightDecay: number;
  /** Weight of the teacher's distribution against the text itself, and the temperature that softens it. */
  readonly alpha: number;
  readonly temperature: number;
  /** Added to the teacher's logit of the token that ends a document, where the document began before the window: above 0 the
   *  student's documents become shorter. */
  readonly endBias: number;
  /** Weight of hidden states. */
  readonly hidden: number;
  /** What both weights come to at the end of the run, in a line; undefined: they stay. */
  readonly alphaEnd?: number;
  readonly hiddenEnd?: number;
  /** Weight of (firing rate − target)², and the target. */
  readonly rate: number;
  readonly targetRate: number;
  /** Windows of an evaluation, at most. */
  readonly evalWindows: number;
  readonly seed: number;
}

export const DEFAULT_SETTINGS: TrainSettings = {
  steps: 2000,
  minutes: 0,
  batch: 8,
  seq: 128,
  accumulate: 1,
  lr: 0.002,
  warmup: 100,
  floor: 0.05,
  clip: 1,
  weightDecay: 0.01,
  alpha: 0.9,
  temperature: 1,
  endBias: 0,
  hidden: 0,
  rate: 0,
  targetRate: 0.15,
  logEvery: 10,
  evalEvery: 200,
  evalWindows: 64,
  saveEvery: 5,
  seed: 1,
};

/** Which values are right. */
export const TRAIN_RULES: Rules<TrainSettings> = {
  steps: whole(1, UNLIMITED_STEPS),
  minutes: number(0, 1e6),
  batch: whole(1, 4096),
  seq: whole(2, 8192),
  accumulate: whole(1, 4096),
  lr: number(1e-9, 10),
  warmup: whole(0, 1e9),
  floor: number(0, 1),
  clip: number(1e-6, 1e6),
  weightDecay: number(0, 1),
  alpha: number(0, 1),
  temperature: number(0.05, 100),
  endBias: number(-100, 100),
  hidden: number(0, 1e6),
  alphaEnd: number(0, 1),
  hiddenEnd: number(0, 1e6),
  rate: number(0, 1e6),
  targetRate: number(0, 1),
  logEvery: whole(1, 1e9),
  evalEvery: whole(1, 1e9),
  evalWindows: whole(1, 1e6),
  saveEvery: number(0, 1e6),
  seed: whole(0, Number.MAX_SAFE_INTEGER),
};

/** Names of all settings, of those too that have no default. */
export const SETTING_NAMES: readonly (keyof TrainSettings)[] = Object.keys(TRAIN_RULES) as (keyof TrainSettings)[];

/**
 * All settings; what is undefined has its default. A run with minutes and without steps ends by the clock.
 * @throws {OptionError} `OPTION` for a number out of range
 */
export function trainSettings(given: Partial<TrainSettings>): TrainSettings {
  const all = checkedNumbers(TRAIN_RULES, DEFAULT_SETTINGS, given);
  return given.steps === undefined && all.minutes > 0 ? { ...all, steps: UNLIMITED_STEPS } : all;
}

/** Weights of the parts of the loss. @param progress share of the run that is behind, 0 … 1 */
export function lossWeights(
  { alpha, alphaEnd = alpha, temperature, hidden, hiddenEnd = hidden, rate, targetRate }: TrainSettings,
  hiddenPairs: LossWeights['hiddenPairs'],
  progress: number,
): LossWeights {
  const at = (from: number, to: number): number => from + (to - from) * Math.min(1, progress);
  return { alpha: at(alpha, alphaEnd), temperature, hidden: at(hidden, hiddenEnd), hiddenPairs, rate, targetRate };
}

/**
 * Which student block learns which teacher layer: those given, or every block that at its share of the depth.
 * @throws {OptionError} `OPTION` for a block or layer that is not there
 */
export function hiddenPairs(
  { hidden, hiddenEnd = hidden }: TrainSettings,
  student: number,
  teacher: number,
  given?: LossWeights['hiddenPairs'],
): LossWeights['hiddenPairs'] {
  if (hidden === 0 && hiddenEnd === 0) return [];
  const pairs = given ??
    Array.from({ length: student }, (_, i) => ({ student: i, teacher: Math.round(((i + 1) * teacher) / student) - 1 }));
  for (const pair of pairs) {
    const within = (n: number, count: number): boolean => Number.isInteger(n) && n >= 0 && n < count;
    if (within(pair.student, student) && within(pair.teacher, teacher)) continue;
    throw new OptionError(
      'OPTION',
      `hidden pair ${pair.student}:${pair.teacher}, expected a block below ${student} and a layer below ${teacher}`,
    );
  }
  return pairs;
}
