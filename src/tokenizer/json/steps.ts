/**
 * What normalisers, pre-tokenizers, decoders and post-processors have in common: how a tokenizer.json writes them down.
 * @module
 */
import { MAX_PATTERN_CHARS, MAX_PIPELINE_STEPS } from '../../limits.ts';
import { Pattern } from '../onig/machine.ts';
import { PatternError } from '../onig/syntax.ts';
import { refuse } from '../vocabulary.ts';

/** A JSON object whose fields have not been looked at. */
export type Json = { readonly [key: string]: unknown };

/** @throws {TokenizerError} `TOKENIZER` for anything but an object */
export function object(value: unknown, name: string, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(name, `${what} is not an object`);
  return value as Json;
}

/** The object that a JSON text is. A byte order mark before it is passed over. */
export function parseObject(text: string, name: string): Json {
  try {
    return object(JSON.parse(text.replace(/^\ufeff/, '')), name, 'the file');
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    return refuse(name, `not JSON: ${cause.message}`);
  }
}

/** One part of a pipeline: what its steps are called, the field in which a sequence has its steps, and the steps that there are. */
export interface Part<T> {
  readonly what: string;
  readonly list: string;
  readonly makers: Readonly<Record<string, (step: Json, name: string) => T>>;
  /** Types that the original tells by their fields alone: a type, then the fields. The first that fits is taken. */
  readonly guesses?: readonly (readonly string[])[];
}

/**
 * The steps of a part, sequences laid flat.
 * @throws {TokenizerError} `TOKENIZER` for a step that is not known or malformed
 */
export function readSteps<T>(
  config: unknown,
  part: Part<T>,
  name: string,
): { readonly type: string; readonly made: T }[] {
  const { what, list, makers, guesses = [] } = part;
  const steps: { type: string; made: T }[] = [];
  const open: unknown[] = [config];
  while (open.length > 0) {
    const next = open.shift();
    if (next === null || next === undefined) continue;
    const its = object(next, name, `a step of the ${what}s`);
    let type = typeof its.type === 'string' ? its.type : shown(its.type);
    const known = (): boolean => type === 'Sequence' || Object.hasOwn(makers, type);
    if (!known()) type = guesses.find(([, ...fields]) => fields.every((field) => field in its))?.[0] ?? type;
    if (!known()) {
      refuse(name, `the ${what} ${label(its)} is not known; ${Object.keys(makers).join(', ')} and Sequence are`);
    }
    if (type !== 'Sequence') steps.push({ type, made: makers[type]({ ...its, type }, name) });
    else if (Array.isArray(its[list])) open.unshift(...its[list] as unknown[]);
    else refuse(name, `a Sequence lacks its list ${list}`);
    if (steps.length + open.length > MAX_PIPELINE_STEPS) {
      refuse(name, `a pipeline has more than ${MAX_PIPELINE_STEPS} ${what}s`);
    }
  }
  return steps;
}

/** A flag of a step; `usual` where it is not there. */
export function flag(step: Json, key: string, usual: boolean, name: string): boolean {
  const value = step[key] ?? usual;
  if (typeof value !== 'boolean') refuse(name, `${key} of ${label(step)} is ${shown(value)}, expected true or false`);
  return value;
}

/** A text of a step; `usual` where it is not there. */
export function words(step: Json, key: string, name: string, usual?: string): string {
  const value = step[key] ?? usual;
  if (typeof value !== 'string') refuse(name, `${key} of ${label(step)} is ${shown(value)}, expected a text`);
  return value;
}

/** A text of one character. */
export function character(step: Json, key: string, name: string): string {
  const value = words(step, key, name);
  if ([...value].length !== 1) refuse(name, `${key} of ${label(step)} is ${shown(value)}, expected one character`);
  return value;
}

/** A whole number from `least` on. */
export function count(step: Json, key: string, least: number, name: string, usual?: number): number {
  const value = step[key] ?? usual;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least) {
    refuse(name, `${key} of ${label(step)} is ${shown(value)}, expected a whole number of at least ${least}`);
  }
  return value;
}

/** Start and end of each match in turn. */
export type Finder = (text: string) => number[];

/** What finds the `pattern` of a step: `{ String }` literally, `{ Regex }` as an expression of Oniguruma. */
export function finder(step: Json, name: string): Finder {
  const pattern = object(step.pattern, name, `pattern of ${label(step)}`);
  const literal = pattern.String;
  const source = literal ?? pattern.Regex;
  if (typeof source !== 'string' || source.length > MAX_PATTERN_CHARS) {
    refuse(name, `the pattern of ${label(step)} is not a String or Regex of at most ${MAX_PATTERN_CHARS} characters`);
  }
  if (typeof literal === 'string' && literal !== '') {
    return (text) => {
      const found: number[] = [];
      for (let at = text.indexOf(literal); at !== -1; at = text.indexOf(literal, at + literal.length)) {
        found.push(at, at + literal.length);
      }
      return found;
    };
  }
  try {
    const compiled = new Pattern(source);
    // as in the original, nothing is found in an empty text
    return (text) => text === '' ? [] : compiled.matches(text);
  } catch (cause) {
    if (!(cause instanceof PatternError)) throw cause;
    return refuse(name, `the pattern ${source.slice(0, 60)} of ${label(step)} cannot be used: ${cause.message}`);
  }
}

/** The text with what was found replaced. */
export function replaced(text: string, found: readonly number[], content: string): string {
  let out = '';
  let from = 0;
  for (let i = 0; i < found.length; i += 2) {
    out += text.slice(from, found[i]) + content;
    from = found[i + 1];
  }
  return from === 0 && out === '' ? text : out + text.slice(from);
}

/** How a message calls a step. */
export function label(step: Json): string {
  return typeof step.type === 'string' ? step.type.slice(0, 40) : 'a step without a type';
}

/** How a message shows a value. */
export function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 40) ?? 'not there';
}
