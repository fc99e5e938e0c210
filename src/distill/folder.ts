/**
 * The folder of a run: where checkpoints, measurements and the page are kept. Files are replaced whole or not at all.
 * @module
 */
import { createFile } from '../bytes/sink.ts';
import { IoError } from '../errors.ts';

/** What a run does with its folder. A folder in memory or one that fails can stand in for it. */
export interface RunFolder {
  /** How messages call it. */
  readonly path: string;
  /** The bytes of a file, or null where there is none. @throws {IoError} `IO` */
  read(name: string): Promise<Uint8Array | null>;
  /**
   * Replaces a file by `parts`, one after the other; until all is safe on the disk the old one stays.
   * @param previous what the old file is called afterwards; without it, it is gone
   * @throws {IoError} `IO`; what was there before is still there then, under its own name or under `previous`
   */
  replace(name: string, parts: readonly Uint8Array[], previous?: string): Promise<void>;
  /** Adds text behind the end of a file, and begins it where there is none. @throws {IoError} `IO` */
  append(name: string, text: string): Promise<void>;
}

interface FileApi {
  promises: {
    mkdir(path: string, options: { recursive: boolean }): Promise<unknown>;
    readFile(path: string): Promise<Uint8Array>;
    appendFile(path: string, text: string): Promise<void>;
    rename(from: string, to: string): Promise<void>;
  };
}

/**
 * A folder on the disk, which is made when the first file is written: a run that is refused leaves none.
 * @throws {IoError} `SOURCE` where the host has no file API
 */
export function diskFolder(path: string): RunFolder {
  const host = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  const api = host.process?.getBuiltinModule?.('node:fs') as FileApi | undefined;
  if (api === undefined) {
    throw new IoError('SOURCE', `${path} cannot be used: this runtime has no file API (Node, Deno and Bun have one)`);
  }
  const { mkdir, readFile, appendFile, rename } = api.promises;
  const at = (name: string): string => `${path}/${name}`;
  let made: Promise<void> | undefined;
  const make = (): Promise<void> => (made ??= attempt(path, 'made', () => mkdir(path, { recursive: true })));
  return {
    path,
    async read(name) {
      try {
        // not a Buffer, whose slices are views
        const { buffer, byteOffset, byteLength } = await readFile(at(name));
        return new Uint8Array(buffer, byteOffset, byteLength);
      } catch (cause) {
        if (isAbsent(cause)) return null;
        throw new IoError('IO', `${at(name)} cannot be read: ${String(cause)}`, { cause });
      }
    },
    async replace(name, parts, previous) {
      await make();
      const sink = await createFile(at(name));
      try {
        for (const part of parts) await sink.write(part);
        if (previous !== undefined) {
          await attempt(at(name), 'renamed', () => rename(at(name), at(previous)).catch(unlessAbsent));
        }
        await sink.commit();
      } finally {
        await sink.discard();
      }
    },
    async append(name, text) {
      await make();
      await attempt(at(name), 'written', () => appendFile(at(name), text));
    },
  };
}

async function attempt(path: string, what: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (cause) {
    throw new IoError('IO', `${path} cannot be ${what}: ${String(cause)}`, { cause });
  }
}

function isAbsent(cause: unknown): boolean {
  return (cause as { code?: unknown } | null)?.code === 'ENOENT';
}

function unlessAbsent(cause: unknown): void {
  if (!isAbsent(cause)) throw cause;
}
