/**
 * Files by path or handle: positional reads straight into the caller's view, so that a file of any size is read without
 * ever being held whole. Node's file API is asked for at run time; Deno and Bun have it too, browsers do not.
 * @module
 */
import { IoError } from '../errors.ts';
import { fileApi, type FileHandleLike } from './location.ts';
import { besideBy, type ByteSource, WEIGHT_FILES } from './source.ts';

export type { FileHandleLike } from './location.ts';

/** Hosts refuse reads of 2 GiB and more; a short read is asked again by the caller. */
const MAX_READ_BYTES = 1 << 30;

/**
 * Opens a file for positional reads. `close()` of the source closes it.
 * @param path a path, or a `file:` URL; of a folder, the model.safetensors or pytorch_model.bin in it is opened
 * @throws {IoError} `SOURCE` where the host has no file API; `IO` when the file cannot be opened or is no regular file
 * @example
 * const source = await openFile('models/stories.gguf');
 */
export async function openFile(path: string | URL): Promise<ByteSource> {
  const name = String(path);
  const api = fileApi();
  if (api === null) {
    throw new IoError(
      'SOURCE',
      `${name} is a path, and this runtime has no file API (Node from 20.16, Deno and Bun have one); ` +
        'pass a URL, a Blob or File, an ArrayBuffer or Uint8Array, or a ByteSource instead',
    );
  }
  let handle: FileHandleLike;
  try {
    if ((await api.promises.stat(path)).isDirectory()) return await openWeights(path);
    handle = await api.promises.open(path, 'r');
  } catch (cause) {
    if (cause instanceof IoError) throw cause;
    throw new IoError('IO', `${name} cannot be opened: ${String(cause)}`, { cause });
  }
  try {
    const source = await fileHandleSource(handle, name);
    const another = (file: string): Promise<ByteSource | null> => openIfThere(sibling(path, file));
    let closing: Promise<void> | undefined;
    return {
      ...source,
      sibling: another,
      beside: besideBy(another),
      close: () => (closing ??= handle.close?.() ?? Promise.resolve()),
    };
  } catch (cause) {
    await handle.close?.();
    throw cause;
  }
}

/** The weights in a folder. @throws {IoError} `IO` when it holds none of the names that models have */
async function openWeights(folder: string | URL): Promise<ByteSource> {
  const inside = typeof folder === 'string' ? folder.replace(/[\\/]*$/, '/') : new URL(`${folder.href}/`);
  for (const file of WEIGHT_FILES) {
    const source = await openIfThere(sibling(inside, file));
    if (source !== null) return source;
  }
  throw new IoError(
    'IO',
    `${String(folder)} is a folder without ${WEIGHT_FILES.join(' or ')}; pass the model's own file`,
  );
}

/** A file, or null where there is none of this name. */
async function openIfThere(path: string | URL): Promise<ByteSource | null> {
  try {
    return await openFile(path);
  } catch (error) {
    if (((error as IoError).cause as { code?: unknown } | undefined)?.code === 'ENOENT') return null;
    throw error;
  }
}

/** The path of another file in the same folder; of a path that ends with a slash, in that folder. */
function sibling(path: string | URL, file: string): string | URL {
  return typeof path === 'string' ? path.replace(/[^\\/]*$/, '') + file : new URL(file, path);
}

/**
 * A source over an open file handle. The handle stays the caller's: the source has no `close`.
 * @param name what errors call it
 * @throws {IoError} `IO` when the handle cannot be asked for its size, or is not a regular file
 */
export async function fileHandleSource(handle: FileHandleLike, name: string = 'file handle'): Promise<ByteSource> {
  let stat: Awaited<ReturnType<FileHandleLike['stat']>>;
  try {
    stat = await handle.stat();
  } catch (cause) {
    throw new IoError('IO', `${name}: its size cannot be read: ${String(cause)}`, { cause });
  }
  if (stat.isFile?.() === false) {
    throw new IoError('IO', `${name} is not a regular file; models are read at random places, so pass a file on disk`);
  }
  return {
    size: Number(stat.size),
    name,
    async read(into, offset) {
      if (into.length === 0) return 0;
      return (await handle.read(into, 0, Math.min(into.length, MAX_READ_BYTES), offset)).bytesRead;
    },
  };
}
