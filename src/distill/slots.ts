/**
 * The tensors of a student in one flat array.
 * @module
 */
import type { Ptr } from '../wasm/arena.ts';

/** Where a tensor lies in a flat array. */
export interface Slot {
  readonly key: string;
  readonly shape: readonly number[];
  readonly at: number;
  readonly size: number;
}

/** Tensors one after the other, from element `at`. Starts are multiples of 4 elements. */
export function slotsOf(shapes: Iterable<readonly [string, readonly number[]]>, at: number = 0): Slot[] {
  const slots: Slot[] = [];
  for (const [key, shape] of shapes) {
    const size = shape.reduce((a, b) => a * b, 1);
    slots.push({ key, shape, at, size });
    at += Math.ceil(size / 4) * 4;
  }
  return slots;
}

/** Elements of a flat array that holds `slots`. */
export function flatLength(slots: readonly Slot[]): number {
  return slots.reduce((end, { at, size }) => Math.max(end, Math.ceil((at + size) / 4) * 4), 0);
}

/** Weights and gradients lie at these addresses, by slot. */
export type Places = (key: string) => Ptr;

/** The places of slots that lie in a flat array at `base`. */
export function placesOf(slots: readonly Slot[], base: Ptr): Places {
  const at = new Map(slots.map((slot) => [slot.key, base + slot.at * 4]));
  return (key) => {
    const place = at.get(key);
    if (place === undefined) throw new Error(`there is no tensor ${key}`);
    return place;
  };
}
