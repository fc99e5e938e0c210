import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ByteSource } from '../../src/bytes/source.ts';
import { memorySource } from '../../src/bytes/memory.ts';
import { openContainer } from '../../src/container/open.ts';
import { readSafetensors, type SafetensorsContainer } from '../../src/container/safetensors.ts';
import { type ErrorCode, TernspikeError } from '../../src/errors.ts';
import {
  MAX_KEY_BYTES,
  MAX_METADATA_ENTRIES,
  MAX_NAME_BYTES,
  MAX_ST_HEADER_BYTES,
  MAX_TENSORS,
} from '../../src/limits.ts';
import { u64Bytes, utf8 } from '../builders.ts';
import { safetensorsBytes } from '../builders-torch.ts';
import { countingSource, faultySource, sparseSource, trickle } from '../faults.ts';
import { refuses } from '../refusal.ts';
import { bestMillis, refusedBy } from './checks.ts';

const files = suite('safetensors');

const read = (bytes: Uint8Array): Promise<SafetensorsContainer> => readSafetensors(memorySource(bytes, 'test.file'));
const refused = (bytes: Uint8Array, code: ErrorCode, ...words: string[]): Promise<void> =>
  refusedBy(readSafetensors, bytes, code, ...words);

interface Row {
  dtype: string;
  shape: readonly number[];
  data_offsets: readonly number[];
}

const row = (shape: number[], begin: number, end: number, dtype: string = 'F32'): Row => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

const FIXTURE = {
  __metadata__: { format: 'pt', note: 'ä "quoted" \n' },
  b: row([2, 3], 8, 32),
  a: row([4], 0, 8, 'F16'),
  scalar: row([], 32, 36, 'I32'),
  none: row([0], 36, 36),
  also: row([2, 0], 0, 0),
};

/** The fixture's header with `from` replaced, and what lies behind it. */
const altered = (from: string, to: string, data: number = 36): Uint8Array => {
  const text = JSON.stringify(FIXTURE);
  assert.ok(text.includes(from), from);
  return safetensorsBytes(text.replace(from, to), data);
};

// case: F6 F9
files('metadata and tensors are read, in any order of the header', async () => {
  const container = await read(safetensorsBytes(FIXTURE, 36));
  const start = 8 + utf8(JSON.stringify(FIXTURE)).length;
  assert.is(container.format, 'safetensors');
  assert.is(container.size, start + 36);
  assert.equal([...container.metadata], [['format', 'pt'], ['note', 'ä "quoted" \n']]);
  assert.equal([...container.tensors.keys()], ['b', 'a', 'scalar', 'none', 'also']);
  assert.equal(container.tensors.get('b'), {
    name: 'b',
    type: 'F32',
    shape: [2, 3],
    blockElements: 1,
    offset: start + 8,
    byteLength: 24,
  });
  assert.equal(container.tensors.get('scalar')?.shape, []);
  assert.equal(['none', 'also'].map((name) => container.tensors.get(name)?.byteLength), [0, 0]);
  assert.is((await openContainer(memorySource(safetensorsBytes(FIXTURE, 36), 'model.gguf'))).format, 'safetensors');
});

// case: F12
files('every element type has its bytes, and data need not be aligned', async () => {
  const floats = { F64: 8, F32: 4, F16: 2, BF16: 2, F8_E4M3: 1, F8_E5M2: 1, F8_E4M3FNUZ: 1, F8_E5M2FNUZ: 1 };
  const types = { ...floats, I64: 8, U64: 8, I32: 4, U32: 4, I16: 2, U16: 2, I8: 1, U8: 1, BOOL: 1 };
  for (const [dtype, bytes] of Object.entries(types)) {
    for (const spaces of ['', ' ']) {
      const header = `${spaces}${JSON.stringify({ x: row([3], 0, 3 * bytes, dtype) })}`;
      const info = (await read(safetensorsBytes(header, 3 * bytes))).tensors.get('x');
      assert.equal([info?.type, info?.byteLength, info?.offset], [dtype, 3 * bytes, 8 + header.length]);
    }
  }
  for (const dtype of ['F4', 'F6_E2M3', 'F8_E8M0', 'C64', 'f32', '', '__proto__', 'toString']) {
    await refused(
      safetensorsBytes({ x: row([2], 0, 1, dtype) }, 1),
      'TENSOR_TYPE',
      '"x"',
      JSON.stringify(dtype),
      'BF16',
    );
  }
});

