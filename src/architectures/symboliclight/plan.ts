/**
 * The memory plan of SymbolicLight.
 * @module
 */
import { alignUp } from '../../bytes/align.ts';
import type { Container } from '../../container/tensor.ts';
import { columnSize } from '../../description/columns.ts';
import { packedSize, TILE_BYTES } from '../../description/layout.ts';
import { loaderScratch, type MemoryPlan, packedBytes, PREFILL_BATCH, vectorBytes } from '../../description/plan.ts';
import { MemoryError } from '../../errors.ts';
import { activationBytes } from '../../forward/matmul.ts';
import type { PlanOptions } from '../architecture.ts';
import type { SymbolicLightDescription } from './description.ts';

/** Positions behind the anchors that a SymbolicLight session keeps: the window, itself, and a batch that is being read. */
export function ringOf(d: SymbolicLightDescription): number {
  return d.window + PREFILL_BATCH;
}

/** Bytes of one SymbolicLight session; they do not depend on how long it becomes. */
export function symbolicLightStateBytes(d: SymbolicLightDescription): number {
  const slots = d.anchors + ringOf(d);
  const near = d.attention ? 2 * alignUp(d.heads * slots * d.headDim * 4, 64) + alignUp(slots, 64) : 0;
  return vectorBytes(d.width) + d.layers * (vectorBytes(d.width) + near);
}

function symbolicLightScratchBytes(d: SymbolicLightDescription, threads: number): number {
  const widest = Math.max(d.width, d.hidden);
  const batch = 6 * vectorBytes(d.width) + vectorBytes(d.width / 32) + vectorBytes(d.hidden) + vectorBytes(d.headDim);
  const own = 2 * vectorBytes(d.width) + vectorBytes(d.hidden) + activationBytes(widest);
  const thread = PREFILL_BATCH * own + vectorBytes(widest / 32) + vectorBytes(d.width / 4) + vectorBytes(d.headDim) +
    vectorBytes(d.anchors + d.window + 1) + TILE_BYTES;
  const saved = (1 + d.layers) * vectorBytes(d.width);
  return PREFILL_BATCH * batch + threads * thread + saved + 2 * vectorBytes(d.vocab) + vectorBytes(d.width / 4) +
    vectorBytes(d.headDim) + 2 * vectorBytes(widest) + 64 * 64;
}

/** The plan of a SymbolicLight model with one session. @throws {MemoryError} `MEMORY_LIMIT` with the plan */
export function planSymbolicLight(
  container: Container,
  d: SymbolicLightDescription,
  options: Pick<PlanOptions, 'threads' | 'maxBytes' | 'base'>,
): MemoryPlan {
  let weights = 0;
  for (const info of container.tensors.values()) {
    // scales of an I8 matrix are counted with it
    if (info.name.endsWith('.scale')) continue;
    if (info.shape.length !== 2) weights += vectorBytes(info.shape[0] ?? 1);
    else if (isColumns(info.name)) {
      weights += alignUp(columnSize(info).dataBytes, 64) + alignUp(columnSize(info).scaleBytes, 64);
    } else if (!info.name.endsWith('_cached_mask')) weights += packedBytes(packedSize(info));
  }
  const loader = loaderScratch(container);
  const stateBytes = symbolicLightStateBytes(d);
  const scratchBytes = symbolicLightScratchBytes(d, options.threads);
  const behind = Math.max(stateBytes + scratchBytes, loader.staging + loader.codes + loader.scales);
  const plan = { weightsBytes: weights, stateBytes, scratchBytes, totalBytes: options.base + weights + behind };
  if (plan.totalBytes <= options.maxBytes) return plan;
  throw new MemoryError(
    'MEMORY_LIMIT',
    `${plan.totalBytes} bytes are needed (weights ${weights}, one session ${stateBytes}, scratch ${scratchBytes}), ` +
      `${options.maxBytes} are allowed; use a more quantised model`,
  );
}

/** Whether a matrix of SymbolicLight takes spikes and lies by columns. */
function isColumns(name: string): boolean {
  return name.endsWith('.tcam_proj.weight') || name.endsWith('.ffn.down.weight');
}
