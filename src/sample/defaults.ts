/**
 * What an option means that the caller left out, where the model's own authors say so.
 * @module
 */
import type { SamplerOptions } from './options.ts';

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
