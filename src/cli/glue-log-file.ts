/**
 * The log of an evaluation as a file: begun, or continued.
 * @module
 */
import {
  glueLogHeader,
  glueLogLine,
  type GlueRecord,
  type GlueRun,
  type GlueTask,
  readGlueLog,
} from '../entries/eval.ts';
import { openAppended } from './appended-file.ts';

/** A log that is being written. */
export interface LogFile {
  /** What it held when it was opened. */
  readonly records: readonly GlueRecord[];
  /** Resolves when the line is with the system. @throws {IoError} */
  append(record: GlueRecord): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a log. What a run left that was cut off within a line is taken away.
 * @param resume whether a log that is there is continued
 * @throws {OptionError} `OPTION` for a file that is there, without `resume`
 * @throws {DatasetError} `EVAL_LOG` for a log of another run, or no log; {IoError}
 */
export async function openLog(
  path: string,
  run: GlueRun,
  task: GlueTask,
  { resume, signal }: { readonly resume: boolean; readonly signal: AbortSignal },
): Promise<LogFile> {
  const file = await openAppended(path, {
    resume,
    option: 'log',
    header: glueLogHeader(run),
    read: (source) => readGlueLog(source, run, task, signal),
    signal,
  });
  return {
    records: file.held?.records ?? [],
    append: (record) => file.append(glueLogLine(record)),
    close: () => file.close(),
  };
}
