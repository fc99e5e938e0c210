/**
 * A model in a worker of its own: `ternspike/worker`. The page calls it as it calls a model, and stays free meanwhile.
 *
 * @example
 * import { open } from 'ternspike/worker';
 * await using model = await open('/models/stories.gguf');
 * for await (const { text } of model.generate('Once upon a time', { maxTokens: 64 })) output.append(text);
 * @module
 */
export { open, type WorkerOpenOptions, type WorkerSource } from '../worker/open.ts';
export { type WorkerGenerateOptions, WorkerModel, type WorkerSession } from '../worker/model.ts';
export * from '../errors.ts';
export type { SentOptions } from '../worker/messages.ts';
