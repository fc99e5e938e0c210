/**
 * Options of every command that draws tokens, with the defaults that the help names.
 * @module
 */
import { symbolicLightSampling } from '../architectures/symboliclight/sampling.ts';
import { checkSamplerOptions, type SamplerOptions } from '../sample/options.ts';
import { type OptionSpec, UsageError, type Values } from './args.ts';

/** What a sampler does that is told nothing: of most models, and of both variants of SymbolicLight. */
const DEFAULTS: Readonly<Record<'any' | '0.8b' | '194m', Required<Omit<SamplerOptions, 'seed'>>>> = {
  any: checkSamplerOptions(),
  '0.8b': checkSamplerOptions(symbolicLightSampling({ variant: '0.8b' })),
  '194m': checkSamplerOptions(symbolicLightSampling({ variant: '194m' })),
};

/** `default 40; SymbolicLight 50`: of every kind of model whose default is its own. */
function byDefault(name: Exclude<keyof SamplerOptions, 'seed' | 'logitBias'>): string {
  const [any, larger, smaller] = [DEFAULTS.any[name], DEFAULTS['0.8b'][name], DEFAULTS['194m'][name]]
    .map((value) => (typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value)));
  if (larger === any && smaller === any) return `default ${any}`;
  return `default ${any}; SymbolicLight ${larger === smaller ? larger : `${larger} (0.8B), ${smaller} (194M)`}`;
}

interface Of<K extends OptionSpec['kind']> extends OptionSpec {
  readonly kind: K;
}

/** How tokens are drawn, and at which text they end. */
export const SAMPLING_OPTIONS: {
  readonly temp: Of<'number'>;
  readonly 'temperature-first': Of<'switch'>;
  readonly 'adaptive-temperature': Of<'choice'> & { readonly choices: readonly ('off' | 'cool' | 'warm')[] };
  readonly 'top-k': Of<'integer'>;
  readonly 'top-p': Of<'number'>;
  readonly 'min-p': Of<'number'>;
  readonly 'repeat-penalty': Of<'number'>;
  readonly 'repeat-last-n': Of<'integer'>;
  readonly 'frequency-penalty': Of<'number'>;
  readonly 'presence-penalty': Of<'number'>;
  readonly 'logit-bias': Of<'text'> & { readonly repeatable: true };
  readonly 'vocab-limit': Of<'integer'>;
  readonly stop: Of<'text'> & { readonly repeatable: true };
  readonly seed: Of<'integer'>;
} = {
  temp: { kind: 'number', help: `temperature; 0 = always the most likely token; ${byDefault('temperature')}` },
  'temperature-first': {
    kind: 'switch',
    help: `apply the temperature before top-p and min-p; ${byDefault('temperatureFirst')}`,
  },
  'adaptive-temperature': {
    kind: 'choice',
    choices: ['off', 'cool', 'warm'],
    help: `adapt the temperature to the entropy; ${byDefault('adaptiveTemperature')}`,
  },
  'top-k': { kind: 'integer', help: `sample from the N most likely tokens; 0 = all; ${byDefault('topK')}` },
  'top-p': { kind: 'number', help: `sample from the most likely tokens that sum to X; 1 = all; ${byDefault('topP')}` },
  'min-p': { kind: 'number', help: `sample from tokens at least X times as likely as the best; ${byDefault('minP')}` },
  'repeat-penalty': { kind: 'number', help: `penalty for recent tokens; 1 = none; ${byDefault('repeatPenalty')}` },
  'repeat-last-n': {
    kind: 'integer',
    help: `number of tokens that count as recent; -1 = all; ${byDefault('repeatLastN')}`,
  },
  'frequency-penalty': {
    kind: 'number',
    help: `penalty per occurrence of a recent token; ${byDefault('frequencyPenalty')}`,
  },
  'presence-penalty': {
    kind: 'number',
    help: `penalty for tokens that occurred at all; ${byDefault('presencePenalty')}`,
  },
  'logit-bias': {
    kind: 'text',
    value: 'ID=BIAS',
    repeatable: true,
    help: 'add BIAS to the logit of a token; -inf bans it',
  },
  'vocab-limit': { kind: 'integer', least: 1, help: 'never draw ids from N on; default: size of the vocabulary' },
  stop: { kind: 'text', repeatable: true, help: 'stop before this text' },
  seed: { kind: 'integer', least: 0, help: 'random seed; default: random' },
};

/** @throws {UsageError} for a bias that is none */
export function samplerOptions(values: Values<typeof SAMPLING_OPTIONS>): SamplerOptions {
  return {
    temperature: values.temp,
    temperatureFirst: values['temperature-first'],
    adaptiveTemperature: values['adaptive-temperature'],
    topK: values['top-k'],
    topP: values['top-p'],
    minP: values['min-p'],
    repeatPenalty: values['repeat-penalty'],
    repeatLastN: values['repeat-last-n'],
    frequencyPenalty: values['frequency-penalty'],
    presencePenalty: values['presence-penalty'],
    logitBias: biasOf(values['logit-bias'] ?? []),
    vocabLimit: values['vocab-limit'],
  };
}

function biasOf(entries: readonly string[]): Map<number, number> {
  return new Map(entries.map((entry) => {
    const [, id, bias] = /^(\d{1,10})=(\S+)$/.exec(entry) ?? [];
    const value = bias === '-inf' ? -Infinity : Number(bias);
    if (id === undefined || Number.isNaN(value)) {
      throw new UsageError(
        `--logit-bias is ${JSON.stringify(entry.slice(0, 60))}, expected ID=BIAS such as 13=-2.5 or 13=-inf`,
      );
    }
    return [Number(id), value];
  }));
}
