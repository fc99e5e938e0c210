/**
 * Numbers of a run: how they are checked, and those that every run has.
 * @module
 */
import { checkValue, type Rules } from '../options.ts';

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

/**
 * All numbers: those given, else their defaults.
 * @throws {OptionError} `OPTION` for a number out of range
 */
export function checkedNumbers<T extends object>(rules: Rules<T>, defaults: T, given: Partial<T>): T {
  const all = { ...defaults };
  for (const name of Object.keys(rules) as (keyof T & string)[]) {
    const value = given[name];
    if (value === undefined) continue;
    checkValue(name, value, rules[name]);
    all[name] = value as T[typeof name];
  }
  return all;
}
