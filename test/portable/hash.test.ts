import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fnv1a, fnv1aFloats, fnv1aText } from './hash.ts';

const hash = suite('hash');

/** The definition, on big integers. */
function plain(bytes: Uint8Array): string {
  let state = 0xcbf29ce484222325n;
  for (const byte of bytes) state = BigInt.asUintN(64, (state ^ BigInt(byte)) * 0x100000001b3n);
  return state.toString(16).padStart(16, '0');
}

hash('known texts have their published values', () => {
  assert.is(fnv1aText(''), 'cbf29ce484222325');
  assert.is(fnv1aText('a'), 'af63dc4c8601ec8c');
  assert.is(fnv1aText('foobar'), '85944171f73967e8');
});

hash('two 32-bit halves give what 64-bit integers give', () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => (i * 167 + (i >> 3)) & 255);
  for (const length of [1, 2, 3, 63, 64, 65, 1000, 5000]) {
    assert.is(fnv1a(bytes.subarray(0, length)), plain(bytes.subarray(0, length)));
  }
});

hash('one bit of one float changes it, and a view hashes only its own part', () => {
  const values = new Float32Array([1, -0, 3.5, NaN]);
  assert.is(fnv1aFloats(values.subarray(1, 3)), fnv1aFloats(new Float32Array([-0, 3.5])));
  assert.is.not(fnv1aFloats(new Float32Array([-0, 3.5])), fnv1aFloats(new Float32Array([0, 3.5])));
});

hash.run();
