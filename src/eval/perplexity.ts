/**
 * Perplexity by the protocol of llama.cpp's `llama-perplexity`, so that figures can be compared: the text is cut into
 * windows of `contextLength` tokens; the first token of each is replaced by bos; the first half is context only; the
 * second half is scored. Windows are independent.
 * @module
 */
import { OptionError } from '../errors.ts';
import { clusteredError, type Interval, Z95 } from './clusters.ts';
import { CALL, checkOptions, type Rules, SIGNAL, whole } from '../options.ts';

/** What perplexity needs of a model. */
export interface Scorer {
  readonly tokenizer: {
    encode(text: string): number[];
    pieceBytes(id: number): Uint8Array;
    readonly addBos: boolean;
    readonly specials: { readonly bos?: number };
  };
  logits(ids: readonly number[], options: { signal?: AbortSignal; from?: number }): Promise<Float32Array[]>;
}

export interface PerplexityOptions {
  /** Tokens of a window. */
  readonly contextLength: number;
  /** Most windows; default all. */
  readonly chunks?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { chunk: number; chunks: number; ppl: number }) => void;
}

/** Which values are right. */
const PERPLEXITY_RULES: Rules<PerplexityOptions> = {
  contextLength: whole(4),
  chunks: whole(1),
  signal: SIGNAL,
  onProgress: CALL,
};

export interface PerplexityResult {
  /** e to the mean negative log-likelihood. */
  readonly ppl: number;
  /** Standard error of `ppl`. */
  readonly stderr: number;
  /** 95 % interval of `ppl` with windows instead of tokens as what is independent; of one window by `stderr`. */
  readonly interval: Interval;
  /** Tokens scored, and the bytes of text that they are. */
  readonly tokens: number;
  readonly bytes: number;
  /** Negative log-likelihood of all of them, in nats. */
  readonly nll: number;
  /** The same in bits for each byte of text: comparable between vocabularies. */
  readonly bitsPerByte: number;
  readonly chunks: number;
  /** Tokens of a window. */
  readonly contextLength: number;
  /** What each window had, in the order of the text: for statistics over them. */
  readonly windows: readonly WindowScore[];
}

/** One window. */
export interface WindowScore {
  readonly nll: number;
  readonly tokens: number;
  readonly bytes: number;
}

/**
 * The ids that are scored, and what every window begins with.
 * @throws {OptionError} `OPTION` when the text has fewer than two windows of tokens, or a number is out of range
 */
export function scoredIds(
  tokenizer: Scorer['tokenizer'],
  text: string,
  contextLength: number,
): { ids: number[]; bos: number | undefined } {
  const bos = tokenizer.addBos ? tokenizer.specials.bos : undefined;
  // once, with bos, and with special tokens in the text read as plain text: a corpus that spells "<unk>" means letters
  const ids = tokenizer.encode(text);
  if (bos !== undefined) ids.unshift(bos);
  if (ids.length < 2 * contextLength) {
    throw new OptionError(
      'OPTION',
      `the text has ${ids.length} tokens, at least ${2 * contextLength} are needed for windows of ${contextLength}; ` +
        'use a longer text or a smaller contextLength',
      { mentions: ['contextLength'] },
    );
  }
  return { ids, bos };
}

/**
 * @throws {OptionError} `OPTION` when the text has fewer than two windows of tokens, or a number is out of range
 * @example
 * const { ppl } = await perplexity(model, text, { contextLength: 256 });
 */
export async function perplexity(model: Scorer, text: string, options: PerplexityOptions): Promise<PerplexityResult> {
  checkOptions('perplexity', options, PERPLEXITY_RULES, ['contextLength']);
  const { contextLength, signal, onProgress } = options;
  const { ids, bos } = scoredIds(model.tokenizer, text, contextLength);
  const chunks = Math.min(Math.floor(ids.length / contextLength), options.chunks ?? Infinity);
  const first = Math.floor(contextLength / 2);
  const windows: WindowScore[] = [];
  let tokens = 0;
  let bytes = 0;
  let sum = 0;
  let squares = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const window = ids.slice(chunk * contextLength, (chunk + 1) * contextLength);
    if (bos !== undefined) window[0] = bos;
    const rows = await model.logits(window.slice(0, -1), { signal, from: first });
    const score = { nll: 0, tokens: rows.length, bytes: 0 };
    for (let i = 0; i < rows.length; i++) {
      const id = window[first + i + 1];
      const nll = negativeLogLikelihood(rows[i], id);
      score.nll += nll;
      score.bytes += model.tokenizer.pieceBytes(id).length;
      sum += nll;
      squares += nll * nll;
    }
    tokens += score.tokens;
    bytes += score.bytes;
    windows.push(score);
    onProgress?.({ chunk: chunk + 1, chunks, ppl: Math.exp(sum / tokens) });
  }
  const mean = sum / tokens;
  const variance = Math.max(0, squares / tokens - mean * mean);
  const ppl = Math.exp(mean);
  const stderr = tokens > 1 ? ppl * Math.sqrt(variance / (tokens - 1)) : 0;
  const bitsPerByte = sum / Math.LN2 / bytes;
  const error = windows.length > 1
    ? clusteredError(windows.map(({ nll, tokens: n }) => nll - n * mean), tokens)
    : stderr / ppl;
  const margin = Z95 * error;
  const interval = [Math.exp(mean - margin), Math.exp(mean + margin)] as const;
  return { ppl, stderr, interval, tokens, bytes, nll: sum, bitsPerByte, chunks, contextLength, windows };
}

/** −ln softmax(logits)[id], in doubles. */
export function negativeLogLikelihood(logits: Float32Array, id: number): number {
  let max = -Infinity;
  for (const logit of logits) if (logit > max) max = logit;
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - max);
  return max + Math.log(total) - logits[id];
}
