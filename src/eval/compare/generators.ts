/**
 * Two models with one vocabulary over one text, token by token, by the protocol of `perplexity`: likelihoods, and how far
 * apart the distributions are. Both read a window in short pieces in turns, so that their logits are never held whole.
 * @module
 */
import type { Model } from '../../model/model.ts';
import type { Tokenizer } from '../../tokenizer/tokenizer.ts';
import { OptionError } from '../../errors.ts';
import { clusteredError } from '../clusters.ts';
import { scoredIds } from '../perplexity.ts';
import { step, type Work } from './journal.ts';
import { exp } from './portable-math.ts';
import { distribution, divergence, overlap, surprise } from './rows.ts';
import {
  type Interval,
  type Mean,
  meanOf,
  percentiles,
  type PerplexityPair,
  perplexityPair,
  wilson,
} from './statistics.ts';

/** Bytes of logits that a side may have in memory at a time; a row of the largest vocabulary takes 4 MiB. */
const ROW_BYTES = 16 << 20;
/** Rows at a time: reading in smaller pieces than a batch would cost speed. */
const MOST_ROWS = 64;

/** The scored tokens of one window. Entries of a list belong to the same tokens. */
export interface PairedWindow {
  readonly nllA: readonly number[];
  readonly nllB: readonly number[];
  /** KL(A‖B); null where one side gives no whole distributions. */
  readonly kl: readonly number[] | null;
  /** 1 where both rank the same token first. */
  readonly same: readonly number[];
  /** Share of the five likeliest tokens that both have; null as `kl`. */
  readonly overlap: readonly number[] | null;
  /** UTF-8 bytes of the scored tokens. */
  readonly bytes: number;
}

/** Scores one window: its ids, bos first, and the first id whose successor is scored. */
export type WindowScorer = (ids: readonly number[], first: number, signal?: AbortSignal) => Promise<PairedWindow>;

/** Percentiles that llama.cpp prints of divergences, by their names. */
const PERCENTILES = ['0.1', '1', '5', '10', '50', '90', '95', '99', '99.9'] as const;

/** A spread of values, one for each token. */
export interface Spread extends Mean {
  readonly min: number;
  readonly max: number;
  readonly percentiles: Readonly<Record<string, number>>;
}

/** A bar of a histogram: values from `from` on and below `to`. */
export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export interface PairedQuality {
  readonly perplexity: PerplexityPair & {
    /** Standard error of `lnRatio` with windows instead of tokens as what is independent. */
    readonly errorByWindow: number;
  };
  readonly bitsPerByte: { readonly a: number; readonly b: number; readonly difference: number; readonly error: number };
  readonly kl: Spread & { readonly histogram: readonly Bin[] } | null;
  /** Probability of the text's token: B's minus A's. */
  readonly deltaP: Spread & { readonly rms: number };
  /** Share of tokens that both rank first, and its Wilson interval. */
  readonly sameTop1: number;
  readonly sameTop1Interval: Interval;
  readonly top5Overlap: number | null;
  /** Along the text: means over the scored tokens of each window. */
  readonly windows: readonly {
    readonly tokens: number;
    readonly nllA: number;
    readonly nllB: number;
    readonly kl: number | null;
  }[];
}

/** Whether ids mean the same to both. */
export function sameVocabulary(a: Tokenizer, b: Tokenizer): boolean {
  if (a === b) return true;
  if (a.vocabSize !== b.vocabSize || a.addBos !== b.addBos || a.specials.bos !== b.specials.bos) return false;
  for (let id = 0; id < a.vocabSize; id++) if (a.piece(id) !== b.piece(id)) return false;
  return true;
}

