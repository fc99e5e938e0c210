/**
 * The tensors of a spiking BERT in training: those of its file under the same names, matrices as latent weights, and beside each
 * a scale for every row.
 * @module
 */
import { SPIKINGBERT_LINEARS } from '../../../architectures/spikingbert/description.ts';
import { type Slot, slotsOf } from '../../slots.ts';
import type { SpikingStudent } from './config.ts';

export type Linear = keyof typeof SPIKINGBERT_LINEARS;
export const LINEARS: readonly Linear[] = Object.keys(SPIKINGBERT_LINEARS) as Linear[];

export const EMBEDDING_NORM = 'network_x.LayerNorm';
export const CLASSIFIER = 'classification';

/** The module of a linear map of encoder `layer`. */
export function linearName(layer: number, linear: Linear): string {
  const [n, part] = SPIKINGBERT_LINEARS[linear];
  return `network_s${6 * layer + n}.${part}`;
}

/** The normalisation behind `out` or `down`. */
export function normName(layer: number, linear: 'out' | 'down'): string {
  return `network_s${6 * layer + SPIKINGBERT_LINEARS[linear][0]}.LayerNorm`;
}

/** Rows and columns of a linear map. */
export function linearShape(
  { width, hidden }: Pick<SpikingStudent, 'width' | 'hidden'>,
  linear: Linear,
): [number, number] {
  return [linear === 'up' ? hidden : width, linear === 'down' ? hidden : width];
}

/** Where every tensor lies. */
export function spikingSlots(s: SpikingStudent): Slot[] {
  const shapes: [string, number[]][] = [];
  const norm = (name: string): void => {
    shapes.push([`${name}.weight`, [s.width]], [`${name}.bias`, [s.width]]);
  };
  norm(EMBEDDING_NORM);
  for (let layer = 0; layer < s.layers; layer++) {
    for (const linear of LINEARS) {
      const name = linearName(layer, linear);
      const [rows, cols] = linearShape(s, linear);
      shapes.push([`${name}.weight`, [rows, cols]]);
      if (s.weights !== 'none') shapes.push([`${name}.scale`, [rows]]);
      shapes.push([`${name}.bias`, [rows]]);
      if (linear === 'out' || linear === 'down') norm(normName(layer, linear));
    }
  }
  shapes.push([`${CLASSIFIER}.weight`, [s.classes, s.width]], [`${CLASSIFIER}.bias`, [s.classes]]);
  return slotsOf(shapes);
}

/** The scales of a latent matrix, or null for a tensor that has none. */
export function scaleSlot(slots: readonly Slot[], { key }: Slot): Slot | null {
  if (!key.endsWith('.weight')) return null;
  const name = key.replace(/\.weight$/, '.scale');
  return slots.find((slot) => slot.key === name) ?? null;
}
