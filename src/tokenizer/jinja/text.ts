/**
 * Python's ways with text: white space, cases, splitting.
 * @module
 */
import type { Budget } from './budget.ts';
import { codePoints } from './sequences.ts';

/** The white space of `str.isspace`, as a class of a regular expression. */
export const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const BLANK: RegExp = new RegExp(`[${SPACE}]`);

/** Whether a character is white space. */
export const isSpace = (char: string | undefined): boolean => char !== undefined && BLANK.test(char);

/** `strip`, `lstrip` and `rstrip`: without `chars`, white space. */
export function strip(text: string, chars: string | undefined, left: boolean, right: boolean): string {
  const set = chars === undefined ? undefined : new Set(codePoints(chars));
  const gone = (char: string): boolean => set === undefined ? isSpace(char) : set.has(char);
  let [from, to] = [0, text.length];
  while (left && from < to) {
    const char = String.fromCodePoint(text.codePointAt(from) as number);
    if (!gone(char)) break;
    from += char.length;
  }
  while (right && to > from) {
    const low = text.charCodeAt(to - 1);
    const pair = low >= 0xdc00 && low < 0xe000 && to - 2 >= from && (text.codePointAt(to - 2) as number) > 0xffff;
    if (!gone(text.slice(pair ? to - 2 : to - 1, to))) break;
    to -= pair ? 2 : 1;
  }
  return text.slice(from, to);
}

/** `split` and `rsplit` by a separator that is not empty. @param most parts to cut off; below 0 all */
export function splitBy(text: string, separator: string, most: number, fromRight: boolean): string[] {
  const parts: string[] = [];
  if (!fromRight) {
    let at = 0;
    for (let next = text.indexOf(separator); next !== -1 && parts.length !== most; next = text.indexOf(separator, at)) {
      parts.push(text.slice(at, next));
      at = next + separator.length;
    }
    return [...parts, text.slice(at)];
  }
  let end = text.length;
  while (parts.length !== most) {
    const next = end < separator.length ? -1 : text.lastIndexOf(separator, end - separator.length);
    if (next === -1) break;
    parts.push(text.slice(next + separator.length, end));
    end = next;
  }
  return [...parts, text.slice(0, end)].reverse();
}

/** `split` and `rsplit` by runs of white space. */
export function splitBlanks(text: string, most: number, fromRight: boolean): string[] {
  const parts: string[] = [];
  let rest = strip(text, undefined, true, true);
  if (!fromRight) {
    const run = new RegExp(`[${SPACE}]+`, 'g');
    let at = 0;
    for (let found = run.exec(rest); found !== null && parts.length !== most; found = run.exec(rest)) {
      parts.push(rest.slice(at, found.index));
      at = run.lastIndex;
    }
    const last = most === parts.length ? strip(text, undefined, true, false).slice(at) : rest.slice(at);
    return last === '' ? parts : [...parts, last];
  }
  while (rest !== '' && parts.length !== most) {
    let start = rest.length;
    while (start > 0 && !isSpace(rest[start - 1])) start--;
    parts.push(rest.slice(start));
    rest = strip(rest.slice(0, start), undefined, false, true);
  }
  if (rest !== '') parts.push(parts.length === most ? strip(leading(text, rest), undefined, false, true) : rest);
  return parts.reverse();
}

/** What `rsplit` leaves keeps the blanks before it. */
const leading = (text: string, rest: string): string =>
  text.slice(0, text.length - strip(text, undefined, true, false).length) + rest;

const LINE_END = '\\r\\n|[\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029]';

/** `splitlines`. */
export function splitLines(text: string, keep: boolean): string[] {
  const lines: string[] = [];
  const end = new RegExp(LINE_END, 'g');
  let at = 0;
  for (let found = end.exec(text); found !== null; found = end.exec(text)) {
    lines.push(text.slice(at, keep ? end.lastIndex : found.index));
    at = end.lastIndex;
  }
  return at < text.length ? [...lines, text.slice(at)] : lines;
}

/** `replace`: `old` at most `count` times, below 0 always; the empty text lies between all characters. */
export function replaceText(text: string, old: string, by: string, count: number, budget: Budget): string {
  if (count === 0) return text;
  budget.chars(text.length);
  if (old === '') {
    const chars = codePoints(text);
    const places = count < 0 ? chars.length + 1 : Math.min(count, chars.length + 1);
    budget.chars(text.length + places * by.length);
    return chars.map((char, i) => (i < places ? by : '') + char).join('') + (places > chars.length ? by : '');
  }
  const parts = splitBy(text, old, count, false);
  budget.chars(text.length + (parts.length - 1) * (by.length - old.length));
  return parts.join(by);
}

/** The few letters whose title case is a letter of its own. */
const TITLES: ReadonlyMap<string, string> = new Map(
  ['Ǆǅǆ', 'Ǉǈǉ', 'Ǌǋǌ', 'Ǳǲǳ'].flatMap(([upper, title, lower]) =>
    [upper, title, lower].map((letter): [string, string] => [letter, title])
  ),
);

/** A character in title case: `ß` becomes `Ss`. */
export function titleChar(char: string): string {
  const upper = TITLES.get(char) ?? char.toUpperCase();
  return upper.length > char.length ? upper[0] + upper.slice(1).toLowerCase() : upper;
}

/** `capitalize`. */
export function capitalize(text: string): string {
  const first = text === '' ? '' : String.fromCodePoint(text.codePointAt(0) as number);
  return titleChar(first) + text.slice(first.length).toLowerCase();
}

/** `title` of Python's strings: every run of letters begins large. */
export const title = (text: string): string =>
  text.replace(/[\p{Lowercase}\p{Uppercase}\p{Lt}][\p{Lowercase}\p{Uppercase}\p{Lt}\p{Case_Ignorable}]*/gu, (word) => {
    // characters that have no case end a word, although lower-casing looks across some of them
    return word.replace(/[\p{Lowercase}\p{Uppercase}\p{Lt}]+/gu, capitalize);
  });
