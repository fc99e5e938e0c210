/**
 * A provider for Vercel's AI SDK 7, which runs models in this process: `ternspike/ai-sdk`. Only types are taken from
 * `@ai-sdk/provider`, which the AI SDK brings.
 *
 * @example
 * import { generateText } from 'ai';
 * import { createTernspike } from 'ternspike/ai-sdk';
 * await using ternspike = createTernspike('model.gguf');
 * const { text } = await generateText({ model: ternspike(), prompt: 'Once upon a time' });
 * @module
 */
export { createTernspike, type TernspikeProvider, type TernspikeProviderOptions } from '../ai-sdk/provider.ts';
export type { TernspikeOptions } from '../ai-sdk/options.ts';
export type { TernspikeEmbedOptions } from '../ai-sdk/embedding-model.ts';
