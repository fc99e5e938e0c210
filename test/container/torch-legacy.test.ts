/** PyTorch checkpoints of the format before version 1.6, of pickle protocols 2 to 5, in several files, and with floats of other types. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { type ByteSource, readFully } from '../../src/bytes/source.ts';
import { openContainer } from '../../src/container/open.ts';
import type { Container } from '../../src/container/tensor.ts';
import { type ErrorCode, TernspikeError } from '../../src/errors.ts';
import { u64Bytes, utf8 } from '../builders.ts';
import {
  call,
  type LegacyParts,
  legacyTorchBytes,
  type Picklable,
  pickleGlobal,
  safetensorsBytes,
  torchBytes,
  torchTensor,
} from '../builders-torch.ts';
import { countingSource, trickle } from '../faults.ts';
import { checkout } from '../house/checkout.ts';
import { refuses } from '../refusal.ts';
import { refusedBy } from './checks.ts';

const test = suite('torch, legacy');

const open = (bytes: Uint8Array): Promise<Container> => openContainer(memorySource(bytes, 'test.file'));
const refused = (bytes: Uint8Array, code: ErrorCode, ...words: string[]): Promise<void> =>
  refusedBy(openContainer, bytes, code, ...words);

const floats = (...values: number[]): Uint8Array => new Uint8Array(new Float32Array(values).buffer);
const STORAGES = { 140: floats(1, 2, 3, 4, 5, 6), 93: floats(7) };
const ROOT: Picklable = {
  config: { dim: 4, name: 'x' },
  model: {
    w: torchTensor({ shape: [2, 3], key: '140' }),
    part: torchTensor({ shape: [3], key: '140', offset: 3, elements: 6 }),
    v: torchTensor({ shape: [1], key: '93', view: null }),
  },
};
const legacy = (parts: LegacyParts = {}): Uint8Array => legacyTorchBytes(ROOT, STORAGES, parts);

/** The bytes of a tensor. */
async function bytesOf(source: ByteSource, container: Container, name: string): Promise<Uint8Array> {
  const info = container.tensors.get(name);
  const bytes = new Uint8Array(info?.byteLength ?? 0);
  await readFully(container.source ?? source, bytes, info?.offset ?? 0, name);
  return bytes;
}

test('pickles one after the other, then storages, are a checkpoint', async () => {
  for (const protocol of [2, 3, 4, 5]) {
    const source = memorySource(legacy({ protocol }));
    const container = await openContainer(source);
    assert.equal([container.format, container.size], ['torch', source.size]);
    assert.equal([...container.metadata], [['config.dim', 4], ['config.name', 'x']]);
    assert.equal(await bytesOf(source, container, 'w'), floats(1, 2, 3, 4, 5, 6));
    assert.equal(await bytesOf(source, container, 'part'), floats(4, 5, 6));
    assert.equal(await bytesOf(source, container, 'v'), floats(7));
    assert.equal(await openContainer(trickle(source)), container);
  }
});

// case: P13
test('what contradicts itself is refused, and a file of another order of bytes', async () => {
  await refused(legacy({ magic: 5 }), 'TORCH_LEGACY');
  await refused(legacy({ version: 1002 }), 'TORCH_LEGACY');
  const systems: Picklable[] = [{ little_endian: false }, {}, null];
  for (const system of systems) await refused(legacy({ system }), 'BYTE_ORDER');
  for (const keys of [null, ['140', '140'], 7]) await refused(legacy({ keys }), 'PICKLE_CORRUPT', 'names');
  for (const keys of [['140'], ['140', '93', '5'], [], [1]]) await refused(legacy({ keys }), 'STORAGE_RANGE');
  for (const count of [5, 7, 2n ** 63n]) {
    await refused(legacy({ counts: { 140: count } }), 'STORAGE_RANGE', '"140"', `${count}`, '6');
  }
  const twice = [torchTensor({ shape: [6], key: '1' }), torchTensor({ shape: [3], key: '1', elements: 3 })];
  await refused(legacyTorchBytes({ a: twice[0], b: twice[1] }, { 1: STORAGES[140] }), 'STORAGE_RANGE', '"1"');
  const view = torchTensor({ shape: [6], key: '140', view: ['140', 0, 6] });
  await refused(legacyTorchBytes({ view }, { 140: STORAGES[140] }), 'STORAGE_RANGE', 'no known type');
  const evil = call(pickleGlobal('os', 'system'), 'true');
  await refused(legacyTorchBytes({ evil }, {}), 'PICKLE_GLOBAL', 'os.system');
  await refused(legacyTorchBytes({ a: 1 }, {}), 'TORCH_STATE');
  await refused(new Uint8Array([...legacy(), 0]), 'STORAGE_RANGE', '1 bytes follow');
});

// case: B2 P13
test('cut at any byte it is refused, and with bytes changed it is read or refused, within the file', async () => {
  for (const protocol of [2, 4]) {
    const bytes = legacy({ protocol });
    for (let length = 4; length < bytes.length; length++) {
      const error = await open(bytes.subarray(0, length)).catch((error) => error);
      assert.instance(error, TernspikeError, `${length}: ${error}`);
    }
    let accepted = 0;
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor(seed / 2 ** 32 * below);
    };
    for (let i = 0; i < 4000; i++) {
      const changed = bytes.slice();
      for (let n = random(3); n >= 0; n--) changed[random(changed.length)] = random(256);
      try {
        const container = await open(changed);
        accepted++;
        const end = container.source?.size ?? changed.length;
        for (const { offset, byteLength } of container.tensors.values()) assert.ok(offset + byteLength <= end);
      } catch (error) {
        if (!(error instanceof TernspikeError)) throw error;
      }
    }
    assert.ok(accepted > 0);
  }
});

