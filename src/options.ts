/**
 * Options, declared once: a rule for every name says which values are right. What does not keep to it is refused with the
 * name, the value and what is expected; a name that is not known, with the nearest that is.
 * @module
 */
import { OptionError } from './errors.ts';

/** Which values of an option are right. Undefined always is: the option is left out then. */
export interface Rule {
  /** Completes the sentence "expected …". */
  readonly expected: string;
  holds(value: unknown): boolean;
}

/** A rule for every option of a call. */
export type Rules<T> = { readonly [K in keyof Required<T>]: Rule };

const rule = (expected: string, holds: (value: unknown) => boolean): Rule => ({ expected, holds });

/** A number within bounds; NaN is none. */
export const number = (least: number, most: number = Infinity): Rule =>
  rule(`a number ${span(least, most)}`, (value) => typeof value === 'number' && value >= least && value <= most);

/** A number above zero. */
export const POSITIVE: Rule = rule('a number above 0', (value) => typeof value === 'number' && value > 0);

/** A whole number within bounds. */
export const whole = (least: number, most: number = Infinity): Rule =>
  rule(
    `a whole number ${span(least, most)}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  );

const span = (least: number, most: number): string => most === Infinity ? `from ${least} on` : `in ${least} … ${most}`;

/** One of a few spellings. */
export const oneOf = (...known: readonly string[]): Rule =>
  rule(`one of ${known.join(', ')}`, (value) => known.includes(value as string));

export const FLAG: Rule = rule('true or false', (value) => typeof value === 'boolean');
export const TEXT: Rule = rule('a string', (value) => typeof value === 'string');
export const CALL: Rule = rule('a function', (value) => typeof value === 'function');
export const LIST: Rule = rule('an array', Array.isArray);
export const OBJECT: Rule = rule('an object', (value) => typeof value === 'object' && value !== null);
/** By shape: a signal may come from another realm or library. */
export const SIGNAL: Rule = rule(
  'an AbortSignal',
  (value) => typeof (value as Partial<AbortSignal> | null)?.addEventListener === 'function',
);
/** What is checked where it is used. */
export const ANY: Rule = rule('', () => true);

/**
 * Checks names and values.
 * @param of what takes the options, as a caller knows it: `generate`, `open` …
 * @param needed names without which it cannot go on
 * @throws {OptionError} `OPTION`
 * @example checkOptions('embed', options, { normalise: FLAG, maxLength: whole(3) });
 */
export function checkOptions(
  of: string,
  given: unknown,
  rules: Readonly<Record<string, Rule>>,
  needed: readonly string[] = [],
): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new OptionError('OPTION', `the options of ${of} are ${shown(given)}, expected an object`);
  }
  for (const [name, value] of Object.entries(given)) {
    const known = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!known) throw unknownOption(of, name, Object.keys(rules));
    checkValue(name, value, known);
  }
  for (const name of needed) {
    if ((given as Readonly<Record<string, unknown>>)[name] !== undefined) continue;
    const { expected } = rules[name];
    throw new OptionError('OPTION', `${of} needs ${name}${expected && `: ${expected}`}`, { option: name });
  }
}

/** The options among `given` that `rules` name: for a call that takes those of several. */
export function picked<T>(given: T, rules: Readonly<Record<string, Rule>>): T {
  return Object.fromEntries(Object.entries(given as object).filter(([name]) => Object.hasOwn(rules, name))) as T;
}

/** Checks one value. @throws {OptionError} `OPTION` */
export function checkValue(name: string, value: unknown, { expected, holds }: Rule): void {
  if (value !== undefined && !holds(value)) throw wrongValue(name, value, expected);
}

/** The refusal of a value, whatever the model: `temperature is -1, expected a number in 0 … 100`. */
export function wrongValue(name: string, value: unknown, expected: string): OptionError {
  return new OptionError('OPTION', `${name} is ${shown(value)}, expected ${expected}`, { option: name });
}

/** The refusal of a name. */
export function unknownOption(of: string, name: string, known: readonly string[]): OptionError {
  const near = nearest(name, known);
  const instead = near === undefined ? `expected ${known.join(', ')}` : `did you mean ${near}?`;
  return new OptionError('OPTION', `${of}: ${JSON.stringify(name.slice(0, 60))} is not known; ${instead}`);
}

/** A value as an error shows it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : String(value);
}

/** The name that was probably meant: the same but for case, hyphens and underscores, a few letters away, or its beginning. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.slice(0, 60).toLowerCase().replace(/[^a-z0-9]/g, '');
  const wanted = plain(name);
  let best: string | undefined;
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1; // further away is another word
  for (const candidate of known) {
    const name = plain(candidate);
    const begins = Math.min(name.length, wanted.length) >= 4 && (name.startsWith(wanted) || wanted.startsWith(name));
    const far = Math.min(distance(wanted, name), begins ? 1.5 : Infinity);
    if (far < least) [best, least] = [candidate, far];
  }
  return best;
}

/** Letters to insert, to delete, to change or to swap with the next (Levenshtein's distance with transpositions). */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      rows[i][j] = Math.min(
        rows[i - 1][j] + 1,
        rows[i][j - 1] + 1,
        rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1),
        swapped ? rows[i - 2][j - 2] + 1 : Infinity,
      );
    }
  }
  return rows[a.length][b.length];
}
