/**
 * How a model of this kind is told from others, without anything else of it being loaded.
 * @module
 */
import type { Container } from '../../container/tensor.ts';

/** The value of `general.architecture`. */
export const GEMMA3 = 'gemma3';

/** Whether a container is a Gemma 3 text decoder, by its architecture. */
export function isGemma3({ metadata }: Pick<Container, 'metadata'>): boolean {
  return metadata.get('general.architecture') === GEMMA3;
}
