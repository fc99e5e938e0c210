/**
 * What every architecture that makes vectors of texts offers. The contract between models and their callers.
 * @module
 */
import type { CallOptions } from '../bytes/pace.ts';
import { FLAG, oneOf, type Rules, SIGNAL, whole } from '../options.ts';

/** How the vectors of a text's tokens become one: their mean, that of the first token, that of the last. */
export type Pooling = 'mean' | 'cls' | 'last';

export interface EmbedOptions extends Pick<CallOptions, 'signal'> {
  /** Default: as the model's file asks for, else mean. */
  readonly pooling?: Pooling;
  /** Scale vectors to length 1; default true. */
  readonly normalise?: boolean;
  /** Cut texts to this many tokens; without it a text longer than the model is refused. */
  readonly maxLength?: number;
}

/** Which values are right. */
export const EMBED_RULES: Rules<EmbedOptions> = {
  signal: SIGNAL,
  pooling: oneOf('mean', 'cls', 'last'),
  normalise: FLAG,
  maxLength: whole(3),
};

export interface Embedder {
  /** Numbers of a vector. */
  readonly dims: number;
  readonly pooling: Pooling;
  /** See `Model.embed`. */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  /** Ends the text that is under way, and those that wait. */
  dispose(): void;
}
