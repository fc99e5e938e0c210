/**
 * What every model of a tokenizer.json is to the rest.
 * @module
 */
import { TokenizerError } from '../../errors.ts';
import type { ModelPieces } from './vocabulary.ts';

/** Appends the ids of a word. `safe`: pieces that are special tokens are not made of text. */
export type WordEncoder = (word: string, out: number[], safe: boolean) => void;

/** A model that has been read. */
export interface Model {
  readonly kind: string;
  readonly pieces: ModelPieces;
  /** The piece for what is unknown. */
  readonly unknown: number | undefined;
  readonly notices: readonly string[];
  /** @param isSpecial whether an id is that of a special token */
  readonly encoder: (isSpecial: (id: number) => boolean) => WordEncoder;
}

/** What a word that is not in the vocabulary meets where there is no piece for it either. */
export function missing(name: string, piece: string | undefined): never {
  throw new TokenizerError(
    'TOKENIZER',
    `${name}: the text has something unknown, and the vocabulary ` +
      (piece === undefined ? 'names no unknown piece' : `lacks the unknown piece "${piece.slice(0, 40)}"`),
  );
}
