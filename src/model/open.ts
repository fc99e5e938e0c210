/**
 * From a byte source to a loaded model: container, description, plan, memory, kernels, weights, tokenizer.
 * @module
 */
import { type ModelSource, resolveSource, SOURCE_RULES, type SourceOptions } from '../bytes/resolve.ts';
import { architectureOf, entryOf, openModelContainer } from '../architectures/index.ts';
import type { Architecture } from '../architectures/architecture.ts';
import type { ByteSource } from '../bytes/source.ts';
import type { AnyContainer } from '../container/open.ts';
import type { Container } from '../container/tensor.ts';
import { DescriptionError, MemoryError, OptionError } from '../errors.ts';
import { ANY, CALL, checkOptions, number, OBJECT, oneOf, picked, type Rules, whole } from '../options.ts';
import { MAX_CONTEXT, MAX_MEMORY_BYTES, MAX_PARALLEL, MAX_THREADS } from '../limits.ts';
import { BYTES_PER_THREAD, solo } from '../threads/executor.ts';
import { Model } from './model.ts';
import { GGUF_TYPES, type GgufType } from '../convert/options.ts';
import type { ModelConfig } from '../description/config.ts';
import { modelDigest } from '../description/digest.ts';
import { defaultContext, type KvType, type MemoryPlan, PREFILL_BATCH } from '../description/plan.ts';
import { samplerBytes, samplerMemory } from '../sample/sampler.ts';
import { folderTokenizer } from '../tokenizer/folder.ts';
import { tokenizerFromMetadata } from '../tokenizer/metadata.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { Arena, ARENA_BASE } from '../wasm/arena.ts';
import type { Provided } from '../wasm/builtin.ts';
import type { Build } from '../wasm/features.ts';
import { instantiate, type KernelModules } from '../wasm/instantiate.ts';
import { ACTIVATION_TYPES, type ActivationType } from '../wasm/load-options.ts';
import { WeightLoader } from '../wasm/weights.ts';

/** Progress of `open`. `fraction` is of the weights' bytes. */
export interface OpenProgress {
  readonly phase: 'header' | 'weights';
  readonly loaded: number;
  readonly total: number;
  readonly fraction: number;
}

export interface OpenOptions extends SourceOptions {
  /** Positions of a session: tokens of prompt and answer together. Default: what the model was trained for, but at least 512
   *  and at most 4096. Sessions of Gemma 3 rewind only with at most twice its window, 1024 for gemma3-270m. */
  readonly contextLength?: number;
  /** How keys and values are kept: `f16` (default) or `f32`. */
  readonly kv?: KvType;
  /** How int8 matrices (I8, Q8_0) take their inputs: quantised in blocks of 32 to int8, as ggml does (default), or to int16,
   *  as fast and 256 times as fine (default for SymbolicLight), or as they are, in about twice the time. Matrices of fewer bits
   *  always take int8. */
  readonly activations?: ActivationType;
  /** A tokenizer for files that have none, or instead of theirs: ready-made, or the bytes of tokenizer.json, of a
   *  SentencePiece .model, of tiktoken ranks or of a WordPiece vocab.txt. */
  readonly tokenizer?: Tokenizer | Uint8Array;
  /** The `config.json` of a checkpoint that needs one: its text, its bytes, or what it says. A path or URL finds the one that
   *  lies beside it, and the vocab.txt. */
  readonly config?: ModelConfig;
  /** Kernels to use: `base` or `relaxed`; default: the best this host has. Both give the same bits. */
  readonly build?: Build;
  /** Quantise matrices of floats to this type while they are loaded, exactly as `convert` does: f32, f16, q8_0, q4_0, tq2_0 or
   *  tq1_0. For models that do not spike. */
  readonly type?: GgufType;
  /** Type of embedding and head, whatever they are in the file; default as `convert` has it for `type`, else as they are. */
  readonly head?: GgufType;
  /** Type of the embedding, where it differs from `head`. */
  readonly embedding?: GgufType;
  /** Threads to compute on; results do not depend on it. Default: what proves fastest here, up to 8 and to one for each 16 MiB
   *  of weights. A page that is not cross-origin isolated has one, whatever is asked for. */
  readonly threads?: number;
  /** Where the script of a thread is, for pages whose content security policy forbids workers made of a blob: a copy of the
   *  file `ternspike/thread.js`. A URL, relative to the page; a path where the host has files. Default: the script is part of
   *  the bundle. */
  readonly workerUrl?: string | URL;
  /** Sessions that read or generate side by side: memory is planned for as many, and one pass over the weights serves up to 32 of
   *  them. Each gets the same tokens as alone. Default 1. */
  readonly parallel?: number;
  /** Refuse a model that would take more; default the 4 GiB of wasm32. */
  readonly maxMemoryBytes?: number;
  readonly onProgress?: (progress: OpenProgress) => void;
  /** Called with what a user should know: that fewer threads run than were asked for, or that the vocabulary was read by a
   *  pattern the file does not name. Default: a console warning. */
  readonly onNotice?: (message: string) => void;
  /** For benchmarks of spiking models alone: this share of neurons, 0 … 1, is silent, drawn at random from a fixed seed,
   *  whatever their potentials. What the model says then means nothing. */
  readonly forcedSparsity?: number;
  /** The compiled kernels, for hosts that forbid compiling: `base.wasm`, or `[base.wasm, relaxed.wasm]`. */
  readonly module?: KernelModules;
}

