/**
 * How a model of this kind is told from others, without anything else of it being loaded.
 * @module
 */
import type { Container } from '../../container/tensor.ts';

/** Values of `general.architecture`. */
export const LLAMA_NAMES: readonly string[] = ['llama', 'qwen2', 'qwen3', 'bitnet', 'bitnet-25', 'bitnet-b1.58'];

/** Whether a container is a decoder of the llama shape, by its architecture. */
export function isLlama({ metadata }: Pick<Container, 'metadata'>): boolean {
  return LLAMA_NAMES.includes(String(metadata.get('general.architecture')));
}
