import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { readZip, type ZipEntry } from '../../src/container/zip.ts';
import { type ErrorCode, TernspikeError } from '../../src/errors.ts';
import { MAX_ZIP_ENTRIES } from '../../src/limits.ts';
import { ByteBuilder, bytesOf, utf8 } from '../builders.ts';
import { putDirectory, putLocal, zipBytes, type ZipFile, type ZipParts } from '../builders-torch.ts';
import { countingSource, faultySource, sparseSource, trickle } from '../faults.ts';
import { refuses } from '../refusal.ts';
import { refusedBy } from './checks.ts';

const archives = suite('zip');

const A: ZipFile = { name: 'a/data.pkl', data: utf8('first') };
const B: ZipFile = { name: 'a/data/0', data: new Uint8Array(100).fill(7) };
const C: ZipFile = { name: 'a/version', data: utf8('3\n'), sizesFollow: false };
const FILES = [A, B, C];

const read = (bytes: Uint8Array): Promise<ReadonlyMap<string, ZipEntry>> => readZip(memorySource(bytes, 'test.file'));
const refused = (files: readonly ZipFile[], parts: ZipParts, code: ErrorCode, ...words: string[]): Promise<void> =>
  refusedBy(readZip, zipBytes(files, parts), code, ...words);

/** Accepted, with the bytes of every file where its entry says. */
async function accepted(files: readonly ZipFile[], parts: ZipParts = {}): Promise<void> {
  const bytes = zipBytes(files, parts);
  const entries = await read(bytes);
  assert.is(entries.size, files.length);
  for (const { name, data = bytesOf() } of files) {
    const { offset, byteLength } = entries.get(String(name)) as ZipEntry;
    assert.equal(bytes.subarray(offset, offset + byteLength), data);
  }
}

archives(
  'stored files are found, with and without zip64 records, sizes in front or behind, and a comment',
  async () => {
    for (const zip64 of [true, false]) {
      await accepted(FILES, { zip64 });
      await accepted([...FILES].reverse(), { zip64, comment: 'made by hand' });
      await accepted([], { zip64 });
      await accepted(FILES, { zip64, gap: 9 });
    }
    await accepted([{ name: '__proto__', data: utf8('x') }, { name: 'ä/😀' }, { name: '../../x' }]);
  },
);

// case: P7
archives('compressed and encrypted files are refused, in the directory or in the file', async () => {
  for (const [method, flags] of [[8, 8], [93, 8], [14, 8], [0, 1], [0, 0x41], [0, 0x2008], [99, 1]]) {
    const how = method === 0 ? 'encrypted' : `method ${method}`;
    await refused([A, { ...B, method, flags }], {}, 'ZIP_METHOD', 'a/data/0', how);
    await refused([A, { ...B, local: { method, flags } }], {}, 'ZIP_METHOD', 'a/data/0', how);
    await refused([A, { ...B, listed: { method, flags } }], {}, 'ZIP_METHOD', 'a/data/0', how);
  }
  await accepted([A, { ...B, method: 0, flags: 8 }]);
});

// case: P8
archives('a local header that contradicts the directory is refused; sizes of 0 before bit 3 do not', async () => {
  await refused([{ ...A, local: { name: 'a/data.pkx' } }], {}, 'ZIP_LAYOUT', 'another name');
  await refused([{ ...A, local: { name: 'a/data.pk' } }], {}, 'ZIP_LAYOUT', 'another name');
  await refused([{ ...A, listed: { name: 'a/other.pk' } }], {}, 'ZIP_LAYOUT', 'another name');
  await refused([{ ...A, local: { flags: 0 } }], {}, 'ZIP_LAYOUT', 'flags');
  for (const sizes of [[0, 0], [5, 4], [4, 5], [6, 6], [5, 0]] as const) {
    await refused([{ ...A, sizesFollow: false, local: { sizes } }], {}, 'ZIP_LAYOUT', 'own header');
  }
  for (const sizes of [[6, 6], [5, 0], [0, 5]] as const) {
    await refused([{ ...A, local: { sizes } }], {}, 'ZIP_LAYOUT', 'own header');
  }
  for (const sizes of [[0, 0], [5, 5]] as const) await accepted([{ ...A, local: { sizes } }]);
  await refused([{ ...A, listed: { size: 4, packed: 5 } }], {}, 'ZIP_LAYOUT', 'stored');
});

archives('sizes of a local header may stand in its zip64 field', async () => {
  const wide = (...values: number[]): Uint8Array => {
    const out = new ByteBuilder();
    for (const value of [1, values.length * 8]) out.u16(value);
    for (const value of values) out.u64(value);
    return out.take();
  };
  const sizes = [0xffffffff, 0xffffffff] as const;
  const of = (extra: Uint8Array): ZipFile => ({ ...A, sizesFollow: false, local: { sizes, extra } });
  await accepted([of(wide(5, 5))]);
  await accepted([of(bytesOf(9, 9, 2, 0, 1, 1, ...wide(5, 5)))]);
  await refused([of(wide(5, 6))], {}, 'ZIP_LAYOUT', 'own header');
  await refused([of(wide(5))], {}, 'ZIP_LAYOUT', 'zip64');
  await refused([of(bytesOf())], {}, 'ZIP_LAYOUT', 'zip64');
  await refused([of(wide(5, 5).subarray(0, 12))], {}, 'ZIP_LAYOUT', 'zip64');
});

