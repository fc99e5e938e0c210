/**
 * A store of hosts without files: contents are cut into parts, each written as a whole, with one list of everything a repository has.
 * @module
 */
import { besideBy, type ByteSource } from '../bytes/source.ts';
import { IoError } from '../errors.ts';
import { isCommit } from './name.ts';
import type { ByteRange, Draft, HubFile, ModelStore, StoredDraft, StoredFile, StoredSnapshot } from './store.ts';

/** Bytes that can be read in pieces. */
export interface Part {
  readonly size: number;
  slice(start: number, end: number): Promise<Uint8Array>;
}

/** Small files by name, each written as a whole or not at all. Names have one slash, after the repository. */
export interface Parts {
  readonly name: string;
  read(path: string): Promise<Part | null>;
  write(path: string, bytes: Uint8Array): Promise<void>;
  remove(path: string): Promise<void>;
  /** Folders, or the files of one. */
  names(folder?: string): Promise<string[]>;
  free(): Promise<number | null>;
  /** Holds a lock while `work` runs, or does nothing and returns null where another holds it and it is not waited for. */
  locked<T>(name: string, wait: boolean, work: () => Promise<T>): Promise<T | null>;
}

/** Bytes of a part. All that a kill loses of a download, and what is in memory for each connection. */
export const PART_BYTES: number = 8 << 20;

/** Milliseconds between two looks at a file that another page has in the making. */
const LOOK_MS = 200;

interface Index {
  /** Commits of branches and tags. */
  refs: Record<string, string>;
  snapshots: Record<string, { modified: number; files: Record<string, { etag: string; size: number }> }>;
  /** Contents whose download has begun, and whether it is finished. */
  blobs: Record<string, { size: number; path: string; complete: boolean }>;
}

const INDEX = 'index.json';

const folderOf = (repo: string): string => `models--${repo.replaceAll('/', '--')}`;