/** Which values are right. */
const OPEN_RULES: Rules<OpenOptions> = {
  ...SOURCE_RULES,
  contextLength: whole(1, MAX_CONTEXT),
  kv: oneOf('f16', 'f32'),
  activations: oneOf(...ACTIVATION_TYPES),
  tokenizer: OBJECT,
  config: ANY, // text, bytes or an object: looked at where it is needed
  build: oneOf('base', 'relaxed'),
  type: oneOf(...GGUF_TYPES),
  head: oneOf(...GGUF_TYPES),
  embedding: oneOf(...GGUF_TYPES),
  threads: whole(1, MAX_THREADS),
  parallel: whole(1, MAX_PARALLEL),
  workerUrl: ANY,
  maxMemoryBytes: whole(1),
  onProgress: CALL,
  onNotice: CALL,
  forcedSparsity: number(0, 1),
  module: OBJECT,
};

/** Kernels that the caller compiled. */
export function handedIn(modules: KernelModules): Provided {
  return { build: 'custom', shareable: false, modules: () => Promise.resolve(modules) };
}

/** The body of `open` in every entry. */
export async function openWith(
  provide: (options: OpenOptions) => Provided,
  source: ModelSource,
  options: OpenOptions = {},
): Promise<Model> {
  const start = performance.now();
  checkOptions('open', options, OPEN_RULES);
  options.signal?.throwIfAborted();
  const kernels = provide(options);
  const bytes = await resolveSource(source, picked<SourceOptions>(options, SOURCE_RULES));
  try {
    return await load(bytes, kernels, options, start);
  } finally {
    await bytes.close?.();
  }
}

async function load(
  file: ByteSource,
  provided: Provided,
  options: OpenOptions,
  start: number,
): Promise<Model> {
  const { signal, onProgress } = options;
  onProgress?.({ phase: 'header', loaded: 0, total: file.size, fraction: 0 });
  const stored = await openModelContainer(file, { signal, config: options.config });
  try {
    return await loadContainer(stored, file, provided, options, start);
  } finally {
    await stored.source?.close?.();
  }
}

