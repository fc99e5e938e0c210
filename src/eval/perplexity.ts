/**
 * Perplexity by the protocol of llama.cpp's `llama-perplexity`, so that figures can be compared: the text is cut into
 * windows of `contextLength` tokens; the first token of each is replaced by bos; the first half is context only; the
 * second half is scored. Windows are independent.
 * @module
 */
import { OptionError } from '../errors.ts';
import { clusteredError, type Interval, Z95 } from './clusters.ts';
import { CALL, checkOptions, OBJECT, type Rules, SIGNAL, whole } from '../options.ts';
import { inShard, type Shard } from './shard.ts';

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
  /** Only the windows of this shard; for `scoreWindows`. */
  readonly shard?: Shard;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { chunk: number; chunks: number; ppl: number }) => void;
}

/** Which values are right. */
const PERPLEXITY_RULES: Rules<PerplexityOptions> = {
  contextLength: whole(4),
  chunks: whole(1),
  shard: OBJECT,
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
  /** Sum of the squares of its tokens' negative log-likelihoods. */
  readonly squares: number;
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
export async function perplexity(
  model: Scorer,
  text: string,
  options: Omit<PerplexityOptions, 'shard'>,
): Promise<PerplexityResult> {
  const { scores } = await scoreWindows(model, text, options);
  return perplexityOf(scores.map(({ score }) => score), options.contextLength);
}

/**
 * Scores the windows of a text, or those that a shard has.
 * @throws as `perplexity`
 */
export async function scoreWindows(
  model: Scorer,
  text: string,
  options: PerplexityOptions,
): Promise<
  { readonly scores: readonly { readonly index: number; readonly score: WindowScore }[]; readonly total: number }
> {
  checkOptions('perplexity', options, PERPLEXITY_RULES, ['contextLength']);
  const { contextLength, shard, signal, onProgress } = options;
  const { ids, bos } = scoredIds(model.tokenizer, text, contextLength);
  const total = Math.min(Math.floor(ids.length / contextLength), options.chunks ?? Infinity);
  const mine = Array.from({ length: total }, (_, i) => i).filter((i) => inShard(shard, i));
  const first = Math.floor(contextLength / 2);
  const scores: { index: number; score: WindowScore }[] = [];
  let [sum, tokens] = [0, 0];
  for (const index of mine) {
    const window = ids.slice(index * contextLength, (index + 1) * contextLength);
    if (bos !== undefined) window[0] = bos;
    const rows = await model.logits(window.slice(0, -1), { signal, from: first });
    const score = { nll: 0, squares: 0, tokens: rows.length, bytes: 0 };
    for (let i = 0; i < rows.length; i++) {
      const id = window[first + i + 1];
      const nll = negativeLogLikelihood(rows[i], id);
      score.nll += nll;
      score.squares += nll * nll;
      score.bytes += model.tokenizer.pieceBytes(id).length;
    }
    sum += score.nll;
    tokens += score.tokens;
    scores.push({ index, score });
    onProgress?.({ chunk: scores.length, chunks: mine.length, ppl: Math.exp(sum / tokens) });
  }
  return { scores, total };
}

/** The perplexity of windows that were scored, here or on many machines: sums go window by window, in their order. */
export function perplexityOf(windows: readonly WindowScore[], contextLength: number): PerplexityResult {
  const total = (of: (window: WindowScore) => number): number => windows.reduce((sum, window) => sum + of(window), 0);
  const [nll, squares] = [total((window) => window.nll), total((window) => window.squares)];
  const [tokens, bytes] = [total((window) => window.tokens), total((window) => window.bytes)];
  const mean = nll / tokens;
  const variance = Math.max(0, squares / tokens - mean * mean);
  const ppl = Math.exp(mean);
  const stderr = tokens > 1 ? ppl * Math.sqrt(variance / (tokens - 1)) : 0;
  const bitsPerByte = nll / Math.LN2 / bytes;
  const error = windows.length > 1
    ? clusteredError(windows.map(({ nll, tokens: n }) => nll - n * mean), tokens)
    : stderr / ppl;
  const margin = Z95 * error;
  const interval = [Math.exp(mean - margin), Math.exp(mean + margin)] as const;
  return { ppl, stderr, interval, tokens, bytes, nll, bitsPerByte, chunks: windows.length, contextLength, windows };
}

/** −ln softmax(logits)[id], in doubles. */
export function negativeLogLikelihood(logits: Float32Array, id: number): number {
  let max = -Infinity;
  for (const logit of logits) if (logit > max) max = logit;
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - max);
  return max + Math.log(total) - logits[id];
}