/** The store over `parts`. */
export class PartStore implements ModelStore {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.name;
  }

  async commit(repo: string, revision: string): Promise<string | null> {
    return isCommit(revision) ? revision : (await this.#index(repo)).refs[revision] ?? null;
  }

  async setCommit(repo: string, revision: string, commit: string): Promise<void> {
    if (!isCommit(revision)) await this.#change(repo, ({ refs }) => void (refs[revision] = commit));
  }

  async files(repo: string, commit: string): Promise<readonly StoredFile[]> {
    const { snapshots, blobs } = await this.#index(repo);
    return Object.entries(snapshots[commit]?.files ?? {})
      .filter(([, { etag }]) => blobs[etag]?.complete)
      .map(([path, { size }]) => ({ path, size }));
  }

  async has(file: HubFile): Promise<boolean> {
    const { blobs, snapshots } = await this.#index(file.repo);
    const blob = blobs[file.etag];
    if (!blob?.complete || blob.size !== file.size) return false;
    if (snapshots[file.commit]?.files[file.path]?.etag !== file.etag) {
      await this.#change(file.repo, (index) => point(index, file));
    }
    return true;
  }

  async open(repo: string, commit: string, path: string): Promise<ByteSource> {
    const found = await this.#source(repo, commit, path);
    if (found) return found;
    throw new IoError('OFFLINE', `${path} of ${repo} is not in ${this.name}`);
  }

  async begin(file: HubFile, { signal, onWait }: Parameters<ModelStore['begin']>[1]): Promise<Draft | null> {
    const lock = `${folderOf(file.repo)}/${file.etag}`;
    for (;;) {
      signal?.throwIfAborted();
      const draft = await new Promise<Draft | null>((resolve, reject) => {
        this.#parts.locked(lock, false, async () => {
          let over = (): void => {};
          const closed = new Promise<void>((end) => void (over = end));
          resolve(await this.#draft(file, over));
          await closed;
          return true;
        }).then((held) => held === null && resolve(null), reject);
      });
      if (draft) {
        if (!(await this.has(file))) return draft;
        await draft.close();
        return null;
      }
      if (await this.has(file)) return null;
      onWait?.((await this.#had(file)).reduce((sum, [start, end]) => sum + end - start, 0));
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  free(): Promise<number | null> {
    return this.#parts.free();
  }

  async list(): ReturnType<ModelStore['list']> {
    const snapshots: StoredSnapshot[] = [];
    const drafts: StoredDraft[] = [];
    for (const folder of await this.#parts.names()) {
      const repo = /^models--(.+)$/.exec(folder)?.[1].replace('--', '/');
      if (repo === undefined) continue;
      const index = await this.#index(repo);
      for (const [commit, { modified }] of Object.entries(index.snapshots)) {
        const files = await this.files(repo, commit);
        const revisions = Object.keys(index.refs).filter((name) => index.refs[name] === commit);
        if (files.length > 0) snapshots.push({ repo, commit, revisions, files, modified });
      }
      for (const [etag, { size, path, complete }] of Object.entries(index.blobs)) {
        if (complete) continue;
        const had = await this.#had({ repo, etag, size, path, commit: '' });
        if (had.length > 0) drafts.push({ repo, path, size, bytes: had.reduce((sum, [a, b]) => sum + b - a, 0) });
      }
    }
    return { snapshots, drafts };
  }

  async remove(repo: string, commit: string | null, which: (path: string) => boolean = () => true): Promise<number> {
    let freed = 0;
    await this.#change(repo, async (index) => {
      for (const [own, { files }] of Object.entries(index.snapshots)) {
        if (commit !== null && commit !== own) continue;
        for (const path of Object.keys(files)) if (which(path)) delete files[path];
        if (Object.keys(files).length === 0) delete index.snapshots[own];
      }
      for (const name of Object.keys(index.refs)) if (!index.snapshots[index.refs[name]]) delete index.refs[name];
      const kept = Object.values(index.snapshots).flatMap(({ files }) => Object.values(files).map(({ etag }) => etag));
      for (const [etag, { size, path, complete }] of Object.entries(index.blobs)) {
        if (complete ? kept.includes(etag) : commit !== null || !which(path)) continue;
        const gone = await this.#parts.locked(`${folderOf(repo)}/${etag}`, false, async () => {
          await this.#removeParts(repo, etag, size);
          return true;
        });
        if (gone === null) {
          throw new IoError('BUSY', `another page downloads files of ${repo}; wait for it, or end it first`);
        }
        delete index.blobs[etag];
        freed += size;
      }
    });
    const { blobs } = await this.#index(repo);
    if (Object.keys(blobs).length === 0) await this.#parts.remove(folderOf(repo));
    return freed;
  }

  async #draft(file: HubFile, release: () => void): Promise<Draft> {
    const { repo, etag, size, path } = file;
    // parts in the making, by their number
    const open = new Map<number, Uint8Array>();
    const filled = new Map<number, number>();
    const lengthOf = (part: number): number => Math.min(PART_BYTES, size - part * PART_BYTES);
    const noted = (await this.#index(repo)).blobs[etag];
    if (noted?.size !== size || noted.complete) {
      await this.#change(repo, ({ blobs }) => void (blobs[etag] = { size, path, complete: false }));
    }
    const close = (): Promise<void> => {
      open.clear();
      release();
      return Promise.resolve();
    };
    return {
      had: await this.#had(file),
      span: PART_BYTES,
      write: async (bytes, at) => {
        for (let done = 0; done < bytes.length;) {
          const part = Math.floor((at + done) / PART_BYTES);
          const within = at + done - part * PART_BYTES;
          const length = lengthOf(part);
          const buffer = open.get(part) ?? new Uint8Array(length);
          open.set(part, buffer);
          const piece = bytes.subarray(done, done + length - within);
          buffer.set(piece, within);
          done += piece.length;
          const full = Math.max(filled.get(part) ?? 0, within + piece.length);
          filled.set(part, full);
          if (full < length) continue;
          await this.#parts.write(partPath(repo, etag, part), buffer);
          open.delete(part);
        }
      },
      read: async (into, at) => {
        const part = Math.floor(at / PART_BYTES);
        const within = at - part * PART_BYTES;
        const end = Math.min(within + into.length, lengthOf(part));
        const bytes = open.get(part)?.subarray(within, end) ??
          await (await this.#parts.read(partPath(repo, etag, part)))?.slice(within, end) ?? new Uint8Array(0);
        into.set(bytes);
        return bytes.length;
      },
      save: () => Promise.resolve(), // parts are stored or not
      finish: async () => {
        await this.#change(repo, (index) => {
          index.blobs[etag] = { size, path, complete: true };
          point(index, file);
        });
        await close();
      },
      discard: async () => {
        await this.#removeParts(repo, etag, size);
        await this.#change(repo, ({ blobs }) => void delete blobs[etag]);
        await close();
      },
      close,
    };
  }

  /** Parts of a file that are stored. */
  async #had({ repo, etag, size }: HubFile): Promise<ByteRange[]> {
    const had: ByteRange[] = [];
    const names = new Set(await this.#parts.names(folderOf(repo)));
    for (let at = 0, part = 0; at < size; at += PART_BYTES, part++) {
      const end = Math.min(at + PART_BYTES, size);
      if (!names.has(partPath(repo, etag, part).replace(/^.*\//, ''))) continue;
      if ((await this.#parts.read(partPath(repo, etag, part)))?.size === end - at) had.push([at, end]);
    }
    return had;
  }

  async #source(repo: string, commit: string, path: string): Promise<ByteSource | null> {
    const { snapshots, blobs } = await this.#index(repo);
    const file = snapshots[commit]?.files[path];
    if (!file || !blobs[file.etag]?.complete) return null;
    const { etag, size } = file;
    const parts = new Map<number, Promise<Part | null>>();
    const sibling = (name: string): Promise<ByteSource | null> =>
      this.#source(repo, commit, path.slice(0, path.lastIndexOf('/') + 1) + name);
    return {
      size,
      name: `${path} of ${repo}`,
      read: async (into, offset) => {
        if (offset >= size || into.length === 0) return 0;
        const number = Math.floor(offset / PART_BYTES);
        if (!parts.has(number)) parts.set(number, this.#parts.read(partPath(repo, etag, number)));
        const part = await parts.get(number);
        if (!part) throw new IoError('IO', `${path} of ${repo} is not whole in ${this.name} any more; pull it again`);
        const within = offset - number * PART_BYTES;
        const bytes = await part.slice(within, Math.min(within + into.length, part.size));
        into.set(bytes);
        return bytes.length;
      },
      sibling,
      beside: besideBy(sibling),
    };
  }

  async #removeParts(repo: string, etag: string, size: number): Promise<void> {
    for (let part = 0; part * PART_BYTES < size; part++) await this.#parts.remove(partPath(repo, etag, part));
  }

  async #index(repo: string): Promise<Index> {
    const part = await this.#parts.read(`${folderOf(repo)}/${INDEX}`);
    try {
      const index = JSON.parse(new TextDecoder().decode(await part!.slice(0, part!.size))) as Partial<Index>;
      return { refs: index.refs ?? {}, snapshots: index.snapshots ?? {}, blobs: index.blobs ?? {} };
    } catch {
      return { refs: {}, snapshots: {}, blobs: {} }; // there is none
    }
  }

  async #change(repo: string, change: (index: Index) => void | Promise<void>): Promise<void> {
    const path = `${folderOf(repo)}/${INDEX}`;
    await this.#parts.locked(path, true, async () => {
      const index = await this.#index(repo);
      await change(index);
      await this.#parts.write(path, new TextEncoder().encode(JSON.stringify(index)));
    });
  }
}

const partPath = (repo: string, etag: string, part: number): string => `${folderOf(repo)}/${etag}.${part}`;

function point(index: Index, { commit, path, etag, size }: HubFile): void {
  const snapshot = index.snapshots[commit] ??= { modified: 0, files: {} };
  snapshot.files[path] = { etag, size };
  snapshot.modified = Date.now();
}
