/**
 * ternspike runs 1-bit, 1.58-bit and other small language models in any JavaScript runtime.
 *
 *   ByteSource ─ openContainer ─▶ metadata + tensor table ─ describe ─▶ ModelDescription ─ plan ─▶ bytes needed
 *        └────────── WeightLoader ─────────▶ weights in wasm memory
 *   text ─ tokenizer ─▶ ids ─▶ session: state ⟶ state′, logits ─ sampler ─▶ id ─ stream ─▶ text
 *
 * @example
 * import { open } from 'ternspike';
 * const model = await open('stories.gguf');
 * for await (const { text } of model.generate('Once upon a time', { maxTokens: 64, seed: 1 })) write(text);
 * @module
 */

export { open } from '../model/open-builtin.ts';
export type * from './types.ts';
export * from '../errors.ts';
export type {
  Classification,
  ClassifyIds,
  ClassifyInput,
  ClassifyOptions,
  ClassifyStep,
  EarlyExit,
} from '../forward/classifier.ts';
export type { EmbedOptions, Encoding, EncodingOptions, Pooling } from '../forward/embedder.ts';
export type { ByteSource } from '../bytes/source.ts';
export type { ModelSource } from '../bytes/resolve.ts';
export { openContainer } from '../container/open.ts';
export type { Container, MetadataValue, RawType, TensorInfo, TensorType } from '../container/tensor.ts';
export type { BertDescription } from '../architectures/bert/description.ts';
export type { Gemma3Description } from '../architectures/gemma3/description.ts';
export type { LlamaDescription } from '../architectures/llama/description.ts';
export type { ModelDescription } from '../description/description.ts';
export type { SpikingBertDescription } from '../architectures/spikingbert/description.ts';
export type { SymbolicLightDescription } from '../architectures/symboliclight/description.ts';
export type { ModelConfig } from '../description/config.ts';
export type { KvType, MemoryPlan } from '../description/plan.ts';
export {
  type Answer,
  type ChatCallOptions,
  type Completion,
  type FinishReason,
  type GenerateChunk,
  type GenerateOptions,
  type GenerateUsage,
  type LogitsOptions,
  Model,
  type ModelStats,
  type PrefillProgress,
  type ScoredToken,
} from '../model/model.ts';
export type { AnswerOptions, ToolCall, ToolChoice, ToolStyle } from '../chat/types.ts';
export type { TokenLogprob, TokenScore } from '../sample/logprobs.ts';
export type { MaskContext, MaskHook } from '../sample/mask.ts';
export type { Format, FormatOption, FormatRun, JsonSchema } from '../structured/types.ts';
export type { OpenOptions, OpenProgress } from '../model/open.ts';
export type { SamplerOptions } from '../sample/options.ts';
export type { CallOptions } from '../bytes/pace.ts';
export { type Overflow, Session, type SessionOptions } from '../session/session.ts';
export { openTokenizer, tokenizerFromMetadata } from '../tokenizer/open.ts';
export type { ChatMessage, ChatOptions } from '../tokenizer/template.ts';
export type { DecodeOptions, EncodeOptions, SpecialIds, Tokenizer, TokenStream } from '../tokenizer/tokenizer.ts';
export { perplexity, type PerplexityOptions, type PerplexityResult, type WindowScore } from '../eval/perplexity.ts';
export type { OnSpikes } from '../forward/spike-record.ts';
export type { ClassifyLayerReport, ClassifySpikes } from '../forward/classify-report.ts';
export {
  ENERGY_PICOJOULES,
  type EnergyReport,
  type LayerReport,
  type SpikeReport,
  type SynapticOperations,
  type WeightBytes,
} from '../forward/spike-report.ts';
export type { ActivationType } from '../wasm/load-options.ts';
export { type Build, hasRelaxedSimd, hasSimd } from '../wasm/features.ts';
