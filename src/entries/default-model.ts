/**
 * The model that travels with the package: a 1.58-bit spiking language model that tells little stories (models/README.md).
 *
 * @example
 * import { open } from 'ternspike';
 * import { defaultModel } from 'ternspike/default-model';
 * const model = await open(defaultModel);
 * @module
 */

/** Where it lies: a file of the package, or what a bundler made of it. */
export const defaultModel: URL = new URL('../models/stories-spiking.gguf', import.meta.url);
