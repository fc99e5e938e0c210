/**
 * From a byte source to a loaded model: container, description, plan, memory, kernels, weights, tokenizer.
 * @module
 */
import { type ModelSource, resolveSource, type SourceOptions } from './bytes/resolve.ts';
import type { ByteSource } from './bytes/source.ts';
import type { Classifier } from './classifier.ts';
import type { Container } from './container/tensor.ts';
import { DescriptionError, MemoryError, OptionError } from './errors.ts';
import type { Decoder } from './forward/decoder.ts';
import { LlamaDecoder } from './forward/llama-decoder.ts';
import { llamaWeights } from './forward/llama-weights.ts';
import { SymbolicLightDecoder } from './forward/symboliclight-decoder.ts';
import { symbolicLightWeights } from './forward/symboliclight-weights.ts';
import { MAX_CONTEXT, MAX_LANES, MAX_MEMORY_BYTES, MAX_TOKENIZER_BYTES } from './limits.ts';
import { SOLO } from './lanes/lane.ts';
import { Model } from './model.ts';
import type { Generator } from './model-types.ts';
import { type ModelConfig, openModelContainer } from './model/config.ts';
import { modelDigest } from './model/digest.ts';
import { describe, planModel } from './model/describe.ts';
import type { ModelDescription } from './model/description.ts';
import { defaultContext, type KvType } from './model/plan.ts';
import { spikingBertTensors } from './model/spikingbert.ts';
import { samplerBytes, samplerMemory } from './sample/sampler.ts';
import { openTokenizer, tokenizerFromMetadata } from './tokenizer/open.ts';
import type { Tokenizer } from './tokenizer/tokenizer.ts';
import { Arena, ARENA_BASE } from './wasm/arena.ts';
import type { Build } from './wasm/features.ts';
import { instantiate, type KernelModules } from './wasm/instantiate.ts';
import { type ActivationType, WeightLoader } from './wasm/weights.ts';

/** Progress of `open`. `fraction` is of the weights' bytes. */
export interface OpenProgress {
  readonly phase: 'header' | 'weights';
  readonly loaded: number;
  readonly total: number;
  readonly fraction: number;
}

export interface OpenOptions extends SourceOptions {
  /** Positions of a session; default: what the model was trained for, but at least 512 and at most 4096. */
  readonly contextLength?: number;
  /** How keys and values are kept: `f16` (default) or `f32`. */
  readonly kv?: KvType;
  /** How int8 matrices (I8, Q8_0) take their inputs: quantised to int8 in blocks of 32 (default, faster), or as they are.
   *  Matrices of fewer bits always take int8. */
  readonly activations?: ActivationType;
  /** A tokenizer for files that have none, or instead of theirs: ready-made, or the bytes of tokenizer.json, of a
   *  SentencePiece .model, of tiktoken ranks or of a WordPiece vocab.txt. */
  readonly tokenizer?: Tokenizer | Uint8Array;
  /** The `config.json` of a checkpoint that needs one: its text, its bytes, or what it says. A path or URL finds the one that
   *  lies beside it, and the vocab.txt. */
  readonly config?: ModelConfig;
  /** Kernels to use: `base` or `relaxed`; default: the best this host has. Both give the same bits. */
  readonly build?: Build;
  /** Most lanes to run on; results do not depend on it. This version runs on one. */
  readonly threads?: number;
  /** Refuse a model that would take more; default the 4 GiB of wasm32. */
  readonly maxMemoryBytes?: number;
  readonly onProgress?: (progress: OpenProgress) => void;
  /** For benchmarks of spiking models alone: this share of neurons, 0 … 1, is silent, drawn at random from a fixed seed,
   *  whatever their potentials. What the model says then means nothing. */
  readonly forcedSparsity?: number;
  /** The compiled kernels, for hosts that forbid compiling: `base.wasm`, or `[base.wasm, relaxed.wasm]`. */
  readonly module?: KernelModules;
}

/** Finds the kernels: compiled here, or handed in. */
export type ModuleProvider = (options: OpenOptions) => Promise<{ module: KernelModules; build: Build | 'custom' }>;

/** The body of `open` in every entry. */
export async function openWith(
  provider: ModuleProvider,
  source: ModelSource,
  options: OpenOptions = {},
): Promise<Model> {
  const start = performance.now();
  checkOptions(options);
  options.signal?.throwIfAborted();
  const { module, build } = await provider(options);
  const bytes = await resolveSource(source, options);
  try {
    return await load(bytes, module, build, options, start);
  } finally {
    await bytes.close?.();
  }
}