// case: F1
files('the length of the header is held against the file and the limit before it is read', async () => {
  const whole = safetensorsBytes(FIXTURE, 36);
  for (let length = 0; length < 8; length++) await refused(whole.subarray(0, length), 'TRUNCATED', 'length');
  for (const length of [0, 1, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n, MAX_ST_HEADER_BYTES + 1]) {
    const bytes = safetensorsBytes(FIXTURE, 36, length);
    await refused(bytes, 'ST_HEADER_LENGTH', `${Number(length)}`);
    await refuses(openContainer(memorySource(safetensorsBytes('{}', 0, length))), 'ST_HEADER_LENGTH');
  }
  await refused(safetensorsBytes(FIXTURE, 0, whole.length - 7), 'ST_HEADER_LENGTH', 'left', 'download');
  await read(safetensorsBytes('{}'));
});

// case: F11
files('a header of the largest size is read, and one byte more is refused before it is', async () => {
  const text = JSON.stringify({ a: row([4], 0, 16) });
  const padded = (bytes: number): Uint8Array => safetensorsBytes(text + ' '.repeat(bytes - text.length), 16);
  assert.is((await read(padded(MAX_ST_HEADER_BYTES))).tensors.size, 1);
  // ten million tensors in a header of 1 GB
  for (const [size, length] of [[1e9 + 24, 1e9], [MAX_ST_HEADER_BYTES + 25, MAX_ST_HEADER_BYTES + 1]]) {
    const source = countingSource(sparseSource(size, [[0, u64Bytes(length)], [8, utf8('{"')]]));
    const millis = await bestMillis(50, () => refuses(readSafetensors(source), 'ST_HEADER_LENGTH', `${length}`));
    assert.ok(millis < 50, `${millis} ms`);
    assert.ok(source.counts.end <= 8);
  }
});

// case: F2
files('a header that is not one JSON object in UTF-8 is refused; white space around it is not', async () => {
  const bad = [
    '[]',
    'null',
    '"a"',
    '{}{}',
    '{} x',
    '{',
    '{"a"}',
    '{"a":1}',
    '{,}',
    '{"__metadata__":{},}',
    '\0{}',
    '{}\0',
  ];
  for (const text of bad) await refused(safetensorsBytes(text.padEnd(2)), 'ST_HEADER', 'character');
  await refused(safetensorsBytes(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])), 'ST_HEADER', 'UTF-8');
  await refused(safetensorsBytes(new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d])), 'ST_HEADER');
  for (const text of [' \t\r\n{ }', '{}   ', '{"__metadata__" : { "a" :\n"b" } }']) await read(safetensorsBytes(text));
});

// case: F3
files('names and fields that stand twice are refused', async () => {
  await refused(altered('"a":', '"b":'), 'ST_HEADER', '"b"', 'twice');
  await refused(altered('"a":', '"\\u0062":'), 'ST_HEADER', '"b"', 'twice');
  await refused(altered('"dtype":"F16"', '"dtype":"F32","dtype":"F16"'), 'ST_HEADER', '"dtype"', 'twice');
  await refused(altered('"note":', '"format":'), 'ST_HEADER', '"format"', 'twice');
  await refused(safetensorsBytes('{"__metadata__":{},"__metadata__":{}}'), 'ST_HEADER', 'twice');
  await read(altered('"a":', '"B":'));
});