async function loadContainer(
  stored: AnyContainer,
  source: ByteSource,
  provided: Provided,
  options: OpenOptions,
  start: number,
): Promise<Model> {
  const { signal, onProgress, threads } = options;
  const architecture = await architectureOf(stored);
  const container = await inTypes(stored, source, provided, architecture, options);
  const { generates } = architecture;
  const description = architecture.describe(container);
  const tokenizer = await findTokenizer(source, container, options);

  if (options.forcedSparsity !== undefined && !architecture.spikes) {
    throw new OptionError(
      'OPTION',
      `forcedSparsity is for decoders that spike; this is a ${description.architecture} model`,
      { mentions: ['forcedSparsity'] },
    );
  }

  // fewer pieces than rows are usual in models that generate: rows are padded, and such ids say nothing
  if (
    tokenizer && (tokenizer.vocabSize > description.vocab || (!generates && tokenizer.vocabSize < description.vocab))
  ) {
    throw new DescriptionError(
      'DESCRIPTION_MISMATCH',
      `the tokenizer has ${tokenizer.vocabSize} tokens, the embedding ${description.vocab} rows; ` +
        'they belong to different models',
    );
  }

  const { kv = 'f16', maxMemoryBytes = MAX_MEMORY_BYTES, onNotice: notice = warn } = options;
  for (const text of [...(description.notices ?? []), ...(tokenizer?.notices ?? [])]) notice(text);
  const { activations = architecture.activations, forcedSparsity } = options;
  const maxBytes = Math.min(maxMemoryBytes, MAX_MEMORY_BYTES);
  const base = ARENA_BASE + (generates ? samplerBytes(description.vocab) : 0);
  const context = options.contextLength ?? defaultContext(description.trainedContext);
  const sessions = generates ? options.parallel ?? 1 : 1;
  const slots = Math.min(sessions, PREFILL_BATCH);
  const planned = (threads: number): MemoryPlan =>
    architecture.plan(container, description, { context, kv, sessions, slots, threads, maxBytes, base });
  const alone = planned(1);
  const one = threads === 1 || (threads === undefined && alone.weightsBytes < 2 * BYTES_PER_THREAD);
  const pool = one ? null : await (await import('../threads/start.ts')).startThreads({
    threads,
    weightsBytes: alone.weightsBytes,
    workerUrl: options.workerUrl,
    kernels: provided,
    planned,
    limit: maxBytes,
    notice,
  });
  const { plan, executor, memory } = pool ?? { plan: alone, executor: solo(), memory: createMemory() };
  try {
    const arena = new Arena(memory, maxMemoryBytes);
    const kernels = instantiate(pool?.modules ?? await provided.modules(false), memory);
    arena.reserve(plan.totalBytes, 'the model');
    const loader = new WeightLoader(
      kernels,
      arena,
      container.source ?? source,
      architecture.tensors?.(container, description) ?? container,
      {
        signal,
        activations,
        onProgress: onProgress &&
          (({ loaded, total }) => onProgress({ phase: 'weights', loaded, total, fraction: loaded / total })),
      },
    );
    const state = { context, kv, slots };
    const means = { kernels, arena, loader, executor, container, tokenizer, ...state, activations, forcedSparsity };
    const loaded = await architecture.load(description, means);
    const sampler = loaded.decoder && samplerMemory(arena, kernels, description.vocab);
    await pool?.executor.ready();
    if (threads === undefined) await pool?.executor.choose(() => loaded.trial());
    signal?.throwIfAborted();
    const { weightsEnd } = loader;
    const digest = once(() => modelDigest(description, container, arena.u8(ARENA_BASE, weightsEnd - ARENA_BASE)));
    return new Model({
      container,
      architecture,
      description,
      plan,
      arena,
      executor,
      tokenizer,
      build: provided.build,
      loadMs: performance.now() - start,
      digest,
      generator: loaded.decoder && sampler ? { decoder: loaded.decoder, sampler } : null,
      classifier: loaded.classifier ?? null,
      embedder: loaded.embedder ?? null,
      spikeLayers: once(() => loaded.spikeLayers?.() ?? null),
    });
  } catch (error) {
    executor.dispose();
    throw error;
  }
}

/** The container as it is loaded: with the options `type`, `head` and `embedding` applied. */
async function inTypes(
  container: AnyContainer,
  source: ByteSource,
  provided: Provided,
  { spikes, generates }: Architecture,
  { type, head, embedding, signal }: OpenOptions,
): Promise<AnyContainer> {
  if ((type ?? head ?? embedding) === undefined) return container;
  if (spikes || !generates) {
    throw new OptionError('OPTION', 'type, head and embedding are for decoders that do not spike; convert the model', {
      mentions: ['type', 'head', 'embedding'],
    });
  }
  const { requantised } = await import('../convert/requantise.ts');
  const modules = await provided.modules(false);
  return requantised(modules, container.source ?? source, container, { type, head, embedding }, signal);
}

/** The option, else the file's own, else, for checkpoints, the one beside it. */
async function findTokenizer(
  source: ByteSource,
  container: Container,
  { tokenizer, signal }: OpenOptions,
): Promise<Tokenizer | null> {
  if (tokenizer instanceof Uint8Array) {
    const { openTokenizer } = await import('../tokenizer/tokenizer-file.ts');
    return openTokenizer(tokenizer, 'the tokenizer option');
  }
  const known = tokenizer ?? tokenizerFromMetadata(container.metadata);
  // checkpoints of other kinds lie anywhere, and what lies beside them need not be theirs
  const folder = container.format === 'huggingface' || entryOf(container).needsConfig;
  if (known || !folder || !source.beside) return known;
  const beside = (name: string, most: number): Promise<Uint8Array | null> => source.beside!(name, most, signal);
  return await folderTokenizer(beside);
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

const warned = new Set<string>();

/** A notice on the console, once. */
function warn(notice: string): void {
  if (!warned.has(notice)) console.warn(`ternspike: ${notice}`);
  warned.add(notice);
}

function createMemory(): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: 1 });
  } catch (cause) {
    throw new MemoryError('MEMORY', `the host refused a WebAssembly memory: ${String(cause)}`, { cause });
  }
}
