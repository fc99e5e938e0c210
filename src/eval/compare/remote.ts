/**
 * A model of a server that speaks OpenAI's completions: likelihoods of a given text by `echo` and `logprobs`. Such a server
 * gives the probability of each token and a few of the likeliest, never a whole distribution.
 * @module
 */
import { IoError } from '../../errors.ts';
import { MAX_REMOTE_BYTES } from '../../limits.ts';
import type { Model } from '../../model/model.ts';
import type { Tokenizer } from '../../tokenizer/tokenizer.ts';
import { bytesOf, type WindowScorer } from './generators.ts';
import type { PieceScorer } from './pieces.ts';
import { distribution, surprise } from './rows.ts';
import type { Writer } from './samples.ts';
import type { Runner } from './speed.ts';

/** Seconds that a server may take for one answer. */
const ANSWER_SECONDS = 300;
/** Rows of logits of the local side at a time. */
const ROWS = 16;
/** Share of a window's tokens whose texts must be those of the local vocabulary for it to count as the same. */
const SAME_VOCABULARY = 0.9;

/** Where a server is. */
export interface RemoteOptions {
  /** Up to and with `/v1`. */
  readonly url: string;
  /** Default: the first that the server lists. */
  readonly model?: string;
  /** Sent as a bearer token. */
  readonly key?: string;
}

/** Likelihoods of a prompt as a server sees them. */
interface Echo {
  readonly tokens: readonly string[];
  /** Null of the first token, and where the server gives none. */
  readonly logprobs: readonly (number | null)[];
  /** The likeliest token of each place; null where it is not known. */
  readonly best: readonly (string | null)[];
  /** Where each token begins in the text. */
  readonly offsets: readonly number[] | null;
}

/** A server, and the model of it that is asked. */
export class Remote {
  readonly url: string;
  readonly #key: string | undefined;
  #model: string | undefined;

  constructor({ url, model, key }: RemoteOptions) {
    this.url = url.replace(/\/+$/, '');
    this.#model = model;
    this.#key = key;
  }

