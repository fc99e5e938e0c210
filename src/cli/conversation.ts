/**
 * A conversation: messages, and a session that has read as much of them as can be kept from turn to turn.
 * @module
 */
import { OptionError, SessionError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import type { FinishReason, GenerateOptions, GenerateUsage } from '../model/types.ts';
import type { Session } from '../session/session.ts';
import type { ChatMessage } from '../tokenizer/template.ts';

/** Positions that an answer must have room for, or a quarter of a context that is small. */
const LEAST_ROOM = 64;

/** What one answer was. */
export interface Turn {
  readonly user: string;
  readonly text: string;
  readonly ids: readonly number[];
  readonly finishReason: FinishReason | 'aborted';
  readonly promptTokens: number;
  /** Of the prompt, those that the session had read before. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** Messages that were left out from now on, for the context was full. */
  readonly dropped: number;
  readonly usage?: GenerateUsage;
}

/** What a conversation is restored from. */
export interface Saved {
  readonly system?: string;
  readonly messages: readonly ChatMessage[];
  /** All ids so far, where the model continues text. */
  readonly ids?: readonly number[];
}

export class Conversation {
  readonly #model: Model;
  readonly #template: string | undefined;
  readonly #session: Session;
  /** What the session has read. */
  #held: number[] = [];
  /** Of a conversation without templates: all of it. */
  #text: number[] = [];
  #messages: ChatMessage[] = [];
  /** Goes before all messages, by the template. */
  system: string | undefined;

  constructor(model: Model, { system, template }: { readonly system?: string; readonly template?: string } = {}) {
    this.#model = model;
    this.#template = template;
    this.#session = model.session();
    this.system = system;
  }

  /** Whether the model has no template: it goes on with the text, whoever wrote it. */
  get plain(): boolean {
    const { chatTemplate, chatTemplates = {} } = this.#model.tokenizer;
    return this.#template === undefined && chatTemplate === undefined && Object.keys(chatTemplates).length === 0;
  }

  get messages(): readonly ChatMessage[] {
    return this.#messages;
  }

  /** Positions that are read, and that there are. */
  get positions(): { readonly held: number; readonly context: number } {
    return { held: this.#session.position, context: this.#session.contextLength };
  }

  /** Forgets all but the system message. */
  reset(): void {
    this.restore({ system: this.system, messages: [] });
  }

  /** What `restore` takes. */
  save(): Saved {
    return { system: this.system, messages: this.#messages, ...(this.plain && { ids: this.#text }) };
  }

  /** Goes on from there. What was read and fits is kept. */
  restore({ system, messages, ids = [] }: Saved): void {
    this.system = system;
    this.#messages = [...messages];
    this.#text = [...ids];
  }

  /**
   * Answers. An answer that is broken off stays as far as it came; a refusal leaves the conversation as it was.
   * @param see takes every piece of text
   * @throws what `Model.generate` and templates throw, but for the abort of `options.signal`
   */
  async say(user: string, options: GenerateOptions, see: (text: string) => Promise<void>): Promise<Turn> {
    const { plain } = this;
    const before = { messages: this.#messages, text: this.#text };
    const answer: number[] = [];
    let [text, finishReason]: [string, FinishReason | 'aborted'] = ['', 'aborted'];
    let usage: GenerateUsage | undefined;
    let [ids, cached, dropped]: [number[], number, number] = [[], 0, 0];
    try {
      this.#messages = [...before.messages, { role: 'user', content: user }];
      ({ ids, dropped } = plain ? this.#continued(user) : await this.#rendered(options.maxTokens));
      cached = this.#keep(ids);
      const chunks = this.#model.generate(ids, {
        ...options,
        session: this.#session,
        read: cached,
        ...(!plain && { joined: false }),
      });
      for await (const chunk of chunks) {
        if (chunk.id !== null) answer.push(chunk.id);
        text += chunk.text;
        await see(chunk.text);
        finishReason = chunk.finishReason ?? finishReason;
        usage = chunk.usage ?? usage;
      }
    } catch (error) {
      if (!options.signal?.aborted) {
        this.#messages = before.messages;
        this.#text = before.text;
        throw error;
      }
    } finally {
      this.#held = [...ids, ...answer].slice(0, this.#session.position);
    }
    this.#messages = [...this.#messages, { role: 'assistant', content: text }];
    if (plain) this.#text = [...ids, ...answer];
    const [promptTokens, completionTokens] = [ids.length, answer.length];
    const counts = { promptTokens, cachedTokens: cached, completionTokens, dropped };
    return { user, text, ids: answer, finishReason, ...counts, ...(usage && { usage }) };
  }

  /** Ids of all messages by the template; the oldest are left out while there is no room for an answer. */
  async #rendered(maxTokens: number | undefined): Promise<{ ids: number[]; dropped: number }> {
    const system: ChatMessage[] = this.system === undefined ? [] : [{ role: 'system', content: this.system }];
    for (let dropped = 0;; dropped += 2) {
      const ids = await this.#model.chatIds([...system, ...this.#messages], { template: this.#template });
      if (ids.length + this.#room(maxTokens) <= this.#session.contextLength) return { ids, dropped };
      if (this.#messages.length < 3) throw this.#full(ids.length);
      this.#messages = this.#messages.slice(2);
    }
  }

  /** Ids of all text and what comes after it; the older half is left out where there is no room. */
  #continued(text: string): { ids: number[]; dropped: number } {
    const { tokenizer } = this.#model;
    const first = this.#text.length === 0;
    const added = tokenizer.encode(first ? text : `\n${text}`, { special: first });
    const ids = [...this.#text, ...added];
    const most = this.#session.contextLength - this.#room(undefined);
    if (ids.length <= most) return { ids, dropped: 0 };
    if (added.length > most) throw this.#full(added.length);
    const dropped = this.#messages.length - 1;
    return { ids: ids.slice(-Math.max(added.length, most >> 1)), dropped };
  }

  #room(maxTokens: number | undefined): number {
    const { contextLength } = this.#session;
    return Math.max(1, maxTokens ?? Math.min(LEAST_ROOM, contextLength >> 2));
  }

  #full(tokens: number): SessionError {
    return new SessionError(
      'CONTEXT_OVERFLOW',
      `a message of ${tokens} tokens leaves no room for an answer in a context of ${this.#session.contextLength}; ` +
        'give a larger contextLength, or a shorter message',
      { mentions: ['contextLength'] },
    );
  }

  /** Brings the session to the beginning that it has in common with `ids`; returns how much of them it has read. */
  #keep(ids: readonly number[]): number {
    let same = 0;
    // the last id is read again: its logits are wanted
    while (same < this.#held.length && same < ids.length - 1 && this.#held[same] === ids[same]) same++;
    if (same === this.#session.position) return same;
    try {
      this.#session.rewind(same);
      return same;
    } catch (error) {
      // what was read cannot be forgotten in part
      if (!(error instanceof OptionError)) throw error;
      this.#session.reset();
      return 0;
    }
  }

  dispose(): void {
    this.#session.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
