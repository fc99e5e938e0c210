/**
 * From the name of a model to its files: found in the store, or downloaded into it.
 * @module
 */
import type { ModelSource } from '../bytes/resolve.ts';
import { readWhole } from '../bytes/source.ts';
import { IoError } from '../errors.ts';
import { MAX_INDEX_BYTES } from '../limits.ts';
import { type Choice, choose, chooseShards } from './choose.ts';
import { defaultStore } from './default-store.ts';
import { download } from './download.ts';
import { listFiles, type Listing, statFile } from './hub.ts';
import { type HubName, isCommit, isHubName, nameText, parseName } from './name.ts';
import { Meter } from './progress.ts';
import { HubClient } from './request.ts';
import { checkStoreOptions, isOffline, type StoreOptions } from './settings.ts';
import type { HubFile, ModelStore, StoredFile } from './store.ts';

/** A model that is stored. */
export interface Pulled {
  /** The name, as `nameText` writes it. */
  readonly name: string;
  readonly repo: string;
  readonly commit: string;
  /** Path of its main file in the repository. */
  readonly main: string;
  readonly files: readonly StoredFile[];
  /** Bytes of all of them. */
  readonly bytes: number;
  /** Bytes that were downloaded now. */
  readonly downloaded: number;
  /** What `open` takes: a path where the host has files. */
  readonly source: ModelSource;
}

const CONNECTIONS = 4;

/**
 * What `open` takes for a name: the stored model for `hf:…`, which is downloaded first where it is not stored; anything else as it is.
 * @throws {TernspikeError} as `pull`
 * @example
 * const model = await open(await resolve('hf:org/repo:Q4_K_M', { onProgress, signal }));
 */
export async function resolve(source: ModelSource, options: StoreOptions = {}): Promise<ModelSource> {
  return isHubName(source) ? (await pull(source, options)).source : source;
}

/**
 * Stores a model of a hub. Files that are there are not downloaded again; what an attempt that broke off has stored is used. Each file
 * counts as stored when its bytes have the hash that the hub lists, and has its name only then.
 * @param text `hf:org/repo/file.gguf`, `hf:org/repo:QUANT`, `hf:org/repo` or `hf:org/repo/folder/`, each with `@revision` or without
 * @throws {OptionError} `OPTION` for a malformed name
 * @throws {IoError} `HUB_MISSING` for what the hub does not have, `HUB_ACCESS`, `OFFLINE` for what is not stored; `CHECKSUM`, `CHANGED`,
 *   `HUB`, `HTTP`, `HTTP_RANGE` for a hub that answers wrongly or not at all; `STORE_FULL`, `IO`; the signal's reason
 */
export async function pull(text: string, options: StoreOptions = {}): Promise<Pulled> {
  checkStoreOptions('pull', options);
  options.signal?.throwIfAborted();
  const name = parseName(text);
  const store = options.store ?? await defaultStore(options);
  const known = await store.commit(name.repo, name.revision);
  if (isOffline(options)) return await stored(name, store, known, 'offline');
  // the files of a commit never change
  if (isCommit(name.revision)) {
    const found = await stored(name, store, known, '').catch(() => null);
    if (found) return found;
  }
  const hub = new HubClient(options);
  let found: Found;
  try {
    found = await find(hub, name, options.signal);
  } catch (error) {
    // a hub that cannot be reached says nothing against what is stored
    if (!(error instanceof IoError) || error.code !== 'HTTP') throw error;
    const fallback = await stored(name, store, known, '').catch(() => null);
    if (!fallback) throw error;
    options.onNotice?.(
      `the hub cannot be reached, stored files of commit ${fallback.commit} are used; ${error.message}`,
    );
    return fallback;
  }
  return await storeFiles(hub, name, found, store, options);
}

/** What a name means at present. */
interface Found {
  readonly commit: string;
  readonly choice: Choice<HubFile>;
  readonly all: readonly HubFile[];
}

async function find(hub: HubClient, name: HubName, signal?: AbortSignal): Promise<Found> {
  const { repo, revision, file } = name;
  // one request is enough for a file that needs no other
  if (file !== undefined && /(?<!-\d{5}-of-\d{5})\.gguf$/i.test(file)) {
    const only = await statFile(hub, repo, revision, file, signal).catch(async (error: unknown) => {
      if ((error as IoError).code !== 'HUB_MISSING') throw error;
      return null; // the list of files says more
    });
    if (only) return { commit: only.commit, all: [only], choice: { main: file, files: [only] } };
  }
  const { commit, files }: Listing = await listFiles(hub, repo, revision, signal);
  return { commit, all: files, choice: choose(name, files) };
}

