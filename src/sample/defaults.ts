/**
 * What an option means that the caller left out, where the model's own authors say so.
 * @module
 */
import { MAX_CONTEXT } from '../limits.ts';
import type { MetadataValue } from '../container/tensor.ts';
import type { SamplerOptions } from './options.ts';

/** Keys of files, what they are here, and their range: a value outside of it counts as left out. */
export const SAMPLING_KEYS: readonly (readonly [
  string,
  'temperature' | 'topK' | 'topP' | 'minP' | 'repeatPenalty' | 'repeatLastN',
  number,
  number,
])[] = [
  ['temp', 'temperature', 0, 100],
  ['top_k', 'topK', 0, 2 ** 31 - 1],
  ['top_p', 'topP', 0, 1],
  ['min_p', 'minP', 0, 1],
  ['penalty_repeat', 'repeatPenalty', 0.01, 100],
  ['penalty_last_n', 'repeatLastN', -1, MAX_CONTEXT],
];

/** How a file says that its model is sampled (`general.sampling.…`); undefined where it says nothing. */
export function statedSampling(metadata: ReadonlyMap<string, MetadataValue>): SamplerOptions | undefined {
  const found: Partial<Record<(typeof SAMPLING_KEYS)[number][1], number>> = {};
  for (const [key, option, least, most] of SAMPLING_KEYS) {
    const value = metadata.get(`general.sampling.${key}`);
    const whole = option !== 'topK' && option !== 'repeatLastN' || Number.isInteger(value);
    if (typeof value === 'number' && value >= least && value <= most && whole) found[option] = value;
  }
  return Object.keys(found).length > 0 ? found : undefined;
}

/**
 * `stated`, and for each option that is left out the model's own, where it has one. Other properties pass unchanged.
 * @param own what the model's authors recommend
 * @param vocab rows of the model
 * @param pieces tokens of the vocabulary in use; rows of the model beyond them are never drawn. 0 = there is none
 */
export function samplerOptionsFor(
  own: SamplerOptions | undefined,
  vocab: number,
  pieces: number,
  stated: SamplerOptions,
): SamplerOptions {
  const given = Object.entries(stated).filter(([, value]) => value !== undefined);
  return {
    ...own,
    ...(pieces > 0 && pieces < vocab ? { vocabLimit: pieces } : {}),
    ...Object.fromEntries(given),
  };
}
