/**
 * The store of hosts with files: the cache of Python's `huggingface_hub`, file by file.
 *
 *   models--org--repo/blobs/ETAG                      contents
 *   models--org--repo/snapshots/COMMIT/PATH           links to them
 *   models--org--repo/refs/REVISION                   the commit of a branch or tag
 *   models--org--repo/blobs/ETAG.ternspike.incomplete what is being downloaded; its ranges and its lock are beside it
 * @module
 */
import { IoError } from '../errors.ts';
import { MAX_STORED_FILES } from '../limits.ts';
import { DRAFT_SUFFIX, openDraft, readManifest } from './disk-draft.ts';
import { codeOf, diskError, type Files, hostFiles } from './host.ts';
import { isLocked, tryLock } from './lock.ts';
import { isCommit, isSafePath } from './name.ts';
import type { HubFile, ModelStore, StoredDraft, StoredFile, StoredSnapshot } from './store.ts';

/** Milliseconds between two looks at a file that another process has in the making. */
const LOOK_MS = 200;
/** Folders within one another of a snapshot. */
const MAX_DEPTH = 16;

/**
 * The store in a folder that Python's `huggingface_hub` uses too, `~/.cache/huggingface/hub` for instance.
 * @throws {IoError} `SOURCE` where the host has no file API
 */
export function folderStore(folder: string): ModelStore {
  const files = hostFiles();
  if (files) return new FolderStore(folder.replace(/(?<=.)[\\/]+$/, ''), files);
  throw new IoError('SOURCE', `${folder} cannot be used: this runtime has no file API; use opfsStore or memoryStore`);
}

class FolderStore implements ModelStore {
  readonly name: string;
  readonly #files: Files;

  constructor(folder: string, files: Files) {
    this.name = folder;
    this.#files = files;
  }

  async commit(repo: string, revision: string): Promise<string | null> {
    if (isCommit(revision)) return revision;
    const text = await this.#files.readFile(`${this.#folder(repo)}/refs/${revision}`, 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : null;
  }

