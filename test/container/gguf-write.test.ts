import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import type { GgufContainer } from '../../src/container/gguf.ts';
import { readGguf } from '../../src/container/parts.ts';
import { type GgufEntry, type GgufHeader, type GgufTensor, writeGguf } from '../../src/container/gguf-write.ts';
import type { TensorType, WeightInfo } from '../../src/container/tensor.ts';
import { MAX_ARRAY_ELEMENTS, MAX_KEY_BYTES } from '../../src/limits.ts';
import { ggufBytes } from '../builders.ts';
import { refuses } from '../refusal.ts';
import { sharedTest } from '../shared.ts';

const writing = suite('gguf-write');

/** A sink that keeps everything; chunks are copied, as their buffers may be reused. */
class Kept {
  chunks: Uint8Array[] = [];
  async write(bytes: Uint8Array): Promise<void> {
    this.chunks.push(bytes.slice());
  }
  all(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.chunks));
  }
}

const ENTRIES: ReadonlyArray<[string, GgufEntry]> = [
  ['general.architecture', { type: 'string', value: 'llama' }],
  ['u8', { type: 'uint8', value: 255 }],
  ['i8', { type: 'int8', value: -128 }],
  ['u16', { type: 'uint16', value: 65535 }],
  ['i16', { type: 'int16', value: -32768 }],
  ['u32', { type: 'uint32', value: 2 ** 32 - 1 }],
  ['i32', { type: 'int32', value: -(2 ** 31) }],
  ['u64', { type: 'uint64', value: 2n ** 64n - 1n }],
  ['i64', { type: 'int64', value: -(2n ** 63n) }],
  ['small i64', { type: 'int64', value: -1 }],
  ['f32', { type: 'float32', value: 0.1 }],
  ['f64', { type: 'float64', value: 0.1 }],
  ['bool', { type: 'bool', value: true }],
  ['text', { type: 'string', value: '\ufeff日本 \ud83d\ude00' }],
  ['tokens', { type: 'string[]', value: ['', 'a', 'ünï'.repeat(100)] }],
  ['scores', { type: 'float32[]', value: [1, -0.5] }],
  ['none', { type: 'int32[]', value: [] }],
];
const METADATA: ReadonlyMap<string, GgufEntry> = new Map(ENTRIES);

/** Writes `header`, with data that counts up, in pieces of `step` bytes. */
async function written(header: GgufHeader, bytesOf: (tensor: GgufTensor) => number, step: number): Promise<Uint8Array> {
  const sink = new Kept();
  const writer = await writeGguf(sink, header);
  for (const tensor of header.tensors) {
    const data = Uint8Array.from({ length: bytesOf(tensor) }, (_, i) => i & 255);
    for (let at = 0; at < data.length; at += step) await writer.write(tensor.name, data.subarray(at, at + step));
  }
  await writer.finish();
  assert.is(writer.bytesWritten, sink.all().length);
  return sink.all();
}

const metadataOf = ({ metadata, metadataTypes }: GgufContainer): Map<string, GgufEntry> =>
  new Map(Array.from(metadata, ([key, value]) => [key, { type: metadataTypes.get(key)!, value }]));

writing('what is written is read back, in pieces of any size', async () => {
  const tensors: GgufTensor[] = [
    { name: 'norm', type: 'F32', shape: [5] },
    { name: 'empty', type: 'F32', shape: [0, 4] },
    { name: 'matrix', type: 'TQ2_0', shape: [3, 256] },
    { name: 'scalar', type: 'F16', shape: [] },
    { name: 'cube', type: 'Q8_0', shape: [2, 1, 32] },
    { name: 'last empty', type: 'F16', shape: [0] },
  ];
  const sizes: Record<string, number> = { norm: 20, empty: 0, matrix: 198, scalar: 2, cube: 68, 'last empty': 0 };
  let first: Uint8Array | null = null;
  for (const step of [1, 7, 1000]) {
    const bytes = await written({ metadata: METADATA, tensors }, ({ name }) => sizes[name], step);
    assert.is(bytes.length % 32, 0);
    first ??= bytes;
    assert.equal(bytes, first);
    const read = await readGguf(memorySource(bytes));
    assert.is(read.version, 3);
    assert.equal(
      [...metadataOf(read)],
      [...METADATA].map(([k, e]) => k === 'f32' ? [k, { ...e, value: Math.fround(0.1) }] : [k, e]),
    );
    assert.equal(Array.from(read.tensors.values(), ({ name, type, shape }) => ({ name, type, shape })), tensors);
    for (const { name, offset, byteLength } of read.tensors.values()) {
      assert.equal([byteLength, offset % 32], [sizes[name], 0]);
      assert.equal(
        [...bytes.slice(offset, offset + byteLength)],
        Array.from({ length: byteLength }, (_, i) => i & 255),
      );
    }
  }
});

