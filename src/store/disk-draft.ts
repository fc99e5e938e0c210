/**
 * A file in the making on a disk: written at any place, with a list of its finished ranges beside it. The list is written after the
 * bytes are safe, and replaced as a whole, so that it is true after a kill at any moment.
 * @module
 */
import { IoError } from '../errors.ts';
import { diskError, type FileHandle, type Files } from './host.ts';
import type { Lock } from './lock.ts';
import type { ByteRange, Draft, HubFile } from './store.ts';

/** Behind the name of the content. Python's `hf cache` knows names that end so as unfinished. */
export const DRAFT_SUFFIX = '.ternspike.incomplete';

/** Finished ranges, and the file that they are of. */
export type Manifest = readonly ByteRange[] & { readonly file?: { readonly path: string; readonly size: number } };

/** What is noted of a draft; nothing where that is not of this file. @param path of the draft */
export async function readManifest(files: Files, path: string, file: HubFile | null): Promise<Manifest> {
  try {
    const noted = JSON.parse(await files.readFile(`${path}.json`, 'utf8')) as Record<string, unknown>;
    const { size } = await files.stat(path);
    const same = file === null || (noted.etag === file.etag && noted.size === file.size);
    if (!same || noted.version !== 1 || !Array.isArray(noted.done)) return [];
    const done = (noted.done as unknown[]).filter((range): range is ByteRange => {
      const [start, end] = Array.isArray(range) ? range as unknown[] : [];
      return Number.isSafeInteger(start) && Number.isSafeInteger(end) && (start as number) >= 0 &&
        (start as number) < (end as number) && (end as number) <= Math.min(size, Number(noted.size));
    });
    return Object.assign(done, { file: { path: String(noted.path), size: Number(noted.size) } });
  } catch {
    return []; // there is none
  }
}

/**
 * Opens a draft. @param name gives the finished file its name
 */
export async function openDraft(
  files: Files,
  path: string,
  file: HubFile,
  lock: Lock,
  name: () => Promise<void>,
): Promise<Draft> {
  const forget = async (): Promise<void> => {
    await files.rm(`${path}.json`, { force: true });
    await files.rm(path, { force: true });
  };
  let handle: FileHandle;
  let had: Manifest;
  try {
    // who may still be writing keeps the file that it has open, and this one begins anew
    if (!lock.inherited) await forget();
    had = await readManifest(files, path, file);
    handle = await files.open(path, 'r+').catch(() => files.open(path, 'w+'));
  } catch (error) {
    await lock.release();
    throw error;
  }
  let open = true;
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      throw diskError(`${what} ${path}`, cause);
    }
  };
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    try {
      await handle.close();
    } finally {
      await lock.release();
    }
  };
  return {
    had,
    write: (bytes, at) =>
      attempt('writing', async () => {
        // a write may be short, as on a full disk; the next one then says why
        for (let done = 0; done < bytes.length;) {
          const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done);
          if (bytesWritten === 0) throw new Error('the disk takes no more bytes');
          done += bytesWritten;
        }
      }),
    read: (into, at) => attempt('reading', async () => (await handle.read(into, 0, into.length, at)).bytesRead),
    save: (done) =>
      attempt('noting the ranges of', async () => {
        await handle.datasync();
        const text = JSON.stringify({ version: 1, path: file.path, etag: file.etag, size: file.size, done });
        await files.writeFile(`${path}.json.new`, text);
        await files.rename(`${path}.json.new`, `${path}.json`);
      }),
    finish: () =>
      attempt('finishing', async () => {
        await handle.datasync();
        const [mine, there] = [await handle.stat(), await files.stat(path)];
        if (mine.ino !== there.ino || !(await lock.held())) {
          throw new IoError('IO', `${path} was taken over by another process while this one was suspended; try again`);
        }
        await name();
        await close();
      }),
    async discard() {
      await forget();
      await close();
    },
    close,
  };
}
