/**
 * The output of a response: its items as they grow, and the events that tell of it.
 * @module
 */
import type { GenerateChunk } from '../model/model.ts';

/** An event without its number. */
export interface ResponseEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

interface Item {
  readonly id: string;
  readonly type: 'reasoning' | 'message' | 'function_call';
  text: string;
  readonly call?: { readonly id: string; readonly name: string; readonly arguments: string };
}

const newId = (kind: string): string => `${kind}_${crypto.randomUUID().replaceAll('-', '')}`;

export class ResponseOutput {
  readonly #items: Item[] = [];
  readonly #single: boolean;
  /** The item that still grows; always the last. */
  #open: Item | null = null;

  /** @param single whether one call of a tool is all that is wanted */
  constructor(single: boolean) {
    this.#single = single;
  }

  /** Takes what came. */
  take({ text, reasoning, toolCalls }: GenerateChunk): ResponseEvent[] {
    const events: ResponseEvent[] = [];
    if (reasoning) events.push(...this.#grow('reasoning', reasoning));
    if (text !== '') events.push(...this.#grow('message', text));
    for (const call of toolCalls ?? []) {
      if (this.#single && this.#items.some(({ type }) => type === 'function_call')) continue;
      events.push(...this.#close(), ...this.#called(call));
    }
    return events;
  }

  /** Ends what still grows; an answer without any item gets an empty message. */
  end(): ResponseEvent[] {
    const empty = this.#items.length === 0 ? this.#begin('message') : [];
    return [...empty, ...this.#close()];
  }

  /** All items. */
  items(): object[] {
    return this.#items.map((item) => shownItem(item, item === this.#open ? 'in_progress' : 'completed'));
  }

  #grow(type: 'reasoning' | 'message', delta: string): ResponseEvent[] {
    const events = this.#open?.type === type ? [] : [...this.#close(), ...this.#begin(type)];
    this.#open!.text += delta;
    const kind = type === 'message' ? 'response.output_text.delta' : 'response.reasoning_text.delta';
    return [...events, { type: kind, ...this.#where(), delta, ...(type === 'message' && { logprobs: [] }) }];
  }

  #begin(type: 'reasoning' | 'message'): ResponseEvent[] {
    const item: Item = { id: newId(type === 'message' ? 'msg' : 'rs'), type, text: '' };
    this.#items.push(item);
    this.#open = item;
    const added = { ...shownItem(item, 'in_progress'), content: [] };
    return [
      { type: 'response.output_item.added', output_index: this.#items.length - 1, item: added },
      { type: 'response.content_part.added', ...this.#where(), part: partOf(item) },
    ];
  }

  #close(): ResponseEvent[] {
    const item = this.#open;
    if (!item) return [];
    const where = this.#where();
    this.#open = null;
    const done = item.type === 'message'
      ? { type: 'response.output_text.done', ...where, text: item.text, logprobs: [] }
      : { type: 'response.reasoning_text.done', ...where, text: item.text };
    return [
      done,
      { type: 'response.content_part.done', ...where, part: partOf(item) },
      {
        type: 'response.output_item.done',
        output_index: this.#items.length - 1,
        item: shownItem(item, 'completed'),
      },
    ];
  }

  #called(call: NonNullable<Item['call']>): ResponseEvent[] {
    const item: Item = { id: newId('fc'), type: 'function_call', text: '', call };
    this.#items.push(item);
    const where = { item_id: item.id, output_index: this.#items.length - 1 };
    const { output_index } = where;
    const begun = { ...shownItem(item, 'in_progress'), arguments: '' };
    return [
      { type: 'response.output_item.added', output_index, item: begun },
      { type: 'response.function_call_arguments.delta', ...where, delta: call.arguments },
      { type: 'response.function_call_arguments.done', ...where, name: call.name, arguments: call.arguments },
      { type: 'response.output_item.done', output_index, item: shownItem(item, 'completed') },
    ];
  }

  #where(): { item_id: string; output_index: number; content_index: number } {
    return { item_id: this.#open!.id, output_index: this.#items.length - 1, content_index: 0 };
  }
}

function partOf({ type, text }: Item): object {
  return type === 'message'
    ? { type: 'output_text', text, annotations: [], logprobs: [] }
    : { type: 'reasoning_text', text };
}

function shownItem(item: Item, status: 'in_progress' | 'completed'): object {
  const { id, type, call } = item;
  if (call) return { id, type, status, call_id: call.id, name: call.name, arguments: call.arguments };
  if (type === 'reasoning') return { id, type, summary: [], content: [partOf(item)], status };
  return { id, type, status, role: 'assistant', content: [partOf(item)] };
}
