/**
 * Where engines carry different Unicode tables, byte-level vocabularies cut a few texts differently. These are the ids of
 * current tables; an engine with older ones is recognised by one letter, and then its differences are listed, not passed over.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { byteLevelMetadata, spmMetadata, tokenizerOf } from './builders.ts';

const test = suite('tokenizer/unicode');

/** Letters and digits by the version that brought them. On older tables they count as marks and join what is around them. */
const RECENT: [version: string, point: number, letter: boolean][] = [
  ['15.0', 0x1df25, true],
  ['15.0', 0x1e4d0, true],
  ['15.0', 0x1d2c0, false],
  ['15.1', 0x2ebf0, true],
  ['16.0', 0x105c0, true],
  ['16.0', 0x10d4a, true],
  ['16.0', 0x1ccf0, false],
  ['17.0', 0x10940, true],
  ['17.0', 0x11db0, true],
  ['17.0', 0x323b0, true],
];

/** How many words the GPT-2 pattern makes of `a`, the character, `!`: 2 for a letter (joined with a), 3 for a digit, 2 else. */
const words = (text: string): string[] => {
  // Three bytes of a marker merge only within a word, so that the ids tell where the cut is.
  const tokenizer = tokenizerOf(byteLevelMetadata(['a ð', '! ð', 'a !']));
  return tokenizer.encode(text).map((id) => tokenizer.piece(id));
};

test('letters of Unicode 14 and before are letters everywhere', () => {
  for (const point of [0x61, 0x3b1, 0x4e2d, 0x1f00, 0x10400, 0x1df00, 0x2a6d0]) {
    assert.is(words(`a${String.fromCodePoint(point)}`)[0] === 'að' || point < 0x10000, true, point.toString(16));
  }
});

// case: T8
test('recent letters and digits: which of them this engine knows', () => {
  const older: string[] = [];
  for (const [version, point, letter] of RECENT) {
    const text = String.fromCodePoint(point);
    const joined = words(`a${text}`)[0] === 'að';
    const joinedToMark = words(`!${text}`)[0] === '!ð';
    const known = letter ? joined && !joinedToMark : !joined && !joinedToMark;
    const asMark = !joined && joinedToMark;
    assert.ok(known || asMark, `U+${point.toString(16)} is neither what it is nor unassigned`);
    if (!known) older.push(`U+${point.toString(16).toUpperCase()} (Unicode ${version})`);
  }
  const versions = (globalThis as { process?: { versions?: Record<string, string> } }).process?.versions ?? {};
  // The newest tables are all that the supported engines may lack.
  assert.ok(
    older.every((entry) => /\(Unicode 1[67]\.0\)/.test(entry)),
    older.join(', '),
  );
  if (older.length > 0) console.log(`  not known to this engine: ${older.join(', ')}`);
  // Node 20 and later link the tables they say they have. Deno says 17.0 and carries older ones.
  const exact = versions.deno === undefined && versions.bun === undefined && versions.unicode !== undefined;
  const stated = Number(versions.unicode);
  if (exact) {
    for (const [version, point] of RECENT) {
      assert.is(
        older.some((entry) => entry.startsWith(`U+${point.toString(16).toUpperCase()} `)),
        Number(version) > stated,
        version,
      );
    }
  }
});

// case: T8
test('case and composition: what the vocabulary cuts does not depend on them', () => {
  const tokenizer = tokenizerOf(spmMetadata());
  for (const text of ['İı', 'Σς', 'ﬁ', 'Å', 'é', 'e\u0301', '\u1e9b\u0323']) {
    assert.is(tokenizer.decode(tokenizer.encode(text)), text, 'SPM without a character map changes nothing');
  }
});

test('white space is the Unicode property, not the one of JavaScript', () => {
  // U+0085 is white space, U+FEFF is none: `\s` of JavaScript has it the other way.
  const tokenizer = tokenizerOf(byteLevelMetadata(['a Â', 'Â a', 'a ï', 'ï a', '! ï', '! Â']));
  const first = (text: string): string => tokenizer.piece(tokenizer.encode(text)[0]);
  assert.is(first('!\u0085a'), '!');
  assert.is(first('!\ufeffa'), '!ï');
});

test.run();
