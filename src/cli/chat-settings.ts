/**
 * Settings of a conversation that `/set` changes: how tokens are drawn, and how many.
 * @module
 */
import { OptionError } from '../errors.ts';
import { GENERATE_RULES, type GenerateOptions } from '../model/types.ts';
import { nearest, shown } from '../options.ts';

/** What can be set, by the names of the library; those of the command line, with hyphens, mean the same. */
const NAMES = [
  'temperature',
  'temperatureFirst',
  'adaptiveTemperature',
  'topK',
  'topP',
  'minP',
  'repeatPenalty',
  'repeatLastN',
  'frequencyPenalty',
  'presencePenalty',
  'vocabLimit',
  'seed',
  'maxTokens',
  'stop',
] as const;

type Name = typeof NAMES[number];

const SHORT: Readonly<Record<string, Name>> = { temp: 'temperature', tokens: 'maxTokens', n: 'maxTokens' };

/** Settings with one changed. @param words name and value; `default` takes a setting away @throws {OptionError} `OPTION` */
export function withSetting(settings: GenerateOptions, words: string): GenerateOptions {
  const [, given, value] = /^-{0,2}([A-Za-z_-]+)[\s=]+(\S.*)$/.exec(words.trim()) ?? [];
  if (given === undefined) {
    throw new OptionError('OPTION', `/set takes a name and a value, such as /set temperature 0.7; not ${shown(words)}`);
  }
  const name = nameOf(given);
  if (value === 'default') return { ...settings, [name]: undefined };
  const { expected, holds } = GENERATE_RULES[name];
  const meanings = name === 'stop' ? [[value]] : value === 'off' ? [false, value] : [valueOf(value)];
  const meant = meanings.find(holds);
  if (meant !== undefined) return { ...settings, [name]: meant };
  throw new OptionError('OPTION', `${name} is ${shown(value)}, expected ${expected}`, { option: undefined });
}

/** Lines that show settings. */
export function settingLines(settings: GenerateOptions): string[] {
  return NAMES.map((name) => `${name} ${settings[name] === undefined ? 'default' : String(settings[name])}`);
}

function nameOf(given: string): Name {
  const camel = given.replace(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const name = SHORT[camel] ?? NAMES.find((known) => known.toLowerCase() === camel.toLowerCase());
  if (name) return name;
  const near = nearest(given, NAMES);
  const instead = near === undefined ? `expected ${NAMES.join(', ')}` : `did you mean ${near}?`;
  throw new OptionError('OPTION', `${shown(given)} cannot be set; ${instead}`);
}

function valueOf(text: string): unknown {
  if (/^(on|true)$/.test(text)) return true;
  if (/^false$/.test(text)) return false;
  const number = Number(text);
  return text.trim() !== '' && !Number.isNaN(number) ? number : text;
}
