/**
 * What every architecture that makes vectors of texts offers. The contract between models and their callers.
 * @module
 */
import type { CallOptions } from '../bytes/pace.ts';
import { CALL_RULES } from '../bytes/pace.ts';
import { FLAG, oneOf, type Rules, whole } from '../options.ts';
import type { ClassifyInput } from './classifier.ts';
import { type Pooling, POOLINGS } from './pooling.ts';

export type { Pooling } from './pooling.ts';

export interface EmbedOptions extends CallOptions {
  /** Default: as the model's files ask for, else the mean of a BERT's tokens and a decoder's last token. */
  readonly pooling?: Pooling;
  /** Scale vectors to length 1; default: as the model's files ask for, else true. */
  readonly normalise?: boolean;
  /** Cut texts to this many tokens; without it a text longer than the model is refused. */
  readonly maxLength?: number;
}

/** Which values are right. */
export const EMBED_RULES: Rules<EmbedOptions> = {
  ...CALL_RULES,
  pooling: oneOf(...POOLINGS),
  normalise: FLAG,
  maxLength: whole(1),
};

export interface EncodingOptions extends CallOptions {
  /** Return the hidden states of every layer. */
  readonly hidden?: boolean;
  /** Return the attention of every layer. */
  readonly attention?: boolean;
  /** Cut texts to this many tokens; without it a text longer than the model is refused. */
  readonly maxLength?: number;
}

/** All that a BERT says of a text: for teachers, and for heads of one's own. Arrays are copies, row-major, without padding. */
export interface Encoding {
  readonly ids: readonly number[];
  /** The segment of each. */
  readonly typeIds: readonly number[];
  /** Number of ids. */
  readonly tokens: number;
  /** (tokens, width) The last layer's states; of padding there are none. */
  readonly states: Float32Array;
  /** With `hidden`: layers + 1 arrays (tokens, width), behind the embedding's norm, then behind each layer. */
  readonly hidden?: readonly Float32Array[];
  /** With `attention`: for each layer (heads, tokens, tokens); probabilities of one query sum to 1, its keys are side by side. */
  readonly attention?: readonly Float32Array[];
  /** (width) What the pooler makes of the first token, or the first layer of the classifier; null where the model has no pooler. */
  readonly pooled: Float32Array | null;
  /** (classes) Null where the model has no classifier. */
  readonly logits: Float32Array | null;
}

/** Which values are right. */
export const ENCODING_RULES: Rules<EncodingOptions> = {
  ...CALL_RULES,
  hidden: FLAG,
  attention: FLAG,
  maxLength: whole(1),
};

export interface Embedder {
  /** Numbers of a vector. */
  readonly dims: number;
  readonly pooling: Pooling;
  /** See `Model.embed`. */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  /** See `Model.encodeAll`; absent in models that see one side of a token alone. */
  encodeAll?(inputs: Iterable<ClassifyInput>, options?: EncodingOptions): AsyncGenerator<Encoding, void>;
  /** Ends the text that is under way, and those that wait. */
  dispose(): void;
}
