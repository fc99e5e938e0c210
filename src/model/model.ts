/**
 * A loaded model: text in, text out, and everything in between in the open.
 * @module
 */
import type { EmbedOptions, Pooling } from '../forward/embedder.ts';
import type { Classification, ClassifyInput, ClassifyOptions } from '../forward/classifier.ts';
import type { Container } from '../container/tensor.ts';
import { DescriptionError, OptionError, SessionError, TokenizerError } from '../errors.ts';
import { checkEntropyExit, exitBlock } from '../session/entropy-exit.ts';
import { type SpikeReport, spikeReport } from '../forward/spike-report.ts';
import { type SpikeTrace, traceSince } from '../forward/spike-trace.ts';
import type { ModelDescription } from '../description/description.ts';
import type { MemoryPlan } from '../description/plan.ts';
import type {
  FinishReason,
  GenerateChunk,
  GenerateOptions,
  GenerateUsage,
  Generator,
  LogitsOptions,
  ModelParts,
  ModelStats,
} from './types.ts';
import { samplerOptionsFor, statedSampling } from '../sample/defaults.ts';
import { entropyAt, Sampler } from '../sample/sampler.ts';
import { Session, type SessionOptions } from '../session/session.ts';
import { eachStream } from '../session/streams.ts';
import type { ChatMessage, ChatOptions } from '../tokenizer/template.ts';
import { StopMatcher } from '../tokenizer/stop.ts';
import type { Tokenizer, TokenStream } from '../tokenizer/tokenizer.ts';
import type { Ptr } from '../wasm/arena.ts';

export type {
  FinishReason,
  GenerateChunk,
  GenerateOptions,
  GenerateUsage,
  LogitsOptions,
  ModelParts,
  ModelStats,
} from './types.ts';

/** Tokens of a generation that states no number. */
const DEFAULT_MAX_TOKENS = 512;

/** What ids say without a vocabulary. */
const SILENT: TokenStream = { push: () => '', flush: () => '' };

export class Model {
  #parts: ModelParts | null;
  readonly #sessions = new Set<Session>();

  /** Made by `open`. */
  constructor(parts: ModelParts) {
    this.#parts = parts;
  }

  /** Text ⇄ ids. @throws {TokenizerError} `TOKENIZER_MISSING` when the file has none and none was given */
  get tokenizer(): Tokenizer {
    const { tokenizer } = this.#alive();
    if (tokenizer) return tokenizer;
    throw new TokenizerError(
      'TOKENIZER_MISSING',
      'this model file has no vocabulary; pass the option tokenizer, or use ids',
    );
  }

  /** The numbers of the model. */
  describe(): ModelDescription {
    return this.#alive().description;
  }

  /** Metadata and tensor table of the file. */
  get container(): Container {
    return this.#alive().container;
  }

  /** The memory plan it was loaded by. */
  get plan(): MemoryPlan {
    return this.#alive().plan;
  }

  /** Sizes, and counts of all sessions together. */
  stats(): ModelStats {
    const { build, executor, loadMs, plan, arena, generator } = this.#alive();
    const spikes = this.#spikes(generator?.decoder.spikes);
    return {
      build,
      threads: executor.count,
      loadMs,
      weightsBytes: plan.weightsBytes,
      stateBytes: plan.stateBytes,
      memoryBytes: arena.memory.buffer.byteLength,
      ...(spikes && { tokens: spikes.tokens, spikes }),
    };
  }

  /** Computes on this many threads from now on, but on no more than it was opened with; results do not depend on it. */
  useThreads(threads: number): void {
    if (!Number.isInteger(threads) || threads < 1) {
      throw new OptionError('OPTION', `threads is ${String(threads)}, expected a whole number from 1 on`);
    }
    this.#alive().executor.use(threads);
  }

  /** Begins the counts of `stats` anew. */
  resetStats(): void {
    this.#alive().generator?.decoder.spikes?.reset();
  }

