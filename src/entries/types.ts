/**
 * Types that the signatures of several entries mention. Every entry's types are its own or those of `ternspike`.
 * @module
 */
export type { FileHandleLike } from '../bytes/location.ts';
export type { Fetch, HttpOptions } from '../bytes/http-request.ts';
export type { SourceOptions } from '../bytes/resolve.ts';
export type { ByteSink, GgufEntry } from '../container/gguf-write.ts';
export type { GgufScalarType, GgufValueType } from '../container/gguf-types.ts';
export type { GgufContainer } from '../container/gguf.ts';
export type { HuggingFaceContainer } from '../container/huggingface/translate.ts';
export type { AnyContainer } from '../container/open.ts';
export type { SafetensorsContainer } from '../container/safetensors.ts';
export type { OtherFloat, UnreadType, WeightInfo } from '../container/tensor.ts';
export type { TorchContainer } from '../container/torch.ts';
export type { EncodedType } from '../convert/codec.ts';
export type { GgufType } from '../convert/options.ts';
export type { ConvertedTensor, ConvertResult, ConvertType, WrittenType } from '../convert/types.ts';
export type { RopeDescription, RopePairing, YarnDescription } from '../description/description.ts';
export type { Interval } from '../eval/clusters.ts';
export type { Scorer } from '../eval/perplexity.ts';
export type { Shard } from '../eval/shard.ts';
export type { AdaptiveTemperature } from '../sample/adaptive.ts';
export type { Metadata, OpenTokenizerOptions } from '../tokenizer/open.ts';
export type { KernelModules } from '../wasm/instantiate.ts';
