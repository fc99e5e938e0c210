/**
 * Sets of characters as Oniguruma has them: properties, POSIX brackets and the letters after a backslash, by Unicode 16.
 * @module
 */
import { isNew } from '../unicode.ts';

type Test = (point: number) => boolean;

/** A set that remembers what it has been asked of the first plane. */
export class CharSet {
  /** Per code unit: 0 not asked yet, 1 outside, 2 inside. */
  readonly known: Uint8Array = new Uint8Array(0x10000);
  readonly has: Test;

  constructor(test: Test) {
    this.has = test;
  }

  /** As `known[unit]`, asked now. */
  see(unit: number): number {
    return (this.known[unit] = this.has(unit) ? 2 : 1);
  }
}

const regex = (source: string): Test => {
  const found = new RegExp(`^${source}$`, 'u');
  return (point) => found.test(String.fromCodePoint(point));
};
/** A class of the engine without what came after Unicode 16. */
const aged = (source: string): Test => {
  const now = regex(source);
  return (point) => !isNew(point) && now(point);
};
/** U+0295 was a lower-case letter until Unicode 17. */
const LOWER_THEN = 0x295;
const unassigned: Test = (() => {
  const now = regex('\\p{Cn}');
  return (point) => isNew(point) || now(point);
})();
const other: Test = (() => {
  const now = regex('\\p{C}');
  return (point) => isNew(point) || now(point);
})();

const not = (test: Test): Test => (point) => !test(point);

/** Names as they are compared: without case, spaces, hyphens and underscores. */
const plain = (name: string): string => name.toLowerCase().replace(/[\s_-]/g, '');

/** Names of Oniguruma whose set is not that of the engine's property of this name. */
const NAMED: ReadonlyMap<string, () => Test> = new Map<string, () => Test>([
  ['any', () => () => true],
  ['ascii', () => (point) => point < 0x80],
  ['assigned', () => not(unassigned)],
  ['cn', () => unassigned],
  ['unassigned', () => unassigned],
  ['c', () => other],
  ['other', () => other],
  ['ll', () => lower('\\p{Ll}')],
  ['lowercaseletter', () => lower('\\p{Ll}')],
  ['lower', () => lower('\\p{Lowercase}')],
  ['lowercase', () => lower('\\p{Lowercase}')],
  ['lo', () => upperless()],
  ['otherletter', () => upperless()],
  ['alnum', () => aged('[\\p{Alphabetic}\\p{Nd}]')],
  ['blank', () => aged('[\\p{Zs}\\t]')],
  ['cntrl', () => aged('\\p{Cc}')],
  ['digit', () => aged('\\p{Nd}')],
  ['graph', () => aged('[^\\p{White_Space}\\p{Cc}\\p{Cs}\\p{Cn}]')],
  ['print', () => aged('(?:[^\\p{White_Space}\\p{Cc}\\p{Cs}\\p{Cn}]|\\p{Zs})')],
  ['punct', () => aged('\\p{P}')],
  ['space', () => aged('\\p{White_Space}')],
  ['upper', () => aged('\\p{Uppercase}')],
  ['xdigit', () => (point) => point < 0x80 && /[0-9a-fA-F]/.test(String.fromCharCode(point))],
  ['word', () => word],
  ['alpha', () => aged('\\p{Alphabetic}')],
]);

const lower = (source: string): Test => {
  const its = aged(source);
  return (point) => point === LOWER_THEN || its(point);
};
const upperless = (): Test => {
  const its = aged('\\p{Lo}');
  return (point) => point !== LOWER_THEN && its(point);
};
const word: Test = aged('[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]');
/** Outside of brackets `\w` goes by a table of Latin-1 that has ² ³ ¹ ¼ ½ ¾. */
const LATIN_WORDS: readonly number[] = [0xb2, 0xb3, 0xb9, 0xbc, 0xbd, 0xbe];

const remembered = new Map<string, Test>();
/** The same test for the same name, since the engine's classes take a while to build. */
function once(key: string, make: () => Test): Test {
  let test = remembered.get(key);
  if (test === undefined) {
    const set = new CharSet(make());
    test = (point) => point < 0x10000 ? (set.known[point] || set.see(point)) === 2 : set.has(point);
    remembered.set(key, test);
  }
  return test;
}

/** The set of a POSIX bracket such as `[:alpha:]`; undefined for a name that is none. */
export function posix(name: string): Test | undefined {
  if (name === 'punct') return once('[punct]', () => aged('[\\p{P}\\p{S}]'));
  const known = [
    'alnum',
    'alpha',
    'ascii',
    'blank',
    'cntrl',
    'digit',
    'graph',
    'lower',
    'print',
    'space',
    'upper',
    'xdigit',
    'word',
  ];
  return known.includes(name) ? once(name, NAMED.get(name) as () => Test) : undefined;
}

/** The set of a property or script; undefined for a name that is none. */
export function property(name: string): Test | undefined {
  const key = plain(name);
  const named = NAMED.get(key);
  if (named) return once(key, named);
  // `Script=Han` is ours: the patterns of GGUF vocabularies say it so
  const words = name.trim().replace(/^Script=/, '').split(/[\s_-]+/);
  const title = words.map((part) => part.charAt(0).toUpperCase() + part.slice(1).toLowerCase()).join('_');
  const tries = [words.join('_'), title, `Script=${words.join('_')}`, `Script=${title}`];
  if (key.length <= 2) tries.unshift(key.charAt(0).toUpperCase() + key.slice(1));
  for (const candidate of tries) {
    if (!/^[A-Za-z_=]+$/.test(candidate)) continue;
    try {
      new RegExp(`\\p{${candidate}}`, 'u');
    } catch {
      continue;
    }
    return once(candidate, () => aged(`\\p{${candidate}}`));
  }
  return undefined;
}

/** The set of a letter after a backslash: d, h, s, w and the capitals for what is outside; undefined for other letters. */
export function shorthand(letter: string, inBrackets: boolean): Test | undefined {
  const small = letter.toLowerCase();
  const name = { d: 'digit', h: 'xdigit', s: 'space', w: 'word' }[small];
  if (name === undefined) return undefined;
  let test = posix(name) as Test;
  if (small === 'w' && !inBrackets) {
    const bare = test;
    test = (point) => bare(point) || LATIN_WORDS.includes(point);
  }
  return letter === small ? test : not(test);
}

/** The property, as outside of brackets: `\p{Word}` has what `\w` has. */
export function outside(name: string): Test | undefined {
  return plain(name) === 'word' ? shorthand('w', false) : property(name);
}

/** The set with all that differs from a member in case only. */
export function folded(test: Test): Test {
  return (point) => {
    if (test(point)) return true;
    const text = String.fromCodePoint(point);
    const [low, up] = [text.toLowerCase(), text.toUpperCase()];
    const also = [low, up, up.toLowerCase(), low.toUpperCase(), ...(FOLDS.get(low) ?? [])];
    return also.some((other) => {
      const its = other.codePointAt(0) as number;
      return other.length === (its > 0xffff ? 2 : 1) && test(its);
    });
  };
}
/** Characters whose lower case is one letter while the letter's upper case is another: ſ, the signs of Kelvin and Ångström. */
const FOLDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['s', ['\u017f']],
  ['\u017f', ['s', 'S']],
  ['k', ['\u212a']],
  ['\u00e5', ['\u212b']],
  ['\u03c3', ['\u03c2']],
  ['\u03c2', ['\u03c3', '\u03a3']],
  ['\u03b8', ['\u03d1', '\u03f4']],
  ['\u03c9', ['\u2126']],
  ['\u00df', ['\u1e9e']],
]);