  #spikes(trace: SpikeTrace | undefined): SpikeReport | undefined {
    const layers = trace && this.#parts?.spikeLayers();
    return layers ? spikeReport(layers, trace) : undefined;
  }

  /** A new conversation. @throws {MemoryError} when its state does not fit */
  session(options: SessionOptions = {}): Session {
    const { decoder, arena, digest } = this.#generator();
    return new Session(decoder, arena, options, { sessions: this.#sessions, digest });
  }

  /** Ids of a prompt as the model was trained to see it: text is encoded with special tokens, ids are taken as they are. */
  promptIds(prompt: string | readonly number[]): number[] {
    return typeof prompt === 'string' ? this.tokenizer.encode(prompt, { special: true }) : [...prompt];
  }

  /**
   * Generates text. Ends by itself; `break` or an abort stop it between two tokens. A model without a vocabulary takes ids,
   * and answers with ids: every text is empty then, and only the number of tokens ends it.
   * @param prompt text, or ids
   * @throws {SessionError} `CONTEXT_OVERFLOW` when prompt and `maxTokens` do not fit and the session does not slide
   * @throws {OptionError} for an option out of range; the signal's reason
   * @throws {TokenizerError} `TOKENIZER_MISSING` for text, as prompt or to stop at, without a vocabulary
   * @example
   * for await (const { text } of model.generate('Once upon a time', { temperature: 0 })) write(text);
   */
  async *generate(
    prompt: string | readonly number[],
    options: GenerateOptions = {},
  ): AsyncGenerator<GenerateChunk, void> {
    const { decoder, architecture, container, description, sampler: memory, tokenizer } = this.#generator();
    options.signal?.throwIfAborted();
    if (options.stop?.length) void this.tokenizer; // refused here where there is none
    const matcher = new StopMatcher(options.stop ?? []);
    const drawn = samplerOptionsFor(
      { ...architecture.sampling?.(description), ...statedSampling(container.metadata) },
      description.vocab,
      tokenizer?.vocabSize ?? 0,
      options,
    );
    const sampler = new Sampler(drawn, decoder.vocab, memory);
    const ids = this.promptIds(prompt);
    if (ids.length === 0) {
      throw new SessionError('TOKEN', 'the prompt is empty and this vocabulary adds no bos token; give some text');
    }
    const session = options.session ?? this.session(options);
    const leave = decoder.join();
    try {
      const limit = checkMaxTokens(options, session, ids.length);
      for (const id of ids) sampler.accept(id);
      const stream = tokenizer?.stream({ continues: options.joined === true }) ?? SILENT;
      const pieces = tokenizer?.vocabSize ?? 0;
      const stopIds = new Set(tokenizer?.specials.stop);
      let id = -1;
      let completion = 0;
      let finishReason: FinishReason = 'length';
      const before = session.spikes;
      const start = performance.now();
      let decodeStart = start;
      const see = (logits: number): void => {
        id = sampler.sample(logits);
        sampler.accept(id);
      };
      if (limit > 0) await session.read(ids, options, ids.length - 1, see);
      decodeStart = performance.now();
      for (let first = true; completion < limit; first = false) {
        if (!first) await session.read([id], options, 0, see);
        if (stopIds.has(id)) {
          finishReason = 'stop';
          break;
        }
        completion++;
        const { text, stopped } = matcher.push(id < pieces ? stream.push(id) : '');
        yield { text, id, finishReason: null };
        if (stopped) {
          finishReason = 'stop';
          break;
        }
      }
      const now = session.spikes;
      const spikes = now && this.#spikes(traceSince(now, before));
      const usage: GenerateUsage = {
        promptTokens: ids.length,
        completionTokens: completion,
        prefillMs: decodeStart - start,
        decodeMs: performance.now() - decodeStart,
        unread: id < 0 ? null : id,
        ...(spikes && { spikes }),
      };
      const rest = matcher.push(stream.flush());
      if (rest.stopped) finishReason = 'stop';
      yield { text: rest.text + matcher.finish(), id: null, finishReason, usage };
    } finally {
      leave();
      if (!options.session) session.dispose();
    }
  }

  /** Renders messages by the model's chat template and generates the answer. @throws {TemplateError} */
  async *chat(
    messages: readonly ChatMessage[],
    options: GenerateOptions & ChatOptions = {},
  ): AsyncGenerator<GenerateChunk, void> {
    yield* this.generate(await this.chatIds(messages, options), options);
  }

  /** Ids of messages as the model's chat template writes them. @throws {TemplateError} `TEMPLATE` when it has none */
  async chatIds(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<number[]> {
    const { tokenizer } = this;
    // the interpreter of templates is a sixth of the code, and most models are never talked to
    const { renderChat } = await import('../tokenizer/template.ts');
    const text = renderChat(tokenizer, messages, options);
    const ids = tokenizer.encode(text, { special: true });
    // templates write bos themselves; do not begin twice
    const { bos } = tokenizer.specials;
    return bos !== undefined && ids[0] === bos && ids[1] === bos ? ids.slice(1) : ids;
  }

  /**
   * Logits behind every id, teacher-forced: one array of `vocab` floats per id.
   * @throws {SessionError}
   * @throws {OptionError} for an `entropyExit` that is no number of nats, or an option that is not for this kind of model
   */
  async logits(ids: readonly number[], options: LogitsOptions = {}): Promise<Float32Array[]> {
    const { decoder, arena, description } = this.#generator();
    const { signal, from = 0, entropyExit, onHidden } = options;
    const afterLayer = onHidden && eachStream(arena, decoder, description, onHidden);
    const blocks = entropyExit === undefined ? undefined : await this.#exit(ids, entropyExit, signal);
    const session = this.session();
    try {
      const rows: Float32Array[] = [];
      await session.read(
        ids,
        { signal, blocks, afterLayer },
        from,
        (at) => void rows.push(arena.f32(at, decoder.vocab).slice()),
      );
      return rows;
    } finally {
      session.dispose();
    }
  }

  /** After how many blocks the head is sure of the last of `ids`. */
  async #exit(ids: readonly number[], threshold: number, signal?: AbortSignal): Promise<number> {
    const { decoder, arena, sampler } = this.#generator();
    const blocks = checkEntropyExit(threshold, decoder.blocks);
    const entropy = (logits: Ptr): number => {
      const best = sampler.kernels.argmax_f32(logits, decoder.vocab);
      return entropyAt(sampler, logits, decoder.vocab, arena.f32(logits + 4 * best, 1)[0]);
    };
    const session = this.session();
    try {
      return await exitBlock(session, ids, blocks, threshold, entropy, signal);
    } finally {
      session.dispose();
    }
  }

  /**
   * Classifies a text, a pair of texts, or ids. Calls that come while one is under way wait for it.
   * @throws {DescriptionError} `ARCHITECTURE` for a model that generates
   * @throws {SessionError} `CONTEXT_OVERFLOW` for a text longer than the model, `TOKEN` for ids that it does not have
   * @throws {OptionError} for an option out of range; the signal's reason
   * @example const { label, scores } = await model.classify('a charming and often affecting journey');
   */
  classify(input: ClassifyInput, options: ClassifyOptions = {}): Promise<Classification> {
    const { classifier, description: { architecture } } = this.#alive();
    if (classifier) return classifier.classify(input, options);
    return Promise.reject(
      new DescriptionError('ARCHITECTURE', `${architecture} models do not classify; use generate or a session`),
    );
  }

  /** Classifies one input after the other, in their order. @throws as `classify` */
  async *classifyAll(
    inputs: Iterable<ClassifyInput> | AsyncIterable<ClassifyInput>,
    options: ClassifyOptions = {},
  ): AsyncGenerator<Classification, void> {
    for await (const input of inputs) yield await this.classify(input, options);
  }

  /** How `embed` pools by default; null for a model that makes no vectors. */
  get defaultPooling(): Pooling | null {
    return this.#alive().embedder?.pooling ?? null;
  }

  /**
   * A vector for a text, or one for each of several. A text has the same vector alone and among others.
   * @throws {DescriptionError} `ARCHITECTURE` for a model that makes none
   * @throws {SessionError} `CONTEXT_OVERFLOW` for a text longer than the model; {OptionError}; the signal's reason
   * @example
   * const [a, b] = await model.embed(['a cat sits', 'a dog runs']); // Float32Array of length 1
   */
  embed(text: string, options?: EmbedOptions): Promise<Float32Array>;
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  async embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Float32Array | Float32Array[]> {
    const { embedder, description: { architecture } } = this.#alive();
    if (!embedder) {
      throw new DescriptionError('ARCHITECTURE', `${architecture} models make no vectors of texts; BERTs do`);
    }
    if (typeof texts === 'string') return (await embedder.embed([texts], options))[0];
    return await embedder.embed(texts, options);
  }

  /** Ends every session and gives the memory back. Harmless when called twice. */
  dispose(): void {
    for (const session of this.#sessions) session.dispose();
    this.#parts?.classifier?.dispose();
    this.#parts?.embedder?.dispose();
    this.#parts?.executor.dispose();
    this.#parts = null;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
    return Promise.resolve();
  }

  #generator(): ModelParts & Generator {
    const { generator, ...parts } = this.#alive();
    if (generator) return { ...parts, generator, ...generator };
    throw new DescriptionError(
      'ARCHITECTURE',
      `${parts.description.architecture} models classify and do not generate; use model.classify`,
    );
  }

  #alive(): ModelParts {
    if (this.#parts) return this.#parts;
    throw new SessionError('DISPOSED', 'this model was disposed of; open it again');
  }
}

function checkMaxTokens(options: GenerateOptions, session: Session, prompt: number): number {
  const { maxTokens } = options;
  const { overflow } = session;
  const room = session.contextLength - session.position - prompt + 1; // the last token is never read
  if (maxTokens === undefined) {
    if (room < 1 && overflow !== 'slide') throw overflowError(session, prompt, 1);
    return overflow === 'slide' ? DEFAULT_MAX_TOKENS : Math.min(DEFAULT_MAX_TOKENS, room);
  }
  if (!Number.isInteger(maxTokens) || maxTokens < 0) {
    throw new OptionError('OPTION', `maxTokens is ${String(maxTokens)}, expected a whole number from 0 on`);
  }
  if (maxTokens > room && overflow !== 'slide') throw overflowError(session, prompt, maxTokens);
  return maxTokens;
}

function overflowError(session: Session, prompt: number, tokens: number): SessionError {
  return new SessionError(
    'CONTEXT_OVERFLOW',
    `${session.position + prompt} tokens of prompt and ${tokens} to generate do not fit into a context of ` +
      `${session.contextLength}; open with a larger contextLength, or use { overflow: "slide" }`,
  );
}
