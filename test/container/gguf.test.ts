import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import type { GgufContainer } from '../../src/container/gguf.ts';
import { readGguf } from '../../src/container/parts.ts';
import type { TensorType } from '../../src/container/tensor.ts';
import { type BuiltTensor, bytesOf, ggufBytes, type GgufParts, type MetaEntry, utf8 } from '../builders.ts';
import { countingSource, sparseSource, trickle } from '../faults.ts';
import { refuses } from '../refusal.ts';
import { bestMillis } from './checks.ts';

const gguf = suite('gguf');

const read = (parts: GgufParts): Promise<GgufContainer> => readGguf(memorySource(ggufBytes(parts), 'test.gguf'));

const EVERY_TYPE: MetaEntry[] = [
  ['u8', 'uint8', 255],
  ['i8', 'int8', -128],
  ['u16', 'uint16', 65535],
  ['i16', 'int16', -32768],
  ['u32', 'uint32', 2 ** 32 - 1],
  ['i32', 'int32', -(2 ** 31)],
  ['f32', 'float32', -1.5],
  ['f64', 'float64', Math.PI],
  ['u64', 'uint64', 2 ** 53 - 1],
  ['large u64', 'uint64', 2n ** 64n - 1n],
  ['i64', 'int64', -5],
  ['large i64', 'int64', -(2n ** 63n)],
  ['yes', 'bool', true],
  ['no', 'bool', false],
  ['text', 'string', 'Ünïcode 日本 \ufeff'],
  ['empty text', 'string', ''],
  ['u8s', 'uint8[]', [0, 1, 255]],
  ['i16s', 'int16[]', [-1, 1]],
  ['u16s', 'uint16[]', [1, 65535]],
  ['i32s', 'int32[]', [1, -2, 3]],
  ['f32s', 'float32[]', [0.5, -0.25]],
  ['f64s', 'float64[]', [1e300]],
  ['u64s', 'uint64[]', [1, 2n ** 60n]],
  ['bools', 'bool[]', [true, false, true]],
  ['strings', 'string[]', ['', 'a', '▁the', 'a longer piece of text, beyond the short path']],
  ['none', 'float32[]', []],
];

gguf('reads metadata of every type, with the types', async () => {
  const { metadata, metadataTypes, version, format, size } = await read({ metadata: EVERY_TYPE });
  assert.equal([...metadata], EVERY_TYPE.map(([key, , value]) => [key, value]));
  assert.equal([...metadataTypes], EVERY_TYPE.map(([key, type]) => [key, type]));
  assert.equal([format, version, size], ['gguf', 3, ggufBytes({ metadata: EVERY_TYPE }).length]);
});

gguf('reads tensors: shapes outermost first, places in the file', async () => {
  const data = Float32Array.from({ length: 6 }, (_, i) => i);
  const bytes = ggufBytes({
    metadata: [['general.architecture', 'string', 'llama']],
    tensors: [
      { name: 'matrix', type: 'F32', shape: [2, 3], data },
      { name: 'vector', type: 'F16', shape: [5] },
      { name: 'cube', type: 'BF16', shape: [2, 3, 4] },
    ],
  });
  const { tensors, dataStart, alignment } = await readGguf(memorySource(bytes));
  assert.equal([dataStart % 32, alignment], [0, 32]);
  const expected = [
    { name: 'matrix', type: 'F32', shape: [2, 3], blockElements: 1, offset: dataStart, byteLength: 24 },
    { name: 'vector', type: 'F16', shape: [5], blockElements: 1, offset: dataStart + 32, byteLength: 10 },
    { name: 'cube', type: 'BF16', shape: [2, 3, 4], blockElements: 1, offset: dataStart + 64, byteLength: 48 },
  ];
  assert.equal([...tensors.values()], expected);
  assert.equal([...tensors.keys()], ['matrix', 'vector', 'cube']);
  assert.equal(bytes.slice(dataStart, dataStart + 24), new Uint8Array(data.buffer));
});