async function load(
  source: ByteSource,
  module: KernelModules,
  build: Build | 'custom',
  options: OpenOptions,
  start: number,
): Promise<Model> {
  const { signal, onProgress } = options;
  onProgress?.({ phase: 'header', loaded: 0, total: source.size, fraction: 0 });
  const container = await openModelContainer(source, { signal, config: options.config });
  const description = describe(container);
  const tokenizer = await findTokenizer(source, container, description, options);

  if (options.forcedSparsity !== undefined && description.kind === 'llama') {
    throw new OptionError(
      'OPTION',
      `forcedSparsity is for models that spike, this is a ${description.architecture} model`,
    );
  }

  // fewer pieces than rows are usual in models that generate: rows are padded, and such ids say nothing
  const generates = description.kind !== 'spikingbert';
  if (
    tokenizer && (tokenizer.vocabSize > description.vocab || (!generates && tokenizer.vocabSize < description.vocab))
  ) {
    throw new DescriptionError(
      'DESCRIPTION_MISMATCH',
      `the tokenizer has ${tokenizer.vocabSize} tokens, the embedding ${description.vocab} rows; they are not of one model`,
    );
  }

  const { kv = 'f16', maxMemoryBytes = MAX_MEMORY_BYTES } = options;
  const limits = {
    lanes: SOLO.count,
    maxBytes: Math.min(maxMemoryBytes, MAX_MEMORY_BYTES),
    base: ARENA_BASE + (generates ? samplerBytes(description.vocab) : 0),
  };
  const context = options.contextLength ?? defaultContext(description.trainedContext);
  const plan = planModel(container, description, { context, kv, ...limits });

  const arena = new Arena(createMemory(), maxMemoryBytes);
  const kernels = instantiate(module, arena.memory);
  arena.reserve(plan.totalBytes, 'the model');
  const held = description.kind === 'spikingbert' ? spikingBertTensors(container, description) : container;
  const loader = new WeightLoader(kernels, arena, source, held, {
    signal,
    activations: options.activations,
    onProgress: onProgress &&
      (({ loaded, total }) => onProgress({ phase: 'weights', loaded, total, fraction: loaded / total })),
  });
  let generator: Generator | null = null;
  let classifier: Classifier | null = null;
  let weightsEnd = 0;
  if (description.kind === 'spikingbert') {
    // most programs have no classifier
    const { loadClassifier } = await import('./classifier.ts');
    classifier = await loadClassifier(kernels, arena, description, loader, tokenizer);
  } else {
    let decoder: Decoder;
    if (description.kind === 'llama') {
      const weights = llamaWeights(description, loader);
      await loader.fill();
      weightsEnd = arena.used;
      decoder = new LlamaDecoder(kernels, arena, description, weights, { context, kv });
    } else {
      const { weights, finish } = symbolicLightWeights(description, loader);
      await loader.fill();
      finish(kernels, arena);
      weightsEnd = arena.used;
      decoder = new SymbolicLightDecoder(kernels, arena, description, weights, {
        forcedSparsity: options.forcedSparsity,
      });
    }
    generator = { decoder, description, sampler: samplerMemory(arena, kernels, description.vocab) };
  }
  const digest = once(() => modelDigest(description, container, arena.u8(ARENA_BASE, weightsEnd - ARENA_BASE)));
  const loadMs = performance.now() - start;
  const exact = options.activations === 'f32';
  const parts = { container, description, plan, arena, tokenizer, build, loadMs, exact, digest };
  return new Model({ ...parts, generator, classifier });
}

/** The option, else what the file carries, else, for checkpoints of a classifier, what lies beside it. */
async function findTokenizer(
  source: ByteSource,
  container: Container,
  description: ModelDescription,
  { tokenizer, signal }: OpenOptions,
): Promise<Tokenizer | null> {
  if (tokenizer instanceof Uint8Array) return openTokenizer(tokenizer, 'the tokenizer option');
  const known = tokenizer ?? tokenizerFromMetadata(container.metadata);
  if (known || description.kind !== 'spikingbert' || container.format === 'gguf') return known;
  for (const name of ['vocab.txt', 'tokenizer.json']) {
    const bytes = await source.beside?.(name, MAX_TOKENIZER_BYTES, signal);
    if (bytes) return openTokenizer(bytes, name);
  }
  return null;
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function createMemory(): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: 1 });
  } catch (cause) {
    throw new MemoryError('MEMORY', `the host refused a WebAssembly memory: ${String(cause)}`, { cause });
  }
}

function checkOptions(
  { contextLength, kv, activations, threads, maxMemoryBytes, onProgress, forcedSparsity }: OpenOptions,
): void {
  const whole = (name: string, value: number | undefined, max: number): void => {
    if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= max)) return;
    throw new OptionError('OPTION', `${name} is ${String(value)}, expected a whole number in 1 … ${max}`);
  };
  whole('contextLength', contextLength, MAX_CONTEXT);
  whole('threads', threads, MAX_LANES);
  whole('maxMemoryBytes', maxMemoryBytes, Number.MAX_SAFE_INTEGER);
  if (activations !== undefined && activations !== 'int8' && activations !== 'f32') {
    throw new OptionError('OPTION', `activations is ${JSON.stringify(activations)}, expected "int8" or "f32"`);
  }
  if (kv !== undefined && kv !== 'f16' && kv !== 'f32') {
    throw new OptionError('OPTION', `kv is ${JSON.stringify(kv)}, expected "f16" or "f32"`);
  }
  if (
    forcedSparsity !== undefined && !(typeof forcedSparsity === 'number' && forcedSparsity >= 0 && forcedSparsity <= 1)
  ) {
    throw new OptionError('OPTION', `forcedSparsity is ${String(forcedSparsity)}, expected a number in 0 … 1`);
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new OptionError('OPTION', `onProgress is ${typeof onProgress}, expected a function`);
  }
}
