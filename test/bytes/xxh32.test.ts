/** XXH32: published answers, any offset, any one byte changed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { xxh32 } from '../../src/bytes/xxh32.ts';

const test = suite('xxh32');

test('published answers', () => {
  const text = (s: string): Uint8Array => new TextEncoder().encode(s);
  assert.is(xxh32(text('')), 0x02cc5d05);
  assert.is(xxh32(text('a')), 0x550d7456);
  assert.is(xxh32(text('abc')), 0x32d153ff);
  assert.is(xxh32(text('Nobody inspects the spammish repetition')), 0xe2293b2f);
});

test('the same at any offset; another seed or one changed byte gives another sum', () => {
  const bytes = Uint8Array.from({ length: 101 }, (_, i) => i * 37);
  const sum = xxh32(bytes);
  for (let shift = 1; shift < 8; shift++) {
    const moved = new Uint8Array(bytes.length + shift);
    moved.set(bytes, shift);
    assert.is(xxh32(moved.subarray(shift)), sum);
  }
  assert.is.not(xxh32(bytes, 1), sum);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] ^= 1;
    assert.is.not(xxh32(bytes), sum, `byte ${i}`);
    bytes[i] ^= 1;
  }
});
test.run();
