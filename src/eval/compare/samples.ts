/**
 * What two generators write after the same prompts with the same seeds, and where they part.
 * @module
 */
import type { Model } from '../../model/model.ts';
import { step, type Work } from './journal.ts';

/** What one side wrote. */
export interface Written {
  readonly text: string;
  /** Null of a server, whose ids are not known. */
  readonly ids: readonly number[] | null;
}

/** A prompt, and how both continue it. */
export interface Sample {
  readonly prompt: string;
  readonly temperature: number;
  readonly seed: number;
  readonly a: Written;
  readonly b: Written;
  /** The first place where they differ; null where one is the other, or its beginning. */
  readonly firstDifference: {
    /** Among the ids; null where one side has none. */
    readonly token: number | null;
    /** Among the UTF-16 units of the texts. */
    readonly character: number;
  } | null;
}

export interface Drawing {
  readonly temperature: number;
  readonly seed: number;
  readonly maxTokens: number;
}

/** Continues a text. */
export type Writer = (prompt: string, drawing: Drawing, signal?: AbortSignal) => Promise<Written>;

/** Characters of a prompt. */
const PROMPT_CHARACTERS = 60;
/** The temperature of the samples that are drawn: that of most examples. */
const TEMPERATURE = 0.8;

/** A model that runs here. */
export function localWriter(model: Model): Writer {
  return async (prompt, { maxTokens, ...drawing }, signal) => {
    const ids: number[] = [];
    let text = '';
    using session = model.session();
    // in a short context the answer has half of it at most, and the prompt is cut to the rest
    const most = Math.min(maxTokens, Math.max(1, session.contextLength >> 1));
    const encoded = model.promptIds(prompt).slice(0, session.contextLength - most);
    const options = { ...drawing, maxTokens: most, session, signal };
    for await (const chunk of model.generate(encoded, options)) {
      if (chunk.id !== null) ids.push(chunk.id);
      text += chunk.text;
    }
    return { text, ids };
  };
}

/** Beginnings of sentences, spread over a text. */
export function promptsOf(text: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const about = Math.floor((i * text.length) / Math.max(1, count));
    const start = i === 0 ? 0 : about + Math.max(0, text.slice(about).search(/(?<=[.!?]\s)\S|\n\S/));
    const rest = text.slice(start, start + 2 * PROMPT_CHARACTERS).trimStart();
    const words = rest.slice(0, PROMPT_CHARACTERS).replace(/\s+\S*$/, '');
    return (words === '' ? rest.slice(0, PROMPT_CHARACTERS) : words).trim();
  }).filter((prompt, i, all) => prompt !== '' && all.indexOf(prompt) === i);
}

/** Greedy texts of every prompt, then one drawn with each prompt's own seed. */
export async function compareSamples(
  a: Writer,
  b: Writer,
  prompts: readonly string[],
  maxTokens: number,
  work: Work,
): Promise<Sample[]> {
  const drawings = prompts.flatMap((prompt, i) => [
    { prompt, temperature: 0, seed: 0 },
    { prompt, temperature: TEMPERATURE, seed: i + 1 },
  ]).sort((x, y) => x.temperature - y.temperature);
  const samples: Sample[] = [];
  for (const [i, { prompt, ...drawing }] of drawings.entries()) {
    samples.push(
      await step(work, 'text', i, async () => {
        const left = await a(prompt, { ...drawing, maxTokens }, work.signal);
        const right = await b(prompt, { ...drawing, maxTokens }, work.signal);
        return { prompt, ...drawing, a: left, b: right, firstDifference: difference(left, right) };
      }),
    );
    await work.onProgress?.({ phase: 'samples', done: i + 1, total: drawings.length, note: '' });
  }
  return samples;
}

function difference(a: Written, b: Written): Sample['firstDifference'] {
  const character = firstOf(a.text, b.text);
  if (character === null) return null;
  return { token: a.ids && b.ids && firstOf(a.ids, b.ids), character };
}

/** The first place at which both have something else. */
function firstOf(a: ArrayLike<unknown>, b: ArrayLike<unknown>): number | null {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return i;
  return null;
}
