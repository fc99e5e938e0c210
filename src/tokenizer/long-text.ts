/**
 * Long texts of WordPiece vocabularies, a piece at a time: a host is not kept waiting, and a text that is too long is known to be
 * so before all of it has been read.
 * @module
 */
import { MAX_TEXT_CHARS } from '../limits.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Characters of a piece: about a millisecond. */
const PIECE_CHARS = 8192;

/**
 * Ids of a text with the special tokens around it, as `encode(text, { special: true })` gives them. Pieces end where words do: at
 * white space, or between two ideographs, which are words of their own.
 * @param enough ids, framing included, behind which the rest of the text is of no interest; more may be returned
 * @param breathe awaited between two pieces
 * @throws {TokenizerError} as `encode`; what `breathe` throws
 */
export async function encodeLong(
  tokenizer: Tokenizer,
  text: string,
  enough: number,
  breathe: () => Promise<void>,
): Promise<number[]> {
  const whole = (): number[] => tokenizer.encode(text, { special: true });
  if (tokenizer.kind !== 'wordpiece' || text.length <= PIECE_CHARS || text.length > MAX_TEXT_CHARS) return whole();
  const frame = tokenizer.encode('', { special: true });
  if (frame.length !== 2) return whole();
  const ids = [frame[0]];
  for (let from = 0; from < text.length && ids.length < enough;) {
    await breathe();
    const end = endOfWord(tokenizer, text, from + PIECE_CHARS);
    for (const id of tokenizer.encode(text.slice(from, end), { special: true }).slice(1, -1)) ids.push(id);
    from = end;
  }
  ids.push(frame[1]);
  return ids;
}

/** The first place from `at` on where a word ends for certain; the end of the text where there is none. */
function endOfWord(tokenizer: Tokenizer, text: string, at: number): number {
  let apart: boolean | undefined; // some vocabularies leave neighbouring ideographs together
  for (let i = at; i < text.length; i++) {
    if (isSpace(text.charCodeAt(i))) return i;
    if (!isIdeograph(text.charCodeAt(i - 1)) || !isIdeograph(text.charCodeAt(i))) continue;
    apart ??= alone(tokenizer, text.slice(i - 1, i + 1));
    if (apart) return i;
  }
  return text.length;
}

/** Whether two ideographs are two words. */
function alone(tokenizer: Tokenizer, two: string): boolean {
  return `${tokenizer.encode(two)}` === `${[...tokenizer.encode(two[0]), ...tokenizer.encode(two[1])]}`;
}

const isSpace = (unit: number): boolean => unit === 0x20 || unit === 0x0a || unit === 0x09;
const isIdeograph = (unit: number): boolean => unit >= 0x4e00 && unit <= 0x9fff;
