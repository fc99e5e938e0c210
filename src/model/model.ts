/**
 * A loaded model: text in, text out, and everything in between in the open.
 * @module
 */
import {
  EMBED_RULES,
  type EmbedOptions,
  type Encoding,
  ENCODING_RULES,
  type EncodingOptions,
  type Pooling,
} from '../forward/embedder.ts';
import {
  type Classification,
  CLASSIFY_RULES,
  type ClassifyInput,
  type ClassifyOptions,
} from '../forward/classifier.ts';
import { checkOptions, checkValue, picked, shown, whole, wrongValue } from '../options.ts';
import type { Container } from '../container/tensor.ts';
import { DescriptionError, OptionError, SessionError, TokenizerError } from '../errors.ts';
import type { ModelDescription } from '../description/description.ts';
import type { MemoryPlan } from '../description/plan.ts';
import {
  type Answer,
  CHAT_CALL_RULES,
  CHAT_RULES,
  type ChatCallOptions,
  type Completion,
  GENERATE_RULES,
  type GenerateChunk,
  type GenerateOptions,
  type Generator,
  LOGITS_RULES,
  type LogitsOptions,
  type ModelParts,
  type ModelStats,
  type PreparedAnswers,
} from './types.ts';
import { Generation, type GenerationParts, spikesOf } from './generation.ts';
import { isIds } from './prompt.ts';
import { defaultPooling, embedderOf } from './vectors.ts';
import { Session, SESSION_RULES, type SessionOptions } from '../session/session.ts';
import type { ChatMessage, ChatOptions } from '../tokenizer/template.ts';
import { preparedFormat } from '../structured/prepare.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

export type {
  Answer,
  ChatCallOptions,
  Completion,
  FinishReason,
  GenerateChunk,
  GenerateOptions,
  GenerateUsage,
  LogitsOptions,
  ModelParts,
  ModelStats,
  PrefillProgress,
  ScoredToken,
} from './types.ts';

export class Model {
  #parts: ModelParts | null;
  readonly #sessions = new Set<Session>();

  /** Made by `open`. @internal */
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
      { mentions: ['tokenizer', 'ids'] },
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

  /** Whether it says one token after the other; false for models that classify or make vectors only. */
  get generates(): boolean {
    return this.#alive().generator !== null;
  }

  /** Positions of its sessions: tokens of prompt and answer together. @throws {DescriptionError} for a model that has none */
  get contextLength(): number {
    return this.#generator().decoder.context;
  }

