/**
 * A short name for an answer, by which two devices can see that they gave the same.
 * @module
 */
import { xxh32 } from '../src/bytes/xxh32.ts';

/** 16 hexadecimal digits of a list of ids: equal ids, equal digits, on any device. @example hashIds([1, 2]) */
export function hashIds(ids: readonly number[]): string {
  const bytes = new Uint8Array(4 * ids.length);
  const view = new DataView(bytes.buffer);
  ids.forEach((id, i) => view.setUint32(4 * i, id, true));
  return [0, 1].map((seed) => xxh32(bytes, seed).toString(16).padStart(8, '0')).join('');
}
