/**
 * What tells one loaded model from another: 64 bits over its description, its tensor table and its packed weights.
 *
 * All of the weights would take seconds for a model of gigabytes, so a sample is read: everything up to 16 MiB, and
 * beyond that 4096 pages of 4 KiB at even distances. A model of other origin, training or quantisation differs in nearly
 * every page; a file that was changed in a few bytes on purpose may pass, which harms nobody but its author. The weights
 * are looked at as the kernels read them, so a version of this engine that packs them differently is told apart too.
 * @module
 */
import type { Container } from '../container/tensor.ts';
import { xxh32 } from '../bytes/xxh32.ts';
import type { ModelDescription } from './description.ts';

const PAGE = 4096;
const PAGES = 4096;

/**
 * Eight bytes. The name in the file and notices do not count, nor the order of its tensors.
 * @param weights the weights in wasm memory, all in one piece
 */
export function modelDigest(description: ModelDescription, container: Container, weights: Uint8Array): Uint8Array {
  const { name: _, notices: __, ...numbers } = description;
  const tensors = [...container.tensors.values()].map(({ name, type, shape }) => [name, type, shape] as const);
  tensors.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const text = new TextEncoder().encode(JSON.stringify([numbers, tensors, weights.length]));
  const digest = new DataView(new ArrayBuffer(8));
  for (const half of [0, 1]) {
    let sum = xxh32(text, half);
    if (weights.length <= PAGE * PAGES) {
      sum = xxh32(weights, sum);
    } else {
      for (let i = 0; i < PAGES; i++) {
        const at = Math.floor((i * (weights.length - PAGE)) / (PAGES - 1));
        sum = xxh32(weights.subarray(at, at + PAGE), sum);
      }
    }
    digest.setUint32(4 * half, sum, true);
  }
  return new Uint8Array(digest.buffer);
}
