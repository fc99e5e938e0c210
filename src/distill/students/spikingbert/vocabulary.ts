/**
 * Vocabularies of word pieces without those that are never used. A text of pieces that stay has the same pieces as before: the longest
 * piece from the left is still the longest. Words of others fall into smaller pieces, down to single characters: those of ASCII all
 * stay, a word with another that was never used is [UNK].
 * @module
 */
import type { GgufEntry } from '../../../container/gguf-write.ts';
import type { MetadataValue } from '../../../container/tensor.ts';
import { TokenizerError } from '../../../errors.ts';
import type { Tokenizer } from '../../../tokenizer/tokenizer.ts';
import { tokenizerFromMetadata } from '../../../tokenizer/open.ts';

type Entries = ReadonlyMap<string, GgufEntry>;

/** What a student's file says of its vocabulary, the tokenizer that this makes, and the teacher's id of each piece. */
export interface StudentVocabulary {
  readonly entries: Entries;
  readonly tokenizer: Tokenizer;
  readonly from: Int32Array;
}

/** Whether a piece always stays: a special one, or a single character of ASCII, in any spelling. */
function always(piece: string): boolean {
  return /^\[(PAD|UNK|CLS|SEP|MASK)\]$/.test(piece) || /^(##|\u2581)?[!-~]?$/.test(piece);
}

/**
 * The vocabulary of the pieces that stay: those that are `kept`, special pieces and single characters of ASCII.
 * @param kept whether a piece of the teacher is used; null: all stay
 */
export function studentVocabulary(
  entries: Entries,
  kept: ((piece: string, id: number) => boolean) | null,
): StudentVocabulary {
  const pieces = entries.get('tokenizer.ggml.tokens')?.value as string[];
  const from = Int32Array.from(pieces.flatMap((piece, id) => (!kept || always(piece) || kept(piece, id) ? [id] : [])));
  const place = new Map(Array.from(from, (id, at) => [id, at]));
  const cut = new Map<string, GgufEntry>();
  for (const [key, { type, value }] of entries) {
    if (Array.isArray(value) && value.length === pieces.length) {
      cut.set(key, { type, value: Array.from(from, (id) => value[id]) as MetadataValue });
    } else if (key.endsWith('_token_id')) {
      const at = place.get(Number(value));
      if (at !== undefined) cut.set(key, { type, value: at });
    } else cut.set(key, { type, value });
  }
  const tokenizer = tokenizerFromMetadata(new Map([...cut].map(([key, { value }]) => [key, value])));
  if (!tokenizer) throw new TokenizerError('TOKENIZER', 'the teacher has no vocabulary');
  return { entries: cut, tokenizer, from };
}

/** Pieces that occur often enough. @param texts ids by the teacher's tokenizer */
export function usedPieces(
  texts: Iterable<readonly number[]>,
  least: number,
  size: number,
): (piece: string, id: number) => boolean {
  const counts = new Uint32Array(size);
  for (const ids of texts) for (const id of ids) counts[id]++;
  return (_, id) => counts[id] >= least;
}
