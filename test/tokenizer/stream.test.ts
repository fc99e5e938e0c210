/** Text as it comes: whole characters, and stop strings that are never partly shown. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OptionError } from '../../src/errors.ts';
import { StopMatcher } from '../../src/tokenizer/stop.ts';
import { Utf8Stream } from '../../src/tokenizer/utf8.ts';
import { byteLevelMetadata, spmMetadata, tokenizerOf } from './builders.ts';

const test = suite('tokenizer/stream');

// case: T16
test('characters cut over tokens come whole', () => {
  for (const tokenizer of [tokenizerOf(spmMetadata()), tokenizerOf(byteLevelMetadata())]) {
    const text = 'a😀中é\u{10ffff}👩‍🚀';
    const stream = tokenizer.stream();
    const parts = tokenizer.encode(text).map((id) => stream.push(id));
    assert.is(parts.join('') + stream.flush(), text);
    assert.ok(parts.every((part) => !part.includes('\ufffd')));
  }
});

// case: T16 T18
test('what a stream says, joined, is the decoding of all', () => {
  const tokenizer = tokenizerOf(spmMetadata());
  let seed = 1;
  for (let round = 0; round < 300; round++) {
    const ids = Array.from({ length: 12 }, () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % tokenizer.vocabSize;
    });
    const stream = tokenizer.stream();
    assert.is(ids.map((id) => stream.push(id)).join('') + stream.flush(), tokenizer.decode(ids));
  }
});

// case: T16
test('any bytes in any parts decode as all at once', () => {
  const all = new TextDecoder('utf-8', { ignoreBOM: true });
  const samples = [
    [0xf0, 0x9f, 0x98, 0x80],
    [0xf0, 0x9f, 0x98],
    [0xe4, 0xb8, 0x61],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xe0, 0x80, 0x80],
    [0xf8, 0x88],
    [0x80, 0x80],
    [0xef, 0xbb, 0xbf, 0x61],
    [0xf0, 0x80],
    [0xc3],
    [0xff, 0xc3, 0xa9],
    [0xe2, 0x82],
  ];
  for (const sample of [...samples, samples.flat()]) {
    for (let size = 1; size <= sample.length; size++) {
      const stream = new Utf8Stream();
      let text = '';
      for (let at = 0; at < sample.length; at += size) {
        text += stream.push(Uint8Array.from(sample.slice(at, at + size)));
      }
      assert.is(text + stream.flush(), all.decode(Uint8Array.from(sample)), `${sample} by ${size}`);
    }
  }
});

// case: T16
test('an unfinished character at the end is one U+FFFD', () => {
  const stream = new Utf8Stream();
  assert.is(stream.push(Uint8Array.of(0x61, 0xf0, 0x9f, 0x98)), 'a');
  assert.is(stream.flush(), '\ufffd');
  assert.is(stream.flush(), '');
});

// case: T17
test('a stop string is found over parts and never partly shown', () => {
  const stop = new StopMatcher(['<end>', 'STOP']);
  assert.equal(stop.push('a <e'), { text: 'a ', stopped: false });
  assert.equal(stop.push('nd'), { text: '', stopped: false });
  assert.equal(stop.push('!'), { text: '<end!', stopped: false });
  assert.equal(stop.push('xST'), { text: 'x', stopped: false });
  assert.equal(stop.push('OP more'), { text: '', stopped: true });
  assert.equal(stop.push('y'), { text: '', stopped: true });
  assert.is(stop.finish('z'), '');
});

// case: T17
test('beginnings that overlap are told apart, and the earliest stop string wins', () => {
  const stop = new StopMatcher(['aab']);
  assert.equal(stop.push('aa'), { text: '', stopped: false });
  assert.equal(stop.push('aab!'), { text: 'aa', stopped: true });
  assert.equal(new StopMatcher(['bc', 'abc']).push('xabcd'), { text: 'x', stopped: true });
  const held = new StopMatcher(['aab']);
  held.push('xaa');
  assert.is(held.finish(), 'aa');
});

test('stop strings work inside characters of several code units', () => {
  const stop = new StopMatcher(['😀!']);
  assert.equal(stop.push('a😀'), { text: 'a', stopped: false });
  assert.equal(stop.push('?'), { text: '😀?', stopped: false });
  assert.equal(stop.push('😀!'), { text: '', stopped: true });
});

// case: T17
test('no stop strings let everything pass; empty, long and too many ones are refused', () => {
  assert.equal(new StopMatcher([]).push('abc'), { text: 'abc', stopped: false });
  for (const stops of [[''], ['x'.repeat(257)], new Array(17).fill('x')]) {
    assert.throws(
      () => new StopMatcher(stops),
      (error: unknown) => error instanceof OptionError,
    );
  }
  new StopMatcher(new Array(16).fill('x'.repeat(256)));
});

test.run();