/** Windows of two models that run here. */
export function localPair(a: Model, b: Model): WindowScorer {
  const [rowsA, rowsB] = [a.describe().vocab, b.describe().vocab];
  // rows beyond the vocabulary are padding; where the two pad differently, only what both have is compared
  const size = rowsA === rowsB ? rowsA : a.tokenizer.vocabSize;
  const rows = Math.max(1, Math.min(MOST_ROWS, Math.floor(ROW_BYTES / (4 * Math.max(rowsA, rowsB)))));
  return async (ids, first, signal) => {
    using sessionA = a.session();
    using sessionB = b.session();
    const read: { nllA: number[]; nllB: number[]; kl: number[]; same: number[]; overlap: number[] } = {
      nllA: [],
      nllB: [],
      kl: [],
      same: [],
      overlap: [],
    };
    const last = ids.length - 1; // nothing follows the last id
    for (const session of [sessionA, sessionB]) await session.logits(ids.slice(0, first), { signal }, first);
    for (let from = first; from < last; from += rows) {
      const piece = ids.slice(from, Math.min(from + rows, last));
      const [left, right] = [await sessionA.logits(piece, { signal }), await sessionB.logits(piece, { signal })];
      for (let i = 0; i < piece.length; i++) {
        const [p, q] = [distribution(left[i], size), distribution(right[i], size)];
        const next = ids[from + i + 1];
        read.nllA.push(surprise(p, next));
        read.nllB.push(surprise(q, next));
        read.kl.push(divergence(p, q));
        read.same.push(p.best === q.best ? 1 : 0);
        read.overlap.push(overlap(p, q));
      }
    }
    return { ...read, bytes: bytesOf(a.tokenizer, ids, first + 1) };
  };
}

/** UTF-8 bytes of the text of ids[from] on. */
export function bytesOf(tokenizer: Tokenizer, ids: readonly number[], from: number): number {
  let bytes = 0;
  for (const id of ids.slice(from)) if (id < tokenizer.vocabSize) bytes += tokenizer.pieceBytes(id).length;
  return bytes;
}

export interface PairedOptions extends Work {
  readonly contextLength: number;
  /** Windows at most; default all. */
  readonly chunks?: number;
}

/**
 * Scores a text window by window.
 * @param tokenizer that both understand
 * @throws {OptionError} `OPTION` for a text of fewer than two windows, or a number out of range
 */
export async function pairedWindows(
  tokenizer: Tokenizer,
  text: string,
  score: WindowScorer,
  options: PairedOptions,
): Promise<PairedWindow[]> {
  const { contextLength, signal, onProgress } = options;
  const { ids, bos } = scoredIds(tokenizer, text, contextLength);
  const total = Math.min(Math.floor(ids.length / contextLength), options.chunks ?? Infinity);
  const first = Math.floor(contextLength / 2);
  const windows: PairedWindow[] = [];
  let [sumA, sumB, tokens] = [0, 0, 0];
  for (let i = 0; i < total; i++) {
    const window = await step(options, 'window', i, () => {
      const own = ids.slice(i * contextLength, (i + 1) * contextLength);
      if (bos !== undefined) own[0] = bos;
      return score(own, first, signal);
    });
    windows.push(window);
    sumA += window.nllA.reduce((sum, x) => sum + x, 0);
    sumB += window.nllB.reduce((sum, x) => sum + x, 0);
    tokens += window.nllA.length;
    const values = { a: exp(sumA / tokens), b: exp(sumB / tokens) };
    const note = `perplexity ${values.a.toFixed(4)} against ${values.b.toFixed(4)}`;
    await onProgress?.({ phase: 'score', done: i + 1, total, note, figure: 'perplexity so far', values });
  }
  return windows;
}

