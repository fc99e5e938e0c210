/**
 * How a model of this kind is told from others, without anything else of it being loaded.
 * @module
 */
import type { Container } from '../../container/tensor.ts';

/** Name of the architecture in GGUF files. */
export const SPIKINGBERT = 'spikingbert';

/** The table that every file of this architecture has. */
/** The table of tokens: no other model has it. */
export const SPIKINGBERT_WORDS = 'network_x.word_embeddings.weight';

/** Whether a container is a spiking BERT, by architecture or by the names of its tensors. */
export function isSpikingBert(container: Pick<Container, 'metadata' | 'tensors'>): boolean {
  return container.metadata.get('general.architecture') === SPIKINGBERT || container.tensors.has(SPIKINGBERT_WORDS);
}
