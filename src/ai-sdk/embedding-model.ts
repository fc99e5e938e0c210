/**
 * An embedding model of the AI SDK.
 * @module
 */
import type {
  EmbeddingModelV4,
  EmbeddingModelV4CallOptions,
  EmbeddingModelV4Result,
  SharedV4Warning,
} from '@ai-sdk/provider';
import { EMBED_RULES, type EmbedOptions } from '../forward/embedder.ts';
import { checkOptions, picked } from '../options.ts';
import type { HeldModel } from './held.ts';

/** Texts of one call: as many as OpenAI takes. More come in several calls. */
const MAX_TEXTS = 2048;

/** `providerOptions.ternspike` of embeddings. */
export type TernspikeEmbedOptions = Pick<EmbedOptions, 'pooling' | 'normalise' | 'maxLength'>;

export class TernspikeEmbeddingModel implements EmbeddingModelV4 {
  readonly specificationVersion = 'v4' as const;
  readonly provider = 'ternspike';
  readonly modelId: string;
  readonly maxEmbeddingsPerCall: number = MAX_TEXTS;
  readonly supportsParallelCalls: boolean = true;
  readonly #held: HeldModel;

  /** @internal */
  constructor(modelId: string, held: HeldModel) {
    this.modelId = modelId;
    this.#held = held;
  }

  /** A vector for each text. @throws {DescriptionError} `ARCHITECTURE` for a model that makes none; what `Model.embed` throws */
  async doEmbed(
    { values, dimensions, abortSignal: signal, providerOptions }: EmbeddingModelV4CallOptions,
  ): Promise<EmbeddingModelV4Result> {
    const warnings: SharedV4Warning[] = [];
    if (dimensions !== undefined) {
      warnings.push({ type: 'unsupported', feature: 'dimensions', details: "vectors have the model's length" });
    }
    const own = providerOptions?.ternspike ?? {};
    const { pooling, normalise, maxLength } = EMBED_RULES;
    const rules = { pooling, normalise, maxLength };
    checkOptions('providerOptions.ternspike', own, rules);
    const { model, done } = await this.#held.borrow(signal);
    try {
      const vectors = await model.embed(values, { ...picked(own as TernspikeEmbedOptions, rules), signal });
      const count = (text: string): number => model.tokenizer.encode(text, { special: true }).length;
      const tokens = values.reduce((sum, text) => sum + count(text), 0);
      return { embeddings: vectors.map((vector) => Array.from(vector)), usage: { tokens }, warnings };
    } finally {
      done();
    }
  }
}
