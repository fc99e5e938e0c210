import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { readGguf } from '../../src/container/parts.ts';
import { type ErrorCode, TernspikeError } from '../../src/errors.ts';
import {
  MAX_ARRAY_ELEMENTS,
  MAX_HEADER_BYTES,
  MAX_KEY_BYTES,
  MAX_METADATA_ENTRIES,
  MAX_NAME_BYTES,
  MAX_STRING_BYTES,
  MAX_TENSORS,
} from '../../src/limits.ts';
import { type BuiltTensor, bytesOf, ggufArray, ggufBytes, type GgufParts, ggufString } from '../builders.ts';
import { type MetaEntry, u32Bytes, u64Bytes, utf8 } from '../builders.ts';
import { countingSource, faultySource } from '../faults.ts';
import { refuses } from '../refusal.ts';
import { accepted, refused, tensor } from './checks.ts';

const NONE = new Uint8Array(0);
const hostile = suite('gguf, hostile');

const FIXTURE: GgufParts = {
  metadata: [
    ['general.architecture', 'string', 'llama'],
    ['llama.block_count', 'uint32', 2],
    ['llama.rope.freq_base', 'float32', 10000],
    ['flag', 'bool', true],
    ['big', 'uint64', 2n ** 60n],
    ['tokenizer.ggml.tokens', 'string[]', ['<s>', 'a', '▁the', 'a somewhat longer piece']],
    ['tokenizer.ggml.scores', 'float32[]', [0, -1, -2, -3]],
    ['bools', 'bool[]', [true, false]],
  ],
  tensors: [
    { name: 'token_embd.weight', type: 'Q8_0', shape: [3, 32] },
    { name: 'blk.0.attn_q.weight', type: 'TQ2_0', shape: [2, 256] },
    { name: 'blk.0.ffn_up.weight', type: 'Q2_0', shape: [2, 4096] },
    { name: 'output_norm.weight', type: 'F32', shape: [32] },
  ],
};

// case: B1
hostile('tiny files are refused naming what was being read', async () => {
  const whole = ggufBytes(FIXTURE);
  const reads = ['magic', 'magic', 'magic', 'version', 'number of tensors'];
  for (const [i, length] of [0, 1, 3, 7, 23].entries()) {
    await refused(whole.subarray(0, length), 'TRUNCATED', reads[i], 'is the download complete?');
  }
  await accepted(whole);
});

// case: B2
hostile('a file cut at any byte of its header or data is refused', async () => {
  const whole = ggufBytes({ ...FIXTURE, padEnd: false });
  await accepted(whole);
  for (let length = 0; length < whole.length; length++) {
    const error = await readGguf(memorySource(whole.subarray(0, length))).catch((error) => error);
    assert.instance(error, TernspikeError, `${length}: ${error}`);
    const codes = ['TRUNCATED', 'GGUF_COUNT', 'GGUF_STRING', 'GGUF_ARRAY', 'TENSOR_OUT_OF_FILE'];
    assert.ok(codes.includes(error.code), `${length}: ${error.code}`);
  }
});

// case: B3
hostile(
  'a file with any bit of its header flipped is read or refused, and never more than the file is used',
  async () => {
    const whole = ggufBytes(FIXTURE);
    const { dataStart } = await readGguf(memorySource(whole));
    let accepted = 0;
    for (let bit = 0; bit < dataStart * 8; bit++) {
      const bytes = whole.slice();
      bytes[bit >> 3] ^= 1 << (bit & 7);
      const source = countingSource(memorySource(bytes));
      try {
        const { tensors } = await readGguf(source);
        accepted++;
        assert.ok([...tensors.values()].every(({ offset, byteLength }) => offset + byteLength <= bytes.length));
      } catch (error) {
        if (!(error instanceof TernspikeError)) throw error;
      }
      assert.ok(source.counts.largest <= bytes.length);
    }
    assert.ok(accepted > 0);
  },
);

// case: B5
hostile('a source that fails at any read gives our error with the cause; a second try succeeds', async () => {
  const long: MetaEntry = ['long', 'string', 'x'.repeat(300_000)];
  const bytes = ggufBytes({ metadata: [long, ['a', 'uint8', 1]], tensors: [tensor()] });
  for (let failAt = 1; failAt <= 2; failAt++) {
    const source = faultySource(memorySource(bytes), { failAt, kind: 'throw' });
    const error = await refuses(readGguf(source), 'IO', 'on purpose');
    assert.match(String(error.cause), `read ${failAt} failed`);
    await readGguf(source);
    await refuses(readGguf(faultySource(memorySource(bytes), { failAt, kind: 'shrink' })), 'TRUNCATED');
    await readGguf(faultySource(memorySource(bytes), { failAt, kind: 'short' }));
  }
});

