/**
 * The store of browsers: the private file system of the origin (OPFS), where pages and their workers find what was pulled before.
 * @module
 */
import { IoError } from '../errors.ts';
import { type Part, type Parts, PartStore } from './part-store.ts';
import type { ModelStore } from './store.ts';

interface Writable {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

interface SyncHandle {
  truncate(size: number): void;
  write(bytes: Uint8Array, options: { at: number }): number;
  flush(): void;
  close(): void;
}

interface FileEntry {
  readonly kind: 'file' | 'directory';
  getFile(): Promise<Blob>;
  createWritable?(): Promise<Writable>;
  createSyncAccessHandle?(): Promise<SyncHandle>;
}

interface Folder {
  readonly kind: 'file' | 'directory';
  getDirectoryHandle(name: string, options?: { create: boolean }): Promise<Folder>;
  getFileHandle(name: string, options?: { create: boolean }): Promise<FileEntry>;
  removeEntry(name: string, options?: { recursive: boolean }): Promise<void>;
  keys(): AsyncIterable<string>;
}

interface BrowserStorage {
  getDirectory?(): Promise<Folder>;
  estimate?(): Promise<{ quota?: number; usage?: number }>;
  persist?(): Promise<boolean>;
  persisted?(): Promise<boolean>;
}

interface Locks {
  request<T>(name: string, options: { ifAvailable?: boolean }, work: (lock: object | null) => Promise<T>): Promise<T>;
}

const browser = (): { storage?: BrowserStorage; locks?: Locks } =>
  (globalThis as { navigator?: { storage?: BrowserStorage; locks?: Locks } }).navigator ?? {};

/** Whether this page or worker has a private file system; pages without https and private windows may have none. */
export async function hasOpfs(): Promise<boolean> {
  try {
    return await browser().storage?.getDirectory?.() !== undefined && browser().locks !== undefined;
  } catch {
    return false;
  }
}

/** Room of an origin. */
export interface Quota {
  /** Bytes that the origin may store in all, and has stored; null where the browser does not tell. */
  readonly quota: number | null;
  readonly usage: number | null;
  /** Whether the browser keeps what is stored until the user deletes it; it may delete other things when room is short. */
  readonly persistent: boolean;
}

/** Milliseconds that a user has to answer whether the page may store things; the answer counts later, too. */
const ANSWER_MS = 30_000;

/**
 * Asks how much room there is, and for storage that the browser does not delete by itself. Firefox asks the user: call it after a click. A
 * question that is not answered within 30 s counts as a no.
 * @param persist whether to ask for that; default true
 */
export async function storageQuota(persist: boolean = true): Promise<Quota> {
  const { storage } = browser();
  const asked = (persist ? storage?.persist?.() : storage?.persisted?.())?.catch(() => false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => void (timer = setTimeout(() => resolve(false), ANSWER_MS)));
  const kept = await Promise.race([asked, late]);
  clearTimeout(timer);
  const { quota = null, usage = null } = await storage?.estimate?.().catch(() => null) ?? {};
  return { quota, usage, persistent: kept === true };
}

/**
 * The store in the private file system of this origin.
 * @param folder its name there; default `ternspike`
 * @example
 * const { quota, usage } = await storageQuota();
 * const model = await open(await resolve('hf:org/repo:Q4_K_M', { store: opfsStore(), onProgress }));
 */
export function opfsStore(folder: string = 'ternspike'): ModelStore {
  return new PartStore(new OpfsParts(folder));
}

class OpfsParts implements Parts {
  readonly name: string = 'OPFS';
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async read(path: string): Promise<Part | null> {
    try {
      const file = await (await (await this.#parent(path)).getFileHandle(last(path))).getFile();
      return {
        size: file.size,
        slice: async (start, end) => new Uint8Array(await file.slice(start, end).arrayBuffer()),
      };
    } catch (error) {
      if (isMissing(error)) return null;
      throw opfsError(`reading ${path}`, error);
    }
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    try {
      const entry = await (await this.#parent(path, true)).getFileHandle(last(path), { create: true });
      if (entry.createWritable) {
        const writable = await entry.createWritable();
        try {
          await writable.write(bytes);
          await writable.close(); // the file has its new content from here on
        } catch (error) {
          await writable.abort().catch(() => {});
          throw error;
        }
        return;
      }
      // Safari before 26, in workers: a part that was cut short has the wrong length
      const handle = await entry.createSyncAccessHandle?.();
      if (!handle) throw new Error('this browser writes files in workers only');
      try {
        handle.truncate(0);
        for (let at = 0; at < bytes.length;) at += handle.write(bytes.subarray(at), { at });
        handle.flush();
      } finally {
        handle.close();
      }
    } catch (error) {
      throw opfsError(`writing ${path}`, error);
    }
  }

  async remove(path: string): Promise<void> {
    try {
      await (await this.#parent(path)).removeEntry(last(path), { recursive: true });
    } catch (error) {
      if (!isMissing(error)) throw opfsError(`removing ${path}`, error);
    }
  }

  async names(folder?: string): Promise<string[]> {
    const names: string[] = [];
    try {
      const root = await this.#parent('');
      for await (const name of (folder === undefined ? root : await root.getDirectoryHandle(folder)).keys()) {
        names.push(name);
      }
    } catch (error) {
      if (!isMissing(error)) throw opfsError('listing', error);
    }
    return names;
  }

  async free(): Promise<number | null> {
    const { quota, usage } = await storageQuota(false);
    return quota === null || usage === null ? null : Math.max(0, quota - usage);
  }

  locked<T>(name: string, wait: boolean, work: () => Promise<T>): Promise<T | null> {
    return browser().locks!.request(
      `${this.#folder}/${name}`,
      wait ? {} : { ifAvailable: true },
      (lock) => lock === null ? Promise.resolve(null) : work(),
    );
  }

  /** The folder that holds a file. */
  async #parent(path: string, create: boolean = false): Promise<Folder> {
    const root = await browser().storage!.getDirectory!();
    const own = await root.getDirectoryHandle(this.#folder, { create });
    const slash = path.indexOf('/');
    return slash < 0 ? own : await own.getDirectoryHandle(path.slice(0, slash), { create });
  }
}

const last = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

const isMissing = (error: unknown): boolean => (error as { name?: string } | null)?.name === 'NotFoundError';

function opfsError(what: string, cause: unknown): IoError {
  if (cause instanceof IoError) return cause;
  if ((cause as { name?: string } | null)?.name === 'QuotaExceededError') {
    return new IoError('STORE_FULL', `${what} failed: the browser gives this origin no more room; remove a model`, {
      cause,
    });
  }
  return new IoError('IO', `${what} in OPFS failed: ${String(cause)}`, { cause });
}
