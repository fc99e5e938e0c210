/**
 * How a model of this kind is told from others, without anything else of it being loaded.
 * @module
 */
import type { Container } from '../../container/tensor.ts';

/** Name of the architecture in GGUF files. */
export const SYMBOLICLIGHT = 'symboliclight';

/** Whether a container is a SymbolicLight model, by architecture or by the names of its tensors. */
export function isSymbolicLight(container: Container): boolean {
  return container.metadata.get('general.architecture') === SYMBOLICLIGHT ||
    container.tensors.has('spike_encoder.frontend.text_embedding.weight');
}