test('only as much of a large file is read as its pickles take', async () => {
  const data = new Uint8Array(4 << 20);
  const w = torchTensor({ shape: [1 << 20], key: '0' });
  const source = countingSource(memorySource(legacyTorchBytes({ w }, { 0: data })));
  await openContainer(source);
  assert.ok(source.counts.bytes < 1 << 19);
  // pickles that do not fit into what is read first
  const notes = Array.from({ length: 9 }, () => 'x'.repeat(100_000));
  const large = await open(legacyTorchBytes({ w, notes }, { 0: data }));
  assert.is(large.tensors.get('w')?.byteLength, data.length);
});

test('PyTorch shards are found by their index', async () => {
  const zipped = torchBytes({ a: torchTensor({ shape: [6] }) }, { 0: STORAGES[140] });
  const old = legacyTorchBytes({ b: torchTensor({ shape: [1], key: '9' }) }, { 9: floats(7) });
  const files: Record<string, Uint8Array> = { 'm-1.bin': zipped, 'm-2.bin': old };
  const folder = (map: Record<string, string>): ByteSource => ({
    ...memorySource(utf8(JSON.stringify({ metadata: {}, weight_map: map })), 'pytorch_model.bin.index.json'),
    sibling: (name) => Promise.resolve(files[name] ? memorySource(files[name], name) : null),
  });
  const source = folder({ a: 'm-1.bin', b: 'm-2.bin' });
  const container = await openContainer(source);
  assert.is(container.format, 'torch');
  assert.equal(await bytesOf(source, container, 'a'), STORAGES[140]);
  assert.equal(await bytesOf(source, container, 'b'), floats(7));
  await refuses(openContainer(folder({ a: 'm-1.bin', b: 'm-3.bin' })), 'ST_SHARDS', 'm-3.bin', 'is missing');
  for (const file of ['../m-1.bin', '/m.bin', 'a/m.pt', '.bin', 'x:m.pth']) {
    await refuses(openContainer(folder({ a: file })), 'ST_SHARDS', 'not a file of this folder');
  }
});

/** Values of 16 bits. */
const halves = (bytes: Uint8Array): number[] => [...new Uint16Array(bytes.slice().buffer)];
const isNaN16 = (bits: number): boolean => (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0;

test('floats of eight bits are read as F16, to the bit as PyTorch has them', async () => {
  const expected = JSON.parse(readFileSync(join(checkout(), 'test/container/float8.json'), 'utf8')) as Record<
    string,
    number[]
  >;
  assert.is(Object.keys(expected).length, 4);
  const codes = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (const [dtype, bits] of Object.entries(expected)) {
    const source = memorySource(safetensorsBytes({ w: { dtype, shape: [16, 16], data_offsets: [0, 256] } }, codes));
    const container = await openContainer(source);
    const { type, stored, shape } = container.tensors.get('w') ?? {};
    assert.equal([type, stored, shape], ['F16', dtype, [16, 16]]);
    const found = halves(await bytesOf(source, container, 'w'));
    assert.ok(found.every((half, i) => half === bits[i] || (isNaN16(half) && isNaN16(bits[i]))), dtype);
    assert.is(found.filter(isNaN16).length, bits.filter(isNaN16).length);
  }
});

test('F64 is read as F32, from any byte on', async () => {
  const values = [0, -0, 1, 1 / 3, 1e300, -1e-300, Math.PI];
  const doubles = new Uint8Array(new Float64Array(values).buffer);
  const expected = new Uint8Array(new Float32Array(values).buffer);
  const plain = { dtype: 'F32', shape: [1], data_offsets: [56, 60] };
  const header = { w: { dtype: 'F64', shape: [7], data_offsets: [0, 56] }, p: plain };
  const files = [
    safetensorsBytes(header, new Uint8Array([...doubles, ...floats(5)])),
    torchBytes({ w: torchTensor({ shape: [7], storage: 'DoubleStorage' }), p: torchTensor({ shape: [1], key: '1' }) }, {
      0: doubles,
      1: floats(5),
    }),
  ];
  for (const file of files) {
    const source = memorySource(file);
    const container = await openContainer(source);
    assert.equal(await bytesOf(source, container, 'w'), expected);
    assert.equal(await bytesOf(source, container, 'p'), floats(5));
    const { offset } = container.tensors.get('w')!;
    for (let from = 0; from < 28; from++) {
      const bytes = new Uint8Array(28 - from);
      await readFully(container.source!, bytes, offset + from, 'w');
      assert.equal(bytes, expected.subarray(from));
    }
  }
  assert.is((await open(safetensorsBytes({ p: { ...plain, data_offsets: [0, 4] } }, floats(5)))).source, undefined);
});

test('a count that is no number of elements is refused before anything is set aside', async () => {
  const bytes = legacy();
  const at = bytes.length - (8 + 4) - (8 + 24);
  bytes.set(u64Bytes(2 ** 40), at);
  await refused(bytes, 'STORAGE_RANGE');
});

test.run();
