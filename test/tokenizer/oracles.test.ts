/** Ids of other people's tokenizers, on their vocabularies. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openTokenizer, tokenizerFromMetadata } from '../../src/tokenizer/open.ts';
import { sentencePieceMetadata } from '../../src/tokenizer/sentencepiece.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { json, sharedTest } from '../shared.ts';
import { ggufMetadata, vocabularyCases } from './metadata.ts';

const test = suite('tokenizer/oracles');

interface Expected {
  readonly bos: number;
  readonly eos: number;
  readonly cases: readonly { readonly text: string; readonly ids: number[]; readonly decoded: string }[];
}

for (const name of ['bert-bge', 'gpt-2', 'llama-spm', 'phi-3']) {
  sharedTest(
    test,
    `${name}: 46 strings give the ids of llama.cpp`,
    `tokenizers/ggml-vocab-${name}.gguf`,
    async (path) => {
      const tokenizer = tokenizerFromMetadata(await ggufMetadata(path)) as Tokenizer;
      const cases = vocabularyCases(path);
      assert.is(cases.length, 46);
      for (const { text, ids } of cases) assert.equal(tokenizer.encode(text), ids, JSON.stringify(text));
    },
  );
}

for (const name of ['llama2', 'symboliclight-0.8b', 'symboliclight-194m']) {
  // case: T1 T15
  sharedTest(test, `${name}: ids and texts of SentencePiece`, `tokenizers/${name}.model`, (path) => {
    const bytes = readFileSync(path);
    const expected = json<Expected>(path.replace('.model', '.expected.json'));
    const tokenizer = openTokenizer(bytes, name);
    const embedded = tokenizerFromMetadata(sentencePieceMetadata(bytes, name)) as Tokenizer;
    assert.is(tokenizer.specials.bos, expected.bos);
    assert.is(tokenizer.specials.eos, expected.eos);
    assert.ok(expected.cases.length > 40);
    for (const { text, ids, decoded } of expected.cases) {
      assert.equal(tokenizer.encode(text), ids, JSON.stringify(text));
      assert.equal(embedded.encode(text), ids, JSON.stringify(text));
      assert.is(tokenizer.decode(ids), decoded, JSON.stringify(text));
      const stream = tokenizer.stream();
      assert.is(ids.map((id) => stream.push(id)).join('') + stream.flush(), decoded, JSON.stringify(text));
    }
    assert.equal(tokenizer.encode('a', { special: true }), [expected.bos, ...tokenizer.encode('a')]);
  });
}

const GOLDEN_08B: [string, number[]][] = [
  ['Once upon a time', [8113, 5938, 277, 727]],
  ['The capital of France is', [395, 6481, 312, 10479, 339]],
  ['Hello  world', [23948, 48038, 1617]],
  [' leading', [48038, 5869]],
  ['trail ', [18694, 48038]],
  ['2024 年,人工智能 12345', [1081, 1299, 5186, 48060, 2215, 20209, 2149]],
  ['a\nb\tc', [277, 30, 48061, 29, 48050]],
  ['😀é Café ﬁ ＡＢＣ', [48038, 54644, 49403, 360, 3603, 49403, 48038, 51420, 48038, 52411, 53021, 52504]],
  ['<|user|>hi<|endofuser|>', [48038, 16, 8147, 17]],
  ['', []],
  ['  ', [48038, 48038, 48038]],
  ['<s>x', [952, 48045, 48333, 48083]],
];
const GOLDEN_194M: [string, number[]][] = [
  ['Once upon a time', [7767, 413, 3027, 287, 284, 4893]],
  ['The capital of France is', [738, 11663, 14291, 351, 9418, 2796, 346]],
  ['Hello  world', [538, 29221, 10337]],
  [' leading', [13710, 310]],
  ['a\nb\tc', [284, 317, 309]],
  ['😀é Café ﬁ ＡＢＣ', [38653, 43047, 42013, 558, 10338, 42013, 325, 38670, 488, 9769]],
  ['<|user|>hi<|endofuser|>', [38653, 16, 18530, 17]],
  ['  ', []],
];

for (
  const [name, golden] of [
    ['0.8b', GOLDEN_08B],
    ['194m', GOLDEN_194M],
  ] as const
) {
  sharedTest(test, `symboliclight-${name}: golden vectors`, `tokenizers/symboliclight-${name}.model`, (path) => {
    const tokenizer = openTokenizer(readFileSync(path), name);
    for (const [text, ids] of golden) assert.equal(tokenizer.encode(text), ids, JSON.stringify(text));
    assert.ok(
      tokenizer.specials.stop.includes(2) && tokenizer.specials.stop.includes(19),
      'stops at </s> and <|endofassistant|>',
    );
  });
}

sharedTest(test, 'llama 3: ids known from the original', 'tokenizers/llama3.tiktoken', (path) => {
  const tokenizer = openTokenizer(readFileSync(path), 'llama3.tiktoken');
  assert.is(tokenizer.vocabSize, 128_256);
  assert.equal(tokenizer.encode('Hello world'), [9906, 1917]);
  assert.equal(
    tokenizer.encode('This is a test sentence.', { special: true }),
    [128000, 2028, 374, 264, 1296, 11914, 13],
  );
  assert.equal(tokenizer.encode('<|eot_id|>', { special: true }), [128000, 128009]);
  assert.ok(tokenizer.encode('<|eot_id|>').every((id) => id < 128000));
  assert.ok(tokenizer.specials.stop.includes(128001) && tokenizer.specials.stop.includes(128009));
});

sharedTest(test, 'bert-base-uncased: ids known from the original', 'tokenizers/bert-base-uncased.vocab.txt', (path) => {
  const tokenizer = openTokenizer(readFileSync(path), 'vocab.txt');
  assert.equal(tokenizer.encode('Hello, world!', { special: true }), [101, 7592, 1010, 2088, 999, 102]);
  assert.equal(tokenizer.encode('unaffable [MASK]', { special: true }).at(-2), 103);
  assert.equal(tokenizer.encode('a'.repeat(101)), [100]);
});

test.run();