  /** The name of the model. @throws {IoError} `HTTP` */
  async model(signal?: AbortSignal): Promise<string> {
    if (this.#model !== undefined) return this.#model;
    const answer = await this.#call('GET', 'models', undefined, signal);
    const id = ((answer as { data?: { id?: unknown }[] }).data ?? [])[0]?.id;
    if (typeof id !== 'string') throw this.#wrong('models', 'lists no model; name one');
    return (this.#model = id);
  }

  /** @param prompt text, or ids of the server's own vocabulary @throws {IoError} `HTTP` */
  async echo(prompt: string | readonly number[], signal?: AbortSignal): Promise<Echo> {
    // one token more than is wanted: not every server takes 0
    const body = { prompt, echo: true, logprobs: 5, max_tokens: 1, temperature: 0 };
    const answer = await this.#complete(body, signal);
    const found = (answer as { choices?: { logprobs?: Record<string, unknown> }[] }).choices?.[0]?.logprobs;
    const { tokens, token_logprobs: logprobs, top_logprobs: top, text_offset: offsets } = found ?? {};
    const strings = Array.isArray(tokens) && tokens.every((token) => typeof token === 'string');
    const numbers = Array.isArray(logprobs) &&
      logprobs.every((x) => x === null || (typeof x === 'number' && Number.isFinite(x)));
    if (!strings || !numbers || tokens.length !== logprobs.length || tokens.length < 2) {
      throw this.#wrong('completions', 'gave no logprobs of the prompt; it has to support echo and logprobs');
    }
    const length = typeof prompt === 'string'
      ? this.#promptTokens(offsets, prompt.length, tokens.length)
      : prompt.length;
    return {
      tokens: (tokens as string[]).slice(0, length),
      logprobs: (logprobs as (number | null)[]).slice(0, length),
      best: Array.from({ length }, (_, i) => bestOf(Array.isArray(top) ? top[i] : null)),
      offsets: Array.isArray(offsets) ? (offsets as number[]).slice(0, length) : null,
    };
  }

  #promptTokens(offsets: unknown, characters: number, count: number): number {
    if (!Array.isArray(offsets)) return count - 1;
    const at = offsets.findIndex((offset) => Number(offset) >= characters);
    return at < 0 ? count : at;
  }

  /** A whole answer. */
  async text(prompt: string, options: object, signal?: AbortSignal): Promise<string> {
    const answer = await this.#complete({ prompt, ...options }, signal);
    const text = (answer as { choices?: { text?: unknown }[] }).choices?.[0]?.text;
    if (typeof text !== 'string') throw this.#wrong('completions', 'answered without a text');
    return text;
  }

  /** Times of the pieces of a streamed answer, in milliseconds after the request. */
  async times(prompt: string, tokens: number, signal?: AbortSignal): Promise<number[]> {
    const start = performance.now();
    const response = await this.#fetch('POST', 'completions', {
      model: await this.model(signal),
      prompt,
      max_tokens: tokens,
      temperature: 0,
      stream: true,
    }, signal);
    const times: number[] = [];
    let rest = '';
    let bytes = 0;
    const decoder = new TextDecoder();
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return times;
      bytes += value.length;
      if (bytes > MAX_REMOTE_BYTES) throw this.#wrong('completions', `streams more than ${MAX_REMOTE_BYTES} bytes`);
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line.startsWith('data:') && !line.includes('[DONE]')) times.push(performance.now() - start);
      }
    }
  }

  async #complete(body: object, signal?: AbortSignal): Promise<unknown> {
    return await this.#call('POST', 'completions', { model: await this.model(signal), ...body }, signal);
  }

  async #call(method: string, path: string, body: object | undefined, signal?: AbortSignal): Promise<unknown> {
    const response = await this.#fetch(method, path, body, signal);
    const text = await boundedText(response, () => this.#wrong(path, `answers more than ${MAX_REMOTE_BYTES} bytes`));
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw this.#wrong(path, 'answered no JSON', cause);
    }
  }

  async #fetch(method: string, path: string, body: object | undefined, signal?: AbortSignal): Promise<Response> {
    const late = AbortSignal.timeout(ANSWER_SECONDS * 1000);
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (this.#key !== undefined) headers.authorization = `Bearer ${this.#key}`;
    let response: Response;
    try {
      response = await fetch(`${this.url}/${path}`, {
        method,
        headers,
        body: body && JSON.stringify(body),
        redirect: 'error', // the key is for this server alone
        signal: signal ? AbortSignal.any([signal, late]) : late,
      });
    } catch (cause) {
      signal?.throwIfAborted();
      throw this.#wrong(path, `cannot be reached: ${String((cause as Error).message)}`, cause);
    }
    if (response.ok) return response;
    const text = await boundedText(response, () => this.#wrong(path, `answered ${response.status}`));
    throw this.#wrong(path, `answered ${response.status}: ${text.replace(/\s+/g, ' ').slice(0, 300)}`);
  }

  #wrong(path: string, what: string, cause?: unknown): IoError {
    return new IoError('HTTP', `${this.url}/${path} ${what}`, { cause });
  }
}

/** The body of an answer, as long as it is not too large. */
async function boundedText(response: Response, tooLarge: () => IoError): Promise<string> {
  const decoder = new TextDecoder();
  let [text, bytes] = ['', 0];
  const reader = response.body?.getReader();
  for (;;) {
    const { done, value } = await (reader?.read() ?? { done: true, value: undefined });
    if (done || !value) return text + decoder.decode();
    bytes += value.length;
    if (bytes > MAX_REMOTE_BYTES) {
      await reader?.cancel();
      throw tooLarge();
    }
    text += decoder.decode(value, { stream: true });
  }
}