gguf('every type takes the bytes of its blocks', async () => {
  const expected: Array<[TensorType, cols: number, bytesOfTwoRows: number, block: number]> = [
    ['F32', 5, 40, 1],
    ['F16', 5, 20, 1],
    ['BF16', 5, 20, 1],
    ['Q8_0', 64, 2 * 2 * 34, 32],
    ['TQ1_0', 512, 2 * 2 * 54, 256],
    ['TQ2_0', 512, 2 * 2 * 66, 256],
    ['Q2_0', 4096, 2 * 64 * 18, 64],
    ['Q1_0', 256, 2 * 2 * 18, 128],
    ['I2_S', 256, (2 * 256) / 4 + 32, 0],
  ];
  for (const [type, cols, byteLength, blockElements] of expected) {
    const data = new Uint8Array(byteLength);
    const last: BuiltTensor = { name: 'b', type: 'F32', shape: [1] };
    const { tensors } = await read({ tensors: [{ name: 'a', type, shape: [2, cols], data }, last] });
    const { byteLength: found, blockElements: block } = tensors.get('a')!;
    assert.equal([type, found, block], [type, byteLength, blockElements]);
  }
});

gguf('version 2 is read like version 3', async () => {
  const parts: GgufParts = { metadata: EVERY_TYPE, tensors: [{ name: 'a', type: 'F32', shape: [4] }] };
  const two = await read({ ...parts, version: 2 });
  const three = await read(parts);
  assert.is(two.version, 2);
  assert.equal([...two.metadata], [...three.metadata]);
  assert.equal([...two.tensors], [...three.tensors]);
});

// case: G9 G10
gguf('scalars, empty tensors and dimensions of 1 keep their shape', async () => {
  const shapes: Array<[number[], number]> = [[[], 4], [[0], 0], [[2, 0], 0], [[0, 7], 0], [[1, 1, 1, 3], 12], [
    [3, 1],
    12,
  ]];
  for (const [shape, byteLength] of shapes) {
    const { tensors } = await read({
      tensors: [{ name: 'a', type: 'F32', shape }, { name: 'b', type: 'F32', shape: [2] }],
    });
    assert.equal([tensors.get('a')!.shape, tensors.get('a')!.byteLength], [shape, byteLength]);
    assert.is(tensors.get('b')!.byteLength, 8);
  }
});

// case: G8
gguf('alignments from 1 to 1 MiB place tensors', async () => {
  for (const alignment of [1, 2, 32, 64, 4096, 1 << 20]) {
    const { tensors, dataStart } = await read({
      alignment,
      metadata: [['general.alignment', 'uint32', alignment]],
      tensors: [{ name: 'a', type: 'F16', shape: [3] }, { name: 'b', type: 'F32', shape: [2] }],
    });
    assert.is(dataStart % alignment, 0);
    assert.is(tensors.get('b')!.offset - dataStart, Math.max(alignment, alignment < 6 ? 6 : alignment));
  }
});

gguf('files end behind the last tensor, padded or not, or with more bytes', async () => {
  const tensors: BuiltTensor[] = [{ name: 'a', type: 'F32', shape: [3] }];
  const exact = ggufBytes({ tensors, padEnd: false });
  for (const bytes of [exact, ggufBytes({ tensors }), new Uint8Array([...exact, ...new Uint8Array(999)])]) {
    assert.is((await readGguf(memorySource(bytes))).tensors.get('a')!.byteLength, 12);
  }
  await refuses(readGguf(memorySource(exact.subarray(0, -1))), 'TENSOR_OUT_OF_FILE', '"a"');
});

gguf('a file without tensors may end behind its table', async () => {
  const { tensors } = await read({ metadata: EVERY_TYPE, headerOnly: true });
  assert.is(tensors.size, 0);
});

