/**
 * The answer of a chat as it streams in: what is thought, what is said, and which tools are called. Tags may be cut anywhere;
 * what is no whole call stays text, so that nothing that a model wrote is lost.
 * @module
 */
import { callsOf, type RawCall, scanJson } from './calls.ts';
import type { ToolStyle } from './types.ts';

/** A part of an answer. */
export type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'reasoning'; readonly text: string }
  | { readonly kind: 'call'; readonly call: RawCall };

export interface ParserOptions {
  /** Tags around what is thought; null leaves them in the text. */
  readonly reasoning: Tags | null;
  /** Whether the answer begins inside of them, as the prompt opened them. */
  readonly thinking?: boolean;
  /** How calls of tools are written; null leaves them in the text. */
  readonly tools: ToolStyle | null;
}

/** A beginning and an end. */
export interface Tags {
  readonly open: string;
  readonly close: string;
}

/** What opens a call, and what ends it; null: the call itself says where it ends. */
const FORMS: Readonly<Record<ToolStyle, readonly { readonly open: string; readonly close: string | null }[]>> = {
  hermes: [{ open: '<tool_call>', close: '</tool_call>' }],
  llama3: [{ open: '<|python_tag|>', close: null }, { open: '<function=', close: '</function>' }],
  mistral: [{ open: '[TOOL_CALLS]', close: null }],
};

type Mode = 'begin' | 'text' | 'reasoning' | 'call' | 'json';

/**
 * @example
 * const parser = new AnswerParser({ reasoning: { open: '<think>', close: '</think>' }, tools: 'hermes' });
 * [...parser.push('<think>hm</thi'), ...parser.push('nk>Hello'), ...parser.finish()];
 */
export class AnswerParser {
  readonly #reasoning: Tags | null;
  readonly #tools: ToolStyle | null;
  #mode: Mode;
  /** Text that is not yet certain. */
  #held = '';
  /** What opened the call that is being read, and what closes it. */
  #form: { readonly open: string; readonly close: string | null } = { open: '', close: null };
  /** White space at the edge of a section, which is given out where text follows. */
  #space = '';
  #spoke = false;
  /** Whether what was thought, or a call, came before, whose line ends are no text. */
  #trim = false;
  /** Whether a call came just before. */
  #called = false;

  constructor({ reasoning, thinking = false, tools }: ParserOptions) {
    this.#reasoning = reasoning;
    this.#tools = tools;
    this.#mode = thinking && reasoning ? 'reasoning' : 'begin';
    this.#trim = this.#mode === 'reasoning';
  }

  /** Whether what comes now is thought. */
  get thinking(): boolean {
    return this.#mode === 'reasoning';
  }

