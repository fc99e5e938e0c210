/** The page of errors: a section for every code, with cause, cure and a message in the words of the source. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkout, texts } from '../house/checkout.ts';

const PAGE = 'docs/errors.md';
/** Least share of the plain words of an example that are literally in the source; a few come from the host or from tables. */
const LITERAL = 0.6;
/** Fragments of literals shorter than this are in every source. */
const MIN_FRAGMENT = 5;

/** Codes that the type `ErrorCode` lists. */
function known(errors: string): string[] {
  const [, union] = /type ErrorCode =([\s\S]*?);/.exec(errors) ?? [];
  return [...(union ?? '').matchAll(/'([A-Z][A-Z0-9_]*)'/g)].map((match) => match[1]);
}

/** Sections of the page: code → text below its heading. */
function sections(page: string): Map<string, string> {
  return new Map(
    page.split(/^(?=#{1,3} )/m).map((part) => /^### ([A-Z][A-Z0-9_]*)\n([\s\S]*)/.exec(part))
      .filter((match) => match !== null).map(([, code, text]) => [code, text]),
  );
}

/** Share of the plain words of a message that are in fragments of literals; names, numbers and what is quoted are no plain words. */
function literalShare(message: string, fragments: readonly string[]): number {
  const covered = new Uint8Array(message.length);
  for (const fragment of fragments) {
    for (let at = message.indexOf(fragment); at >= 0; at = message.indexOf(fragment, at + 1)) {
      covered.fill(1, at, at + fragment.length);
    }
  }
  const plain = message.replace(/"[^"]*"|'[^']*'/g, (quoted) => ' '.repeat(quoted.length));
  const words = [...plain.matchAll(/(?<![\w.\/:_-])[a-z]{3,}(?![\w\/_(-]|\.\w|:\/)/g)];
  return words.filter(({ index }) => covered[index]).length / Math.max(1, words.length);
}

const errors = suite('error reference');
const page = readFileSync(join(checkout(), PAGE), 'utf8');
const sources = texts('src', '.ts');
const codes = known(sources.get('errors.ts') ?? '');

errors('every code has one section, and every section is of a code', () => {
  assert.ok(codes.length > 70, `${codes.length} codes`);
  const described = [...page.matchAll(/^### (.+)$/gm)].map((match) => match[1]);
  assert.equal(codes.filter((code) => !described.includes(code)), [], `sections missing in ${PAGE}`);
  assert.equal(described.filter((code) => !codes.includes(code)), [], `sections of no code in ${PAGE}`);
  assert.is(new Set(described).size, described.length, 'a section is there twice');
});

errors('every code is thrown somewhere', () => {
  const others = [...sources].filter(([path]) => path !== 'errors.ts').map(([, text]) => text).join('\n');
  assert.equal(codes.filter((code) => !others.includes(`'${code}'`)), []);
});

errors('every section has a message in the words of the source, a cause and a cure', () => {
  const all = [...sources.values()].join('\n').replace(/['"`] \+\s*['"`]/g, '');
  const fragments = [...new Set(all.split(/\$\{|\}|['"`\n]/))].filter((part) =>
    part.length >= MIN_FRAGMENT && / /.test(part) && /[a-z]{2}/.test(part) && !/\/\/|^ {2,}\S+$|^\s*\*/.test(part)
  );
  for (const [code, text] of sections(page)) {
    const [, message] = new RegExp(`^ {4}${code}: (.+)$`, 'm').exec(text) ?? [];
    assert.ok(message, `${code}: no example`);
    assert.match(text, /^\*\*Cause\.\*\* \S/m, code);
    assert.match(text, /^\*\*Cure\.\*\* \S/m, code);
    const share = literalShare(message, fragments);
    assert.ok(
      share >= LITERAL,
      `${code}: only ${Math.round(100 * share)} % of the words are in the source: ${message}`,
    );
  }
});

errors('a missing code, and an example that is made up, are seen', () => {
  assert.equal(known("export type ErrorCode =\n  // a\n  | 'A_B'\n  | 'C';\n"), ['A_B', 'C']);
  assert.equal([...sections('# E\n\n### A_B\n\n    A_B: x\n\n## Other\n\ntext\n').keys()], ['A_B']);
  assert.is(literalShare('model.gguf has too many bytes', ['is a file of']), 0);
  assert.is(literalShare('model.gguf ("a b c") has 9 many bytes', ['many bytes']), 2 / 3);
});

errors.run();