gguf('both forms of Q2_0 are told apart by the bytes a tensor takes', async () => {
  const first = (cols: number, group: 64 | 128): BuiltTensor => {
    const bytes = ((2 * cols) / group) * (group === 64 ? 18 : 34);
    return { name: `q${cols}`, type: 'Q2_0', shape: [2, cols], data: new Uint8Array(bytes) };
  };
  const plain: BuiltTensor = { name: 'plain', type: 'F32', shape: [9] };
  for (const group of [64, 128] as const) {
    const orders: BuiltTensor[][] = [
      [first(4096, group), plain],
      [plain, first(4096, group)],
      [first(2048, group), first(4096, group), plain, first(128, group)],
      [first(128, group), first(4096, group)],
      [first(128, group)],
    ];
    for (const [i, tensors] of orders.entries()) {
      for (const padEnd of [true, false]) {
        const found = [...(await read({ tensors, padEnd })).tensors.values()].filter(({ type }) => type === 'Q2_0');
        // one small padded tensor fits both forms, and is taken for the present one
        const expected = i === 4 && padEnd ? 64 : group;
        for (const { blockElements, byteLength, shape } of found) {
          assert.equal([i, padEnd, blockElements], [i, padEnd, expected]);
          assert.is(byteLength, ((shape[0] * shape[1]) / expected) * (expected === 64 ? 18 : 34));
        }
      }
    }
  }
  // rows of 64 can only be groups of 64, and two forms in one file are none
  assert.is((await read({ tensors: [first(64, 64)] })).tensors.get('q64')!.blockElements, 64);
  await refuses(read({ tensors: [first(4096, 128), first(8192, 64), plain] }), 'TENSOR_LAYOUT', 'q8192');
});

gguf('I2_S carries its scale behind the codes', async () => {
  const tensors: BuiltTensor[] = [
    { name: 'a', type: 'I2_S', shape: [3, 128], data: new Uint8Array(96 + 32) },
    { name: 'b', type: 'I2_S', shape: [1, 256], data: new Uint8Array(64 + 32) },
  ];
  const found = await read({ tensors });
  assert.equal([...found.tensors.values()].map(({ byteLength }) => byteLength), [128, 96]);
  await refuses(read({ tensors: [{ ...tensors[0], data: new Uint8Array(96) }, tensors[1]] }), 'TENSOR_LAYOUT', '"b"');
});

// case: B4
gguf('a source that trickles gives the same as one read', async () => {
  const bytes = ggufBytes({ metadata: EVERY_TYPE, tensors: [{ name: 'a', type: 'F32', shape: [2, 2] }] });
  const whole = await readGguf(memorySource(bytes));
  for (const step of [1, 7, 100]) {
    const slow = await readGguf(trickle(memorySource(bytes), step));
    assert.equal([...slow.metadata], [...whole.metadata]);
    assert.equal([...slow.tensors], [...whole.tensors]);
  }
});

// case: G5
gguf('keys that objects know are only keys', async () => {
  const keys = ['__proto__', 'constructor', 'toString', 'UPPER case', 'ключ'];
  const { metadata, tensors } = await read({
    metadata: keys.map((key): MetaEntry => [key, 'string', 'mine']),
    tensors: [{ name: '__proto__', type: 'F32', shape: [1] }],
  });
  assert.equal([...metadata.keys()], keys);
  assert.is(tensors.get('__proto__')!.byteLength, 4);
  assert.is((await read({})).metadata.get('toString'), undefined);
  assert.is(({} as Record<string, unknown>).mine, undefined);
});

gguf('text that is no UTF-8 is replaced in a description and refused in a vocabulary, a key and a name', async () => {
  const bad = bytesOf(0x61, 0xff, 0x62);
  const string = new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0, ...bad]);
  const array = new Uint8Array([8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, ...string]);
  const { metadata } = await read({ metadata: [{ key: 'general.name', type: 'string', raw: string }] });
  assert.is(metadata.get('general.name'), 'a\ufffdb');
  const vocabulary = { key: 'tokenizer.ggml.tokens', type: 'string[]', raw: array } as const;
  await refuses(read({ metadata: [vocabulary] }), 'GGUF_STRING', 'tokenizer.ggml.tokens', 'element 0', 'UTF-8');
  await refuses(read({ metadata: [{ key: bad, type: 'uint8', raw: bytesOf(1) }] }), 'GGUF_KEY', 'UTF-8');
  await refuses(read({ tensors: [{ name: bad, type: 'F32', shape: [1] }] }), 'TENSOR_NAME', 'UTF-8');
});