// case: P9
archives('files that overlap, stand twice, lie beyond the directory or behind junk are refused', async () => {
  await refused([A, { name: 'x', listed: { header: 0 } }], {}, 'ZIP_LAYOUT');
  await refused([A, { ...A, data: utf8('other') }], {}, 'ZIP_LAYOUT', 'twice');
  await refused([A, { ...B, listed: { size: 116 + 1 } }, C], {}, 'ZIP_LAYOUT');
  for (const size of [300, 2 ** 31, 0xfffffffe, 2 ** 40, 2 ** 52]) {
    await refused([A, { ...B, listed: { size } }], {}, 'ZIP_LAYOUT', 'a/data/0', 'beyond');
    await refused([A, { ...B, listed: { header: size } }], {}, 'ZIP_LAYOUT', 'a/data/0', 'beyond');
  }
  await refused(FILES, { prefix: utf8('junk') }, 'ZIP_LAYOUT', 'precedes');
  await refused([{ ...A, listed: { header: 1 } }], {}, 'ZIP_LAYOUT', 'precedes');
  await refused([{ name: bytesOf() }], {}, 'ZIP_LAYOUT', 'empty');
  await refused([{ name: 'a\0b' }], {}, 'ZIP_LAYOUT', 'NUL');
  await refused([{ name: bytesOf(0xff) }], {}, 'ZIP_LAYOUT', 'UTF-8');
  await refused([{ ...A, listed: { disk: 1 } }], {}, 'ZIP_LAYOUT', 'another part');
});

archives('a file whose data overlaps the header of the next is refused', async () => {
  const long: ZipFile = { name: 'long', data: new Uint8Array(8), sizesFollow: false, local: { sizes: [60, 60] } };
  await refused([{ ...long, listed: { size: 60 } }, B], {}, 'ZIP_LAYOUT', 'a/data/0', 'overlaps');
  await accepted([{ ...long, local: {} }, B]);
  // the directory alone says that this one fits; its own header is four bytes longer
  const last: ZipFile = { name: 'last', data: new Uint8Array(8), sizesFollow: false };
  const extra = bytesOf(9, 9, 0, 0);
  await refused([{ ...last, local: { sizes: [12, 12], extra }, listed: { size: 12 } }], {}, 'ZIP_LAYOUT', 'directory');
  await accepted([{ ...last, local: { extra } }]);
});

// case: P9
archives('end records that lie are refused', async () => {
  const { length } = zipBytes(FILES);
  for (const zip64 of [true, false]) {
    await refused(FILES, { zip64, start: 0 }, 'ZIP_LAYOUT');
    await refused(FILES, { zip64, start: length + 1 }, 'ZIP_LAYOUT');
    await refused(FILES, { zip64, bytes: 1 }, 'ZIP_LAYOUT');
    for (const count of [2, 4, 60_000]) await refused(FILES, { zip64, count }, 'ZIP_LAYOUT');
    await refused(FILES, { zip64, disk: 1 }, 'ZIP_LAYOUT', 'one part of several');
    await refused(FILES, { zip64, here: 2 }, 'ZIP_LAYOUT', 'one part of several');
  }
  const from64 = { count: 0xffff, bytes: 0xffffffff, start: 0xffffffff };
  await accepted(FILES, from64);
  await refused(FILES, { ...from64, zip64: false }, 'ZIP_LAYOUT');
  for (const lie of [0, 1, 2 ** 40, 2n ** 63n, 2n ** 64n - 1n]) {
    for (const field of ['count', 'bytes', 'start', 'record']) {
      await refused(FILES, { ...from64, wide: { [field]: lie } }, 'ZIP_LAYOUT');
      await refused(FILES, { wide: { [field]: lie } }, 'ZIP_LAYOUT');
    }
  }
});

// case: P9
archives('two end records are refused, side by side or one in the comment of the other', async () => {
  const end = zipBytes([], { zip64: false });
  await refusedBy(readZip, bytesOf(...zipBytes(FILES), ...end), 'ZIP_LAYOUT');
  await refusedBy(readZip, bytesOf(...zipBytes(FILES, { zip64: false }), ...end), 'ZIP_LAYOUT');
  const comment = String.fromCharCode(...end);
  await refused(FILES, { comment }, 'ZIP_LAYOUT', '2 end records');
  await accepted(FILES, { comment: comment.slice(1) });
});