  /** 16 hexadecimal digits that tell this model from others: of its numbers, its tensor table and its weights as they are in
   *  memory, of which large ones are looked at in places. */
  get digest(): string {
    return Array.from(this.#alive().digest(), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  /** Sizes, and counts of all sessions together. */
  stats(): ModelStats {
    const parts = this.#alive();
    const { build, executor, loadMs, plan, arena, generator } = parts;
    const spikes = spikesOf(parts, generator?.decoder.spikes);
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
    checkValue('threads', threads ?? null, whole(1)); // not left out, as an option may be
    this.#alive().executor.use(threads);
  }

  /** Begins the counts of `stats` anew. */
  resetStats(): void {
    this.#alive().generator?.decoder.spikes?.reset();
  }

  /** A new conversation. @throws {MemoryError} when its state does not fit */
  session(options: SessionOptions = {}): Session {
    const { decoder, arena, digest } = this.#generator();
    return new Session(decoder, arena, options, { sessions: this.#sessions, digest });
  }

  /**
   * Ids of a prompt as the model was trained to see it: text is encoded with special tokens, ids are taken as they are.
   * @throws {OptionError} `OPTION` for anything else
   */
  promptIds(prompt: string | readonly number[]): number[] {
    if (typeof prompt !== 'string' && !isIds(prompt)) {
      throw new OptionError('OPTION', `the prompt is ${shown(prompt)}, expected text or an array of ids`);
    }
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
    checkOptions('generate', options, GENERATE_RULES);
    const parts = this.#generator();
    options.signal?.throwIfAborted();
    if (options.stop?.length || options.format) void this.tokenizer; // refused here where there is none
    yield* this.#run(parts, this.promptIds(prompt), options);
  }

  /** @param spelled special tokens that are written out */
  async *#run(
    parts: GenerationParts['parts'],
    ids: readonly number[],
    options: GenerateOptions,
    spelled?: ReadonlyMap<number, string>,
  ): AsyncGenerator<GenerateChunk, void> {
    if (ids.length === 0) {
      throw new SessionError('TOKEN', 'the prompt is empty and this vocabulary adds no bos token; give some text');
    }
    const format = options.format ? await preparedFormat(this.tokenizer, options.format) : null;
    const made = { parts, ids, format, spelled };
    const open = (): Session => this.session(picked<SessionOptions>(options, SESSION_RULES));
    const { n, session } = options;
    if (n !== undefined) {
      if (session) throw new OptionError('OPTION', 'n is not for a session; fork it, one for each', { option: 'n' });
      const { generateMany } = await import('./many.ts');
      return yield* generateMany(made, { ...options, n }, open);
    }
    const { read = 0 } = options;
    if (read > 0 && (!session || read >= ids.length)) {
      throw wrongValue(
        'read',
        read,
        `less than the ${ids.length} ids of the prompt, with a session that has read them`,
      );
    }
    const generation = new Generation({ ...made, index: -1 }, options);
    const own = session ?? open();
    try {
      yield* generation.run(own, { read, scores: [] });
    } finally {
      if (!session) own.dispose();
    }
  }

  /**
   * Generates the whole text at once: `generate` for those who do not stream.
   * @throws as `generate`
   * @example
   * const { text, usage } = await model.complete('Once upon a time', { maxTokens: 64, seed: 1 });
   */
  async complete(prompt: string | readonly number[], options: GenerateOptions = {}): Promise<Completion> {
    if (options.n !== undefined) throw new OptionError('OPTION', 'n is for completions and streams', { option: 'n' });
    const { completionsOf } = await import('./collect.ts');
    return (await completionsOf(this.generate(prompt, options), 1))[0];
  }

  /**
   * `n` completions of one prompt, which is read once.
   * @throws as `generate`; {MemoryError} where so many sessions do not fit
   * @example
   * const [a, b] = await model.completions('Once upon a time', { n: 2, seed: 1 }); // b is what seed 2 gives
   */
  async completions(
    prompt: string | readonly number[],
    options: GenerateOptions & { readonly n: number },
  ): Promise<Completion[]> {
    checkOptions('completions', options, GENERATE_RULES, ['n']);
    const { completionsOf } = await import('./collect.ts');
    return await completionsOf(this.generate(prompt, options), options.n);
  }

  /**
   * Renders messages by the model's chat template and generates the answer. Where the template knows of thinking it is split off
   * into `reasoning`; with `tools`, calls become `toolCalls` and the answer ends with `toolCalls`. For the next turn put the
   * answer, with its `toolCalls`, and each result (`{ role: 'tool', toolCallId, content }`) behind the messages.
   * @throws {TemplateError}; {FormatError} for a tool whose schema a call cannot be held to; as `generate`
   * @example
   * for await (const { text, toolCalls } of model.chat([{ role: 'user', content: 'Rain in Rome?' }], { tools })) write(text);
   */
  async *chat(
    messages: readonly ChatMessage[],
    options: ChatCallOptions = {},
  ): AsyncGenerator<GenerateChunk, void> {
    const { answer } = await this.prepareChat(messages, options);
    yield* answer();
  }

  /**
   * Renders a chat once, for any number of answers.
   * @returns the ids of the prompt, and what answers it by the same options with some others in their place
   * @internal
   */
  async prepareChat(messages: readonly ChatMessage[], options: ChatCallOptions = {}): Promise<PreparedAnswers> {
    checkOptions('chat', options, CHAT_CALL_RULES);
    const parts = this.#generator();
    options.signal?.throwIfAborted();
    // the interpreter of templates is a sixth of the code, and most models are never talked to
    const { prepareChat } = await import('./chat.ts');
    const { ids, spelled, read, options: own } = await prepareChat(this.tokenizer, messages, options);
    return { ids, answer: (more = {}) => read(this.#run(parts, ids, { ...own, ...more }, spelled)) };
  }

  /**
   * The whole answer of a chat at once.
   * @throws as `chat`
   * @example const { text, reasoning, toolCalls, finishReason } = await model.answer(messages, { tools });
   */
  async answer(messages: readonly ChatMessage[], options: ChatCallOptions = {}): Promise<Answer> {
    if (options.n !== undefined) throw new OptionError('OPTION', 'n is for streams of chats', { option: 'n' });
    const { collect } = await import('./collect.ts');
    return (await collect(this.chat(messages, options), 1))[0];
  }

  /** Ids of messages as the model's chat template writes them. @throws {TemplateError} `TEMPLATE` when it has none */
  async chatIds(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<number[]> {
    checkOptions('chat', options, CHAT_RULES);
    const { tokenizer } = this;
    const { chatIds } = await import('./chat.ts');
    return chatIds(tokenizer, messages, options);
  }

  /**
   * Logits behind every id, teacher-forced: one array of `vocab` floats per id.
   * @throws {SessionError}
   * @throws {OptionError} for an `entropyExit` that is no number of nats, or an option that is not for this kind of model
   */
  async logits(ids: readonly number[], options: LogitsOptions = {}): Promise<Float32Array[]> {
    checkOptions('logits', options, LOGITS_RULES);
    const parts = this.#generator();
    const { logitsOf } = await import('./logits.ts');
    return await logitsOf(parts, ids, options, () => this.session());
  }

  /**
   * Classifies a text, a pair of texts, or ids. Calls that come while one is under way wait for it.
   * @throws {DescriptionError} `ARCHITECTURE` for a model that generates
   * @throws {SessionError} `CONTEXT_OVERFLOW` for a text longer than the model, `TOKEN` for ids that it does not have
   * @throws {OptionError} for an option out of range; the signal's reason
   * @example const { label, scores } = await model.classify('a charming and often affecting journey');
   */
  classify(input: ClassifyInput, options: ClassifyOptions = {}): Promise<Classification> {
    return this.#classify(this.#alive(), input, options);
  }

  async #classify(
    { classifier, description: { architecture } }: ModelParts,
    input: ClassifyInput,
    options: ClassifyOptions,
  ): Promise<Classification> {
    checkOptions('classify', options, CLASSIFY_RULES);
    if (classifier) return await classifier.classify(input, options);
    throw new DescriptionError('ARCHITECTURE', `${architecture} models do not classify; use generate or a session`);
  }

  /**
   * Classifies inputs in their order. A dense BERT runs several together, and reads ahead for that where `inputs` is not
   * asynchronous; scores are those of each alone.
   * @throws as `classify`, behind the answers of the inputs before a bad one
   */
  async *classifyAll(
    inputs: Iterable<ClassifyInput> | AsyncIterable<ClassifyInput>,
    options: ClassifyOptions = {},
  ): AsyncGenerator<Classification, void> {
    const { classifier } = this.#alive();
    if (classifier?.classifyAll && Symbol.iterator in inputs) yield* classifier.classifyAll(inputs, options);
    else for await (const input of inputs) yield await this.classify(input, options);
  }

  /**
   * All that a BERT says of a text: states of the tokens, and of every layer and attention where they are asked for; what
   * pooler and classifier make of them.
   * @throws {DescriptionError} `ARCHITECTURE` for a model that is no BERT; as `embed`
   * @example
   * const { hidden, attention, logits } = await model.encode('a cat sits', { hidden: true, attention: true });
   * hidden[layer][t * width + i]; attention[layer][(head * tokens + query) * tokens + key]; // layer 0 of hidden: the embedding
   */
  async encode(input: ClassifyInput, options: EncodingOptions = {}): Promise<Encoding> {
    for await (const encoding of this.encodeAll([input], options)) return encoding;
    throw new SessionError('DISPOSED', 'this model was disposed of; open it again');
  }

  /** `encode` for inputs in their order; several run together, and each has the bits that it has alone. @throws as `encode` */
  async *encodeAll(
    inputs: Iterable<ClassifyInput>,
    options: EncodingOptions = {},
  ): AsyncGenerator<Encoding, void> {
    checkOptions('encode', options, ENCODING_RULES);
    const { embedder, description: { architecture } } = this.#alive();
    if (embedder?.encodeAll) return yield* embedder.encodeAll(inputs, options);
    throw new DescriptionError('ARCHITECTURE', `${architecture} models do not encode texts from both sides; BERTs do`);
  }

  /** How `embed` pools by default; null for a model that makes no vectors. */
  get defaultPooling(): Pooling | null {
    return defaultPooling(this.#alive());
  }

  /**
   * A vector for a text, or one for each of several. A text has the same vector alone and among others. Of a decoder it is made of
   * what the head reads, with the beginning and end tokens that its tokenizer adds.
   * @throws {DescriptionError} `ARCHITECTURE` for a model that makes none, as those that spike
   * @throws {SessionError} `CONTEXT_OVERFLOW` for a text longer than the model; {OptionError}; the signal's reason
   * @example
   * const [a, b] = await model.embed(['a cat sits', 'a dog runs']); // Float32Array of length 1
   */
  embed(text: string, options?: EmbedOptions): Promise<Float32Array>;
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  async embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Float32Array | Float32Array[]> {
    checkOptions('embed', options, EMBED_RULES);
    const embedder = await embedderOf(this.#alive(), () => this.session());
    if (typeof texts === 'string') return (await embedder.embed([texts], options))[0];
    return await embedder.embed(texts, options);
  }

  /** Ends every session and gives the memory back. Harmless when called twice. */
  dispose(): void {
    for (const session of this.#sessions) session.dispose();
    for (const part of new Set([this.#parts?.classifier, this.#parts?.embedder])) part?.dispose(); // may be one
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

  #generator(): GenerationParts['parts'] & Generator {
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
