/**
 * Models of the page: where they come from, and opening them in a worker. Those that a user keeps are in the origin's private file
 * system.
 * @module
 */
import { open, type WorkerModel, type WorkerSource } from '../src/entries/worker.ts';
import type { RasterLayer } from './raster.ts';

/** A model that can be opened. */
export interface Choice {
  readonly name: string;
  source(signal: AbortSignal): Promise<WorkerSource>;
}

/** A model that is open. */
export interface OpenModel {
  readonly name: string;
  readonly model: WorkerModel;
  readonly weightsBytes: number;
  readonly threads: number;
  /** Layers of neurons; empty for a model that does not spike. */
  readonly layers: readonly RasterLayer[];
  readonly classifies: boolean;
}

/** Architectures that classify. */
const CLASSIFIERS = ['spikingbert', 'bert'];
/** Folder of kept models. */
const FOLDER = 'models';

const here = (path: string): string => new URL(path, document.baseURI).href;

/** A model that comes with the page. */
export function bundled(name: string): Choice {
  return {
    name,
    async source(signal) {
      const response = await fetch(here(`models/${name}`), { signal });
      if (!response.ok) throw new Error(`${name} could not be loaded: status ${response.status}`);
      return await response.blob();
    },
  };
}

/** The classifier that comes with the page, where one does. */
export const BUNDLED_CLASSIFIER: string | undefined = BUNDLED_MODELS.find(({ name }) => name.startsWith('sentiment'))
  ?.name;
/** The writer. */
export const BUNDLED_WRITER: string = BUNDLED_MODELS.find(({ name }) => name.startsWith('stories'))?.name ?? '';

/** Files that were chosen or dropped: one, or those of a folder. */
export function fromFiles(files: readonly File[]): Choice {
  const [first] = files;
  const folder = first.webkitRelativePath.split('/')[0];
  const name = files.length === 1 ? first.name : folder || `${first.name} and ${files.length - 1} more`;
  return { name, source: () => Promise.resolve(files.length === 1 ? first : files) };
}

/** An address that a user named, or the name of a model on a hub. */
export function fromUrl(address: string): Choice {
  if (address.startsWith('hf:')) return { name: address, source: () => Promise.resolve(address) };
  const url = new URL(address, document.baseURI);
  return {
    name: decodeURIComponent(url.pathname.split('/').pop() ?? '') || url.host,
    source: () => Promise.resolve(url),
  };
}

/**
 * Opens a model in a worker of its own.
 * @throws what `open` of `ternspike/worker` throws; the signal's reason
 */
export async function openModel(
  { name, source }: Choice,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress?: (fraction: number) => void },
): Promise<OpenModel> {
  const model = await open(await source(signal), {
    signal,
    onProgress: ({ fraction }) => onProgress?.(fraction),
    onNotice: () => {}, // one thread where the page is not isolated, as it is meant to be
    hostUrl: here('host.js'),
    workerUrl: here('thread.js'),
  });
  const { architecture } = model.describe();
  const { weightsBytes, threads, spikes } = await model.stats();
  const layers = (spikes?.layers ?? []).filter(({ neurons }) => neurons > 0);
  return { name, model, weightsBytes, threads, layers, classifies: CLASSIFIERS.includes(architecture) };
}

/** A model in the private file system. */
export interface Kept {
  readonly name: string;
  readonly bytes: number;
}

async function folder(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return await root.getDirectoryHandle(FOLDER, { create: true });
}

/** Whether this browser can keep models: in a secure context, and where it can write files. */
export function canKeep(): boolean {
  return typeof navigator.storage?.getDirectory === 'function' &&
    typeof FileSystemFileHandle === 'function' && 'createWritable' in FileSystemFileHandle.prototype;
}

/** The store of models of a hub, which is loaded when it is looked into. */
const hub = (): Promise<typeof import('../src/entries/store.ts')> => import('../src/entries/store.ts');

/** Models of a hub that are stored in this browser. */
async function pulledModels(): Promise<Kept[]> {
  const { list } = await hub();
  return (await list()).models.map(({ name, bytes }) => ({ name, bytes }));
}

/** Models that are kept, by name. */
export async function keptModels(): Promise<Kept[]> {
  if (!canKeep()) return [];
  const list: Kept[] = await pulledModels();
  for await (const [name, handle] of (await folder()).entries()) {
    if (handle.kind === 'file') list.push({ name, bytes: (await (handle as FileSystemFileHandle).getFile()).size });
  }
  return list.sort((a, b) => a.name < b.name ? -1 : 1);
}

export async function forget(name: string): Promise<void> {
  if (name.startsWith('hf:')) return void (await (await hub()).remove(name));
  await (await folder()).removeEntry(name);
}

/** A kept model. */
export function kept(name: string): Choice {
  if (name.startsWith('hf:')) return fromUrl(name);
  return {
    name,
    source: async () => await (await (await folder()).getFileHandle(name)).getFile(),
  };
}

/**
 * Writes a model into the private file system. What was begun and not ended is removed.
 * @param choice of one file: a file, or an address
 * @returns the kept model
 */
export async function keep(
  { name, source }: Choice,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (fraction: number) => void },
): Promise<Choice> {
  const from = await source(signal);
  let stream: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  let total = 0;
  if (from instanceof Blob) [stream, total] = [from.stream(), from.size];
  else {
    const response = await fetch(String(from), { signal });
    if (!response.ok) throw new Error(`${name} could not be loaded: status ${response.status}`);
    [stream, total] = [response.body, Number(response.headers.get('content-length') ?? 0)];
  }
  if (!stream) throw new Error(`${name} has no content`);
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  if (total > quota - usage) {
    throw new Error(
      `${name} has ${total} bytes; this browser lets the page keep ${quota - usage} more. Delete a model first`,
    );
  }
  const directory = await folder();
  const writable = await (await directory.getFileHandle(name, { create: true })).createWritable();
  let done = 0;
  const counted = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      done += chunk.length;
      if (total > 0) onProgress(Math.min(1, done / total));
      controller.enqueue(chunk);
    },
  });
  try {
    await stream.pipeThrough(counted, { signal }).pipeTo(writable, { signal });
  } catch (error) {
    await directory.removeEntry(name).catch(() => {});
    throw error;
  }
  return kept(name);
}