writing('every standard type can be written; I2_S, which is none, cannot', async () => {
  const sizes: Array<[TensorType, number]> = [
    ['F32', 1024 * 4],
    ['F16', 512 * 4],
    ['BF16', 512 * 4],
    ['Q8_0', 34 * 32],
    ['TQ1_0', 54 * 4],
    ['TQ2_0', 66 * 4],
    ['Q1_0', 18 * 8],
    ['Q2_0', 18 * 16],
  ];
  for (const [type, bytes] of sizes) {
    const tensors: GgufTensor[] = [{ name: 'a', type, shape: [4, 256] }];
    const read = await readGguf(memorySource(await written({ metadata: new Map(), tensors }, () => bytes, 100)));
    assert.equal([read.tensors.get('a')!.type, read.tensors.get('a')!.byteLength], [type, bytes]);
  }
  const tensors: GgufTensor[] = [{ name: 'a', type: 'I2_S', shape: [4, 256] }];
  await refuses(writeGguf(new Kept(), { metadata: new Map(), tensors }), 'GGUF_WRITE', 'I2_S');
});

writing('general.alignment is followed', async () => {
  for (const alignment of [8, 32, 256]) {
    const metadata = new Map<string, GgufEntry>([['general.alignment', { type: 'uint32', value: alignment }]]);
    const tensors: GgufTensor[] = [{ name: 'a', type: 'F16', shape: [3] }, { name: 'b', type: 'F16', shape: [3] }];
    const read = await readGguf(memorySource(await written({ metadata, tensors }, () => 6, 6)));
    assert.is(read.alignment, alignment);
    assert.is(read.tensors.get('b')!.offset - read.tensors.get('a')!.offset, alignment);
  }
});

const wrong: Array<[string, Partial<{ entry: [string, GgufEntry]; tensor: GgufTensor }>, ...string[]]> = [
  ['an empty key', { entry: ['', { type: 'uint8', value: 1 }] }, 'key'],
  ['a key with NUL', { entry: ['a\0', { type: 'uint8', value: 1 }] }, 'NUL'],
  ['a long key', { entry: ['k'.repeat(MAX_KEY_BYTES + 1), { type: 'uint8', value: 1 }] }, `${MAX_KEY_BYTES}`],
  ['half a surrogate pair', { entry: ['k', { type: 'string', value: 'a\ud83d' }] }, 'surrogate'],
  ['a value out of range', { entry: ['k', { type: 'uint8', value: 256 }] }, '256', 'uint8'],
  ['a negative unsigned value', { entry: ['k', { type: 'uint64', value: -1 }] }, '-1', 'uint64'],
  ['a fraction as an integer', { entry: ['k', { type: 'int32', value: 1.5 }] }, '1.5', 'int32'],
  ['an inexact integer', { entry: ['k', { type: 'int64', value: 2 ** 53 }] }, 'int64'],
  ['a string as a number', { entry: ['k', { type: 'float32', value: '1' }] }, 'float32'],
  ['a number as a bool', { entry: ['k', { type: 'bool', value: 1 }] }, 'bool'],
  ['a value as an array', { entry: ['k', { type: 'uint8[]', value: 1 }] }, 'not an array'],
  ['an array as a value', { entry: ['k', { type: 'uint8', value: [1] }] }, 'uint8'],
  ['an array of arrays', { entry: ['k', { type: 'uint8[]', value: [[1]] }] }, 'uint8'],
  ['a long array', { entry: ['k', { type: 'bool[]', value: new Array(MAX_ARRAY_ELEMENTS + 1) }] }, 'elements'],
  ['an unknown type', { entry: ['k', { type: 'uint7', value: 1 } as unknown as GgufEntry] }, 'uint7'],
  ['a wrong alignment', { entry: ['general.alignment', { type: 'uint32', value: 33 }] }, '33'],
  ['an alignment of another type', { entry: ['general.alignment', { type: 'uint64', value: 32 }] }, 'uint64'],
  ['a name of 64 bytes', { tensor: { name: 'n'.repeat(64), type: 'F32', shape: [1] } }, '63'],
  ['a nameless tensor', { tensor: { name: '', type: 'F32', shape: [1] } }, 'name'],
  ['a name twice', { tensor: { name: 'a', type: 'F32', shape: [1] } }, '"a"', 'twice'],
  ['five dimensions', { tensor: { name: 't', type: 'F32', shape: [1, 1, 1, 1, 1] } }, '5'],
  ['a negative dimension', { tensor: { name: 't', type: 'F32', shape: [-1] } }, '-1'],
  ['half a row', { tensor: { name: 't', type: 'F32', shape: [0.5] } }, '0.5'],
  ['too many elements', { tensor: { name: 't', type: 'F32', shape: [2 ** 32, 2 ** 32] } }, '4294967296'],
  ['a row of half a block', { tensor: { name: 't', type: 'TQ1_0', shape: [2, 128] } }, '128', '256'],
  ['an unknown element type', { tensor: { name: 't', type: 'Q9' as TensorType, shape: [1] } }, 'Q9'],
];
for (const [name, { entry, tensor }, ...words] of wrong) {
  writing(`${name} is refused and nothing is written`, async () => {
    const sink = new Kept();
    const metadata = new Map([...ENTRIES.slice(0, 1), ...(entry === undefined ? [] : [entry])]);
    const tensors: GgufTensor[] = [{ name: 'a', type: 'F32', shape: [1] }, ...(tensor === undefined ? [] : [tensor])];
    await refuses(writeGguf(sink, { metadata, tensors }), 'GGUF_WRITE', ...words);
    assert.is(sink.chunks.length, 0);
  });
}

