/**
 * Names of the tensors in one layer of a transformer decoder, as GGUF has them.
 * @module
 */

/** The matrices of a layer, by what they make. */
export const LAYER_MATRICES = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const;
export type LayerMatrix = (typeof LAYER_MATRICES)[number];

/** Full name of a layer's tensor. @param suffix as in an architecture's table; a `?` at its end marks those that may be absent */
export function layerTensorName(layer: number, suffix: string): string {
  return `blk.${layer}.${suffix.replace('?', '')}`;
}
