/**
 * The memory plan: every byte the model will take, known before the first is allocated.
 * @module
 */
import { alignUp } from '../bytes/align.ts';
import type { Container, TensorInfo } from '../container/tensor.ts';
import { MemoryError } from '../errors.ts';
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
  /** Sessions that are counted with. */
  readonly sessions: number;
  /** Buffers that a step writes, shared by all sessions of a model, and the loader's staging buffer. */
  readonly scratchBytes: number;
  readonly totalBytes: number;
}

/** The size of a model in memory depends on these besides its description. */
export interface PlanOptions {
  /** Positions of a session, and how it keeps keys and values, for models whose state grows with it. */
  readonly context: number;
  readonly kv: KvType;
  /** Sessions that memory is planned for, and how many of them one pass serves; default 1. */
  readonly sessions?: number;
  readonly slots?: number;
  /** Threads that there are buffers for. */
  readonly threads: number;
  /** Bytes that are allowed in all. */
  readonly maxBytes: number;
  /** Bytes that are taken already. */
  readonly base: number;
}

/** Hands out blocks of memory: an `Arena`, or the sum that `bytesOf` makes. */
export interface Allocator {
  alloc(bytes: number, what: string): number;
}

/** Bytes of everything that `place` allocates, each block aligned to 64. Plans sum with the function that later places. */
export function bytesOf(place: (allocator: Allocator) => unknown): number {
  let end = 0;
  const alloc = (bytes: number): number => (end += alignUp(bytes, 64)) - alignUp(bytes, 64);
  place({ alloc });
  return end;
}

/** The parts of a model, from which `memoryPlan` sums. */
export interface MemoryParts {
  /** The tensors that are loaded. */
  readonly container: Container;
  readonly weightsBytes: number;
  /** Bytes of one session of `context` positions, or of one text. */
  stateBytes(context: number): number;
  /** Bytes of the buffers that all sessions share; default none. */
  scratchBytes?(context: number): number;
  /** What `stateBytes` counts, where that is not a session of so many positions. */
  readonly unit?: string;
}

/**
 * Sums the parts of a model and its sessions.
 * @throws {MemoryError} `MEMORY_LIMIT` with the sums and, where sessions grow, the largest context that would fit; nothing has
 *   been allocated then
 */
export function memoryPlan(parts: MemoryParts, { context, sessions = 1, base, maxBytes }: PlanOptions): MemoryPlan {
  const { container, weightsBytes, unit } = parts;
  const loader = loaderScratch(container);
  const planFor = (context: number): MemoryPlan => {
    const stateBytes = parts.stateBytes(context);
    const scratchBytes = parts.scratchBytes?.(context) ?? 0;
    // the loader's buffers use the place of state and scratch before these are made
    const rest = Math.max(sessions * stateBytes + scratchBytes, loader.staging + loader.codes + loader.scales);
    return { weightsBytes, stateBytes, sessions, scratchBytes, totalBytes: base + weightsBytes + rest };
  };
  const plan = planFor(context);
  if (plan.totalBytes <= maxBytes) return plan;
  throw new MemoryError(
    'MEMORY_LIMIT',
    `${plan.totalBytes} bytes are needed (weights ${weightsBytes}, ${unit ?? `a session of ${context} positions`} ` +
      `${plan.stateBytes}${
        sessions > 1 ? ` times ${sessions}` : ''
      }, scratch ${plan.scratchBytes}), ${maxBytes} are allowed; ` +
      (unit ? 'use a more quantised model' : advice(largest(context, (n) => planFor(n).totalBytes <= maxBytes))),
  );
}

function advice(context: number): string {
  return context > 0
    ? `a context of ${context} would fit`
    : 'not even a context of 1 would fit: use a smaller or more quantised model';
}

/** The largest whole number below `over` that fits, if smaller ones do too; 0 if none does. */
function largest(over: number, fits: (n: number) => boolean): number {
  let best = 0;
  while (over - best > 1) {
    const middle = Math.floor((best + over) / 2);
    if (fits(middle)) best = middle;
    else over = middle;
  }
  return best;
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
export function packedBytes(size: Pick<PackedSize, 'dataBytes' | 'scaleBytes'>): number {
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

/** Bytes of the matrices that a decoder reads for one token: of an embedding only one row, unless it is the head too. */
export function decodeBytes(tensors: Iterable<TensorInfo>, tied: boolean): number {
  let bytes = 0;
  for (const info of tensors) {
    if (info.shape.length !== 2 || (info.name === 'token_embd.weight' && !tied)) continue;
    const { dataBytes, scaleBytes } = packedSize(info);
    bytes += dataBytes + scaleBytes;
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
