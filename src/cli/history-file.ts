/**
 * The history of runs as a file.
 * @module
 */
import { stat } from 'node:fs/promises';
import { type Defect, defectsOf, type HistoryEntry, readHistory } from '../entries/eval.ts';
import { withSource } from './files.ts';
import type { Output } from './output.ts';
import { appendLine } from './result-files.ts';

/** A history that grows. */
export interface HistoryFile {
  readonly entries: readonly HistoryEntry[];
  append(entry: HistoryEntry): Promise<void>;
}

/** Opens a history, which may not be there yet. @throws {DatasetError} `EVAL_LOG` for another file; {IoError} */
export async function historyFile(path: string, signal: AbortSignal): Promise<HistoryFile> {
  const there = await stat(path).catch(() => null);
  const entries = there ? await withSource(path, signal, (source) => readHistory(source, signal)) : [];
  return {
    entries,
    async append(entry) {
      await appendLine(path, JSON.stringify(entry));
      entries.push(entry);
    },
  };
}

/** Says which figures of equal runs differ, and returns them. */
export function noteDefects(entries: readonly HistoryEntry[], out: Output): readonly Defect[] {
  const defects = defectsOf(entries);
  for (const defect of defects) out.note(defectText(defect));
  return defects;
}

/** A defect as a line. */
export function defectText({ key, metric, first, later }: Defect): string {
  return `DEFECT ${metric} of run ${key} was ${first.value} at ${first.time} and is ${later.value} at ${later.time}; ` +
    'equal runs have to give equal figures';
}
