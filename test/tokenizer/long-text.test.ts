/** Long texts encoded a piece at a time: the ids of the whole, no more of it than is of interest, and an abort in between. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeLong } from '../../src/tokenizer/long-text.ts';
import { openTokenizer } from '../../src/tokenizer/open.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { vocabulary } from '../bert-folder.ts';
import { utf8 } from '../builders.ts';
import { random } from '../kernels/harness.ts';

const tokenizer = openTokenizer(utf8(`${vocabulary()}\n的\n人`), 'vocab.txt');
const free = (): Promise<void> => Promise.resolve();
const u = random(3);
const pick = (from: readonly string[]): string => from[Math.floor(u() * from.length)];
const mixed = (n: number, from: readonly string[]): string => Array.from({ length: n }, () => pick(from)).join('');

const test = suite('long texts');

test('the ids of the whole, wherever words end', async () => {
  const texts = [
    '',
    'a b',
    mixed(30_000, ['a', 'b', 'cd', ' ', '\n', '!', '的', '人', 'é', 'e\u0301', '[SEP]', ' [MASK] ', '\u0000', '𠀀']),
    mixed(40_000, ['的', '人']),
    mixed(30_000, ['a', 'b']), // one word
    `${'a'.repeat(8190)} bc`,
    ' '.repeat(20_000),
  ];
  for (const [i, text] of texts.entries()) {
    assert.equal(
      await encodeLong(tokenizer, text, Infinity, free),
      tokenizer.encode(text, { special: true }),
      `text ${i}`,
    );
  }
});

test('the rest of a text is left when there are enough, and its beginning is that of the whole', async () => {
  let encoded = 0;
  const counting: Tokenizer = {
    ...tokenizer,
    kind: tokenizer.kind,
    encode(text, options) {
      encoded += text.length;
      return tokenizer.encode(text, options);
    },
  };
  const text = 'ab c '.repeat(200_000);
  const ids = await encodeLong(counting, text, 513, free);
  assert.ok(ids.length >= 513 && encoded < 20_000, `${ids.length} ids of ${encoded} characters`);
  assert.equal(ids.slice(0, 513), tokenizer.encode(text.slice(0, 20_000), { special: true }).slice(0, 513));
  assert.is(ids[ids.length - 1], 3);
});

test('an abort is seen between two pieces', async () => {
  let left = 3;
  const breathe = (): Promise<void> => left-- > 0 ? Promise.resolve() : Promise.reject(new Error('enough'));
  await encodeLong(tokenizer, ' '.repeat(1_000_000), 100, breathe).then(
    () => assert.unreachable('was not aborted'),
    (error: Error) => assert.is(error.message, 'enough'),
  );
});

test.run();
