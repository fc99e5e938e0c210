/**
 * What an option means that the caller left out, where the model's own authors say so.
 * @module
 */
import type { ModelDescription } from '../description/description.ts';
import type { SamplerOptions } from './options.ts';

/** The public code of SymbolicLight draws like this, in both variants. */
const SYMBOLICLIGHT: SamplerOptions = {
  temperature: 0.8,
  temperatureFirst: true,
  topK: 50,
  minP: 0,
  repeatLastN: -1,
};

const DEFAULTS: Readonly<Record<'0.8b' | '194m', SamplerOptions>> = {
  '0.8b': { ...SYMBOLICLIGHT, topP: 0.9, adaptiveTemperature: 'warm' },
  '194m': { ...SYMBOLICLIGHT, topP: 1, adaptiveTemperature: 'cool' },
};

/**
 * `stated`, and for each option that is left out the model's own, where it has one. Other properties pass unchanged.
 * @param pieces tokens of the vocabulary in use; rows of the model beyond them are never drawn. 0 = there is none
 */
export function samplerOptionsFor(
  model: Pick<ModelDescription, 'vocab'> & ({ kind: 'llama' } | { kind: 'symboliclight'; variant: '0.8b' | '194m' }),
  pieces: number,
  stated: SamplerOptions,
): SamplerOptions {
  const given = Object.entries(stated).filter(([, value]) => value !== undefined);
  return {
    ...(model.kind === 'symboliclight' ? DEFAULTS[model.variant] : {}),
    ...(pieces > 0 && pieces < model.vocab ? { vocabLimit: pieces } : {}),
    ...Object.fromEntries(given),
  };
}