// case: F4
files('names are keys of a map, and those that hide something are refused', async () => {
  const names = ['__proto__', 'constructor', 'toString'];
  const text = names.map((name, i) => `"${name}":${JSON.stringify(row([1], i * 4, i * 4 + 4))}`).join();
  const { tensors, metadata } = await read(safetensorsBytes(`{${text}}`, 12));
  assert.equal([...tensors.keys()], names);
  assert.is(metadata.get('toString'), undefined);
  await refused(altered('"a":', '"a\\u0000b":'), 'TENSOR_NAME', 'NUL');
  await refused(altered('"a":', '"":'), 'TENSOR_NAME', 'empty');
  await refused(altered('"a":', '"\\ud800":'), 'ST_HEADER', 'surrogate');
  await refused(altered('"a":', '"a\nb":'), 'ST_HEADER');
  await refused(altered('"a":', '"\\x":'), 'ST_HEADER');
  await read(altered('"a":', '"\\ud83d\\ude00 \\"\\\\":'));
  await read(altered('"a":', `"${'n'.repeat(MAX_NAME_BYTES)}":`));
  for (const length of [MAX_NAME_BYTES + 1, 10_000]) {
    await refused(altered('"a":', `"${'n'.repeat(length)}":`), 'TENSOR_NAME', `${length}`);
  }
});

// case: F5
files('dimensions and offsets are whole numbers in digits', async () => {
  for (
    const number of ['18446744073709551614', '1e3', '1.0', '-1', '"2"', '9007199254740993', '02', 'null', '+2', '[2]']
  ) {
    await refused(altered('"shape":[2,3]', `"shape":[2,${number}]`), 'ST_HEADER', 'whole number');
    await refused(altered('[8,32]', `[8,${number}]`), 'ST_HEADER', 'whole number');
  }
  await refused(altered('"shape":[2,3]', '"shape":[4294967296,4294967296]'), 'TENSOR_SHAPE', '2^50');
  await refused(altered('"shape":[2,3]', '"shape":[9007199254740991,3]'), 'TENSOR_SHAPE', '2^50');
  await refused(altered('"shape":[2,3]', '"shape":[2,1,1,1,1,1,1,1,3]'), 'ST_HEADER', 'more than 8');
  await read(altered('"shape":[2,3]', '"shape":[2,1,1,1,1,1,1,3]'));
  await read(altered('"shape":[0]', '"shape":[9007199254740991,0]'));
});

// case: F6 F7
files('the tensors tile the file: no overlap, no hole, nothing behind the last', async () => {
  const of = (...rows: Row[]): string => JSON.stringify(Object.fromEntries(rows.map((entry, i) => [`t${i}`, entry])));
  await read(safetensorsBytes(of(row([2], 8, 16), row([2], 0, 8)), 16));
  await refused(safetensorsBytes(of(row([2], 0, 8), row([2], 4, 12)), 12), 'ST_COVERAGE', '"t1"', 'overlaps');
  await refused(safetensorsBytes(of(row([2], 0, 8), row([2], 12, 20)), 20), 'ST_COVERAGE', '"t1"', 'gap');
  await refused(safetensorsBytes(of(row([2], 4, 12)), 12), 'ST_COVERAGE', 'begins at 4', 'expected 0');
  await refused(safetensorsBytes(of(row([2], 8, 0)), 8), 'ST_COVERAGE', '8, 0');
  await refused(altered('[8,32]', '[8]'), 'ST_COVERAGE', '[8]');
  await refused(altered('[8,32]', '[8,32,32]'), 'ST_HEADER', 'more than 2');
  for (const data of [35, 34, 0]) await refused(safetensorsBytes(FIXTURE, data), 'ST_COVERAGE', `${data}`, 'download');
  for (const data of [37, 100]) {
    await refused(safetensorsBytes(FIXTURE, data), 'ST_COVERAGE', `${data}`, 'other than a tensor');
  }
  // ten tensors on one range
  const same = Array.from({ length: 10 }, () => row([2], 0, 8));
  await refused(safetensorsBytes(of(...same), 8), 'ST_COVERAGE', 'overlaps');
});

