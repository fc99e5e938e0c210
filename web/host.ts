/**
 * The worker of the page: a model in a thread of its own, which also knows models of a hub by their names.
 * @module
 */
import { serveModel } from '../src/worker/host.ts';

serveModel(async (source, { signal, onProgress }) => {
  if (typeof source !== 'string' || !source.startsWith('hf:')) return source;
  const { resolve } = await import('../src/entries/store.ts'); // few ask a hub
  return await resolve(source, { signal, onProgress: ({ loaded, total }) => onProgress(loaded, total) });
});
