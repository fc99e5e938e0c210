/**
 * Python's `textwrap.wrap` of one line, as the filter `wordwrap` calls it: white space is kept within lines and dropped at their ends.
 * @module
 */
import { codePoints, textLength } from './sequences.ts';
import { fail } from './values.ts';

/** Blanks, words with their hyphens, and what lies between. */
const PIECES = /[\t-\r ]+|[^\t-\r ]+/g;
/** A hyphen after letters, before letters: a word may break after it. */
const HYPHEN = /(?<=[\p{L}\p{N}_]{2}-)(?=[\p{L}_]{2})|(?<=[\p{L}_]-[\p{L}_]-)(?=[\p{L}_])/u;

/** @throws {TemplateFailure} for a width that is none */
export function wrapText(line: string, width: number, breakLong: boolean, breakHyphens: boolean): string[] {
  if (width <= 0) return fail(`invalid width ${width} (must be > 0)`);
  const chunks = (line.match(PIECES) ?? []).flatMap((piece) => breakHyphens ? piece.split(HYPHEN) : [piece]);
  chunks.reverse();
  const blank = (chunk: string | undefined): boolean => chunk !== undefined && /^[\t-\r ]+$/.test(chunk);
  const lines: string[] = [];
  while (chunks.length > 0) {
    const current: string[] = [];
    let size = 0;
    if (lines.length > 0 && blank(chunks.at(-1))) chunks.pop();
    while (chunks.length > 0 && size + textLength(chunks.at(-1) as string) <= width) {
      const chunk = chunks.pop() as string;
      current.push(chunk);
      size += textLength(chunk);
    }
    const next = chunks.at(-1);
    if (next !== undefined && textLength(next) > width) {
      if (breakLong) {
        const room = Math.max(1, width - size);
        const chars = codePoints(chunks.pop() as string);
        const hyphen = breakHyphens && chars.length > room ? chars.slice(0, room).lastIndexOf('-') : -1;
        const end = hyphen > 0 && chars.slice(0, hyphen).some((char) => char !== '-') ? hyphen + 1 : room;
        current.push(chars.slice(0, end).join(''));
        chunks.push(chars.slice(end).join(''));
      } else if (current.length === 0) current.push(chunks.pop() as string);
    }
    if (blank(current.at(-1))) current.pop();
    if (current.length > 0) lines.push(current.join(''));
  }
  return lines;
}