writing('data out of turn, too long or missing is refused', async () => {
  const tensors: GgufTensor[] = [{ name: 'a', type: 'F32', shape: [1] }, { name: 'b', type: 'F32', shape: [1] }];
  const writer = await writeGguf(new Kept(), { metadata: new Map(), tensors });
  await refuses(writer.write('b', new Uint8Array(4)), 'GGUF_WRITE', '"b"', '"a"');
  await writer.write('a', new Uint8Array(3));
  await refuses(writer.write('a', new Uint8Array(2)), 'GGUF_WRITE', '"a"', '4 bytes', '5');
  await refuses(writer.finish(), 'GGUF_WRITE', '3 bytes', '"a"');
  await writer.write('a', new Uint8Array(1));
  await refuses(writer.write('a', new Uint8Array(1)), 'GGUF_WRITE', '"b"');
  await refuses(writer.finish(), 'GGUF_WRITE', '"b"');
  await writer.write('b', new Uint8Array(4));
  await refuses(writer.write('c', new Uint8Array(4)), 'GGUF_WRITE', 'no more data');
  await writer.finish();
});

writing('a sink that fails is heard', async () => {
  const failing = { write: () => Promise.reject(new Error('disk full')) };
  const error = await writeGguf(failing, { metadata: new Map(), tensors: [] }).catch((error) => error);
  assert.is(error.message, 'disk full');
});

writing('writer and test builder agree on every byte', async () => {
  const metadata = ENTRIES.map(([key, { type, value }]) => [key, type, value] as const);
  const header: GgufHeader = { metadata: METADATA, tensors: [{ name: 'a', type: 'F32', shape: [2, 3] }] };
  const data = Uint8Array.from({ length: 24 }, (_, i) => i);
  const built = ggufBytes({ metadata, tensors: [{ name: 'a', type: 'F32', shape: [2, 3], data }] });
  assert.equal(await written(header, () => 24, 24), built);
});

for (
  const file of ['models/stories260K.gguf', 'conformance/llama/tiny-tq1_0.gguf', 'conformance/llama/tiny-q8_0.gguf']
) {
  sharedTest(writing, `${file}, written by llama.cpp, is written again to the byte`, file, async (path) => {
    const original = new Uint8Array(readFileSync(path));
    const read = await readGguf(memorySource(original));
    const sink = new Kept();
    const tensors = [...read.tensors.values()] as WeightInfo[];
    const writer = await writeGguf(sink, { metadata: metadataOf(read), tensors });
    for (const { name, offset, byteLength } of tensors) {
      await writer.write(name, original.subarray(offset, offset + byteLength));
    }
    await writer.finish();
    assert.ok(Buffer.compare(sink.all(), original) === 0, 'bytes differ');
  });
}

writing.run();