/** What windows come to. @throws {OptionError} `OPTION` without a scored token */
export function pairedQuality(windows: readonly PairedWindow[]): PairedQuality {
  const [nllA, nllB] = [windows.flatMap((window) => window.nllA), windows.flatMap((window) => window.nllB)];
  const pair = perplexityPair(nllA, nllB);
  const kl = all(windows.map((window) => window.kl));
  const overlaps = all(windows.map((window) => window.overlap));
  const same = windows.flatMap((window) => window.same);
  const hits = same.reduce((sum, x) => sum + x, 0);
  const deltaP = nllA.map((x, i) => exp(-nllB[i]) - exp(-x));
  const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0);
  return {
    perplexity: {
      ...pair,
      errorByWindow: clusteredError(
        windows.map(({ nllA, nllB }) => sum(nllB) - sum(nllA) - nllA.length * pair.lnRatio),
        pair.tokens,
      ),
    },
    bitsPerByte: bitsPerByte(
      windows.map(({ nllA, nllB, bytes }) => ({ nllA: sum(nllA), nllB: sum(nllB), bytesA: bytes, bytesB: bytes })),
    ),
    kl: kl && { ...spread(kl), histogram: histogram(kl) },
    deltaP: { ...spread(deltaP), rms: Math.sqrt(sum(deltaP.map((x) => x * x)) / deltaP.length) },
    sameTop1: hits / same.length,
    sameTop1Interval: wilson(hits, same.length),
    top5Overlap: overlaps && sum(overlaps) / overlaps.length,
    windows: windows.map((window) => ({
      tokens: window.nllA.length,
      nllA: sum(window.nllA) / window.nllA.length,
      nllB: sum(window.nllB) / window.nllB.length,
      kl: window.kl && sum(window.kl) / window.kl.length,
    })),
  };
}

/** One list of all, or null where one is missing. */
function all(lists: readonly (readonly number[] | null)[]): number[] | null {
  return lists.includes(null) ? null : (lists as readonly (readonly number[])[]).flat();
}

function spread(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const found = percentiles(sorted, PERCENTILES.map((name) => Number(name) / 100));
  return {
    ...meanOf(values),
    min: sorted[0],
    max: sorted[sorted.length - 1],
    percentiles: Object.fromEntries(PERCENTILES.map((name, i) => [name, found[i]])),
  };
}

/** Two bars for each power of ten from 10⁻⁸ on; what lies below, zeros included, is in the first. */
function histogram(values: readonly number[]): Bin[] {
  const edges = [0];
  for (let power = -8; power <= 1; power++) edges.push(Number(`1e${power}`), Number(`3e${power}`));
  const bins = edges.map((from, i) => ({ from, to: edges[i + 1] ?? Infinity, count: 0 }));
  for (const value of values) {
    let at = bins.length - 1;
    while (value < bins[at].from) at--;
    bins[at].count++;
  }
  const used = bins.map(({ count }) => count > 0);
  return bins.slice(used.indexOf(true), used.lastIndexOf(true) + 1).map((bin) => ({
    ...bin,
    to: Number.isFinite(bin.to) ? bin.to : values.reduce((most, value) => Math.max(most, value), 0), // JSON has no infinity
  }));
}

/** Likelihoods of a stretch of text on both sides, and how many bytes of it each was asked for. */
export interface Stretch {
  readonly nllA: number;
  readonly nllB: number;
  readonly bytesA: number;
  readonly bytesB: number;
}

/** Bits per byte of both, and the error of their difference over stretches. */
export function bitsPerByte(stretches: readonly Stretch[]): PairedQuality['bitsPerByte'] {
  const total = (pick: (stretch: Stretch) => number): number => stretches.reduce((sum, s) => sum + pick(s), 0);
  const [bytesA, bytesB] = [total((s) => s.bytesA), total((s) => s.bytesB)];
  if (!(bytesA > 0 && bytesB > 0)) {
    throw new OptionError('OPTION', `${bytesA} and ${bytesB} bytes of text were scored; use a longer text`);
  }
  const [a, b] = [total((s) => s.nllA) / bytesA, total((s) => s.nllB) / bytesB]; // nats per byte
  const n = stretches.length;
  const squares = total(({ nllA, nllB, bytesA: ownA, bytesB: ownB }) => {
    const off = (nllB - b * ownB) / bytesB - (nllA - a * ownA) / bytesA;
    return off * off;
  });
  const bits = (nats: number): number => nats / Math.LN2;
  return {
    a: bits(a),
    b: bits(b),
    difference: bits(b) - bits(a),
    error: n > 1 ? bits(Math.sqrt((squares * n) / (n - 1))) : 0,
  };
}
