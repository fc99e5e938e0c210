/**
 * Scripts as the pre-tokenizer UnicodeScripts has them, by Unicode 9.
 * @module
 */
import { runs } from '../unicode.ts';

/** By their codes of ISO 15924. */
const SCRIPTS = (
  'Zyyy Latn Grek Cyrl Armn Hebr Arab Syrc Thaa Deva Beng Guru Gujr Orya Taml Telu Knda Mlym Sinh Thai Laoo ' +
  'Tibt Mymr Geor Hang Ethi Cher Cans Ogam Runr Khmr Mong Hira Kana Bopo Hani Yiii Ital Goth Dsrt Zinh Tglg ' +
  'Hano Buhd Tagb Limb Tale Linb Ugar Shaw Osma Cprt Brai Bugi Copt Talu Glag Tfng Sylo Xpeo Khar Bali Xsux ' +
  'Phnx Phag Nkoo Sund Lepc Olck Vaii Saur Kali Rjng Lyci Cari Lydi Cham Lana Tavt Avst Egyp Samr Lisu Bamu ' +
  'Java Mtei Armi Sarb Prti Phli Orkh Kthi Batk Brah Mand Cakm Merc Mero Plrd Shrd Sora Takr Aghb Bass Dupl ' +
  'Elba Gran Hmng Khoj Lina Mahj Mani Mend Modi Mroo Narb Nbat Palm Pauc Perm Phlp Sidd Sind Tirh Wara Ahom ' +
  'Hluw Hatr Mult Hung Sgnw Adlm Bhks Marc Newa Osge Tang'
).split(' ');

/** Characters that had no script yet. */
const isNewer = runs(
  '128 13 2u 19 db+2 2o+1r l 8+l 88+2 3b 3n+5 2d 4u 1j v+1 p c 2f+1 l+d 3 1i+1 1w 78 2 2 1+5 4 7 7+1 2 d j ' +
    '1mm 7+a 6n 2w g6+18 2o+3 19+2 7d+1i 1j 2 6z+4 jo+2 n1 13+2 1gs+1 y+2 c 8+p 4+f 1b 1b dh+o bi+3 8e+1 3v+4 ' +
    '10+b 7j 59y+9 g7q+15 1in 8+1q 1h 5t+1 h2+5 fva+g a5+f 1s+1 1i+7 1a+1 po b4+2 g0+3n b0+1m at+p 62+1 i ' +
    'jb+3z 6o+ae 3d+5 24+b 3a+3 3q+1 33+2 6x 1w+2q 3b 3+3 gm+1 m+j 1i 11+6z 5g+cf 1s+6x 7a+lb 32o+2q u4+34b ' +
    '5qd+1l 1ti+2h hi+b7 35+a 1b+8 2h+l 4qe+i kz+7bf 3+l5 4xw+qr f9+1 5x+1f 3i+6 29z+16 79+1ji 98 md+5o r3+2 ' +
    'v 1o+3 1p 4y+5 vh+c n+5 3b+b 2d+r 5b+2n f 8+7 1+1 c c+3 f+w i+19 1+ft xr0+8 385+a 4ma+69n 3he+ad5',
);
/** Characters that have another script now. */
const CHANGED: ReadonlyMap<number, string> = new Map([
  [0x589, 'Zyyy'],
  [0x61c, 'Zyyy'],
  [0x953, 'Deva'],
  [0x954, 'Deva'],
]);

const tests = new Map<string, RegExp>();
const known = new Map<number, string>();
/** Remembered characters; more than a text of many scripts has. */
const MOST_KNOWN = 1 << 16;

/** The script of a character, those of Japan as one; undefined for a space, and for characters without one. */
export function scriptOf(point: number): string | undefined {
  if (point === 0x20) return undefined;
  if (point === 0x30fc) return 'Hani';
  let its = known.get(point);
  if (its === undefined) {
    its = CHANGED.get(point) ?? (isNewer(point) ? '' : find(point));
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(point, its);
  }
  return its === '' ? undefined : its;
}

function find(point: number): string {
  const text = String.fromCodePoint(point);
  const name = SCRIPTS.find((one) => {
    let test = tests.get(one);
    if (!test) tests.set(one, test = new RegExp(`\\p{Script=${one}}`, 'u'));
    return test.test(text);
  }) ?? '';
  return name === 'Hira' || name === 'Kana' ? 'Hani' : name;
}
