/**
 * Starts a worker and opens a model in it.
 * @module
 */
import { absolute } from '../bytes/location.ts';
import { SessionError } from '../errors.ts';
import { startThread } from '../threads/port.ts';
import { Calls } from './calls.ts';
import type { Opened, SentOptions, SentSource, WorkerSource } from './messages.ts';
import { WorkerModel } from './model.ts';
import type { OpenOptions } from '../model/open.ts';

export type { WorkerSource } from './messages.ts';

/** Options of `open` that reach a worker. */
export interface WorkerOpenOptions extends SentOptions, Pick<OpenOptions, 'signal' | 'onProgress' | 'onNotice'> {
  /** Where the worker's script is, for pages whose content security policy forbids workers made of a blob: a copy of the file
   *  `ternspike/worker-host.js`. Default: it is part of the bundle. */
  readonly hostUrl?: string | URL;
}

/**
 * Opens a model in a worker of its own, so that the page stays free while it loads and computes.
 * @param source a path, a URL, a Blob or File, or bytes, which are copied
 * @throws as `open` of `ternspike`; {OptionError} for what cannot be sent to a worker; {SessionError} `WORKER_DIED`
 * @example
 * import { open } from 'ternspike/worker';
 * const model = await open('/models/stories.gguf', { onProgress: ({ fraction }) => (bar.value = fraction) });
 * for await (const { text } of model.generate('Once upon a time')) output.append(text);
 */
export async function open(source: WorkerSource, options: WorkerOpenOptions = {}): Promise<WorkerModel> {
  const { signal, onProgress, onNotice = (notice) => console.warn(`ternspike: ${notice}`), hostUrl, ...sent } = options;
  signal?.throwIfAborted();
  // who has the script as a file need not load it as text
  const script = hostUrl === undefined ? (await import('./script.generated.ts')).script : '';
  let calls: Calls;
  try {
    calls = new Calls(startThread(script, hostUrl), onNotice);
  } catch (cause) {
    throw new SessionError('WORKER_DIED', `this host starts no worker: ${String(cause)}`, { cause });
  }
  try {
    const question = { call: 'open', source: sendable(source), options: sent } as const;
    const opened = await calls.ask<Opened>(question, signal, { progress: onProgress });
    return new WorkerModel(calls, opened);
  } catch (error) {
    calls.end(new SessionError('DISPOSED', 'this model was never opened'));
    throw error;
  }
}

/** A source as a worker understands it: URLs in full, as it is elsewhere than its page, and files as blobs with names, as not
 *  every host sends a File. */
function sendable(source: WorkerSource): SentSource {
  if (typeof source === 'string') return absolute(source);
  if (source instanceof URL) return source.href;
  if (typeof source !== 'object' || !(Symbol.iterator in source) || ArrayBuffer.isView(source)) return source;
  const files = [...source as Iterable<File>];
  // of one name, the outermost counts: the last
  const depth = ({ webkitRelativePath = '' }: File): number => webkitRelativePath.split('/').length;
  const sorted = files.sort((a, b) => depth(b) - depth(a));
  return { files: sorted.map((file) => ({ name: file.name, blob: file.slice() })) };
}
