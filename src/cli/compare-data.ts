/**
 * What `compare` compares on: a text, or a task of GLUE, by the same option.
 * @module
 */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { IoError } from '../errors.ts';
import { GLUE_TASKS, glueSplit, type GlueTask, glueTask } from '../entries/eval.ts';
import { UsageError } from './args.ts';

/** A text file, or the file of a task. */
export type CompareData =
  | { readonly kind: 'text'; readonly path: string }
  | { readonly kind: 'task'; readonly path: string; readonly task: GlueTask; readonly split: string };

/**
 * Finds the data: the name of a task, whose folder is `folder`; a folder or .tsv file that has the name of a task or lies in such a
 * folder; else a text.
 * @throws {UsageError} for a task that does not exist; {IoError} where its file is in none of the usual places
 */
export async function findData(
  data: string,
  { task: named, folder, split = 'dev' }: { readonly task?: string; readonly folder?: string; readonly split?: string },
): Promise<CompareData> {
  const there = await stat(data).catch(() => null);
  const task = named !== undefined
    ? glueTask(named)
    : there === null
    ? taskOf(data)
    : there.isDirectory()
    ? taskOf(basename(data))
    : data.endsWith('.tsv')
    ? taskOf(basename(dirname(data)))
    : null;
  if (!task) {
    if (there?.isDirectory()) {
      throw new UsageError(
        `--data ${data} is a folder without the name of a task; name the task with --task (${GLUE_TASKS.join(', ')})`,
      );
    }
    return { kind: 'text', path: data };
  }
  if (there?.isFile()) return { kind: 'task', path: data, task, split };
  const { split: known, file } = glueSplit(task, split);
  const base = folder ?? (there ? data : '.');
  return { kind: 'task', path: await glueFile(base, task, file), task, split: known };
}

function taskOf(name: string): GlueTask | null {
  try {
    return glueTask(name);
  } catch {
    return null;
  }
}

/** Where the file of a split is. @throws {IoError} `IO` where it is in none of the usual places */
export async function glueFile(folder: string, task: GlueTask, file: string): Promise<string> {
  const places = [join(folder, file), join(folder, task.title, file)];
  for (const place of places) {
    if ((await stat(place).catch(() => null))?.isFile()) return place;
  }
  throw new IoError('IO', `${task.title} has no file ${places.join(' nor ')}; --data is the folder of its .tsv files`);
}
