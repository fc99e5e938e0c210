/**
 * A language model of the AI SDK.
 * @module
 */
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
  SharedV4Warning,
} from '@ai-sdk/provider';
import type { Model } from '../model/model.ts';
import type { GenerateChunk } from '../model/types.ts';
import type { HeldModel } from './held.ts';
import { askedOf } from './options.ts';
import { answerParts, Collected } from './parts.ts';
import { chatMessages, plainText } from './prompt.ts';

/** A call that has begun. */
interface Begun {
  readonly chunks: AsyncGenerator<GenerateChunk, void>;
  readonly warnings: SharedV4Warning[];
  /** Gives the model back. */
  readonly done: () => void;
}

export class TernspikeLanguageModel implements LanguageModelV4 {
  readonly specificationVersion = 'v4' as const;
  readonly provider = 'ternspike';
  readonly modelId: string;
  /** Nothing is fetched here: files come as data. */
  readonly supportedUrls: Record<string, RegExp[]> = {};
  readonly #held: HeldModel;

  /** @internal */
  constructor(modelId: string, held: HeldModel) {
    this.modelId = modelId;
    this.#held = held;
  }

  /** The whole answer. @throws {OptionError} for parts or options that cannot be; what `Model.chat` throws; the signal's reason */
  async doGenerate(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    const { chunks, warnings, done } = await this.#begin(options);
    const collected = new Collected();
    try {
      for await (const part of answerParts(chunks)) collected.add(part);
    } finally {
      done();
    }
    options.abortSignal?.throwIfAborted();
    const { finishReason, usage, providerMetadata } = collected.finish!; // every answer that was not broken off has one
    return { content: collected.content, finishReason, usage, providerMetadata, warnings, response: this.#response() };
  }

  /** The answer as it comes. What fails after the beginning is a part of type `error`; an abort ends the stream with its reason. */
  async doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    const { chunks, warnings, done } = await this.#begin(options);
    const parts = this.#parts(chunks, warnings, options.includeRawChunks === true);
    const end = async (): Promise<void> => {
      done();
      await chunks.return();
    };
    const stream = new ReadableStream<LanguageModelV4StreamPart>({
      async pull(controller) {
        try {
          const { value, done: over } = await parts.next();
          if (!over) return controller.enqueue(value);
          done();
          controller.close();
        } catch (error) {
          await end();
          if (options.abortSignal?.aborted) return controller.error(options.abortSignal.reason);
          controller.enqueue({ type: 'error', error });
          controller.close();
        }
      },
      cancel: end,
    }, { highWaterMark: 0 });
    return { stream };
  }

  async *#parts(
    chunks: AsyncGenerator<GenerateChunk, void>,
    warnings: SharedV4Warning[],
    raw: boolean,
  ): AsyncGenerator<LanguageModelV4StreamPart, void> {
    yield { type: 'stream-start', warnings };
    yield { type: 'response-metadata', ...this.#response() };
    yield* answerParts(chunks, raw);
  }

  #response(): { readonly modelId: string; readonly timestamp: Date } {
    return { modelId: this.modelId, timestamp: new Date() };
  }

  async #begin(options: LanguageModelV4CallOptions): Promise<Begun> {
    const { model, done } = await this.#held.borrow(options.abortSignal);
    try {
      const chats = hasTemplate(model) || options.providerOptions?.ternspike?.template !== undefined;
      const { options: asked, warnings } = askedOf(options, chats);
      if (chats) return { chunks: model.chat(chatMessages(options.prompt), asked), warnings, done };
      warnings.push({
        type: 'compatibility',
        feature: 'messages',
        details: 'this model has no chat template: it goes on with the text of all messages',
      });
      return { chunks: model.generate(plainText(options.prompt), asked), warnings, done };
    } catch (error) {
      done();
      throw error;
    }
  }
}

function hasTemplate({ tokenizer: { chatTemplate, chatTemplates = {} } }: Model): boolean {
  return chatTemplate !== undefined || Object.keys(chatTemplates).length > 0;
}
