/**
 * The journal of a comparison as a file.
 * @module
 */
import { type Journal, journalHeader, journalLine, type JournalRun, partKey, readJournal } from '../entries/eval.ts';
import { openAppended } from './appended-file.ts';

/** A journal that is being written. */
export interface JournalFile extends Journal {
  /** Parts that it held when it was opened. */
  readonly resumed: number;
  close(): Promise<void>;
}

/**
 * Opens a journal.
 * @param resume whether one that is there is continued
 * @throws {OptionError} `OPTION` for a file that is there, without `resume`
 * @throws {DatasetError} `EVAL_LOG` for the journal of another run, or another file; {IoError}
 */
export async function openJournal(
  path: string,
  run: JournalRun,
  { resume, signal }: { readonly resume: boolean; readonly signal: AbortSignal },
): Promise<JournalFile> {
  const file = await openAppended(path, {
    resume,
    option: 'log',
    header: journalHeader(run),
    read: (source) => readJournal(source, run, signal),
    signal,
  });
  const parts = file.held?.parts ?? new Map<string, unknown>();
  return {
    resumed: parts.size,
    get: (part, index) => parts.get(partKey(part, index)),
    put: (part, index, value) => file.append(journalLine(part, index, value)),
    close: () => file.close(),
  };
}
