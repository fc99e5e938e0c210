/**
 * Two models over one text where a token of one is not a token of the other: the text is cut into pieces, each side reads
 * every piece by itself with its own vocabulary, and bits per byte are compared.
 * @module
 */
import type { Model } from '../../model/model.ts';
import { OptionError } from '../../errors.ts';
import { bitsPerByte, bytesOf, type PairedQuality } from './generators.ts';
import { step, type Work } from './journal.ts';
import { exp } from './portable-math.ts';
import { distribution, surprise } from './rows.ts';

/** What a side finds in a piece of text. */
export interface PieceScore {
  /** Sum over the scored tokens, in nats. */
  readonly nll: number;
  readonly squares: number;
  readonly tokens: number;
  /** UTF-8 bytes of the scored tokens. */
  readonly bytes: number;
}

/** Scores a piece of text. */
export type PieceScorer = (text: string, signal?: AbortSignal) => Promise<PieceScore>;

/** Characters of a piece for each position of the context: a token of English has four, and longer pieces are cut again. */
const CHARACTERS_PER_POSITION = 2;
/** Rows of logits at a time. */
const ROWS = 16;

export interface PieceQuality {
  readonly perplexity: {
    readonly a: number;
    readonly b: number;
    readonly aError: number;
    readonly bError: number;
    /** Tokens differ, so that perplexities cannot be set against each other. */
    readonly lnRatio: null;
    readonly error: null;
    readonly tokensA: number;
    readonly tokensB: number;
  };
  readonly bitsPerByte: PairedQuality['bitsPerByte'];
  readonly windows: readonly {
    readonly tokens: number;
    readonly nllA: number;
    readonly nllB: number;
    readonly kl: null;
  }[];
}

/** A model that runs here. With a bos token all of a piece is scored, else all but its first token. */
export function localPieces(model: Model, contextLength: number): PieceScorer {
  const { tokenizer } = model;
  const score = async (text: string, signal?: AbortSignal): Promise<PieceScore> => {
    const ids = tokenizer.encode(text);
    const bos = tokenizer.addBos ? tokenizer.specials.bos : undefined;
    if (bos !== undefined) ids.unshift(bos);
    if (ids.length > contextLength && text.length > 1) {
      const half = cutAt(text, text.length >> 1);
      return add(await score(text.slice(0, half), signal), await score(text.slice(half), signal));
    }
    using session = model.session();
    const sum = { nll: 0, squares: 0, tokens: 0, bytes: bytesOf(tokenizer, ids, 1) };
    for (let from = 0; from < ids.length - 1; from += ROWS) {
      const piece = ids.slice(from, Math.min(from + ROWS, ids.length - 1));
      (await session.logits(piece, { signal })).forEach((row, i) => {
        const nll = surprise(distribution(row), ids[from + i + 1]);
        sum.nll += nll;
        sum.squares += nll * nll;
        sum.tokens++;
      });
    }
    return sum;
  };
  return score;
}

const add = (x: PieceScore, y: PieceScore): PieceScore => ({
  nll: x.nll + y.nll,
  squares: x.squares + y.squares,
  tokens: x.tokens + y.tokens,
  bytes: x.bytes + y.bytes,
});

/** A place near `about` before white space, else one that leaves no character in two. */
function cutAt(text: string, about: number): number {
  for (let at = about; at > about / 2; at--) if (/\s/.test(text[at])) return at;
  const pair = /[\ud800-\udbff]/.test(text[about - 1]) && /[\udc00-\udfff]/.test(text[about] ?? '');
  return pair && about > 1 ? about - 1 : pair ? about + 1 : about;
}

/** Pieces of about so many characters, cut before white space. */
export function piecesOf(text: string, characters: number): string[] {
  const pieces: string[] = [];
  for (let from = 0; from < text.length;) {
    const rest = text.slice(from, from + characters + 1);
    const length = rest.length <= characters ? rest.length : cutAt(rest, characters);
    pieces.push(rest.slice(0, length));
    from += length;
  }
  return pieces.filter((piece) => piece.trim() !== '');
}

export interface PieceOptions extends Work {
  readonly contextLength: number;
  /** Pieces at most; default all. */
  readonly chunks?: number;
}

/** Scores a text piece by piece, and says what they come to. @throws {OptionError} `OPTION` for an empty text */
export async function comparePieces(
  text: string,
  a: PieceScorer,
  b: PieceScorer,
  options: PieceOptions,
): Promise<PieceQuality> {
  const { contextLength, chunks = Infinity, signal, onProgress } = options;
  const pieces = piecesOf(text, CHARACTERS_PER_POSITION * contextLength).slice(0, chunks);
  if (pieces.length === 0) throw new OptionError('OPTION', 'the text is empty; give one to compare on');
  const scored: { a: PieceScore; b: PieceScore }[] = [];
  for (const [i, piece] of pieces.entries()) {
    scored.push(
      await step(options, 'piece', i, async () => ({ a: await a(piece, signal), b: await b(piece, signal) })),
    );
    const { a: bitsA, b: bitsB } = bits(scored);
    const note = `bits per byte ${bitsA.toFixed(4)} against ${bitsB.toFixed(4)}`;
    const values = { a: bitsA, b: bitsB };
    await onProgress?.({
      phase: 'score',
      done: i + 1,
      total: pieces.length,
      note,
      figure: 'bits per byte so far',
      values,
    });
  }
  const [left, right] = [perplexityOf(scored.map(({ a }) => a)), perplexityOf(scored.map(({ b }) => b))];
  return {
    perplexity: {
      a: left.ppl,
      b: right.ppl,
      aError: left.error,
      bError: right.error,
      lnRatio: null,
      error: null,
      tokensA: left.tokens,
      tokensB: right.tokens,
    },
    bitsPerByte: bits(scored),
    windows: scored.map(({ a, b }) => ({
      tokens: a.tokens,
      nllA: a.nll / Math.max(1, a.tokens),
      nllB: b.nll / Math.max(1, b.tokens),
      kl: null,
    })),
  };
}

function bits(scored: readonly { a: PieceScore; b: PieceScore }[]): PairedQuality['bitsPerByte'] {
  return bitsPerByte(scored.map(({ a, b }) => ({ nllA: a.nll, nllB: b.nll, bytesA: a.bytes, bytesB: b.bytes })));
}

function perplexityOf(scores: readonly PieceScore[]): { ppl: number; error: number; tokens: number } {
  const { nll, squares, tokens } = scores.reduce(add);
  const mean = nll / tokens;
  const ppl = exp(mean);
  const variance = Math.max(0, squares / tokens - mean * mean);
  return { ppl, error: tokens > 1 ? ppl * Math.sqrt(variance / (tokens - 1)) : 0, tokens };
}