function bestOf(top: unknown): string | null {
  if (top === null || typeof top !== 'object') return null;
  let [best, most]: [string | null, number] = [null, -Infinity];
  for (const [token, logprob] of Object.entries(top)) {
    if (typeof logprob === 'number' && logprob > most) [best, most] = [token, logprob];
  }
  return best;
}

/** How servers spell a token: as its text, as its piece, or byte by byte. */
function spells(tokenizer: Tokenizer, id: number, token: string): boolean {
  const bytes = tokenizer.pieceBytes(id);
  const escaped = `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
  const text = new TextDecoder().decode(bytes);
  // parts of characters all have the same text
  return (token === text && !text.includes('\ufffd')) || token === tokenizer.piece(id) || token === escaped;
}

/** Whether the server takes ids of this vocabulary, found out on a window of them. A refusal counts as no. */
export async function sharesVocabulary(
  remote: Remote,
  tokenizer: Tokenizer,
  ids: readonly number[],
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    const { tokens } = await remote.echo(ids, signal);
    if (tokens.length !== ids.length) return false;
    const same = ids.filter((id, i) => i > 0 && spells(tokenizer, id, tokens[i])).length;
    return same >= SAME_VOCABULARY * (ids.length - 1);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof IoError && / answered 4\d\d: /.test(error.message)) return false;
    throw error;
  }
}

/** Windows of a model that runs here and of a server with the same vocabulary. @param first whether the server is side A */
export function remotePair(local: Model, remote: Remote, first: boolean): WindowScorer {
  const { tokenizer } = local;
  return async (ids, from, signal) => {
    const echo = await remote.echo(ids, signal);
    const [here, there, same]: [number[], number[], number[]] = [[], [], []];
    using session = local.session();
    await session.logits(ids.slice(0, from), { signal }, from);
    for (let at = from; at < ids.length - 1; at += ROWS) {
      const piece = ids.slice(at, Math.min(at + ROWS, ids.length - 1));
      (await session.logits(piece, { signal })).forEach((row, i) => {
        const next = at + i + 1;
        const logprob = echo.logprobs[next];
        if (logprob === null || logprob === undefined) {
          throw new IoError('HTTP', `${remote.url}/completions gave no logprob of token ${next} of a window`);
        }
        const own = distribution(row);
        here.push(surprise(own, ids[next]));
        there.push(-logprob);
        const best = echo.best[next];
        same.push(best !== null && own.best < tokenizer.vocabSize && spells(tokenizer, own.best, best) ? 1 : 0);
      });
    }
    const [nllA, nllB] = first ? [there, here] : [here, there];
    return { nllA, nllB, kl: null, same, overlap: null, bytes: bytesOf(tokenizer, ids, from + 1) };
  };
}

/** Pieces of text as a server tokenises them. */
export function remotePieces(remote: Remote): PieceScorer {
  return async (text, signal) => {
    const { tokens, logprobs, offsets } = await remote.echo(text, signal);
    const score = { nll: 0, squares: 0, tokens: 0, bytes: 0 };
    const encoder = new TextEncoder();
    logprobs.forEach((logprob, i) => {
      if (logprob === null) return;
      score.nll -= logprob;
      score.squares += logprob * logprob;
      score.tokens++;
      const said = offsets ? text.slice(offsets[i], offsets[i + 1] ?? text.length) : tokens[i];
      score.bytes += encoder.encode(said).length;
    });
    return score;
  };
}

export function remoteWriter(remote: Remote): Writer {
  return async (prompt, { temperature, seed, maxTokens }, signal) => ({
    text: await remote.text(prompt, { temperature, seed, max_tokens: maxTokens }, signal),
    ids: null,
  });
}

/** The time to the first piece of a streamed answer, and between the others. */
export function remoteRunner(remote: Remote, prompt: string, tokens: number): Runner {
  return async (signal) => {
    const times = await remote.times(prompt, tokens, signal);
    const eachMs = times.slice(1).map((time, i) => time - times[i]);
    return { promptTokens: 0, firstMs: times[0] ?? NaN, eachMs, joules: null };
  };
}
