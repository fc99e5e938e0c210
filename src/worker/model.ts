/**
 * A model that runs in a worker, as its page sees it.
 * @module
 */
import type { Classification, ClassifyInput, ClassifyOptions } from '../forward/classifier.ts';
import type { EmbedOptions } from '../forward/embedder.ts';
import { SessionError } from '../errors.ts';
import type { ModelDescription } from '../description/description.ts';
import type { AnswerOptions } from '../chat/types.ts';
import type { Format, FormatOption } from '../structured/types.ts';
import type { GenerateChunk, GenerateOptions, ModelStats } from '../model/types.ts';
import type { SessionOptions } from '../session/session.ts';
import type { ChatMessage, ChatOptions } from '../tokenizer/template.ts';
import type { DecodeOptions, EncodeOptions } from '../tokenizer/tokenizer.ts';
import type { Calls } from './calls.ts';
import { parted } from './hooks.ts';
import type { Opened } from './messages.ts';

/** A conversation of a model in a worker: what `generate` continues. */
export interface WorkerSession {
  readonly id: number;
  /** Gives its memory back. Harmless when called twice. */
  dispose(): Promise<void>;
}

/** Options of `generate`, with a session of the worker. A mask cannot be sent, as it answers; and a format is plain data, prepared by
 *  the worker. */
export interface WorkerGenerateOptions extends Omit<GenerateOptions, 'session' | 'stretchMs' | 'mask' | 'format'> {
  readonly format?: Exclude<FormatOption, Format>;
  /** Continue this session instead of a new one, as `GenerateOptions.session`. */
  readonly session?: WorkerSession;
}

/** A model in a worker. Its calls are those of `Model`; they take turns in the worker, and the page stays free. */
export class WorkerModel {
  readonly #calls: Calls;
  readonly #description: ModelDescription;
  /** Whether it has a chat template, which `chat` needs. */
  readonly chats: boolean;

  /** Made by `open`. @internal */
  constructor(calls: Calls, { description, chats }: Opened) {
    this.#calls = calls;
    this.#description = description;
    this.chats = chats;
  }

  /** The numbers of the model. */
  describe(): ModelDescription {
    return this.#description;
  }

  /** Sizes, and counts of all sessions together. */
  stats(): Promise<ModelStats> {
    return this.#calls.ask({ call: 'stats' });
  }

  /** A new conversation. @throws {MemoryError} when its state does not fit */
  async session(options: SessionOptions = {}): Promise<WorkerSession> {
    const id = await this.#calls.ask<number>({ call: 'session', options });
    return { id, dispose: () => this.#calls.ask<void>({ call: 'end session', session: id }) };
  }

  /**
   * Generates text, as `Model.generate`. The worker computes a few tokens ahead of who reads; `break` and an abort end it.
   * `onSpikes` is called as the worker comes to a token, and so before the token is read here.
   * @throws as `Model.generate`; {SessionError} `WORKER_DIED`, `DISPOSED`
   * @example
   * for await (const { text } of model.generate('Once upon a time', { signal })) write(text);
   */
  generate(
    prompt: string | readonly number[],
    { signal, session, ...options }: WorkerGenerateOptions = {},
  ): AsyncGenerator<GenerateChunk, void> {
    const { hooks, rest } = parted(options);
    const more = { ...rest, session: session?.id };
    return this.#calls.stream({ call: 'generate', input: prompt, options: more }, signal, hooks);
  }

  /** Renders messages by the model's chat template and generates the answer. @throws {TemplateError} and as `generate` */
  chat(
    messages: readonly ChatMessage[],
    { signal, session, ...options }: WorkerGenerateOptions & ChatOptions & AnswerOptions = {},
  ): AsyncGenerator<GenerateChunk, void> {
    const { hooks, rest } = parted(options);
    const more = { ...rest, session: session?.id };
    return this.#calls.stream({ call: 'chat', input: messages, options: more }, signal, hooks);
  }

  /** Classifies a text, a pair of texts, or ids. @throws as `Model.classify` */
  classify(input: ClassifyInput, { signal, ...options }: ClassifyOptions = {}): Promise<Classification> {
    const { hooks, rest } = parted(options);
    return this.#calls.ask({ call: 'classify', input, options: rest }, signal, { hooks });
  }

  /** A vector for a text, or one for each of several. @throws as `Model.embed` */
  embed(text: string, options?: EmbedOptions): Promise<Float32Array>;
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  embed(
    input: string | readonly string[],
    { signal, ...options }: EmbedOptions = {},
  ): Promise<Float32Array | Float32Array[]> {
    return this.#calls.ask({ call: 'embed', input, options }, signal);
  }

  /** Ids of a text. @throws {TokenizerError} */
  encode(text: string, options: EncodeOptions = {}): Promise<number[]> {
    return this.#calls.ask({ call: 'encode', input: text, options });
  }

  /** The text of ids. @throws {TokenizerError} */
  decode(ids: readonly number[], options: DecodeOptions = {}): Promise<string> {
    return this.#calls.ask({ call: 'decode', input: ids, options });
  }

  /** Ends the worker, and with it every call and session. Harmless when called twice. */
  dispose(): void {
    this.#calls.end(new SessionError('DISPOSED', 'this model was disposed of; open it again'));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
    return Promise.resolve();
  }
}