  /** Takes text; gives what is certain. */
  push(text: string): Part[] {
    this.#held += text;
    const parts: Part[] = [];
    while (this.#step(parts, false));
    return merged(parts);
  }

  /** What was held back, once no more comes. */
  finish(): Part[] {
    const parts: Part[] = [];
    while (this.#step(parts, true));
    if (this.#space !== '' && this.#mode !== 'reasoning') parts.push({ kind: 'text', text: this.#space });
    this.#space = '';
    return merged(parts);
  }

  /** One step; false where nothing more is certain. */
  #step(parts: Part[], end: boolean): boolean {
    if (this.#held === '') return false;
    if (this.#mode === 'begin') return this.#begin(end);
    if (this.#mode === 'reasoning') return this.#think(parts, end);
    if (this.#mode === 'call') return this.#call(parts, end);
    if (this.#mode === 'json') return this.#json(parts, end);
    return this.#text(parts, end);
  }

  /** The beginning of an answer: white space, then thoughts, or an answer that is a call as a whole, or one more after a semicolon. */
  #begin(end: boolean): boolean {
    const [before] = (this.#called ? /^\s*;?\s*/ : /^\s*/).exec(this.#held)!;
    const first = this.#held[before.length];
    if (first === undefined && !end) return false;
    this.#mode = this.#tools === 'llama3' && first === '{' ? 'json' : 'text';
    if (this.#mode === 'json' && this.#called) {
      this.#space = before; // comes back where it is no call
      this.#held = this.#held.slice(before.length);
    }
    return true;
  }

  #think(parts: Part[], end: boolean): boolean {
    const { open, close } = this.#reasoning!;
    // a prompt may open the thoughts, and the model once more
    if (this.#trim && (this.#held.trimStart().startsWith(open) || (!end && open.startsWith(this.#held.trimStart())))) {
      if (!this.#held.trimStart().startsWith(open)) return false;
      this.#held = this.#held.trimStart().slice(open.length);
      return true;
    }
    const at = this.#held.indexOf(close);
    const to = at >= 0 ? at : this.#held.length - (end ? 0 : pending(this.#held, [close]));
    const closed = at >= 0;
    let thought = this.#held.slice(0, to);
    this.#held = this.#held.slice(closed ? at + close.length : to);
    if (this.#trim) thought = thought.trimStart();
    if (thought !== '') this.#trim = false;
    thought = this.#space + thought;
    this.#space = thought.slice(thought.trimEnd().length);
    thought = thought.trimEnd();
    if (thought !== '') parts.push({ kind: 'reasoning', text: thought });
    if (!closed) return false;
    this.#space = '';
    this.#trim = true;
    this.#mode = 'begin';
    return this.#held !== '';
  }

  #text(parts: Part[], end: boolean): boolean {
    const forms = this.#tools ? FORMS[this.#tools] : [];
    const opens = [
      ...forms.map(({ open }) => open),
      ...(this.#reasoning && !this.#spoke ? [this.#reasoning.open] : []),
    ];
    let at = -1;
    let tag = '';
    for (const open of opens) {
      const found = this.#held.indexOf(open);
      if (found >= 0 && (at < 0 || found < at)) [at, tag] = [found, open];
    }
    // thoughts come before all text
    if (tag !== '' && tag === this.#reasoning?.open && this.#held.slice(0, at).trim() !== '') {
      this.#say(parts, this.#held.slice(0, at + tag.length));
      this.#held = this.#held.slice(at + tag.length);
      return true;
    }
    const to = at >= 0 ? at : this.#held.length - (end ? 0 : pending(this.#held, opens));
    this.#say(parts, this.#held.slice(0, to));
    this.#held = this.#held.slice(to);
    if (at < 0) return false;
    if (tag === this.#reasoning?.open) {
      this.#held = this.#held.slice(tag.length);
      this.#space = '';
      this.#mode = 'reasoning';
      this.#trim = true;
      return true;
    }
    this.#form = forms.find(({ open }) => open === tag)!;
    this.#mode = 'call';
    return true;
  }

  /** Gives out text; white space at its end waits for more, as before a call it is none. */
  #say(parts: Part[], said: string): void {
    let text = this.#trim ? said.trimStart() : said;
    if (text === '') return;
    this.#trim = false;
    text = this.#space + text;
    const plain = this.#tools === null ? text : text.trimEnd();
    this.#space = text.slice(plain.length);
    if (plain === '') return;
    this.#spoke = true;
    parts.push({ kind: 'text', text: plain });
  }

  /** A call that a tag opened: whole, or text after all. */
  #call(parts: Part[], end: boolean): boolean {
    const { open, close } = this.#form;
    const from = this.#held.slice(open.length);
    const length = close === null ? scanJson(from, this.#tools!) : from.indexOf(close);
    if (length < 0 && !end) return false;
    const inner = length < 0 ? from : from.slice(0, length);
    const calls = callsOf(open === '<function=' ? open + inner : inner, this.#tools!);
    const took = open.length + (length < 0 ? from.length : length + (close?.length ?? 0));
    return this.#close(parts, calls, took);
  }

  /** An answer that begins with a brace: calls, or text after all. */
  #json(parts: Part[], end: boolean): boolean {
    const length = scanJson(this.#held, 'llama3');
    if (length < 0 && !end && mayBeCall(this.#held)) return false;
    const inner = length < 0 ? this.#held : this.#held.slice(0, length);
    const calls = length < 0 && !end ? null : callsOf(inner, 'llama3');
    return this.#close(parts, calls, calls ? inner.length : 0);
  }

  #close(parts: Part[], calls: readonly RawCall[] | null, took: number): boolean {
    this.#mode = 'text';
    if (!calls) {
      this.#called = false;
      this.#say(parts, this.#held.slice(0, took));
      this.#held = this.#held.slice(took);
      return true;
    }
    this.#held = this.#held.slice(took);
    this.#mode = 'begin';
    this.#called = true;
    for (const call of calls) parts.push({ kind: 'call', call });
    this.#space = '';
    this.#trim = true;
    return true;
  }
}

/** Characters at the end that may become one of some tags; the most, if several. */
function pending(text: string, tags: readonly string[]): number {
  const longest = tags.reduce((most, tag) => Math.max(most, tag.length), 0);
  for (let n = Math.min(longest - 1, text.length); n > 0; n--) {
    const tail = text.slice(text.length - n);
    if (tags.some((tag) => tag.startsWith(tail))) return n;
  }
  return 0;
}

/** Whether text that begins with a brace may still be a call: its first key is one of a call's. */
function mayBeCall(text: string): boolean {
  const [, key, closed] = /^\s*\{\s*(?:"([^"]*)("?))?/.exec(text) ?? [];
  const rest = text.replace(/^\s*\{\s*/, '');
  if (rest === '') return true;
  if (key === undefined) return false;
  const keys = ['name', 'type', 'function', 'parameters', 'arguments', 'id'];
  return closed ? keys.includes(key) : keys.some((known) => known.startsWith(key));
}

/** Neighbours of one kind as one. */
function merged(parts: readonly Part[]): Part[] {
  const all: Part[] = [];
  for (const part of parts) {
    const last = all[all.length - 1];
    if (part.kind !== 'call' && last?.kind === part.kind) {
      all[all.length - 1] = { ...part, text: last.text + part.text };
    } else all.push(part);
  }
  return all;
}
