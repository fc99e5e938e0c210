/**
 * Which version of Unicode each part of the originals goes by. Engines carry newer tables, so that characters which came later are
 * taken out here; each table was measured over every code point. An engine with older tables than the originals lacks characters,
 * which no table here can add.
 * @module
 */

/** A set of code points as runs: for each the gap since the last one, and after a plus how many more it has, in base 36. */
export function runs(table: string): (point: number) => boolean {
  const bounds: number[] = [];
  let at = 0;
  for (const run of table.split(' ')) {
    const [gap, more = '0'] = run.split('+');
    const first = at + Number.parseInt(gap, 36);
    at = first + Number.parseInt(more, 36) + 1;
    bounds.push(first, at);
  }
  return (point) => {
    let [low, high] = [0, bounds.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (bounds[middle] <= point) low = middle + 1;
      else high = middle;
    }
    return low % 2 === 1;
  };
}

/** Characters of Unicode 17, which Oniguruma and the crate regex (16) do not know. */
export const isNew: (point: number) => boolean = runs(
  '1ov r0 3j 2r6+e 2+b 15h 250 ojb+1 2 1 s gk1+f cd+1 1i+6 29d+p 12j+2 8+8 x+1 2g4+7 g8+17 4+9 fxy+o 2+o 7y+4 ' +
    '4qp+7 zt+l 2p+36 cg7+2 cd+m f+g 4pb+u 1+l 8+1 34o 4e+3 9h+8 aj+3 1e 3 1l 4 s 4 7e 10zj+5 4ma+b gsi+3bd',
);

const NEWER_PUNCTUATION = runs(
  '17h rj+3d e8+d 2x5+1 19+2 3pf+q 1828+ez ui+3t ea+2h ap+1j8 35d+1 c56+hh nbw+o0',
);
const NEWER_COMBINING = runs(
  '1kt 49+1o 8a 6z+5 2d 4u+1k 52+d 1m+1 1w 8o j 1mu 6x j3+18 ej 72+4 rap 5u js4+gx 6i+4 25 3m+1 3m 4+1 35 6x ' +
    '3g+16 3f r1+mz cp+dfi 2sf 1b+8 2k+d iry+1y 3ew+19i',
);
const NEWER_NONSPACING = runs(
  '1kt 49+22 7w 6z+5 2d 4u+1k 5f 1m+1 1w 8o j 1ts+3b fs+18 lm+5 rao 48 1l 59 jmu+gx 6i+4 25 7a 5 32+3 6x 3j+4j ' +
    'r4+ef4 2sf 44 isb+1y 3ax+1dh ge+6',
);
const NEWER_OTHER = runs('9+1 2 1oi+2a 1g4q+702');

/** Whether `find` (one class of characters, not global) has the point and the original's older table has it as well. */
const older =
  (find: RegExp, newer: (point: number) => boolean, ...moreOfTheirs: number[]) => (point: number): boolean =>
    (find.test(String.fromCodePoint(point)) && !newer(point)) || moreOfTheirs.includes(point);

/** Punctuation as of the crate unicode_categories, and of ASCII also what is a symbol. */
export const isPunctuation: (point: number) => boolean = older(
  /[!-/:-@[-`{-~\p{P}]/u,
  NEWER_PUNCTUATION,
  0x166d,
  0x111c9,
);
/** Marks as of the crate unicode-normalization-alignments. */
export const isCombining: (point: number) => boolean = older(/\p{M}/u, NEWER_COMBINING, 0x1cf2, 0x1cf3);
/** Nonspacing marks as of the crate unicode_categories. */
export const isNonspacing: (point: number) => boolean = older(/\p{Mn}/u, NEWER_NONSPACING, 0x1734, 0x1171e);
/** Control, format, private and surrogate characters as of the crate unicode_categories; U+0000 and U+FFFD, too. */
export const isOther: (point: number) => boolean = older(/[\0\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u, NEWER_OTHER);
/** Word characters of the crate regex. */
export const isWord: (point: number) => boolean = older(
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u,
  isNew,
);
const SPACE = /\p{White_Space}/u;
/** White space, in every part of the originals. */
export const isSpace = (point: number): boolean => SPACE.test(String.fromCodePoint(point));

/** Characters that decompose, or take part in composition or reordering, only since Unicode 10: the crate leaves them. */
const LATER_CANONICAL = runs(
  '1kt 49+8 16+9 8a fx 72+1 al 1ne q1+u 2+b lm+4 rap iho 8 7 9 1fj+3 1t+4 8t+1 25+1 1+2 1y+a 1d+3 6i ju 1y+3 5 ' +
    '2 1+1 1c 2 1+1 5+2 3x re+1 6y 2 4+1 4 4c 2b i 29 iw 1+1 29 bt+1 d0b 2+8 5 2er 3+3 hx+1 m8t 4g+6 af 1p+3 e4+3 ' +
    '72+1 6r 2 7+1 5',
);
const LATER_COMPATIBLE = runs('a2n n3l+3 ok i6v+4 1+15 1+8 12xn+z 3sm+1p 3cu 22r+9');
const NOT_ALL_PLAIN = /[^\0-\u02ff]/;

/** A normal form as of the crate unicode-normalization-alignments. */
export function normalForm(text: string, form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): string {
  if (!NOT_ALL_PLAIN.test(text)) return text.normalize(form);
  let out = '';
  let from = 0;
  for (let at = 0; at < text.length;) {
    const point = text.codePointAt(at) as number;
    const next = at + (point > 0xffff ? 2 : 1);
    if (point >= 0x7fd && (LATER_CANONICAL(point) || (form.length === 4 && LATER_COMPATIBLE(point)))) {
      out += text.slice(from, at).normalize(form) + text.slice(at, next);
      from = next;
    }
    at = next;
  }
  return out + text.slice(from).normalize(form);
}

/** In lower case letter by letter: a final sigma is a sigma like others. */
export function lowercase(text: string): string {
  return (text.includes('\u03a3') ? text.replaceAll('\u03a3', '\u03c3') : text).toLowerCase();
}

const ASCII = /^[\0-\x7f]*$/;

/** The text without characters of a kind. @param none what texts that have none are like */
export function without(text: string, is: (point: number) => boolean, none: RegExp = ASCII): string {
  if (none.test(text)) return text;
  let out = '';
  for (const character of text) if (!is(character.codePointAt(0) as number)) out += character;
  return out;
}
