/**
 * What the calls of a model take and answer.
 * @module
 */
import type { Architecture } from '../architectures/architecture.ts';
import type { Embedder } from '../forward/embedder.ts';
import type { Classifier } from '../forward/classifier.ts';
import type { Container } from '../container/tensor.ts';
import type { OnSpikes } from '../forward/spike-record.ts';
import type { SpikeLayer, SpikeReport } from '../forward/spike-report.ts';
import type { Decoder } from '../forward/decoder.ts';
import type { Executor } from '../threads/executor.ts';
import type { ModelDescription } from '../description/description.ts';
import type { MemoryPlan } from '../description/plan.ts';
import { ANY, CALL, FLAG, LIST, OBJECT, type Rules, SIGNAL, TEXT, whole } from '../options.ts';
import { SAMPLER_RULES, type SamplerOptions } from '../sample/options.ts';
import type { SamplerMemory } from '../sample/sampler.ts';
import { CALL_RULES, type CallOptions } from '../bytes/pace.ts';
import { type Session, SESSION_RULES, type SessionOptions } from '../session/session.ts';
import type { ChatOptions } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Arena } from '../wasm/arena.ts';
import type { Build } from '../wasm/features.ts';

/** Why a generation ended: the model said so or a stop string came, or the number of tokens or the context was used up. */
export type FinishReason = 'stop' | 'length';

export interface GenerateOptions extends SamplerOptions, SessionOptions, CallOptions {
  /** Most tokens to generate; default: as many as the context has room for, at most 512. */
  readonly maxTokens?: number;
  /** Generation ends before the first of these appears in the text. */
  readonly stop?: readonly string[];
  /** Continue this session instead of a new one; it stays open afterwards, and its own overflow and keep hold. It has then
   *  read the prompt and what was generated but for the last id, `usage.unread`: begin the next prompt with it. */
  readonly session?: Session;
  /** Keep the space that joins the text to the prompt, where the vocabulary has it (SentencePiece), so that prompt + text
   *  reads right. Default: true after a prompt that ends with text; false after one that ends with a special token, and in
   *  `chat`. With false, all pieces together are `tokenizer.decode(ids)`. */
  readonly joined?: boolean;
  /** Sees how much of the prompt has been read, after every batch. */
  readonly onPrefill?: (progress: PrefillProgress) => void;
  /** For spiking models: sees which neurons fire, layer by layer for every token that is read: the prompt, then each token that was
   *  generated but for the last, which is never read. */
  readonly onSpikes?: OnSpikes;
}

/** How far the reading of a prompt is, in tokens. */
export interface PrefillProgress {
  readonly read: number;
  readonly total: number;
}

/** Which values are right. */
export const GENERATE_RULES: Rules<GenerateOptions> = {
  ...SAMPLER_RULES,
  ...SESSION_RULES,
  ...CALL_RULES,
  maxTokens: whole(0),
  stop: LIST,
  session: OBJECT,
  joined: FLAG,
  onPrefill: CALL,
  onSpikes: CALL,
};

/** The same of chats. */
export const CHAT_RULES: Rules<ChatOptions> = {
  template: TEXT,
  addGenerationPrompt: FLAG,
  tools: LIST,
  documents: LIST,
  variables: OBJECT,
  date: OBJECT,
  signal: SIGNAL,
};

/** Everything that a generation said: what `complete` answers. */
export interface Completion {
  readonly text: string;
  readonly ids: readonly number[];
  readonly finishReason: FinishReason;
  readonly usage: GenerateUsage;
}

/** Counts and times of one generation. */
export interface GenerateUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly prefillMs: number;
  /** The model's time; not that which the reader of a stream took between two pieces. */
  readonly decodeMs: number;
  /** The id that was drawn last, an end token or one that was said: the session has not read it. Null where none was drawn. */
  readonly unread: number | null;
  /** What the tokens of this generation spiked, for spiking models. */
  readonly spikes?: SpikeReport;
}

/** A piece of a generation. The last one has a `finishReason` and `usage`. */
export interface GenerateChunk {
  /** Whole characters that became complete; may be empty. */
  readonly text: string;
  /** The id this chunk came from; null for the last chunk. */
  readonly id: number | null;
  readonly finishReason: FinishReason | null;
  readonly usage?: GenerateUsage;
}

/** Sizes and counts of a loaded model. */
export interface ModelStats {
  readonly build: Build | 'custom';
  /** Threads that a step runs on. */
  readonly threads: number;
  readonly loadMs: number;
  readonly weightsBytes: number;
  readonly stateBytes: number;
  readonly memoryBytes: number;
  /** Tokens read and what they spiked, since `open` or `resetStats`; for spiking models. */
  readonly tokens?: number;
  readonly spikes?: SpikeReport;
}

/** What `logits` takes. */
export interface LogitsOptions {
  readonly signal?: AbortSignal;
  /** First id whose logits are wanted; default 0. */
  readonly from?: number;
  /** For SymbolicLight: the blocks end behind the first after which the entropy of the last position is below this many
   *  nats, for all positions, as the public code of the 194M variant has it with 0.3. Default: all blocks run. */
  readonly entropyExit?: number;
  /** For llama-shaped models: sees the residual stream of ids[i] behind each layer, `width` floats that are valid during
   *  the call. A model on several threads reads every batch twice for it. */
  readonly onHidden?: (layer: number, i: number, stream: Float32Array) => void;
}

export const LOGITS_RULES: Rules<LogitsOptions> = {
  signal: SIGNAL,
  from: whole(0),
  entropyExit: ANY, // `checkEntropyExit` says more
  onHidden: CALL,
};

/** The part of a model that says one token after the other. */
export interface Generator {
  readonly decoder: Decoder;
  readonly sampler: SamplerMemory;
}

/** What `open` hands to the constructor. */
export interface ModelParts {
  readonly container: Container;
  readonly architecture: Architecture;
  readonly description: ModelDescription;
  readonly plan: MemoryPlan;
  readonly arena: Arena;
  readonly executor: Executor;
  /** What generates; null in a classifier. */
  readonly generator: Generator | null;
  /** What classifies; null in a model that generates. */
  readonly classifier: Classifier | null;
  /** What makes vectors of texts; null where nothing does. */
  readonly embedder: Embedder | null;
  readonly tokenizer: Tokenizer | null;
  readonly build: Build | 'custom';
  readonly loadMs: number;
  /** Layers of neurons, for the accounts of spikes; null where nothing spikes. */
  spikeLayers(): readonly SpikeLayer[] | null;
  /** Eight bytes that tell this model from others; computed when first asked for. */
  digest(): Uint8Array;
}
