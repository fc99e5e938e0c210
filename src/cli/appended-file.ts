/**
 * A file of lines that grows while a run goes on, and from which an interrupted run continues.
 * @module
 */
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { ByteSource } from '../bytes/source.ts';
import { IoError, OptionError } from '../errors.ts';
import { withSource } from './files.ts';

/** A file that is being written, and what it held when it was opened. */
export interface AppendedFile<T> {
  readonly held: T | null;
  /** Resolves when the text is with the system. @throws {IoError} */
  append(text: string): Promise<void>;
  close(): Promise<void>;
}

export interface AppendedOptions<T extends { readonly bytes: number }> {
  /** Whether a file that is there is continued; otherwise it is refused. */
  readonly resume: boolean;
  /** How the option is called that names it. */
  readonly option: string;
  /** What an empty file begins with. */
  readonly header: string;
  /** Reads what is there; `bytes` end its last whole line, and what follows them is cut off. */
  readonly read: (source: ByteSource) => Promise<T>;
  readonly signal: AbortSignal;
}

/**
 * Opens a file to append to.
 * @throws {OptionError} `OPTION` for a file that is there, without `resume`; what `read` throws; {IoError}
 */
export async function openAppended<T extends { readonly bytes: number }>(
  path: string,
  { resume, option, header, read, signal }: AppendedOptions<T>,
): Promise<AppendedFile<T>> {
  const there = await stat(path).catch(() => null);
  if (there && there.size > 0 && !resume) {
    throw new OptionError(
      'OPTION',
      `--${option} ${path} already exists: use --resume to continue it, or choose another name`,
    );
  }
  const held = there ? await withSource(path, signal, read) : null;
  const attempt = async <V>(what: () => Promise<V>): Promise<V> => {
    try {
      return await what();
    } catch (cause) {
      throw new IoError('IO', `${path} cannot be written: ${String(cause)}`, { cause });
    }
  };
  const handle = await attempt(() => open(path, there ? 'r+' : 'wx'));
  let at = held?.bytes ?? 0;
  const append = (text: string): Promise<void> =>
    attempt(async () => {
      at += await writeAll(handle, new TextEncoder().encode(text), at);
    });
  try {
    await attempt(() => handle.truncate(at));
    if (at === 0) await append(header);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return { held, append, close: () => handle.close() };
}

/** A write may be short, as on a full disk; the next one then says why. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  for (let done = 0; done < bytes.length;) {
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
  return bytes.length;
}
