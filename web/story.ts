/**
 * A text as it is written: tokens that light their columns of the raster, and columns that light their tokens.
 * @module
 */
import type { GenerateChunk, GenerateUsage, OnSpikes, PrefillProgress } from '../src/entries/index.ts';
import { h, quoted } from './dom.ts';
import type { OpenModel } from './models.ts';
import type { Pace } from './pace.ts';
import { Raster } from './raster.ts';
import type { Sampling } from './sampling.ts';
import { Speed } from './speed.ts';

/** Prompts of more tokens are shown as one piece. */
const MOST_PROMPT_PIECES = 96;

/** What is written on from: a text, or the messages of a chat. */
export type Input = string | readonly { readonly role: string; readonly content: string }[];

export interface StoryOptions {
  readonly pace: Pace;
  /** Something has changed that the figures show. */
  onTick(): void;
}

/** A token of prompt or answer. */
interface Token {
  readonly text: string;
  readonly span: HTMLElement;
}

export class Story {
  /** The text. */
  readonly element: HTMLElement = h('div', { class: 'story' });
  /** The same for screen readers, sentence by sentence. */
  readonly spoken: HTMLElement = h('div', { class: 'sr', 'aria-live': 'polite' });
  readonly canvas: HTMLCanvasElement = h('canvas', {
    class: 'raster',
    'aria-label': 'Spikes: a column for each token',
  });
  /** The column that is looked at, in words. */
  readonly note: HTMLElement = h('span', { class: 'soft' });
  readonly raster: Raster;
  readonly speed: Speed = new Speed();
  /** Ids of the answer, and what each of them says. */
  ids: number[] = [];
  texts: string[] = [];
  usage: GenerateUsage | null = null;
  readonly #options: StoryOptions;
  #tokens: Token[] = [];
  #prompt = 0;
  #columns = new Map<number, Uint8Array[]>();
  #unspoken = '';
  #lit: HTMLElement | null = null;

  constructor(options: StoryOptions) {
    this.#options = options;
    this.raster = new Raster(this.canvas, {
      unit: 'token',
      label: (column) => this.#tokens[column] ? ` ${quoted(this.#tokens[column].text)}` : '',
      onCursor: (column) => this.#light(column),
    });
    const indexOf = (event: Event): number | null => {
      const { at } = (event.target as HTMLElement).dataset ?? {};
      return at === undefined ? null : Number(at);
    };
    this.element.addEventListener('pointerover', (event) => this.raster.look(indexOf(event)));
    this.element.addEventListener('pointerleave', () => this.raster.look(null));
  }

  /** Whether a token has been shown. */
  get begun(): boolean {
    return this.ids.length > 0;
  }

  /** Empties it. */
  clear(): void {
    this.element.replaceChildren();
    this.ids = [];
    this.texts = [];
    this.#tokens = [];
    this.#columns.clear();
    this.#unspoken = '';
    this.#prompt = 0;
    this.usage = null;
    this.speed.reset();
  }

  /**
   * Writes on from the input, token by token. @returns the whole answer
   * @throws as `generate` and `chat`; the signal's reason
   */
  async tell({ model, layers }: OpenModel, input: Input, sampling: Sampling, signal: AbortSignal): Promise<string> {
    const chat = typeof input !== 'string';
    this.clear();
    const turns = chat ? input.map(({ role, content }) => turn(role, content)) : [];
    const into = chat ? turn('assistant', '') : this.element;
    this.element.append(...turns, ...(chat ? [into] : []));
    const prompt = chat ? [] : await this.#promptPieces(model, input);
    signal.throwIfAborted();
    if (!chat) {
      const holder = h('span', { class: 'prompt' });
      into.append(holder);
      for (const text of prompt) this.#add(text, holder);
      this.#prompt = this.#tokens.length;
    }
    this.raster.reset(layers, this.#prompt + sampling.maxTokens);
    this.canvas.hidden = layers.length === 0;
    this.element.classList.add('live');
    const { pace, onTick } = this.#options;
    try {
      let read = 0;
      const onPrefill = ({ total }: PrefillProgress): void => void (read = total);
      const options = { ...sampling, signal, onPrefill, ...(layers.length > 0 && { onSpikes: this.#see }) };
      const chunks: AsyncIterable<GenerateChunk> = chat ? model.chat(input, options) : model.generate(input, options);
      for await (const { id, text, usage } of chunks) {
        if (id !== null) {
          await pace.turn(signal);
          this.speed.tick();
          this.ids.push(id);
          this.texts.push(text);
          if (chat && this.#tokens.length === 0) this.#skip(read);
        } else if (usage) {
          this.usage = usage;
          this.speed.end(usage);
        }
        if (id !== null || text !== '') this.#add(text, into, id === null);
        this.#show();
        onTick();
      }
    } finally {
      this.element.classList.remove('live');
      this.#speak(true);
      onTick();
    }
    return this.texts.join('');
  }

  /** Marks a token of the answer, and no other. */
  mark(at: number): void {
    this.element.querySelector('.differs')?.classList.remove('differs');
    this.#tokens[this.#prompt + at]?.span.classList.add('differs');
  }

  /** The prompt as the model sees it, piece by piece; the first may be a token without text. */
  async #promptPieces(model: OpenModel['model'], prompt: string): Promise<string[]> {
    const ids = await model.encode(prompt, { special: true });
    if (ids.length > MOST_PROMPT_PIECES) return [...ids.slice(1).map(() => ''), prompt];
    const ends = await Promise.all(ids.map((_, i) => model.decode(ids.slice(0, i + 1))));
    return ends.map((text, i) => text.slice(ends[i - 1]?.length ?? 0));
  }

  /** Tokens of a chat's prompt have columns, and no text of their own. */
  #skip(tokens: number): void {
    this.#prompt = tokens;
    for (let i = 0; i < tokens; i++) this.#tokens.push({ text: '', span: h('span') });
  }

  readonly #see: OnSpikes = (layer, fired, at) => {
    let column = this.#columns.get(at);
    if (!column) this.#columns.set(at, column = []);
    column[layer] = fired.slice();
    if (layer === this.raster.layers.length - 1) this.#show();
  };

  /** Columns of the tokens that are shown; those computed ahead wait. */
  #show(): void {
    for (;;) {
      const column = this.#columns.get(this.raster.count);
      if (!column || column.length < this.raster.layers.length || this.raster.count >= this.#tokens.length) return;
      this.#columns.delete(this.raster.count);
      this.raster.push(column);
    }
  }

  #add(text: string, into: HTMLElement, last = false): void {
    const span = h('span', { class: 't' }, text);
    if (!last) {
      span.dataset.at = String(this.#tokens.length);
      this.#tokens.push({ text, span });
    }
    into.append(span);
    if (into.className !== 'prompt') {
      this.#unspoken += text;
      this.#speak(false);
    }
  }

  #speak(all: boolean): void {
    if (this.#unspoken.trim() === '' || !(all || /[.!?…]["”’]?\s*$/.test(this.#unspoken))) return;
    this.spoken.replaceChildren(h('p', {}, this.#unspoken.trim()));
    this.#unspoken = '';
  }

  #light(column: number | null): void {
    this.#lit?.classList.remove('on');
    this.#lit = column === null ? null : this.#tokens[column]?.span ?? null;
    this.#lit?.classList.add('on');
    this.note.textContent = column === null ? '' : this.raster.describe(column);
  }
}

function turn(role: string, content: string): HTMLElement {
  return h('div', { class: 'turn' }, h('b', {}, role === 'user' ? 'You' : 'Model'), h('span', {}, content));
}
