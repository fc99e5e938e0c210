/**
 * Where written files go. A file appears under its name only when it is whole: until then it is `NAME.part`.
 * @module
 */
import { IoError } from '../errors.ts';

/** A file in the making. */
export interface FileSink {
  /** Appends. The bytes may be reused once it has settled. @throws {IoError} `IO` */
  write(bytes: Uint8Array): Promise<void>;
  /** Gives the file its name. @throws {IoError} `IO` */
  commit(): Promise<void>;
  /** Removes what was written. Harmless after `commit` and when called twice. */
  discard(): Promise<void>;
}

interface WriteHandle {
  write(bytes: Uint8Array, offset: number, length: number): Promise<{ bytesWritten: number }>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

interface FileApi {
  promises: {
    open(path: string, flags: string): Promise<WriteHandle>;
    rename(from: string, to: string): Promise<void>;
    rm(path: string, options: { force: boolean }): Promise<void>;
    stat(path: string): Promise<{ isFile(): boolean; isDirectory(): boolean }>;
  };
}

/** Name of a file that is not finished. */
export function partPath(path: string): string {
  return `${path}.part`;
}

/**
 * Begins a file. An unfinished one of the same name, as a killed process leaves it, is written over. A device or a pipe, such as
 * `/dev/stdout`, is written to as it is: it has no other name to appear under, and must not be replaced.
 * @throws {IoError} `SOURCE` where the host has no file API; `IO` when the file cannot be created
 * @example
 * const sink = await createFile('out.gguf');
 * try {
 *   await sink.write(bytes);
 *   await sink.commit();
 * } finally {
 *   await sink.discard();
 * }
 */
export async function createFile(path: string): Promise<FileSink> {
  const host = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  const api = host.process?.getBuiltinModule?.('node:fs') as FileApi | undefined;
  if (api === undefined) {
    throw new IoError(
      'SOURCE',
      `${path} cannot be written: this runtime has no file API (Node from 20.16, Deno and Bun have one)`,
    );
  }
  const { open, rename, rm, stat } = api.promises;
  const there = await stat(path).catch(() => null);
  const whole = there === null || there.isFile();
  const part = whole ? partPath(path) : path; // a directory is refused when it is opened
  const attempt = async <T>(what: string, run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (cause) {
      throw new IoError('IO', `${path} cannot be ${what}: ${String(cause)}`, { cause });
    }
  };
  const handle = await attempt('created', () => open(part, 'w'));
  let closed = false;
  let done = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await handle.close();
  };
  return {
    write: (bytes) =>
      attempt('written', async () => {
        // a write may be short, as on a full disk; the next one then says why
        for (let at = 0; at < bytes.length;) {
          const { bytesWritten } = await handle.write(bytes, at, bytes.length - at);
          if (bytesWritten === 0) throw new Error('the disk takes no more bytes');
          at += bytesWritten;
        }
      }),
    commit: () =>
      attempt('finished', async () => {
        if (whole) await handle.sync(); // the name must not become visible before the bytes are safe
        await close();
        if (whole) await rename(part, path);
        done = true;
      }),
    async discard() {
      if (done) return;
      done = true;
      await close();
      if (whole) await rm(part, { force: true });
    },
  };
}