// case: G1
hostile('versions other than 2 and 3 are refused, and big-endian files by their byte order', async () => {
  for (const version of [0, 1, 4, 255]) await refused({ version }, 'GGUF_VERSION', `version ${version}`);
  for (const version of [0x02000000, 0x03000000]) await refused({ version }, 'GGUF_VERSION', 'byte order');
  await refused({ magic: 'GGML' }, 'UNKNOWN_FORMAT', 'GGUF');
  await accepted({ version: 2 });
  await accepted({ version: 3 });
});

// case: G2
hostile('counts beyond the limit or the bytes left are refused before anything is read', async () => {
  for (const count of [1, 10_000, 10_000_000, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
    await refused({ tensorCount: count }, 'GGUF_COUNT', `${count} tensors`);
    await refused({ entryCount: count }, 'GGUF_COUNT', `${count} metadata entries`);
  }
  // exactly as many bytes as the smallest entries take, and one less
  const entry: MetaEntry = ['k', 'uint8', 1];
  await accepted({ metadata: [entry], headerOnly: true });
  await refused(
    ggufBytes({ metadata: [entry], headerOnly: true }).subarray(0, -1),
    'GGUF_COUNT',
    '14 bytes each',
    '13',
  );
  const many = (prefix: string, n: number): string[] => Array.from({ length: n }, (_, i) => `${prefix}${i}`);
  const entries = (n: number): MetaEntry[] => many('k', n).map((key) => [key, 'uint8', 1]);
  await accepted({ metadata: entries(MAX_METADATA_ENTRIES) });
  await refused({ metadata: entries(MAX_METADATA_ENTRIES + 1) }, 'GGUF_COUNT', `${MAX_METADATA_ENTRIES}`);
  const tensors = (n: number): BuiltTensor[] => many('t', n).map((name) => tensor({ name, shape: [0] }));
  await accepted({ tensors: tensors(MAX_TENSORS) });
  await refused({ tensors: tensors(MAX_TENSORS + 1) }, 'GGUF_COUNT', `${MAX_TENSORS}`);
});

// case: G3
hostile('lengths of strings beyond the file are refused without setting anything aside', async () => {
  const left = 64;
  for (const length of [2n ** 64n - 1n, 2n ** 63n, 10 ** 12, 2 ** 32, left + 1]) {
    const raw = ggufString(new Uint8Array(left), length);
    await refused(
      { metadata: [{ key: 'k', type: 'string', raw }], headerOnly: true },
      'GGUF_STRING',
      `${length}`,
      `${left}`,
    );
    const array = ggufArray('string', 1, raw);
    const metadata = [{ key: 'k', type: 'string[]', raw: array } as const];
    await refused({ metadata, headerOnly: true }, 'GGUF_STRING', 'element 0');
    await refused({ metadata: [{ key: 'k', keyLength: length, type: 'uint8', raw: NONE }] }, 'GGUF_STRING', 'key 0');
    const named = ggufBytes({ tensors: [tensor({ nameLength: length })] });
    await refused(named.subarray(0, 24 + 8 + left), 'GGUF_STRING', 'tensor 0');
  }
  const exact = ggufString(new Uint8Array(left).fill(0x61), left);
  await accepted({ metadata: [{ key: 'k', type: 'string', raw: exact }], headerOnly: true });
});

// case: G14
hostile('strings, keys and names are read up to their limits', async () => {
  const limits: Array<[number, (length: number) => GgufParts, ErrorCode]> = [
    [MAX_STRING_BYTES, (length) => ({ metadata: [['k', 'string', 'x'.repeat(length)]] }), 'GGUF_STRING'],
    [MAX_STRING_BYTES, (length) => ({ metadata: [['k', 'string[]', ['x'.repeat(length)]]] }), 'GGUF_STRING'],
    [MAX_KEY_BYTES, (length) => ({ metadata: [['x'.repeat(length), 'uint8', 1]] }), 'GGUF_KEY'],
    [MAX_NAME_BYTES, (length) => ({ tensors: [tensor({ name: 'x'.repeat(length) })] }), 'TENSOR_NAME'],
  ];
  for (const [limit, parts, code] of limits) {
    await accepted(parts(limit - 1));
    await accepted(parts(limit));
    await refused(parts(limit + 1), code, `${limit + 1} bytes`, `${limit}`);
  }
});

// case: G15
hostile('a header beyond its limit is refused, and no more of it is read', async () => {
  const long = 'x'.repeat(MAX_STRING_BYTES);
  const entries = (n: number): MetaEntry[] => Array.from({ length: n }, (_, i) => [`k${i}`, 'string', long]);
  await accepted({ metadata: entries(4) });
  const source = countingSource(memorySource(ggufBytes({ metadata: entries(5) }), 'test.gguf'));
  await refuses(readGguf(source), 'GGUF_HEADER', '"k4"', `${MAX_HEADER_BYTES}`);
  assert.ok(source.counts.end <= MAX_HEADER_BYTES);
});

// case: G4
hostile('keys that are empty, twice there or hide something behind NUL are refused', async () => {
  await refused({ metadata: [['', 'uint8', 1], ['a', 'uint8', 1]] }, 'GGUF_KEY', 'key 0', 'empty');
  await refused(
    { metadata: [['a', 'uint8', 1], ['b', 'uint8', 1], ['a', 'uint8', 1]] },
    'GGUF_KEY',
    'key 2',
    '"a"',
    'twice',
  );
  await refused({ metadata: [['a\0b', 'uint8', 1]] }, 'GGUF_KEY', 'NUL');
  await accepted({ metadata: [['a', 'uint8', 1], ['A', 'uint8', 1], ['ä', 'uint8', 1]] });
});

// case: G6
hostile('arrays are bounded by the bytes left, and arrays of arrays are refused', async () => {
  const array = (raw: Uint8Array): GgufParts => ({ metadata: [{ key: 'k', type: 'uint8[]', raw }], headerOnly: true });
  for (const count of [9, 2 ** 20, 2 ** 40, 2n ** 63n, 2n ** 64n - 1n]) {
    await refused(array(ggufArray('uint8', count, new Uint8Array(8))), 'GGUF_ARRAY', '"k"', `${count}`);
    await refused(array(ggufArray('string', count, new Uint8Array(64))), 'GGUF_ARRAY', `${count}`);
    await refused(array(ggufArray('float64', count, new Uint8Array(64))), 'GGUF_ARRAY', `${count}`);
  }
  await accepted(array(ggufArray('uint8', 8, new Uint8Array(8))));
  await accepted(array(ggufArray('string', 8, new Uint8Array(64))));
  await accepted(array(ggufArray('float64', 8, new Uint8Array(64))));
  let nested = ggufArray('uint8', 0);
  for (let depth = 0; depth < 1000; depth++) {
    if (depth === 1 || depth === 999) await refused(array(nested), 'GGUF_ARRAY', 'array of arrays');
    nested = ggufArray(9, 1, nested);
  }
  await refused(array(ggufArray(9, 0)), 'GGUF_ARRAY', 'array of arrays');
  await accepted({ metadata: [['k', 'uint8[]', []], ['l', 'string[]', []]] });
});

hostile('the number of elements of an array has a limit', async () => {
  const parts = (count: number): GgufParts => ({
    metadata: [{ key: 'k', type: 'bool[]', raw: ggufArray('bool', count, new Uint8Array(count)) }],
  });
  await accepted(parts(MAX_ARRAY_ELEMENTS));
  await refused(parts(MAX_ARRAY_ELEMENTS + 1), 'GGUF_ARRAY', `${MAX_ARRAY_ELEMENTS + 1}`);
});

// case: G7
hostile('unknown value types and bools that are neither are refused', async () => {
  for (const type of [13, 255, 2 ** 32 - 1]) {
    await refused({ metadata: [{ key: 'k', type, raw: new Uint8Array(8) }] }, 'GGUF_TYPE', '"k"', `${type}`);
    const raw = ggufArray(type, 1, new Uint8Array(8));
    await refused({ metadata: [{ key: 'k', type: 'uint8[]', raw }] }, 'GGUF_TYPE', `${type}`);
  }
  await refused({ metadata: [{ key: 'k', type: 'bool', raw: bytesOf(2) }] }, 'GGUF_TYPE', 'bool');
  const raw = ggufArray('bool', 3, bytesOf(1, 0, 255));
  await refused({ metadata: [{ key: 'k', type: 'bool[]', raw }] }, 'GGUF_TYPE', 'element 2');
  await accepted({ metadata: [['k', 'bool[]', [true, false]]] });
});

// case: B3
hostile(
  'one part of several is refused where the others cannot be found; a whole marked as one part is read',
  async () => {
    const split = (type: 'uint16' | 'uint64', count: number | bigint): GgufParts => ({
      metadata: [['split.no', 'uint16', 0], ['split.count', type, count]],
    });
    await refused(split('uint16', 3), 'GGUF_SHARDS', '3 parts', '-0000N-of-00003.gguf');
    await refused(split('uint64', 2n ** 63n), 'GGUF_SHARDS');
    await accepted(split('uint16', 1));
    await accepted(split('uint16', 0));
  },
);

// case: G3 G6
hostile('a tiny file cannot ask for much: the public proofs of concept', async () => {
  const begin = [...utf8('GGUF'), ...u32Bytes(3)];
  // 10^12 bytes of string in 32 bytes of file; 2^64 elements; counts whose product with a size wraps to 0
  await refused(new Uint8Array([...begin, ...u64Bytes(0, 1), ...u64Bytes(10 ** 12)]), 'GGUF_COUNT');
  await refused(
    new Uint8Array([...begin, ...u64Bytes(0, 1), ...u64Bytes(10 ** 12), ...new Uint8Array(6)]),
    'GGUF_STRING',
  );
  await refused(new Uint8Array([...begin, ...u64Bytes(2n ** 61n, 2n ** 61n)]), 'GGUF_COUNT');
  const wrapping = ggufArray('uint64', 2n ** 61n, new Uint8Array(16));
  await refused({ metadata: [{ key: 'k', type: 'uint64[]', raw: wrapping }] }, 'GGUF_ARRAY');
});

hostile.run();
