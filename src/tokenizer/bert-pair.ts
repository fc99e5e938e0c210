/**
 * Texts and pairs of texts as a classifier of the BERT family reads them: `[CLS] a [SEP]`, or `[CLS] a [SEP] b [SEP]` with
 * segment 1 behind the first separator.
 * @module
 */
import { TokenizerError } from '../errors.ts';
import { wrongValue } from '../options.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Ids, and the segment of each. */
export interface Segmented {
  readonly ids: number[];
  readonly typeIds: number[];
}

/**
 * @param separators between the two texts, of the first segment: 2 for RoBERTa
 * @param maxLength cut the text to this many ids, framing included; of a pair, from the end of whichever text is the longer,
 *   of the second where both are equally long, as the public code of BERT does. Nothing is cut without it.
 * @throws {TokenizerError} `TOKENIZER` for a vocabulary that does not frame texts with two special tokens;
 *   `TEXT_TOO_LONG` for more characters than one call of `encode` takes
 * @throws {OptionError} for a `maxLength` that leaves no room for a token
 */
export function encodeSegments(
  tokenizer: Tokenizer,
  a: string,
  b: string | undefined,
  maxLength?: number,
  separators: number = 1,
): Segmented {
  const frame = tokenizer.encode('', { special: true });
  if (frame.length !== 2) {
    throw new TokenizerError(
      'TOKENIZER',
      `this tokenizer (${tokenizer.kind}) puts ${frame.length} special tokens around a text; a classifier needs ` +
        '[CLS] and [SEP]',
    );
  }
  const [cls, sep] = frame;
  const first = tokenizer.encode(a);
  // an empty second text is none
  const second = b ? tokenizer.encode(b) : null;
  if (maxLength !== undefined) {
    const room = maxLength - (second ? 2 + separators : 2);
    if (!Number.isInteger(maxLength) || room < 1) {
      throw wrongValue('maxLength', maxLength, 'a whole number of at least 4');
    }
    let [i, j] = [first.length, second?.length ?? 0];
    while (i + j > room) i > j ? i-- : j--;
    first.length = i;
    if (second) second.length = j;
  }
  const ids = [cls, ...first, sep];
  const typeIds = ids.map(() => 0);
  if (second?.length) {
    ids.push(...new Array<number>(separators - 1).fill(sep));
    typeIds.push(...new Array<number>(separators - 1).fill(0));
    for (const id of [...second, sep]) typeIds.push(ids.push(id) && 1);
  }
  return { ids, typeIds };
}
