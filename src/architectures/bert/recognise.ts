/**
 * How a model of this kind is told from others, without anything else of it being loaded.
 * @module
 */
import type { Container } from '../../container/tensor.ts';

/** Value of `general.architecture`. */
export const BERT = 'bert';

/** Whether a container is a dense BERT, by its architecture. */
export function isBert({ metadata }: Pick<Container, 'metadata'>): boolean {
  return metadata.get('general.architecture') === BERT;
}
