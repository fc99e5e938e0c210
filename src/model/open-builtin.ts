/**
 * `open` with the kernels of this package.
 * @module
 */
import type { ModelSource } from '../bytes/resolve.ts';
import { builtin } from '../wasm/builtin.ts';
import type { Model } from './model.ts';
import { handedIn, type OpenOptions, openWith } from './open.ts';

/**
 * Opens a model. Nothing in the file is ever executed, and nothing of it is held twice: tensors stream into wasm memory.
 * @param source a path, a URL, a Blob or File, bytes, a file handle, or a custom ByteSource
 * @throws {TernspikeError} with a code that says what is wrong; the signal's reason
 */
export function open(source: ModelSource, options: OpenOptions = {}): Promise<Model> {
  return openWith(({ module, build }) => (module ? handedIn(module) : builtin(build)), source, options);
}