async function storeFiles(
  hub: HubClient,
  name: HubName,
  { commit, choice, all }: Found,
  store: ModelStore,
  options: StoreOptions,
): Promise<Pulled> {
  const { signal } = options;
  const meter = new Meter(options.onProgress);
  let downloaded = 0;
  const get = async (files: readonly HubFile[]): Promise<void> => {
    const missing: HubFile[] = [];
    for (const file of files) if (!(await store.has(file))) missing.push(file);
    const bytes = missing.reduce((sum, { size }) => sum + size, 0);
    meter.expect(bytes);
    await checkRoom(store, missing, bytes);
    for (const file of missing) {
      let seen = 0;
      const draft = await store.begin(file, {
        signal,
        onWait: (bytes) => {
          meter.wait(file.path, bytes - seen);
          seen = bytes;
        },
      });
      if (seen > 0 || !draft) meter.wait(file.path, draft ? -seen : file.size - seen);
      if (!draft) continue;
      downloaded += file.size - draft.had.reduce((sum, [start, end]) => sum + end - start, 0);
      await download(hub, file, draft, { connections: options.connections ?? CONNECTIONS, meter, signal });
    }
  };
  await get(choice.files);
  let files = choice.files;
  if (choice.index !== undefined) {
    const text = await readText(store, name.repo, commit, choice.index, signal);
    const shards = chooseShards(name, choice.index, text, all);
    await get(shards);
    files = [...files, ...shards];
  }
  await store.setCommit(name.repo, name.revision, commit);
  return await pulled(name, store, commit, choice.main, files, downloaded);
}

/** A model of which everything is stored. @throws {IoError} `OFFLINE` where something is missing */
async function stored(name: HubName, store: ModelStore, commit: string | null, why: string): Promise<Pulled> {
  try {
    if (commit === null) throw new Error(`no commit of ${name.revision} is known`);
    const all = await store.files(name.repo, commit);
    const choice = choose(name, all);
    const shards = choice.index === undefined
      ? []
      : chooseShards(name, choice.index, await readText(store, name.repo, commit, choice.index), all);
    return await pulled(name, store, commit, choice.main, [...choice.files, ...shards], 0);
  } catch (cause) {
    throw new IoError(
      'OFFLINE',
      `${nameText(name)} is not in ${store.name}${why && ` (${why})`}: ` +
        `${
          cause instanceof IoError ? cause.reason : String((cause as Error).message)
        }; pull it while the hub can be reached`,
      { cause },
    );
  }
}

async function pulled(
  name: HubName,
  store: ModelStore,
  commit: string,
  main: string,
  files: readonly StoredFile[],
  downloaded: number,
): Promise<Pulled> {
  const { repo } = name;
  return {
    name: nameText(name),
    repo,
    commit,
    main,
    files: files.map(({ path, size }) => ({ path, size })),
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    downloaded,
    source: await store.open(repo, commit, main),
  };
}

async function readText(
  store: ModelStore,
  repo: string,
  commit: string,
  path: string,
  signal?: AbortSignal,
): Promise<string> {
  const { resolveSource } = await import('../bytes/resolve.ts');
  const source = await resolveSource(await store.open(repo, commit, path), { signal });
  return new TextDecoder().decode(await readWhole(source, MAX_INDEX_BYTES, signal));
}

/** @throws {IoError} `STORE_FULL` before anything is downloaded that has no room */
async function checkRoom(store: ModelStore, files: readonly HubFile[], bytes: number): Promise<void> {
  const free = files.length === 0 ? null : await store.free();
  if (free === null || bytes <= free) return;
  // what an earlier attempt has stored needs no room
  const { drafts } = await store.list();
  const there = drafts.filter(({ repo, path }) => files.some((file) => file.repo === repo && file.path === path));
  const needed = bytes - there.reduce((sum, draft) => sum + draft.bytes, 0);
  if (needed <= free) return;
  throw new IoError(
    'STORE_FULL',
    `${store.name} has room for ${free} bytes, ${needed} are needed; make room, for example with ternspike rm, or choose another ` +
      'folder with HF_HUB_CACHE',
  );
}