// case: F8
files('a shape that contradicts its range, and missing or unknown fields, are refused', async () => {
  await refused(altered('"shape":[2,3]', '"shape":[2,4]'), 'TENSOR_SHAPE', '2 × 4', '32', '24');
  await refused(altered('"shape":[2,3],', ''), 'ST_HEADER', 'lacks');
  await refused(altered('"dtype":"F16",', ''), 'ST_HEADER', 'lacks');
  await refused(altered('"dtype":"F16"', '"dtype":"F16","stride":"1"'), 'ST_HEADER', 'stride');
  await refused(altered('"dtype":"F16"', '"dtype":16'), 'ST_HEADER', 'string');
});

// case: F10
files('metadata are strings, and not too many', async () => {
  for (const value of ['1', 'null', 'true', '{"b":"c"}', '["x"]']) {
    await refused(safetensorsBytes(`{"__metadata__":{"a":${value}}}`), 'ST_HEADER', 'string');
  }
  const entries = (count: number): Uint8Array =>
    safetensorsBytes(`{"__metadata__":{${Array.from({ length: count }, (_, i) => `"${i}":""`).join()}}}`);
  assert.is((await read(entries(MAX_METADATA_ENTRIES))).metadata.size, MAX_METADATA_ENTRIES);
  await refused(entries(MAX_METADATA_ENTRIES + 1), 'ST_HEADER', `${MAX_METADATA_ENTRIES}`);
  await refused(entries(1_000_000), 'ST_HEADER', `${MAX_METADATA_ENTRIES}`);
  const key = (length: number): Uint8Array => safetensorsBytes({ __metadata__: { ['k'.repeat(length)]: '' } });
  await read(key(MAX_KEY_BYTES));
  await refused(key(MAX_KEY_BYTES + 1), 'ST_HEADER', `${MAX_KEY_BYTES + 1}`);
  const many = (count: number): Uint8Array => {
    const text = Array.from({ length: count }, (_, i) => `"${i}":{"dtype":"I8","shape":[0],"data_offsets":[0,0]}`);
    return safetensorsBytes(`{${text.join()}}`);
  };
  assert.is((await read(many(MAX_TENSORS))).tensors.size, MAX_TENSORS);
  await refused(many(MAX_TENSORS + 1), 'ST_HEADER', `${MAX_TENSORS}`);
});

files('strings full of escapes take linear time', async () => {
  for (const text of ['\\"', '\\\\', '\\']) {
    const bytes = safetensorsBytes(`{"__metadata__":{"a":"${text.repeat(400_000)}`);
    const millis = await bestMillis(200, () => refuses(read(bytes), 'ST_HEADER'));
    assert.ok(millis < 200, `${text}: ${millis} ms`);
  }
});

// case: B1 B2
files('a file cut at any byte is refused', async () => {
  const whole = safetensorsBytes(FIXTURE, 36);
  await read(whole);
  for (let length = 0; length < whole.length; length++) {
    const error = await read(whole.subarray(0, length)).catch((error) => error);
    assert.instance(error, TernspikeError, `${length}: ${error}`);
    assert.ok(['TRUNCATED', 'ST_HEADER_LENGTH', 'ST_COVERAGE'].includes(error.code), `${length}: ${error.code}`);
  }
});

// case: B3
files('with any bit of the header flipped it is read or refused, within the file', async () => {
  const whole = safetensorsBytes(FIXTURE, 36);
  let accepted = 0;
  for (let bit = 0; bit < (whole.length - 36) * 8; bit++) {
    const bytes = whole.slice();
    bytes[bit >> 3] ^= 1 << (bit & 7);
    try {
      const { tensors } = await read(bytes);
      accepted++;
      assert.ok([...tensors.values()].every(({ offset, byteLength }) => offset + byteLength <= bytes.length));
    } catch (error) {
      if (!(error instanceof TernspikeError)) throw error;
    }
  }
  assert.ok(accepted > 0);
});

