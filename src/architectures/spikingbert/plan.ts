/**
 * How the memory of one text lies while a spiking BERT runs it. Pure arithmetic: every thread finds the same places.
 *
 * Steps are run in chunks, and a chunk layer by layer, so that a matrix is read once for all vectors of the chunk: one vector
 * is one token at one step. Membranes and counts are all that outlives a chunk.
 * @module
 */
import { alignUp } from '../../bytes/align.ts';
import type { SpikingBertDescription } from './description.ts';
import type { Container } from '../../container/tensor.ts';
import { packedSize, rowScaledSize } from '../../description/layout.ts';
import { type MemoryPlan, memoryPlan, packedBytes, type PlanOptions, vectorBytes } from '../../description/plan.ts';
import { isRowScaled, spikingBertTensors } from './description.ts';
import { UNIT_ROWS } from '../../forward/spike-matmul.ts';

/** Vectors of a chunk, unless one step has more. Tables of weights pay from 128 on, and what a layer writes stays in the
 *  second-level cache; more gain little. */
const CHUNK_VECTORS = 512;
/** Bytes of a chunk's buffers, unless one step needs more; only layers far wider than a BERT's come near. */
const CHUNK_BYTES = 64 << 20;
/** Vectors of one block of nibbles. */
export const BLOCK_VECTORS = 128;

/** Groups of four features in a layer's spikes, features padded to 128. */
export function spikeGroups(features: number): number {
  return alignUp(features, 128) / 4;
}

/** Features of neuron layer j: the embedding, then six of each encoder. */
export function layerFeatures(d: Pick<SpikingBertDescription, 'width' | 'hidden'>, j: number): number {
  return j > 0 && j % 6 === 5 ? d.hidden : d.width;
}

/** Sizes of one text's run. */
export interface RunSize {
  readonly tokens: number;
  /** Tokens padded to four: vectors of one step. */
  readonly tokens4: number;
  /** Steps of a chunk. */
  readonly chunk: number;
  /** Vectors of a chunk, padded to whole blocks. */
  readonly vectors: number;
  /** Elements from one feature's currents to the next. An odd number of cache lines: features of one vector must not all
   *  fall into the same set. */
  readonly stride: number;
}

/** @param steps in all: no chunk is longer */
export function runSize(d: SpikingBertDescription, tokens: number, steps: number): RunSize {
  const tokens4 = alignUp(tokens, 4);
  const widest = alignUp(Math.max(d.width, d.hidden), 128);
  // lists, spikes, currents of a vector
  const each = 4 * widest + (6 * alignUp(d.width, 128)) / 4 + alignUp(d.hidden, 128) / 4 + 4 * (d.width + UNIT_ROWS);
  const vectors = Math.min(CHUNK_VECTORS, Math.floor(CHUNK_BYTES / each));
  const chunk = Math.max(1, Math.min(steps, Math.floor(vectors / tokens4)));
  const padded = alignUp(chunk * tokens4, BLOCK_VECTORS);
  return { tokens, tokens4, chunk, vectors: padded, stride: padded + 16 };
}

/** What a run writes: its name and bytes, in the order of memory. */
export type RunParts = Readonly<Record<RunPart, number>>;

export type RunPart =
  | 'membranes'
  | 'counts'
  | 'input'
  | 'embedding'
  | 'tables'
  | 'stream'
  | 'key'
  | 'value'
  | 'context'
  | 'mixed'
  | 'hidden'
  | 'currents'
  | 'mean'
  | 'inverse'
  | 'lists'
  | 'listed'
  | 'fired'
  | 'threads';

/** Bytes of every part. */
export function runParts(d: SpikingBertDescription, size: RunSize, threads: number): RunParts {
  const { tokens, tokens4, vectors, stride } = size;
  const layers = 6 * d.layers + 1;
  let neurons = 0;
  for (let j = 0; j < layers; j++) neurons += alignUp(layerFeatures(d, j), UNIT_ROWS) * tokens4;
  const width = alignUp(d.width, UNIT_ROWS);
  const spikes = spikeGroups(d.width) * vectors;
  const parts: Record<RunPart, number> = {
    membranes: neurons * 4,
    counts: neurons * 2,
    input: width * tokens4 * 4,
    embedding: (tokens + 1) * alignUp(d.width, 128) * 4,
    tables: 8192,
    stream: spikes,
    key: spikes,
    value: spikes,
    context: spikes,
    mixed: spikes,
    hidden: spikeGroups(d.hidden) * vectors,
    currents: width * stride * 4,
    mean: vectors * 8,
    inverse: vectors * 8,
    lists: vectors * Math.max(d.width, d.hidden) * 4,
    listed: vectors * 4,
    fired: size.chunk * layers * 4,
    threads: threads * threadBytes(d, size),
  };
  for (const part of Object.keys(parts) as RunPart[]) parts[part] = alignUp(parts[part], 64);
  return parts;
}

/** What one thread has for itself: a unit's currents, a tile of columns of the widest matrix, scores of a head, sums. */
export function threadParts(
  d: SpikingBertDescription,
  { tokens, tokens4, stride }: RunSize,
): { currents: number; tile: number; scores: number; sums: number } {
  return {
    currents: UNIT_ROWS * stride * 4,
    tile: UNIT_ROWS * alignUp(Math.max(d.width, d.hidden), 128) * 4,
    scores: alignUp(tokens * tokens4 * 4, 64),
    sums: 1024,
  };
}

function threadBytes(d: SpikingBertDescription, size: RunSize): number {
  return Object.values(threadParts(d, size)).reduce((a, b) => a + b, 0);
}

/** Bytes of the run of one text. @param steps in all */
export function spikingBertRunBytes(
  d: SpikingBertDescription,
  tokens: number,
  steps: number,
  threads: number = 1,
): number {
  return Object.values(runParts(d, runSize(d, tokens, steps), threads)).reduce((a, b) => a + b, 0);
}

/** Longest text that a plan of a spiking BERT counts with, as the public code evaluates; longer ones take memory when they
 *  come. */
const PLANNED_TOKENS = 128;

/** The plan of a spiking BERT and the run of one text. @throws {MemoryError} `MEMORY_LIMIT` with the plan */
export function planSpikingBert(
  container: Container,
  d: SpikingBertDescription,
  options: PlanOptions,
): MemoryPlan {
  const held = spikingBertTensors(container, d);
  let weights = 0;
  for (const info of held.tensors.values()) {
    if (info.name.endsWith('.scale')) continue; // counted with its matrix
    if (info.shape.length !== 2) weights += vectorBytes(info.shape[0]);
    else weights += packedBytes(isRowScaled(info) ? rowScaledSize(info) : packedSize(info));
  }
  const tokens = Math.min(d.trainedContext, PLANNED_TOKENS);
  return memoryPlan({
    container: held,
    weightsBytes: weights,
    stateBytes: () => spikingBertRunBytes(d, tokens, d.steps, options.threads),
    unit: `a text of ${tokens} tokens`,
  }, options);
}