archives('something behind the end record is refused, unless it is its comment', async () => {
  await refusedBy(readZip, bytesOf(...zipBytes(FILES), 0), 'TRUNCATED');
  await accepted(FILES, { comment: 'x'.repeat(0xffff) });
});

// case: B2
archives('an archive cut at any byte is refused', async () => {
  const whole = zipBytes(FILES);
  for (let length = 0; length < whole.length; length++) {
    await refuses(read(whole.subarray(0, length)), 'TRUNCATED', 'is the download complete?');
  }
});

// case: B3
archives('with any bit flipped it is read or refused, within the file', async () => {
  const whole = zipBytes(FILES);
  let accepted = 0;
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const bytes = whole.slice();
    bytes[bit >> 3] ^= 1 << (bit & 7);
    const source = countingSource(memorySource(bytes));
    try {
      const entries = await readZip(source);
      accepted++;
      assert.ok([...entries.values()].every(({ offset, byteLength }) => offset + byteLength <= bytes.length));
    } catch (error) {
      if (!(error instanceof TernspikeError)) throw error;
    }
    assert.ok(source.counts.largest <= bytes.length);
  }
  assert.ok(accepted > 0);
});

archives('short reads give the same, failing reads our error with the cause', async () => {
  const bytes = zipBytes(FILES);
  assert.equal(await readZip(trickle(memorySource(bytes))), await read(bytes));
  // the end, the directory, and all headers at once
  for (let failAt = 1; failAt <= 3; failAt++) {
    const source = faultySource(memorySource(bytes), { failAt, kind: 'throw' });
    await refuses(readZip(source), 'IO', 'on purpose');
    await readZip(source);
    await refuses(readZip(faultySource(memorySource(bytes), { failAt, kind: 'shrink' })), 'TRUNCATED');
    await readZip(faultySource(memorySource(bytes), { failAt, kind: 'short' }));
  }
});

archives('headers that lie close together are read at once, those far apart side by side and alone', async () => {
  const data = new Uint8Array(50_000);
  const far: ZipFile[] = Array.from({ length: 20 }, (_, i) => ({ name: `far/${i}`, data }));
  const near: ZipFile[] = Array.from({ length: 100 }, (_, i) => ({ name: `near/${i}`, data: data.subarray(0, 20) }));
  const bytes = zipBytes([...far, ...near]);
  const source = countingSource(memorySource(bytes));
  let most = 0;
  let now = 0;
  const busy = async (...args: Parameters<typeof source.read>): Promise<number> => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 1));
    now--;
    return source.read(...args);
  };
  assert.is((await readZip({ ...source, read: busy })).size, 120);
  // the end with the room of a comment, the directory, 20 looks at headers that stand alone and one at those of the rest
  assert.ok(source.counts.reads <= 2 + 20 + 1, `${source.counts.reads}`);
  assert.ok(source.counts.bytes <= 66_000 + 120 * 100 + 20 * 110 + 16_384, `${source.counts.bytes}`);
  assert.is(most, 8);
});

archives('the number of files has a limit', async () => {
  const files = (count: number): Uint8Array => {
    const all = new ByteBuilder();
    const list = Array.from(
      { length: count },
      (_, i) => ({ file: { name: `${i}` }, header: putLocal(all, { name: `${i}` }) }),
    );
    putDirectory(all, list.map((entry) => ({ ...entry, size: 0 })));
    return all.take();
  };
  assert.is((await read(files(MAX_ZIP_ENTRIES))).size, MAX_ZIP_ENTRIES);
  await refuses(read(files(MAX_ZIP_ENTRIES + 1)), 'ZIP_LAYOUT', `${MAX_ZIP_ENTRIES + 1} files`);
});

archives(
  'an archive of more than 4 GiB, with a file of more than 4 GiB, is read without touching its data',
  async () => {
    const GIB = 2 ** 30;
    const local = new ByteBuilder();
    const big: ZipFile = { name: 'a/data/0', data: bytesOf() };
    putLocal(local, big);
    const size = 5 * GIB;
    const second = local.length - 16 + size + 24; // a zip64 record of sizes follows the data
    const small: ZipFile = { name: 'a/data/1', data: utf8('behind 5 GiB') };
    const tail = new ByteBuilder();
    const dataAt = putLocal(tail, small) + (tail.length - 16 - 12);
    putDirectory(tail, [{ file: big, header: 0, size }, { file: small, header: second, size: 12 }], {}, second);
    const end = tail.take();
    const parts = [[0, local.take().subarray(0, -16)], [second, end]] as const;
    const source = countingSource(sparseSource(second + end.length, parts));
    const entries = await readZip(source);
    assert.equal(entries.get('a/data/0'), { name: 'a/data/0', offset: local.length - 16, byteLength: size });
    assert.equal(entries.get('a/data/1'), { name: 'a/data/1', offset: second + dataAt, byteLength: 12 });
    assert.ok(source.counts.bytes < 100_000);
  },
);

archives.run();
