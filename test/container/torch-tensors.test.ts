import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { readTorch, type TorchContainer } from '../../src/container/torch.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { MAX_NAME_BYTES } from '../../src/limits.ts';
import {
  call,
  type Picklable,
  PickleCode,
  pickleGlobal,
  torchBytes,
  type TorchTensor,
  torchTensor,
  tuple,
} from '../builders-torch.ts';
import { refusedBy } from './checks.ts';

const checkpoints = suite('torch, tensors');

const read = (bytes: Uint8Array): Promise<TorchContainer> => readTorch(memorySource(bytes, 'test.file'));
const refused = (bytes: Uint8Array, code: ErrorCode, ...words: string[]): Promise<void> =>
  refusedBy(readTorch, bytes, code, ...words);

const SIX = new Uint8Array(24);
/** A checkpoint of one tensor over six floats. */
const one = (tensor: Partial<TorchTensor> & { storages?: Record<string, Uint8Array> } = {}): Uint8Array =>
  torchBytes({ model: { w: torchTensor({ shape: [2, 3], ...tensor }) } }, tensor.storages ?? { 0: SIX });

checkpoints('every storage type has its element type', async () => {
  const types: Array<[string, string, number]> = [
    ['FloatStorage', 'F32', 4],
    ['HalfStorage', 'F16', 2],
    ['BFloat16Storage', 'BF16', 2],
    ['DoubleStorage', 'F64', 8],
    ['CharStorage', 'I8', 1],
    ['ByteStorage', 'U8', 1],
    ['ShortStorage', 'I16', 2],
    ['IntStorage', 'I32', 4],
    ['LongStorage', 'I64', 8],
    ['BoolStorage', 'BOOL', 1],
  ];
  for (const [storage, type, bytes] of types) {
    const { tensors } = await read(one({ storage, storages: { 0: new Uint8Array(6 * bytes) } }));
    assert.equal([tensors.get('w')?.type, tensors.get('w')?.byteLength], [type, 6 * bytes]);
  }
  for (const storage of ['ComplexFloatStorage', 'QInt8Storage']) {
    await refused(one({ storage }), 'PICKLE_GLOBAL', storage);
  }
  await refused(one({ storage: 'UntypedStorage', elements: 24 }), 'STORAGE_RANGE', 'known type');
  for (const storage of ['float32', 'Size']) await refused(one({ storage }), 'STORAGE_RANGE', 'known type');
});

checkpoints('of a storage without a type the tensor says what its elements are', async () => {
  const types: Array<[string, string, number]> = [
    ['float8_e4m3fn', 'F8_E4M3', 1],
    ['float8_e5m2', 'F8_E5M2', 1],
    ['float8_e4m3fnuz', 'F8_E4M3FNUZ', 1],
    ['float8_e5m2fnuz', 'F8_E5M2FNUZ', 1],
    ['uint16', 'U16', 2],
    ['uint32', 'U32', 4],
    ['uint64', 'U64', 8],
    ['bfloat16', 'BF16', 2],
  ];
  for (const [dtype, type, width] of types) {
    const storage = { storage: 'UntypedStorage', dtype, elements: 6 * width };
    const storages = { 0: new Uint8Array(6 * width) };
    const info = (await read(one({ ...storage, storages }))).tensors.get('w');
    assert.equal([info?.type, info?.byteLength], [type, 6 * width]);
    await refused(one({ ...storage, storages, shape: [7] }), 'STORAGE_RANGE', '"w"', 'a storage that has 6');
  }
  const untyped = { storage: 'UntypedStorage', elements: 24 };
  await refused(one({ ...untyped, dtype: 'complex64' }), 'PICKLE_GLOBAL', 'complex64');
  await refused(one({ ...untyped, dtype: 'Size' }), 'PICKLE_CORRUPT', '"w"', 'type of elements');
});

checkpoints('parameters and sizes of class torch.Size are read', async () => {
  const parameter = call(pickleGlobal('torch._utils', '_rebuild_parameter'), torchTensor({ shape: [6] }), true, {});
  assert.is((await read(torchBytes({ w: parameter }, { 0: SIX }))).tensors.get('w')?.byteLength, 24);
  const size = call(pickleGlobal('torch', 'Size'), tuple(2, 3));
  assert.equal((await read(one({ size }))).tensors.get('w')?.shape, [2, 3]);
  const empty = call(pickleGlobal('torch._utils', '_rebuild_parameter'), 1);
  await refused(torchBytes({ w: empty }), 'PICKLE_CORRUPT', '"w"', 'without a tensor');
  for (const size of [[2, 3], null, 6, tuple(2), tuple(2, 'x'), tuple(2, null)]) {
    await refused(one({ size }), 'PICKLE_CORRUPT', '"w"', 'sizes and strides');
  }
  await refused(one({ more: [{ conj: true }] }), 'PICKLE_CORRUPT', 'conjugated');
  for (const more of [[{}], [null]]) await read(one({ more }));
});

