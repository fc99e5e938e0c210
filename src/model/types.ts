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
import { ANSWER_RULES, type AnswerOptions, type ToolCall } from '../chat/types.ts';
import { MAX_COMPLETIONS, MAX_LOGPROBS } from '../limits.ts';
import { ANY, CALL, FLAG, LIST, OBJECT, type Rules, SIGNAL, TEXT, whole } from '../options.ts';
import type { TokenLogprob } from '../sample/logprobs.ts';
import type { MaskHook } from '../sample/mask.ts';
import { SAMPLER_RULES, type SamplerOptions } from '../sample/options.ts';
import type { SamplerMemory } from '../sample/sampler.ts';
import { CALL_RULES, type CallOptions } from '../bytes/pace.ts';
import { type Session, SESSION_RULES, type SessionOptions } from '../session/session.ts';
import type { FormatOption } from '../structured/types.ts';
import type { ChatOptions } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Arena } from '../wasm/arena.ts';
import type { Build } from '../wasm/features.ts';

/** Why a generation ended: the model said so or a stop string came, the number of tokens or the context was used up, or, in a chat
 *  with tools, the model called some. */
export type FinishReason = 'stop' | 'length' | 'toolCalls';

export interface GenerateOptions extends SamplerOptions, SessionOptions, CallOptions {
  /** Most tokens to generate; default: as many as the context has room for, at most 512. */
  readonly maxTokens?: number;
  /** No end token is drawn before so many tokens were generated; default 0. A stop string ends the text all the same. */
  readonly minTokens?: number;
  /** Generation ends before the first of these appears in the text. */
  readonly stop?: readonly string[];
  /** Every chunk with an id carries its `logprob`, and the likeliest tokens in its place, this many; 0 … 20. They are of the
   *  distribution as the model made it: before mask, bias, penalties and temperature. */
  readonly logprobs?: number;
  /** The prompt comes first, a chunk for each of its ids, with `prompt: true`; with `logprobs`, how likely each of them was. With
   *  `maxTokens: 0` a text is scored and nothing is generated. Default false. */
  readonly echo?: boolean;
  /** Holds the whole answer to a format: a JSON Schema, any JSON object, a regular expression, one of some texts. What is
   *  broken off by `maxTokens` ends with `length`, and is then not whole. Begins without the space that joins it to the prompt. */
  readonly format?: FormatOption;
  /** Says before every token which ids may come. Not for models in a worker: a function cannot be sent. */
  readonly mask?: MaskHook;
  /** So many completions side by side, 1 … 128, which read the prompt once; each chunk then has an `index`. Completion i draws
   *  with `seed` + i, and is the one that `generate` gives for that seed alone. Not with `session`. */
  readonly n?: number;
  /** Continue this session instead of a new one; it stays open afterwards, and its own overflow and keep hold. It has then
   *  read the prompt and what was generated but for the last id, `usage.unread`: begin the next prompt with it. */
  readonly session?: Session;
  /** How many ids at the beginning of the prompt the session has read already: it goes on after them, and penalties count them as
   *  they count the rest. Less than the prompt has; with `session` only. Default 0. */
  readonly read?: number;
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
  minTokens: whole(0),
  stop: LIST,
  logprobs: whole(0, MAX_LOGPROBS),
  echo: FLAG,
  format: OBJECT,
  mask: CALL,
  n: whole(1, MAX_COMPLETIONS),
  session: OBJECT,
  read: whole(0),
  joined: FLAG,
  onPrefill: CALL,
  onSpikes: CALL,
};

/** What a chat takes: how it is written, how it is answered, and how the answer is read. */
export interface ChatCallOptions extends GenerateOptions, ChatOptions, AnswerOptions {}

/** Which values are right for how a chat is written. */
export const CHAT_RULES: Rules<ChatOptions> = {
  template: TEXT,
  addGenerationPrompt: FLAG,
  tools: LIST,
  documents: LIST,
  variables: OBJECT,
  date: OBJECT,
  signal: SIGNAL,
};

/** The same of all that a chat takes. */
export const CHAT_CALL_RULES: Rules<ChatCallOptions> = { ...GENERATE_RULES, ...CHAT_RULES, ...ANSWER_RULES };

/** A chat that was rendered, to be answered any number of times. */
export interface PreparedAnswers {
  readonly ids: readonly number[];
  answer(options?: GenerateOptions): AsyncGenerator<GenerateChunk, void>;
}

/** Everything that a generation said: what `complete` answers. */
export interface Completion {
  readonly text: string;
  readonly ids: readonly number[];
  readonly finishReason: FinishReason;
  readonly usage: GenerateUsage;
  /** Where `logprobs` was asked for: one for each id of the prompt with `echo`, then one for each of `ids`. */
  readonly logprobs?: readonly ScoredToken[];
}

/** A token that was read or said, and how likely it was. */
export interface ScoredToken extends Omit<TokenLogprob, 'logprob'> {
  /** Null for the first id that a session reads, which nothing comes before. */
  readonly logprob: number | null;
  readonly topLogprobs: readonly TokenLogprob[];
}

/** What a chat answered: what `answer` gives. */
export interface Answer extends Completion {
  /** What the model thought before it spoke; empty where it did not, or where thinking is not split off. */
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
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
  /** Tokens of `completionTokens` that the model thought with, in a chat whose reasoning is split off. */
  readonly reasoningTokens?: number;
  /** What the tokens of this generation spiked, for spiking models; with `n`, those after the shared prompt. */
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
  /** Which of `n` completions it belongs to; only where `n` was given. */
  readonly index?: number;
  /** Whether it is an id of the prompt, which `echo` asked for. */
  readonly prompt?: true;
  /** ln p of `id`, where `logprobs` was asked for; null for the first id that a session reads. */
  readonly logprob?: number | null;
  /** The likeliest tokens in the place of `id`, descending; where `logprobs` was asked for. */
  readonly topLogprobs?: readonly TokenLogprob[];
  /** What the model thinks, in chats; `text` has then nothing of it. */
  readonly reasoning?: string;
  /** Calls of tools that became whole, in chats with `tools`; `text` has then nothing of them. */
  readonly toolCalls?: readonly ToolCall[];
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
