/**
 * Numbers of a run: how they are checked, and those that every run has.
 * @module
 */
import { OptionError } from '../errors.ts';

/** What steers a run, whatever is trained. */
export interface RunSettings {
  /** Updates in all. */
  readonly steps: number;
  /** Ends the run after so many minutes of training; 0: no limit. */
  readonly minutes: number;
  /** Updates between two lines of measurements, and between two evaluations. */
  readonly logEvery: number;
  readonly evalEvery: number;
  /** Minutes between two checkpoints. */
  readonly saveEvery: number;
}

/** Updates of a run that ends by the clock alone. */
export const UNLIMITED_STEPS: number = 1e9;

/** Least, most, and whether only whole numbers will do. */
export type Bounds<T> = Readonly<Record<keyof T, readonly [number, number, boolean]>>;

/**
 * All numbers: those given, else their defaults.
 * @throws {OptionError} `OPTION` for a number out of range
 */
export function boundedNumbers<T extends object>(bounds: Bounds<T>, defaults: T, given: Partial<T>): T {
  const all = { ...defaults } as Record<string, unknown>;
  for (const [name, [min, max, whole]] of Object.entries(bounds) as [string, Bounds<T>[keyof T]][]) {
    const value = given[name as keyof T];
    if (value === undefined) continue;
    if (!(typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value)))) {
      const what = whole ? 'a whole number' : 'a number';
      throw new OptionError('OPTION', `${name} is ${String(value)}, expected ${what} in ${min} … ${max}`);
    }
    all[name] = value;
  }
  return all as T;
}