// case: B8
gguf('tensors beyond 4 GiB have exact places', async () => {
  const rows = 2 ** 21;
  const header = ggufBytes({
    headerOnly: true,
    tensors: [
      { name: 'large', type: 'TQ2_0', shape: [rows, 16384], data: new Uint8Array(0) },
      { name: 'behind', type: 'F32', shape: [2], offset: rows * 64 * 66, data: new Uint8Array(0) },
    ],
  });
  const { tensors, dataStart } = await readGguf(sparseSource(2 ** 43, [[0, header]]));
  assert.is(tensors.get('large')!.byteLength, rows * 64 * 66);
  assert.is(tensors.get('behind')!.offset, dataStart + rows * 64 * 66);
  assert.ok(tensors.get('behind')!.offset > 2 ** 33);
});

gguf('reading sets aside no more than the file and stops behind the header', async () => {
  const small = countingSource(memorySource(ggufBytes({ metadata: EVERY_TYPE })));
  await readGguf(small);
  assert.ok(small.counts.largest <= small.size);
  assert.is(small.counts.reads, 1);
  const header = ggufBytes({
    tensors: [{ name: 'a', type: 'F32', shape: [2 ** 30, 256], data: new Uint8Array(0) }],
    headerOnly: true,
  });
  const large = countingSource(sparseSource(2 ** 41, [[0, header]]));
  await readGguf(large);
  assert.ok(large.counts.bytes <= 1 << 20, `${large.counts.bytes} bytes were read`);
});

gguf('a vocabulary of 128k pieces with 280k merges is read within a second', async () => {
  const tokens = Array.from({ length: 128_000 }, (_, i) => (i % 9 === 0 ? `Ġünï${i}` : `Ġtoken${i}`));
  const merges = Array.from({ length: 280_000 }, (_, i) => `Ġtok${i % 977} en${i}`);
  const bytes = ggufBytes({
    metadata: [
      ['tokenizer.ggml.tokens', 'string[]', tokens],
      ['tokenizer.ggml.token_type', 'int32[]', tokens.map(() => 1)],
      ['tokenizer.ggml.merges', 'string[]', merges],
    ],
  });
  const source = countingSource(memorySource(bytes));
  const { metadata } = await readGguf(source);
  assert.equal(metadata.get('tokenizer.ggml.tokens'), tokens);
  assert.equal(metadata.get('tokenizer.ggml.merges'), merges);
  assert.ok(source.counts.reads < 12, `${source.counts.reads} reads`);
  const millis = await bestMillis(1000, () => readGguf(memorySource(bytes)));
  assert.ok(millis < 1000, `${millis} ms`);
});

gguf('an abort ends reading with the reason given', async () => {
  const reason = new Error('enough');
  const source = memorySource(ggufBytes({ metadata: EVERY_TYPE }));
  assert.is(await readGguf(source, { signal: AbortSignal.abort(reason) }).catch((error) => error), reason);
});

gguf('errors name the file and quote what it says', async () => {
  const key = `a${'b'.repeat(200)}`;
  const twice: MetaEntry[] = [[key, 'uint8', 1], [key, 'uint8', 1]];
  const error = await refuses(read({ metadata: twice }), 'GGUF_KEY', 'test.gguf', 'key 1', '"abbb');
  assert.ok(error.message.length < 250);
  const line = await refuses(
    read({ metadata: [['x\n\u001b[2J', 'uint8', 1], ['x\n\u001b[2J', 'uint8', 1]] }),
    'GGUF_KEY',
  );
  assert.not.match(line.message, '\n');
  assert.not.match(line.message, '\u001b');
  assert.is(utf8(line.message).includes(27), false);
});

gguf.run();
