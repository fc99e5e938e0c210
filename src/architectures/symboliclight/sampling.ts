/**
 * How the authors of SymbolicLight draw tokens.
 * @module
 */
import type { SamplerOptions } from '../../sample/options.ts';

/** The public code draws like this, in both variants. */
const BOTH: SamplerOptions = { temperature: 0.8, temperatureFirst: true, topK: 50, minP: 0, repeatLastN: -1 };

/** The defaults of a variant. */
export function symbolicLightSampling({ variant }: { readonly variant: '0.8b' | '194m' }): SamplerOptions {
  return variant === '0.8b'
    ? { ...BOTH, topP: 0.9, adaptiveTemperature: 'warm' }
    : { ...BOTH, topP: 1, adaptiveTemperature: 'cool' };
}