// case: P5
checkpoints('tensors stay within their storage', async () => {
  for (const offset of [1, 6, 2 ** 31, 2 ** 53 - 1]) {
    await refused(one({ offset }), 'STORAGE_RANGE', '"w"', `${offset}..`, '6');
  }
  for (const offset of [-1, 0.5, 2n ** 64n, null, '0']) await refused(one({ offset }), 'STORAGE_RANGE', 'offset');
  for (const shape of [[3, 3], [2, 4], [2 ** 20, 2 ** 20], [7]]) {
    await refused(one({ shape, elements: 6 }), 'STORAGE_RANGE', '"w"', 'a storage that has 6');
  }
  await refused(one({ shape: [2 ** 30, 2 ** 30], elements: 6 }), 'TENSOR_SHAPE', '2^50');
  await refused(one({ shape: [-2, -3], elements: 6 }), 'STORAGE_RANGE', '-2');
  await refused(one({ shape: new Array(9).fill(1), elements: 6 }), 'TENSOR_SHAPE', '9 dimensions');
  await refused(one({ stride: [2 ** 40, 1] }), 'STORAGE_RANGE', '"w"');
  await refused(one({ stride: [-3, 1] }), 'STORAGE_RANGE', '-3');
  const part = await read(one({ shape: [2], offset: 4, elements: 6 }));
  const whole = await read(one());
  assert.is(part.tensors.get('w')!.offset, whole.tensors.get('w')!.offset + 16);
  assert.is((await read(one({ shape: [0, 3], elements: 6 }))).tensors.get('w')?.byteLength, 0);
});

// case: P6
checkpoints('storages have a file of digits with exactly their bytes', async () => {
  for (const elements of [5, 7, 0, -6, 2n ** 62n, 1.5, null]) await refused(one({ elements }), 'STORAGE_RANGE', '"w"');
  for (const key of ['../../x', 'a', '', '0x0', '-1', '1e3', '0/../0', 0, null]) {
    await refused(one({ key }), 'STORAGE_RANGE', 'digits');
  }
  await refused(one({ key: '3' }), 'STORAGE_RANGE', '"3"', 'does not contain');
  for (const bytes of [23, 25, 0]) {
    await refused(one({ storages: { 0: new Uint8Array(bytes) } }), 'STORAGE_RANGE', '24 bytes', `has ${bytes}`);
  }
  const noStorage = new PickleCode(tuple('module', pickleGlobal('torch', 'FloatStorage'), '0', 'cpu', 6).bytes, 'Q');
  const rebuild = pickleGlobal('torch._utils', '_rebuild_tensor_v2');
  for (const reference of [noStorage, new PickleCode('NQ'), null]) {
    await refused(torchBytes({ w: call(rebuild, reference, 0, tuple(6), tuple(1)) }, { 0: SIX }), 'STORAGE_RANGE');
  }
});

// case: P6
checkpoints('shared storages are one place in the file', async () => {
  const w = torchTensor({ shape: [2, 3] });
  const { tensors } = await read(
    torchBytes({ w, v: w, part: torchTensor({ shape: [3], offset: 3, elements: 6 }) }, { 0: SIX }),
  );
  const at = (name: string): number => tensors.get(name)!.offset;
  assert.equal([at('v'), at('part')], [at('w'), at('w') + 12]);
});

// case: P5
checkpoints('transposed, strided and expanded tensors are refused by name', async () => {
  for (const stride of [[1, 2], [0, 1], [1, 1]]) {
    await refused(one({ stride, elements: 6 }), 'TENSOR_LAYOUT', '"w"', stride.join(', '), 'contiguous()');
  }
  await refused(one({ shape: [2, 2], stride: [3, 1], elements: 6 }), 'TENSOR_LAYOUT', '2 × 2');
  // strides of dimensions of 1 say nothing
  for (const [shape, stride] of [[[1, 6], [99, 1]], [[6, 1], [1, 99]], [[2, 1, 3], [3, 7, 1]]]) {
    const given = shape.map((dim, i) => (dim === 1 ? 0 : stride[i]));
    await read(one({ shape, stride: given, elements: 6 }));
  }
});

// case: P11
checkpoints('wrappers are stripped from the front of names, and names that become one are refused', async () => {
  const w = torchTensor({ shape: [6] });
  const names = ['module.a', '_orig_mod.b', 'module._orig_mod.module.c', 'd.module.e', 'modules.f', 'g'];
  const { tensors } = await read(torchBytes(Object.fromEntries(names.map((name) => [name, w])), { 0: SIX }));
  assert.equal([...tensors.keys()], ['a', 'b', 'c', 'd.module.e', 'modules.f', 'g']);
  assert.equal([...tensors.values()].map(({ name }) => name), [...tensors.keys()]);
  await refused(torchBytes({ 'a.b': w, 'module.a.b': w }, { 0: SIX }), 'TENSOR_NAME', '"module.a.b"', '"a.b"');
  await refused(torchBytes({ '_orig_mod.a': w, 'module.a': w }, { 0: SIX }), 'TENSOR_NAME', '"a"');
  await refused(torchBytes({ 'module.': w }, { 0: SIX }), 'TENSOR_NAME', 'empty');
  await refused(torchBytes({ 'a\0': w }, { 0: SIX }), 'TENSOR_NAME', 'NUL');
  await refused(torchBytes(new Map<Picklable, Picklable>([[1, w]]), { 0: SIX }), 'TENSOR_NAME', 'key 1');
  await refused(torchBytes({ ['n'.repeat(MAX_NAME_BYTES + 1)]: w }, { 0: SIX }), 'TENSOR_NAME', `${MAX_NAME_BYTES}`);
  await read(torchBytes({ ['n'.repeat(MAX_NAME_BYTES)]: w, ['__proto__x']: w }, { 0: SIX }));
});

checkpoints.run();
