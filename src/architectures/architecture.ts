/**
 * What an architecture offers: everything the engine knows of one kind of model. Each has a folder of its own and a row in
 * the list of index.ts; nothing else names it.
 * @module
 */
import type { ByteSink } from '../container/gguf-write.ts';
import type { ByteSource } from '../bytes/source.ts';
import type { Container } from '../container/tensor.ts';
import type { ConvertOptions, ConvertResult } from '../convert/types.ts';
import type { ModelDescription } from '../description/description.ts';
import type { KvType, MemoryPlan, PlanOptions } from '../description/plan.ts';
import type { Classifier } from '../forward/classifier.ts';
import type { Decoder } from '../forward/decoder.ts';
import type { Embedder } from '../forward/embedder.ts';
import type { SpikeLayer } from '../forward/spike-report.ts';
import type { SamplerOptions } from '../sample/options.ts';
import type { Executor } from '../threads/executor.ts';
import type { MakeProgram } from '../threads/worker.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Arena } from '../wasm/arena.ts';
import type { KernelModules } from '../wasm/instantiate.ts';
import type { Kernels } from '../wasm/kernels.ts';
import type { ActivationType } from '../wasm/load-options.ts';
import type { WeightLoader } from '../wasm/weights.ts';

/** What a model is loaded with. */
export interface LoadMeans {
  readonly kernels: Kernels;
  readonly arena: Arena;
  readonly loader: WeightLoader;
  /** Runs the steps on all threads of the model. */
  readonly executor: Executor;
  readonly container: Container;
  readonly tokenizer: Tokenizer | null;
  readonly context: number;
  readonly kv: KvType;
  /** Sessions that one pass serves at most. */
  readonly slots: number;
  /** How int8 matrices take their inputs. */
  readonly activations: ActivationType;
  /** See `OpenOptions.forcedSparsity`. */
  readonly forcedSparsity?: number;
}

/** A model in memory. It generates, classifies, or makes vectors of texts. */
export interface LoadedModel {
  readonly decoder?: Decoder;
  readonly classifier?: Classifier;
  readonly embedder?: Embedder;
  /** Layers of neurons in the order of the decoder's spike counts, the head last; for decoders that spike. */
  spikeLayers?(): readonly SpikeLayer[];
  /** A short piece of work, to measure how many threads are fastest. */
  trial(): void | Promise<void>;
}

/** One kind of model. `D` is its description. */
export interface Architecture<D extends ModelDescription = ModelDescription> {
  /**
   * Metadata and tensor table → checked, frozen numbers.
   * @throws {DescriptionError} `DESCRIPTION`, `DESCRIPTION_MISMATCH`, `DESCRIPTION_TENSORS`
   */
  describe(container: Container): D;
  /** Every byte the model will take, with one session. @throws {MemoryError} `MEMORY_LIMIT` with the plan */
  plan(container: Container, description: D, options: PlanOptions): MemoryPlan;
  /** Loads the weights and binds them to what runs them. @throws what `WeightLoader.fill` throws */
  load(description: D, means: LoadMeans): Promise<LoadedModel>;
  /** The tensors that are loaded, where they are not those of the container. */
  tensors?(container: Container, description: D): Container;

  /** Whether it generates text, so that a sampler is needed. */
  readonly generates: boolean;
  /** Whether a session's memory grows with the context it is opened for; otherwise sessions take any length. */
  readonly grows: boolean;
  /** Whether `forcedSparsity` means something to it. */
  readonly spikes: boolean;
  /** How int8 matrices take their inputs by default. */
  readonly activations: ActivationType;
  /** How the model's authors draw tokens. */
  sampling?(description: D): SamplerOptions;
  /** Bytes of weights and state that decoding one token reads at a position; spikes are accounted for elsewhere. */
  bytesRead?(container: Container, description: D, options: { readonly kv: KvType; readonly position: number }): {
    readonly weights: number;
    readonly state: number;
  };
  /** Writes the model in another weight type; default: tensor by tensor, from GGUF. */
  convert?(): Promise<Convert>;
}

/** See `convertModel`. */
export type Convert = (
  modules: KernelModules,
  source: ByteSource,
  container: Container,
  sink: ByteSink,
  options: ConvertOptions,
) => Promise<ConvertResult>;

/** Random models of published shapes. */
export interface RandomModels {
  /** Weight types, by their spelling on the command line, the default first. */
  readonly types: readonly string[];
  /** @param head type of the head, where the architecture lets it differ @throws {OptionError} */
  make(shape: string, type: string, layers?: number, head?: string): Promise<ByteSource>;
}

/** A row of the list: enough to recognise a model; the rest is loaded when it is needed. */
export interface ArchitectureEntry {
  /** The `kind` of its descriptions and of the recipes that its threads get. */
  readonly name: string;
  /** Values of `general.architecture`, for the refusal of others. */
  readonly names: readonly string[];
  matches(container: Pick<Container, 'metadata' | 'tensors'>): boolean;
  /** Whether a checkpoint, which is not GGUF, needs the `config.json` beside it. */
  readonly needsConfig?: boolean;
  architecture(): Promise<Architecture>;
  /** What a thread runs. */
  program(): Promise<MakeProgram>;
  /** Names of the shapes that `random` knows. */
  readonly shapes?: readonly string[];
  random?(): Promise<RandomModels>;
}
