/**
 * Checkpoints: everything that a run needs to go on to the same numbers, in one safetensors file. The one before is kept,
 * so that whatever happens while a file is written, a whole one is there.
 *
 * Latent weights and the optimiser's moments are tensors; the rest of the run is JSON in the metadata, beside a checksum.
 * @module
 */
import { memorySource } from '../bytes/memory.ts';
import { xxh32 } from '../bytes/xxh32.ts';
import { readSafetensors } from '../container/safetensors.ts';
import { DistillError } from '../errors.ts';
import type { RngState } from '../sample/rng.ts';
import type { RunFolder } from './folder.ts';
import type { MeansState } from './metrics.ts';
import { safetensorsParts } from './safetensors-write.ts';
import type { TrainerState } from './types.ts';

/** Where a run stands, besides the trainer. */
export interface RunState {
  /** Updates made. */
  readonly step: number;
  /** Seconds of training so far, over all sittings. */
  readonly seconds: number;
  /** Order of the windows. */
  readonly data: DataState;
  /** Updates since the last line of measurements. */
  readonly means?: MeansState;
  /** What the run was begun with; see `distill`. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Where in the order of its windows or samples a run stands. */
export interface DataState {
  readonly epoch: number;
  /** Windows or batches of this epoch that were handed out. */
  readonly taken: number;
  /** Generator at the beginning of this epoch. */
  readonly generator: RngState;
  /** Checksum of the ids, so that other data are noticed. */
  readonly digest: number;
  /** Ids of a window. */
  readonly length?: number;
  /** Which phase of its recipe this epoch is of; −1 before the first. */
  readonly phase?: number;
}

export interface Checkpoint {
  readonly run: RunState;
  readonly trainer: TrainerState;
}

export const CURRENT = 'checkpoint.safetensors';
export const PREVIOUS = 'checkpoint.previous.safetensors';

/** Of the layout of the metadata. */
const VERSION = '1';

/**
 * Saves, and keeps the checkpoint before as `PREVIOUS`.
 * @throws {DistillError} `NOT_FINITE` for a NaN or infinity, which would be of no use to anybody
 * @throws {IoError} `IO`, as for a full disk; the checkpoints that were there still are
 */
export async function saveCheckpoint(folder: RunFolder, { run, trainer }: Checkpoint): Promise<void> {
  const damaged = notFinite(trainer);
  if (damaged !== null) {
    throw new DistillError('NOT_FINITE', `${damaged} at step ${run.step}; this state is not saved`);
  }
  const sum = checksum([...trainer.tensors.values()].map(({ data }) => data));
  const metadata = { format: 'ternspike-distill', version: VERSION, run: JSON.stringify(run), xxh32: String(sum) };
  await folder.replace(CURRENT, safetensorsParts(trainer.tensors, metadata), PREVIOUS);
}

/**
 * The newest whole checkpoint of a folder, or null where there was never one.
 * @param note told why an older one was taken
 * @throws {DistillError} `CHECKPOINT` where there are some and none is whole
 */
export async function loadCheckpoint(folder: RunFolder, note?: (line: string) => void): Promise<Checkpoint | null> {
  const failures: string[] = [];
  for (const name of [CURRENT, PREVIOUS]) {
    const bytes = await folder.read(name);
    if (bytes === null) continue;
    try {
      const checkpoint = await parse(bytes, name);
      if (failures.length > 0) note?.(`${failures.join('; ')}; going on from ${name}, step ${checkpoint.run.step}`);
      return checkpoint;
    } catch (error) {
      failures.push(`${name} cannot be used: ${(error as Error).message}`);
    }
  }
  if (failures.length === 0) return null;
  throw new DistillError('CHECKPOINT', `${folder.path}: ${failures.join('; ')}`);
}

async function parse(bytes: Uint8Array, name: string): Promise<Checkpoint> {
  const { metadata, tensors } = await readSafetensors(memorySource(bytes, name));
  const [version, text, sum] = ['version', 'run', 'xxh32'].map((key) => metadata.get(key));
  if (metadata.get('format') !== 'ternspike-distill' || version !== VERSION || typeof text !== 'string') {
    throw new DistillError('CHECKPOINT', `this is not a checkpoint of a distillation of version ${VERSION}`);
  }
  const state = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const { name, type, shape, offset, byteLength } of tensors.values()) {
    if (type !== 'F32') throw new DistillError('CHECKPOINT', `tensor ${name} is ${type}, expected F32`);
    state.set(name, { shape, data: new Float32Array(bytes.slice(offset, offset + byteLength).buffer) });
  }
  if (String(checksum([...state.values()].map(({ data }) => data))) !== sum) {
    throw new DistillError('CHECKPOINT', 'the checksum does not fit; the file was altered or not written whole');
  }
  const run = JSON.parse(text) as RunState;
  if (!Number.isInteger(run.step) || typeof run.data !== 'object' || typeof run.options !== 'object') {
    throw new DistillError('CHECKPOINT', 'the description of the run is not complete');
  }
  return { run, trainer: { step: run.step, tensors: state } };
}

/** Where the first NaN or infinity of a state is, or null. */
export function notFinite({ tensors }: TrainerState): string | null {
  for (const [name, { data }] of tensors) {
    for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return `${name}[${i}] is ${data[i]}`;
  }
  return null;
}

function checksum(all: readonly Float32Array[]): number {
  return all.reduce((sum, data) => xxh32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), sum), 0);
}
