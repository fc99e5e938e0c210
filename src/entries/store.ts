/**
 * Models of a hub, downloaded once and found again: `ternspike/store`.
 *
 * @example
 * import { open } from 'ternspike';
 * import { resolve } from 'ternspike/store';
 * const model = await open(await resolve('hf:org/repo:Q4_K_M', {
 *   onProgress: ({ loaded, total, secondsLeft }) => console.log(loaded, total, secondsLeft),
 * }));
 * @module
 */
export { folderStore } from '../store/disk.ts';
export { memoryStore } from '../store/memory.ts';
export { list, remove, type Removed, type StoredModel, type StoredModels } from '../store/models.ts';
export { type HubName, isHubName, nameText, parseName } from '../store/name.ts';
export { opfsStore, type Quota, storageQuota } from '../store/opfs.ts';
export type { StoreProgress } from '../store/progress.ts';
export { pull, type Pulled, resolve } from '../store/pull.ts';
export type { HubFetch } from '../store/request.ts';
export type { StoreOptions } from '../store/settings.ts';
export type {
  ByteRange,
  Draft,
  HubFile,
  ModelStore,
  StoredDraft,
  StoredFile,
  StoredSnapshot,
  Waiting,
} from '../store/store.ts';
