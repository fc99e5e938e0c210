/**
 * Where models are stored unless a store is given.
 * @module
 */
import { folderStore } from './disk.ts';
import { hostFiles } from './host.ts';
import { memoryStore } from './memory.ts';
import { hasOpfs, opfsStore } from './opfs.ts';
import { cacheFolder, type StoreOptions } from './settings.ts';
import type { ModelStore } from './store.ts';

/** The folder of the hub's cache, else OPFS, else memory: workers on the edge have neither files nor a private file system. */
export async function defaultStore(options: StoreOptions = {}): Promise<ModelStore> {
  if (hostFiles()) return folderStore(cacheFolder(options));
  return await hasOpfs() ? opfsStore() : memoryStore();
}
