/**
 * Runs that are taken up again, and students that begin as that of an earlier run.
 * @module
 */
import { DistillError } from '../../../errors.ts';
import { type Checkpoint, loadCheckpoint } from '../../checkpoint.ts';
import { diskFolder, type RunFolder } from '../../folder.ts';
import type { Described } from './config.ts';
import type { ClassifierSettings, DistillClassifierOptions } from './options.ts';

/** What a checkpoint keeps of the run besides its state. */
export interface Kept {
  readonly settings: ClassifierSettings;
  readonly described: Described;
  readonly stages: readonly { readonly mean: readonly number[]; readonly radius: number }[];
  /** The teacher's ids of the pieces that stay; null for all. */
  readonly pieces: readonly number[] | null;
}

/** The checkpoint to go on from, if that is wanted. */
export async function begin(
  folder: RunFolder,
  { resume, onEvent }: DistillClassifierOptions,
): Promise<Checkpoint | null> {
  const found = await loadCheckpoint(folder, (text) => onEvent?.({ kind: 'note', text }));
  if (resume) return ofKind(found, folder);
  if (found === null) return null;
  throw new DistillError(
    'CHECKPOINT',
    `${folder.path} contains a run of ${found.run.step} steps; resume it, or use another folder`,
  );
}

/** The run whose student is the first of this one, if that is wanted. */
export async function earlierRun({ init, onEvent }: DistillClassifierOptions): Promise<Checkpoint | null> {
  if (init === undefined) return null;
  const folder = diskFolder(init);
  return ofKind(await loadCheckpoint(folder, (text) => onEvent?.({ kind: 'note', text })), folder);
}

function ofKind(found: Checkpoint | null, { path }: RunFolder): Checkpoint {
  if (found === null) throw new DistillError('CHECKPOINT', `${path} contains no checkpoint to resume from`);
  if (found.run.options.described === undefined) {
    throw new DistillError('CHECKPOINT', `${path} contains a run of another kind of student`);
  }
  return found;
}
