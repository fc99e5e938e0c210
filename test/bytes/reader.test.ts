import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { Reader } from '../../src/bytes/reader.ts';
import { ByteBuilder, bytesOf, u64Bytes, utf8 } from '../builders.ts';
import { countingSource, faultySource, sparseSource, trickle } from '../faults.ts';
import { refuses } from '../refusal.ts';

const reader = suite('reader');

/** A reader over bytes that are all in its window. */
async function over(bytes: Uint8Array): Promise<Reader> {
  const made = new Reader(memorySource(bytes));
  await made.ensure(bytes.length, 'all');
  return made;
}

reader('reads every width, signed and unsigned, little-endian', async () => {
  const out = new ByteBuilder();
  out.bytes(bytesOf(0xfe, 0xfe, 0x34, 0xf2, 0x34, 0xf2));
  out.u32(0xf2345678);
  out.u32(0xf2345678);
  out.f32(1.5);
  out.f64(-2.25);
  const at = await over(out.take());
  assert.equal([at.u8(), at.i8(), at.u16(), at.i16()], [0xfe, -2, 0xf234, 0xf234 - 0x10000]);
  assert.equal([at.u32(), at.i32()], [0xf2345678, 0xf2345678 - 2 ** 32]);
  assert.equal([at.f32(), at.f64(), at.left, at.ready], [1.5, -2.25, 0, 0]);
});

reader('64-bit integers are numbers while exact and bigints beyond', async () => {
  const values = [0, 2 ** 32, 2 ** 53 - 1, 2n ** 53n, 2n ** 64n - 1n];
  const at = await over(u64Bytes(...values));
  for (const value of values) assert.is(at.u64(), value);
  const signed = [-1, -(2 ** 53 - 1), -(2n ** 53n), -(2n ** 63n), 2 ** 53 - 1, 2n ** 53n];
  const signedAt = await over(u64Bytes(...signed));
  for (const value of signed) assert.is(signedAt.i64(), value);
});

// case: T4
reader('text keeps its byte order mark, and bytes that are no UTF-8 are told or replaced', async () => {
  for (
    const text of ['', 'a', '\ufeffa', 'ünï', '日本語のトークン', 'a plain but longer text', '\ufeff'.repeat(9), '\0']
  ) {
    const bytes = utf8(text);
    assert.is((await over(bytes)).utf8(bytes.length, true), text);
    assert.is((await over(bytes)).utf8(bytes.length, false), text);
  }
  for (const bad of [bytesOf(0x80), bytesOf(0x61, 0xff), bytesOf(0xed, 0xa0, 0x80), utf8('語').slice(0, 2)]) {
    assert.is((await over(bad)).utf8(bad.length, true), null);
    assert.match((await over(bad)).utf8(bad.length, false), /\ufffd/);
  }
});

reader('a copy of bytes outlives the window', async () => {
  const at = new Reader(memorySource(bytesOf(1, 2, 3, 4)), { windowBytes: 2 });
  await at.ensure(2, 'x');
  const two = at.bytes(2);
  await at.ensure(2, 'x');
  assert.equal([[...two], at.u8(), at.u8()], [[1, 2], 3, 4]);
});

reader('values across windows of any size are the same, also from a source that trickles', async () => {
  const bytes = Uint8Array.from({ length: 400 }, (_, i) => (i * 31) & 255);
  const expected = new DataView(bytes.buffer);
  for (const windowBytes of [1, 3, 4, 7, 64, 1000]) {
    for (const source of [memorySource(bytes), trickle(memorySource(bytes), 1)]) {
      const at = new Reader(source, { windowBytes });
      for (let i = 0; i < 400; i += 4) {
        if (!at.has(4)) await at.ensure(4, 'a number');
        assert.is(at.position, i);
        assert.is(at.u32(), expected.getUint32(i, true));
      }
    }
  }
});

reader('taking what was not ensured is refused, never invented', async () => {
  const at = new Reader(memorySource(bytesOf(1, 2, 3, 4, 5)), { windowBytes: 4 });
  assert.throws(() => at.u8(), /TRUNCATED/);
  await at.ensure(2, 'x');
  assert.throws(() => at.u64(), /TRUNCATED/);
  assert.throws(() => at.utf8(5, false), /TRUNCATED/);
  assert.is(at.u32(), 0x04030201);
});

reader('the end of the source and the limit are told apart, up to the last byte', async () => {
  const bytes = new Uint8Array(100);
  const at = new Reader(memorySource(bytes, 'f'), { limitBytes: 50, limitCode: 'GGUF_HEADER' });
  await at.ensure(50, 'x');
  at.bytes(50);
  await at.ensure(0, 'nothing');
  await refuses(at.ensure(1, 'key 3'), 'GGUF_HEADER', 'f', 'key 3', '50');
  await refuses(at.ensure(51, 'key 3'), 'TRUNCATED', 'key 3', '51 bytes at 50', '100');
  const free = new Reader(memorySource(bytes), { start: 90 });
  assert.is(free.left, 10);
  await free.ensure(10, 'x');
  await refuses(free.ensure(11, 'x'), 'TRUNCATED');
  await refuses(free.ensure(Infinity, 'x'), 'TRUNCATED');
  await refuses(free.ensure(NaN, 'x'), 'TRUNCATED');
});

reader('nothing is set aside beyond the source, the limit and the window', async () => {
  const small = countingSource(memorySource(new Uint8Array(100)));
  await new Reader(small).ensure(1, 'x');
  assert.is(small.counts.largest, 100);
  const huge = countingSource(sparseSource(2 ** 40, []));
  const at = new Reader(huge, { limitBytes: 50_000_000, limitCode: 'GGUF_HEADER' });
  await refuses(at.ensure(2 ** 39, 'x'), 'GGUF_HEADER');
  assert.is(huge.counts.reads, 0);
  for (let i = 0; i < 12; i++) {
    await at.ensure(at.ready + 1, 'x');
    at.bytes(at.ready);
  }
  assert.ok(huge.counts.largest <= 4 << 20, `${huge.counts.largest}`);
  assert.ok(huge.counts.reads <= 14, `${huge.counts.reads}`);
});

reader('a failing read is reported with its cause, and the reader stays where it was', async () => {
  const at = new Reader(faultySource(memorySource(bytesOf(7, 8)), { failAt: 1, kind: 'throw' }));
  await refuses(at.ensure(1, 'x'), 'IO', 'on purpose');
  await at.ensure(2, 'x');
  assert.is(at.u8(), 7);
});

reader.run();
