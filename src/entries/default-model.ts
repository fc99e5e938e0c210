/**
 * The model that travels with the package: a 1.58-bit spiking language model that tells little stories (models/README.md).
 * Its bytes are part of this module, so that every bundler, page and edge worker has it without a file to find: 659 kB, which
 * `await import('ternspike/default-model')` loads when they are wanted.
 *
 * @example
 * import { open } from 'ternspike';
 * import { defaultModel } from 'ternspike/default-model';
 * const model = await open(defaultModel);
 * @module
 */
import { fromBase64 } from '../bytes/base64.ts';
import { stories } from './stories.generated.ts';

/** Its GGUF file. */
export const defaultModel: Uint8Array<ArrayBuffer> = /* @__PURE__ */ fromBase64(stories);
