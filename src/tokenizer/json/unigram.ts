/**
 * The Unigram of a tokenizer.json: the segmentation with the greatest sum of scores, in 64-bit floats as in the original.
 * @module
 */
import { Trie } from '../pairs.ts';
import { refuse } from '../vocabulary.ts';
import { bytePiece } from './bpe.ts';
import { missing, type Model, type WordEncoder } from './model.ts';
import { flag, type Json, shown } from './steps.ts';
import { type ModelPieces, modelPieces } from './vocabulary.ts';

/** What an unknown character costs beside the rarest piece. */
const UNKNOWN_PENALTY = 10;

/** @throws {TokenizerError} `TOKENIZER` for pieces without a finite score, or an unknown piece that is not there */
export function unigram(model: Json, name: string): Model {
  if (!Array.isArray(model.vocab)) return refuse(name, 'model.vocab is not a list of pieces with their scores');
  const listed = model.vocab as unknown[];
  const pieces = modelPieces(listed.map((entry, id) => [Array.isArray(entry) ? entry[0] : undefined, id]), name);
  const scores = Float64Array.from(listed, (entry, id) => {
    const score: unknown = Array.isArray(entry) ? entry[1] : undefined;
    if (typeof score !== 'number' || !Number.isFinite(score)) refuse(name, `piece ${id} has no finite score`);
    return asRead(score);
  });
  const unknown = model.unk_id ?? undefined;
  if (
    unknown !== undefined &&
    !(Number.isInteger(unknown) && (unknown as number) >= 0 && (unknown as number) < listed.length)
  ) {
    refuse(name, `model.unk_id is ${shown(unknown)}, and the vocabulary has ${listed.length} pieces`);
  }
  const unk = unknown as number | undefined;
  const fallback = flag({ ...model, type: 'Unigram' }, 'byte_fallback', false, name);
  return {
    kind: 'unigram',
    // an added token is numbered from the number of entries on, doubled ones included
    pieces: { ...pieces, size: listed.length },
    unknown: unk,
    notices: [],
    encoder: (isSpecial) => segmenter(pieces, scores, unk, fallback, isSpecial),
  };
}

/**
 * A score as the original reads it: digits as an integer, divided by or multiplied with a power of ten, which now and then is off by
 * the last bit. Paths of the same pieces in another order differ by no more, so it decides between them.
 */
export function asRead(score: number): number {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(score)) ??
    [];
  if (whole === undefined) return score;
  const digits = Number(BigInt(whole + fraction));
  const scale = Number(exponent) - fraction.length;
  if (Math.abs(scale) > 308) return score;
  const value = scale < 0 ? digits / Number(`1e${-scale}`) : digits * Number(`1e${scale}`);
  return sign === '-' ? -value : value;
}

function segmenter(
  { name, ids }: ModelPieces,
  scores: Float64Array,
  unknown: number | undefined,
  byteFallback: boolean,
  isSpecial: (id: number) => boolean,
): WordEncoder {
  const trie = new Trie(ids, 4 * ids.size);
  const bytes = Array.from({ length: 256 }, (_, byte) => ids.get(bytePiece(byte)));
  const unknownScore = scores.reduce((least, score) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY;

  /** A run of unknown characters: a piece by chance, else its bytes, else unknown. */
  const strange = (text: string, out: number[], safe: boolean): void => {
    const id = ids.get(text);
    if (id !== undefined && !(safe && isSpecial(id))) {
      out.push(id);
      return;
    }
    const spelled = byteFallback ? Array.from(new TextEncoder().encode(text), (byte) => bytes[byte]) : [];
    if (byteFallback && spelled.every((one) => one !== undefined)) {
      for (const one of spelled) {
        out.push(one as number);
      }
    } else out.push(unknown ?? missing(name, undefined));
  };

  return (text, out, safe) => {
    const best = new Float64Array(text.length + 1);
    const from = new Int32Array(text.length + 1).fill(-1);
    const piece = new Int32Array(text.length + 1);
    const offer = (start: number, end: number, id: number, score: number): void => {
      const sum = score + best[start];
      if (from[end] !== -1 && !(sum > best[end])) return;
      best[end] = sum;
      from[end] = start;
      piece[end] = id;
    };
    for (let start = 0; start < text.length;) {
      const width = (text.codePointAt(start) as number) > 0xffff ? 2 : 1;
      let single = false;
      for (let node = 0, end = start; end < text.length;) {
        node = trie.next(node, text.charCodeAt(end++));
        if (node === -1) break;
        const id = trie.id(node);
        if (id === -1 || (safe && isSpecial(id))) continue;
        offer(start, end, id, scores[id]);
        single ||= end - start === width;
      }
      if (!single) offer(start, start + width, unknown ?? missing(name, undefined), unknownScore);
      start += width;
    }
    const ends: number[] = [];
    for (let end = text.length; end > 0; end = from[end]) ends.push(end);
    for (let i = ends.length - 1; i >= 0; i--) {
      const start = from[ends[i]];
      if (piece[ends[i]] !== unknown) {
        out.push(piece[ends[i]]);
        continue;
      }
      while (i > 0 && piece[ends[i - 1]] === unknown) i--;
      strange(text.slice(start, ends[i]), out, safe);
    }
  };
}