  async setCommit(repo: string, revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || await this.commit(repo, revision) === commit) return;
    const path = `${this.#folder(repo)}/refs/${revision}`;
    await this.#attempt(`writing ${path}`, async () => {
      await this.#files.mkdir(parent(path), { recursive: true });
      await this.#files.writeFile(`${path}.ternspike`, commit);
      await this.#files.rename(`${path}.ternspike`, path);
    });
  }

  files(repo: string, commit: string): Promise<readonly StoredFile[]> {
    return this.#walk(`${this.#folder(repo)}/snapshots/${commit}`);
  }

  async has(file: HubFile): Promise<boolean> {
    const pointer = this.#pointer(file.repo, file.commit, file.path);
    if (await this.#size(pointer) === file.size) return true;
    const blob = this.#blob(file);
    if (await this.#size(blob) !== file.size) return false;
    await this.#attempt(`linking ${pointer}`, () => this.#point(blob, pointer, file));
    return true;
  }

  open(repo: string, commit: string, path: string): Promise<string> {
    return Promise.resolve(this.#pointer(repo, commit, path));
  }

  async begin(file: HubFile, { signal, onWait }: Parameters<ModelStore['begin']>[1]): ReturnType<ModelStore['begin']> {
    const blob = this.#blob(file);
    const path = blob + DRAFT_SUFFIX;
    const pointer = this.#pointer(file.repo, file.commit, file.path);
    return await this.#attempt(`storing ${file.path} in ${this.name}`, async () => {
      await this.#files.mkdir(parent(blob), { recursive: true });
      await this.#files.mkdir(parent(pointer), { recursive: true });
      for (;;) {
        signal?.throwIfAborted();
        const lock = await tryLock(this.#files, `${path}.lock`);
        if (await this.has(file)) {
          await lock?.release();
          return null;
        }
        if (lock) {
          return await openDraft(this.#files, path, file, lock, async () => {
            await this.#files.rename(path, blob);
            await this.#point(blob, pointer, file);
          });
        }
        const done = await readManifest(this.#files, path, file);
        onWait?.(done.reduce((sum, [start, end]) => sum + end - start, 0));
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    }, signal);
  }

  async free(): Promise<number | null> {
    for (let at = this.name;; at = parent(at)) {
      try {
        const { bavail, bsize } = await this.#files.statfs!(at);
        return bavail * bsize;
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' || at === parent(at)) return null; // not every host tells
      }
    }
  }

  async list(): ReturnType<ModelStore['list']> {
    const snapshots: StoredSnapshot[] = [];
    const drafts: StoredDraft[] = [];
    for (const name of await this.#names(this.name)) {
      const repo = /^models--(.+)$/.exec(name)?.[1].replace('--', '/');
      if (repo === undefined) continue;
      const folder = `${this.name}/${name}`;
      const refs = await this.#refs(repo);
      for (const commit of await this.#names(`${folder}/snapshots`)) {
        const files = await this.files(repo, commit);
        if (files.length === 0) continue;
        const times = await Promise.all(
          files.map(({ path }) =>
            this.#files.stat(`${folder}/snapshots/${commit}/${path}`).then(({ mtimeMs }) => mtimeMs, () => 0)
          ),
        );
        const revisions = refs.filter(([, at]) => at === commit).map(([revision]) => revision);
        snapshots.push({ repo, commit, revisions, files, modified: Math.max(...times) });
      }
      for (const blob of await this.#names(`${folder}/blobs`)) {
        if (!blob.endsWith(`${DRAFT_SUFFIX}.json`)) continue;
        const path = `${folder}/blobs/${blob.slice(0, -'.json'.length)}`;
        const known = await readManifest(this.#files, path, null);
        if (known.length > 0 && known.file) {
          const bytes = known.reduce((sum, [start, end]) => sum + end - start, 0);
          drafts.push({ repo, path: known.file.path, bytes, size: known.file.size });
        }
      }
    }
    return { snapshots, drafts };
  }

  async remove(repo: string, commit: string | null, which: (path: string) => boolean = () => true): Promise<number> {
    const folder = this.#folder(repo);
    const files = this.#files;
    const blobs = `${folder}/blobs`;
    for (const name of await this.#names(blobs)) {
      if (name.endsWith('.lock') && await isLocked(files, `${blobs}/${name}`)) {
        throw new IoError('BUSY', `another process downloads files of ${repo}; wait for it, or end it first`);
      }
    }
    return await this.#attempt(`removing files of ${repo}`, async () => {
      let freed = 0;
      const used = new Set<string>();
      let left = 0;
      for (const own of await this.#names(`${folder}/snapshots`)) {
        const snapshot = `${folder}/snapshots/${own}`;
        for (const { path, size } of await this.#walk(snapshot, true)) {
          const target = await files.readlink(`${snapshot}/${path}`).catch(() => null);
          if ((commit !== null && commit !== own) || !which(path)) {
            left++;
            if (target !== null) used.add(target.replace(/^.*[\\/]/, ''));
            continue;
          }
          await files.rm(`${snapshot}/${path}`, { force: true });
          if (target === null) freed += size;
        }
        await this.#removeEmpty(snapshot);
      }
      for (const name of commit === null ? await this.#names(blobs) : []) {
        if (!name.endsWith(`${DRAFT_SUFFIX}.json`)) continue;
        const draft = `${blobs}/${name.slice(0, -'.json'.length)}`;
        const { file } = await readManifest(files, draft, null);
        if (!file || !which(file.path)) continue;
        freed += await this.#size(draft) ?? 0;
        for (const path of [draft, `${draft}.json`]) await files.rm(path, { force: true });
      }
      for (const name of left === 0 ? [] : await this.#names(blobs)) {
        const etag = name.replace(/\.ternspike\.incomplete.*$/, '');
        if (used.has(etag) || name !== etag) continue;
        freed += await this.#size(`${blobs}/${name}`) ?? 0;
        await files.rm(`${blobs}/${name}`, { force: true });
      }
      const kept = await this.#names(`${folder}/snapshots`);
      for (const [revision, at] of await this.#refs(repo)) {
        if (!kept.includes(at)) await files.rm(`${folder}/refs/${revision}`, { force: true });
      }
      if (left > 0) return freed;
      for (const name of await this.#names(blobs)) freed += await this.#size(`${blobs}/${name}`) ?? 0;
      await files.rm(folder, { force: true, recursive: true });
      await files.rm(`${this.name}/.locks/${folder.slice(this.name.length + 1)}`, { force: true, recursive: true });
      return freed;
    });
  }

  #folder(repo: string): string {
    return `${this.name}/models--${repo.replaceAll('/', '--')}`;
  }

  #blob({ repo, etag }: HubFile): string {
    return `${this.#folder(repo)}/blobs/${etag}`;
  }

  #pointer(repo: string, commit: string, path: string): string {
    return `${this.#folder(repo)}/snapshots/${commit}/${path}`;
  }

  /** Makes a file of a snapshot lead to its content: a link, or a copy where links cannot be made. */
  async #point(blob: string, pointer: string, { path }: HubFile): Promise<void> {
    const files = this.#files;
    await files.mkdir(parent(pointer), { recursive: true });
    const up = '../'.repeat(path.split('/').length + 1);
    const target = `${up}blobs/${blob.slice(blob.lastIndexOf('/') + 1)}`;
    const made = `${pointer}.${crypto.randomUUID().slice(0, 8)}.ternspike`;
    await files.symlink(target, made)
      .catch(() => files.link(blob, made))
      .catch(() => files.copyFile(blob, made));
    await files.rename(made, pointer);
    await files.rm(`${blob}${DRAFT_SUFFIX}.json`, { force: true });
  }

  /** Files below a folder whose content is there. @param all also links that lead nowhere */
  async #walk(folder: string, all: boolean = false): Promise<StoredFile[]> {
    const found: StoredFile[] = [];
    const visit = async (below: string, depth: number): Promise<void> => {
      for (const name of await this.#names(`${folder}/${below}`)) {
        const path = below + name;
        if (!isSafePath(path) || name.endsWith('.ternspike') || found.length >= MAX_STORED_FILES) continue;
        const stat = await this.#files.stat(`${folder}/${path}`).catch(() => null);
        if (stat?.isDirectory()) depth < MAX_DEPTH && await visit(`${path}/`, depth + 1);
        else if (stat || all) found.push({ path, size: stat?.size ?? 0 });
      }
    };
    await visit('', 0);
    return found;
  }

  /** Branches and tags, each with its commit. */
  async #refs(repo: string): Promise<[revision: string, commit: string][]> {
    const folder = `${this.#folder(repo)}/refs`;
    const refs = await this.#walk(folder);
    return Promise.all(refs.map(async ({ path }): Promise<[string, string]> => [
      path,
      (await this.#files.readFile(`${folder}/${path}`, 'utf8').catch(() => '')).trim(),
    ]));
  }

  async #removeEmpty(folder: string): Promise<void> {
    for (const name of await this.#names(folder)) {
      if ((await this.#files.stat(`${folder}/${name}`).catch(() => null))?.isDirectory()) {
        await this.#removeEmpty(`${folder}/${name}`);
      }
    }
    await this.#files.rmdir(folder).catch(() => {}); // something is in it
  }

  #names(folder: string): Promise<string[]> {
    return this.#files.readdir(folder).then((names) => names.sort(), () => []);
  }

  async #size(path: string): Promise<number | null> {
    return await this.#files.stat(path).then((stat) => stat.isFile() ? stat.size : null, () => null);
  }

  async #attempt<T>(what: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      throw diskError(what, cause);
    }
  }
}

const parent = (path: string): string => path.replace(/[\\/][^\\/]*$/, '') || '/';
