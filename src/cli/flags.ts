/**
 * What the library refuses, in the words of the command line: `contextLength` is `--ctx` there, and a value out of its range is
 * wrong usage.
 * @module
 */
import { OptionError, TernspikeError } from '../errors.ts';
import { type OptionTable, UsageError } from './args.ts';

/** Options that the command line calls otherwise than by their name with hyphens. The first that a command has is meant. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  contextLength: ['ctx'],
  counts: ['spike-counts'],
  every: ['exit-every'],
  forcedSparsity: ['sparsity'],
  generateTemperature: ['generate-temp'],
  margin: ['early-exit'],
  maxTokens: ['tokens'],
  normalise: ['no-normalise'],
  perplexityContext: ['ctx'],
  temperature: ['temp'],
  threshold: ['v-th'],
  texts: ['data'],
  evalTexts: ['eval-data'],
};

/** The flag of an option; undefined where the command has none. */
export function flagOf(option: string, table: OptionTable): string | undefined {
  const spelled = option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return [...(FLAGS[option] ?? []), spelled].find((name) => Object.hasOwn(table, name));
}

/** The error as a user of the command line is to read it. */
export function spoken(error: unknown, table: OptionTable): unknown {
  if (!(error instanceof TernspikeError)) return error;
  const { code, reason, mentions } = error;
  const words = mentions.reduce((text, option) => {
    const flag = flagOf(option, table);
    return flag === undefined ? text : text.replace(new RegExp(`\\b${option}\\b`, 'g'), `--${flag}`);
  }, reason);
  if (error instanceof OptionError && error.option !== undefined) return new UsageError(words, { cause: error });
  return words === reason ? error : new TernspikeError(code, words, { cause: error });
}
