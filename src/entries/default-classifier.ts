/**
 * The classifier that travels with the package: a 1.58-bit spiking BERT that tells good reviews from bad ones (models/README.md).
 * Its bytes are part of this module, as those of `ternspike/default-model`: 3.4 MB, which `await import(…)` loads when they are wanted.
 *
 * @example
 * import { open } from 'ternspike';
 * import { defaultClassifier } from 'ternspike/default-classifier';
 * const model = await open(defaultClassifier);
 * const { label, scores } = await model.classify('a charming and often affecting journey');
 * @module
 */
import { fromBase64 } from '../bytes/base64.ts';
import { sentiment } from './sentiment.generated.ts';

/** Its GGUF file. */
export const defaultClassifier: Uint8Array<ArrayBuffer> = /* @__PURE__ */ fromBase64(sentiment);
