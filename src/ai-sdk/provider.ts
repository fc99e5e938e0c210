/**
 * The provider.
 * @module
 */
import type { EmbeddingModelV4, ImageModelV4, LanguageModelV4, ProviderV4 } from '@ai-sdk/provider';
import type { ModelSource } from '../bytes/resolve.ts';
import type { Model } from '../model/model.ts';
import type { OpenOptions } from '../model/open.ts';
import { TernspikeEmbeddingModel } from './embedding-model.ts';
import { noSuchModel } from './errors.ts';
import { HeldModel } from './held.ts';
import { TernspikeLanguageModel } from './language-model.ts';

export interface TernspikeProviderOptions extends OpenOptions {
  /** How the AI SDK calls the model. Default `default`. */
  readonly modelId?: string;
}

/** A provider of one model. Called, it gives the language model. */
export interface TernspikeProvider extends ProviderV4 {
  (modelId?: string): LanguageModelV4;
  languageModel(modelId?: string): LanguageModelV4;
  embeddingModel(modelId?: string): EmbeddingModelV4;
  /** @throws always: there are no image models here */
  imageModel(modelId: string): ImageModelV4;
  /** Disposes of the model where this provider opened it; one that was handed in stays. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const DEFAULT_ID = 'default';

/**
 * A provider for AI SDK 7, in this process: nothing is sent anywhere.
 * @param from an opened model, which stays the caller's, or what `open` takes; that is opened with the first call
 * @param options of `open`, for a source; `parallel` is also the number of calls that run at the same time, 4 unless told
 * @throws {OptionError} for a model's name other than `modelId`
 * @example
 * const ternspike = createTernspike('model.gguf');
 * const { text } = await generateText({ model: ternspike(), prompt: 'Once upon a time' });
 */
export function createTernspike(from: Model | ModelSource, options: TernspikeProviderOptions = {}): TernspikeProvider {
  const { modelId = DEFAULT_ID, ...rest } = options;
  const held = new HeldModel(from, rest);
  const checked = (given: string, type: string): string => {
    if (given === modelId) return given;
    throw noSuchModel(given, type, JSON.stringify(modelId));
  };
  const languageModel = (id: string = modelId): LanguageModelV4 =>
    new TernspikeLanguageModel(checked(id, 'languageModel'), held);
  const methods = {
    specificationVersion: 'v4' as const,
    languageModel,
    embeddingModel: (id: string = modelId): EmbeddingModelV4 =>
      new TernspikeEmbeddingModel(checked(id, 'embeddingModel'), held),
    imageModel: (id: string): ImageModelV4 => {
      throw noSuchModel(id, 'imageModel', 'language and embedding models');
    },
    dispose: () => held.dispose(),
    [Symbol.asyncDispose]: () => held.dispose(),
  };
  return Object.assign((id?: string) => languageModel(id), methods) satisfies TernspikeProvider;
}
