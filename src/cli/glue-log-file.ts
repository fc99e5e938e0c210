/**
 * The log of an evaluation as a file: begun, or gone on with.
 * @module
 */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { IoError, OptionError } from '../errors.ts';
import {
  glueLogHeader,
  glueLogLine,
  type GlueRecord,
  type GlueRun,
  type GlueTask,
  readGlueLog,
} from '../entries/eval.ts';
import { withSource } from './files.ts';

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
 * @param resume whether a log that is there is gone on with
 * @throws {OptionError} `OPTION` for a file that is there, without `resume`
 * @throws {DatasetError} `EVAL_LOG` for a log of another run, or no log; {IoError}
 */
export async function openLog(
  path: string,
  run: GlueRun,
  task: GlueTask,
  { resume, signal }: { readonly resume: boolean; readonly signal: AbortSignal },
): Promise<LogFile> {
  const there = await stat(path).catch(() => null);
  if (there && there.size > 0 && !resume) {
    throw new OptionError('OPTION', `--log ${path} is there already: --resume goes on from it, or choose another name`);
  }
  const { records, bytes } = there
    ? await withSource(path, signal, (source) => readGlueLog(source, run, task, signal))
    : { records: [], bytes: 0 };
  const attempt = async <T>(what: () => Promise<T>): Promise<T> => {
    try {
      return await what();
    } catch (cause) {
      throw new IoError('IO', `${path} cannot be written: ${String(cause)}`, { cause });
    }
  };
  const handle = await attempt(() => open(path, there ? 'r+' : 'wx'));
  let at = bytes;
  const write = (text: string): Promise<void> =>
    attempt(async () => {
      at += await writeAll(handle, new TextEncoder().encode(text), at);
    });
  try {
    await attempt(() => handle.truncate(bytes));
    if (bytes === 0) await write(glueLogHeader(run));
  } catch (error) {
    await handle.close();
    throw error;
  }
  return {
    records,
    append: (record) => write(glueLogLine(record)),
    close: () => handle.close(),
  };
}

/** A write may be short, as on a full disk; the next one then says why. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  for (let done = 0; done < bytes.length;) {
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
  return bytes.length;
}
