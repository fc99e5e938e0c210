/**
 * Every way of cutting text against native llama.cpp, on a small vocabulary learnt from the documents of this project. The answers
 * are data in pretokenizers.json.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { MetadataValue } from '../../src/container/tensor.ts';
import { tokenizerFromMetadata } from '../../src/tokenizer/open.ts';
import { preTokenizer, splitter, withShortRuns } from '../../src/tokenizer/pretokenize.ts';
import { checkout } from '../house/checkout.ts';

interface Answers {
  readonly pieces: string[];
  readonly merges: string[];
  readonly strings: string[];
  readonly ids: Readonly<Record<string, number[][]>>;
}

const { pieces, merges, strings, ids } = JSON.parse(
  readFileSync(join(checkout(), 'test/tokenizer/pretokenizers.json'), 'utf8'),
) as Answers;

/** Their patterns keep a combining mark with its letter, as the models were trained; llama.cpp leaves that out. */
const MARKS_KEPT = ['tekken', 'gpt-4o'];

const test = suite('tokenizer/pretokenizers');

test('there are answers for all of them', () => {
  assert.ok(Object.keys(ids).length >= 18, Object.keys(ids).join());
  assert.ok(strings.length >= 20);
  assert.is(new Set(Object.values(ids).map((list) => JSON.stringify(list))).size > 10, true, 'they do differ');
});

test('long runs of spaces are cut as short ones are, by every pattern', () => {
  const run = ' '.repeat(3001);
  const texts = [
    run,
    `a${run}b`,
    `${run}\n${run}`,
    `1${run}. ${run}${run}x\t${run}\r\n`,
    `\n\n${run}é${' '.repeat(1024)}5`,
  ];
  for (const pre of Object.keys(ids)) {
    const { way } = preTokenizer(pre, { pieces: 0 });
    const cut = splitter(way.patterns);
    for (const text of texts) assert.equal(withShortRuns(text, cut), cut(text), `${pre}: ${text.trim().slice(0, 9)}`);
    assert.is(withShortRuns(run, (short) => [...short]), null, 'a pattern that takes spaces one by one is not trusted');
  }
});

for (const [pre, expected] of Object.entries(ids)) {
  // case: T1
  test(`${pre}: ids of llama.cpp`, () => {
    const metadata = new Map<string, MetadataValue>([
      ['tokenizer.ggml.model', 'gpt2'],
      ['tokenizer.ggml.pre', pre],
      ['tokenizer.ggml.tokens', pieces],
      ['tokenizer.ggml.token_type', pieces.map((piece) => (piece === '<s>' ? 3 : 1))],
      ['tokenizer.ggml.merges', merges],
      ['tokenizer.ggml.add_bos_token', false],
    ]);
    const tokenizer = tokenizerFromMetadata(metadata);
    strings.forEach((text, i) => {
      if (MARKS_KEPT.includes(pre) && /\p{M}/u.test(text)) return;
      assert.equal(tokenizer?.encode(text), expected[i], JSON.stringify(text));
    });
    assert.equal(tokenizer?.notices, []);
  });
}

test.run();