// case: B4 B5
files('short reads give the same, failing reads our error with the cause', async () => {
  const bytes = safetensorsBytes(FIXTURE, 36);
  const whole = await read(bytes);
  assert.equal(await readSafetensors(trickle(memorySource(bytes, 'test.file'))), whole);
  for (let failAt = 1; failAt <= 2; failAt++) {
    const source = faultySource(memorySource(bytes), { failAt, kind: 'throw' });
    await refuses(readSafetensors(source), 'IO', 'on purpose');
    await readSafetensors(source);
    await refuses(readSafetensors(faultySource(memorySource(bytes), { failAt, kind: 'shrink' })), 'TRUNCATED');
    await readSafetensors(faultySource(memorySource(bytes), { failAt, kind: 'short' }));
  }
});

// case: F13
files('an index whose files cannot be found, or lie outside its folder, is refused', async () => {
  const index = (map: unknown): ByteSource =>
    memorySource(
      utf8(JSON.stringify({ metadata: { total_size: 8 }, weight_map: map })),
      'model.safetensors.index.json',
    );
  await refuses(openContainer(index({ a: 'model-00001-of-00002.safetensors' })), 'ST_SHARDS', 'open the folder');
  for (
    const file of [
      '../x.safetensors',
      '/etc/x.safetensors',
      'https://example.org/x.safetensors',
      'a/b.safetensors',
      'x',
      7,
    ]
  ) {
    await refuses(openContainer(index({ a: file })), 'ST_SHARDS', 'not a file of this folder');
  }
  await refuses(openContainer(index({})), 'ST_SHARDS', '0 files');
  await refuses(openContainer(index(null)), 'ST_SHARDS', 'weight_map');
  await refuses(openContainer(memorySource(utf8('{"architectures": ["X"]}'))), 'UNKNOWN_FORMAT', 'JSON', 'no model');
});

// case: F13
files('shards that contradict their index are refused with both', async () => {
  const shard = (tensors: string[]): ByteSource => {
    const rows = tensors.map((name, i) => [name, row([2], 8 * i, 8 * i + 8)]);
    const header = utf8(JSON.stringify(Object.fromEntries(rows)));
    const bytes = new Uint8Array([...u64Bytes(header.length), ...header, ...new Uint8Array(8 * tensors.length)]);
    return memorySource(bytes);
  };
  const folder = (map: Record<string, string>, files: Record<string, ByteSource>): ByteSource => ({
    ...memorySource(utf8(JSON.stringify({ weight_map: map })), 'model.safetensors.index.json'),
    sibling: (name) => Promise.resolve(files[name] ?? null),
  });
  const [x, y] = ['x.safetensors', 'y.safetensors'];
  const good = await openContainer(folder({ a: x, b: y }, { [x]: shard(['a']), [y]: shard(['b']) }));
  assert.equal([...good.tensors.keys()], ['a', 'b']);
  const bytes = new Uint8Array(8);
  assert.is(await good.source?.read(bytes, good.tensors.get('b')?.offset ?? 0), 8);
  await refuses(openContainer(folder({ a: x, b: y }, { [x]: shard(['a']) })), 'ST_SHARDS', y, 'is missing');
  await refuses(openContainer(folder({ a: x }, { [x]: shard(['a', 'b']) })), 'ST_SHARDS', 'b', 'does not name');
  await refuses(openContainer(folder({ a: x, b: x }, { [x]: shard(['a']) })), 'ST_SHARDS', 'b', 'does not contain');
  await refuses(
    openContainer(folder({ a: x, b: y }, { [x]: shard(['a', 'b']), [y]: shard(['b']) })),
    'ST_SHARDS',
    'b',
    y,
  );
});

// case: B8
files('offsets beyond 4 GiB are exact', async () => {
  const length = 5 * 2 ** 30;
  const header = utf8(JSON.stringify({ big: row([length], 0, length, 'U8'), small: row([2], length, length + 8) }));
  const start = 8 + header.length;
  const source = sparseSource(start + length + 8, [[0, u64Bytes(header.length)], [8, header]]);
  const { tensors } = await readSafetensors(source);
  assert.is(tensors.get('small')?.offset, start + length);
});

files.run();
