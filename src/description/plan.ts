/**
 * The memory plan: every byte the model will take, known before the first is allocated.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import type { Container } from '../container/tensor.ts';
import { type PackedSize, packedSize, rowScales, VECTOR_PAD } from './layout.ts';

/** How keys and values are kept. */
export type KvType = 'f16' | 'f32';

/** Tokens of one pass over the weights during prefill. */
export const PREFILL_BATCH = 32;
/** Tokens that the kernels for batches take at a time: one costs as much as this many. */
export const BATCH_STEP = 16;
/** File bytes read at a time while loading; at least four rows of the widest matrix are added to it. */
export const STAGING_BYTES: number = 1 << 20;

export interface MemoryPlan {
  /** Weights in wasm memory. */
  readonly weightsBytes: number;
  /** One session: keys and values of every layer and position. */
  readonly stateBytes: number;
  /** Buffers that a step writes, shared by all sessions of a model, and the loader's staging buffer. */
  readonly scratchBytes: number;
  readonly totalBytes: number;
}

/** Smallest and largest default of a session's positions. */
const MIN_DEFAULT_CONTEXT = 512;
const MAX_DEFAULT_CONTEXT = 4096;

/** Positions of a session unless told: what the model was trained for, but at least 512 and at most 4096. */
export function defaultContext(trained: number): number {
  return Math.min(Math.max(trained, MIN_DEFAULT_CONTEXT), MAX_DEFAULT_CONTEXT);
}

/** Bytes of a vector of n floats, padded with zeros. */
export function vectorBytes(n: number): number {
  return alignUp(n, VECTOR_PAD) * 4;
}

/** Bytes of a packed matrix, with its scales. */
export function packedBytes(size: PackedSize): number {
  return alignUp(size.dataBytes, 64) + alignUp(size.scaleBytes, 64);
}

/** Bytes of the weights in memory, each tensor aligned to 64. */
export function weightsBytes(container: Container): number {
  let bytes = 0;
  for (const info of container.tensors.values()) {
    if (info.name.endsWith('.weight_scale')) continue; // counted with its matrix
    rowScales(container, info);
    bytes += info.shape.length === 2 ? packedBytes(packedSize(info)) : vectorBytes(info.shape[0] ?? 1);
  }
  return bytes;
}

/** Bytes of four rows of the widest matrix: as stored, as codes, and as scales. */
export function loaderScratch(container: Container): { staging: number; codes: number; scales: number } {
  let widest = 0;
  let rowBytes = 0;
  for (const info of container.tensors.values()) {
    const rows = info.shape.length === 2 ? info.shape[0] : 1;
    widest = Math.max(widest, info.shape[info.shape.length - 1] ?? 1);
    rowBytes = Math.max(rowBytes, Math.ceil(info.byteLength / Math.max(rows, 1)));
  }
  return {
    staging: 2 * alignUp(STAGING_BYTES + 8 * rowBytes, 64),
    codes: alignUp(4 * alignUp(widest, 256) * 4 + 256, 64),
    // at most 36 bytes for 256 columns, see assembly/grouped-pack.ts
    scales: alignUp(4 * (alignUp(widest, 256) / 32) * 5 + 64, 64),
  };
}
