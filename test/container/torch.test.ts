import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { openContainer } from '../../src/container/open.ts';
import { readTorch, type TorchContainer } from '../../src/container/torch.ts';
import { type ErrorCode, TernspikeError } from '../../src/errors.ts';
import { MAX_METADATA_ENTRIES, MAX_PICKLE_BYTES } from '../../src/limits.ts';
import { describeLlama } from '../../src/architectures/llama/description.ts';
import { ByteBuilder, bytesOf, utf8 } from '../builders.ts';
import {
  call,
  code,
  type Picklable,
  pickleBytes,
  PickleCode,
  pickleGlobal,
  putDirectory,
  putLocal,
  torchBytes,
  type TorchTensor,
  torchTensor,
  tuple,
  type ZipFile,
} from '../builders-torch.ts';
import { countingSource, faultySource, sparseSource, trickle } from '../faults.ts';
import { refuses } from '../refusal.ts';
import { refusedBy } from './checks.ts';

const checkpoints = suite('torch');

const read = (bytes: Uint8Array): Promise<TorchContainer> => readTorch(memorySource(bytes, 'test.file'));
const refused = (bytes: Uint8Array, code: ErrorCode, ...words: string[]): Promise<void> =>
  refusedBy(readTorch, bytes, code, ...words);

const floats = (...values: number[]): Uint8Array => new Uint8Array(new Float32Array(values).buffer);
const SIX = floats(1, 2, 3, 4, 5, 6);
checkpoints('config, step and tensors are read; what is neither is left out', async () => {
  const bytes = torchBytes(
    {
      config: {
        vocab_size: 320,
        leak: 0.95,
        mode: 'text',
        on: true,
        nothing: null,
        big: 2n ** 60n,
        dims: [1, 2],
        t: tuple('a', 1),
      },
      model: { 'a.weight': torchTensor({ shape: [2, 3] }), 'b': torchTensor({ shape: [], key: '1' }), 'none': null },
      optimizer: { state: { w: torchTensor({ shape: [9], key: '77' }) }, groups: [{ lr: 1 }], deep: { lr: 0.5 } },
      dtype: pickleGlobal('torch', 'bfloat16'),
      step: 7,
    },
    { 0: SIX, 1: floats(9) },
  );
  const container = await read(bytes);
  assert.equal([container.format, container.size], ['torch', bytes.length]);
  assert.equal([...container.metadata], [
    ['config.vocab_size', 320],
    ['config.leak', 0.95],
    ['config.mode', 'text'],
    ['config.on', true],
    ['config.big', 2n ** 60n],
    ['config.dims', [1, 2]],
    ['config.t', ['a', 1]],
    ['optimizer.deep.lr', 0.5],
    ['dtype', 'torch.bfloat16'],
    ['step', 7],
  ]);
  assert.equal([...container.tensors.keys()], ['a.weight', 'b']);
  const { offset, ...rest } = container.tensors.get('a.weight')!;
  assert.equal(rest, { name: 'a.weight', type: 'F32', shape: [2, 3], blockElements: 1, byteLength: 24 });
  assert.equal(bytes.slice(offset, offset + 24), SIX);
  assert.equal(container.tensors.get('b')?.shape, []);
  const opened = await openContainer(memorySource(bytes, 'model.gguf'));
  assert.is(opened.format, 'torch');
  assert.throws(() => describeLlama(opened), /ARCHITECTURE.*general.architecture is missing/);
});

checkpoints('the state dict is found under its usual names, or is the checkpoint itself', async () => {
  const state = { w: torchTensor({ shape: [6] }), note: 'x' };
  for (const key of ['model', 'model_state_dict', 'state_dict']) {
    const { tensors, metadata } = await read(torchBytes({ [key]: state, model_name: 'm', step: 1 }, { 0: SIX }));
    assert.equal([...tensors.keys()], ['w']);
    assert.equal([...metadata.keys()], [`${key}.note`, 'model_name', 'step']);
  }
  const { tensors, metadata } = await read(torchBytes({ ...state, model: 'tiny' }, { 0: SIX }));
  assert.equal([[...tensors.keys()], [...metadata.keys()]], [['w'], ['note', 'model']]);
  const ordered = new PickleCode(
    call(pickleGlobal('collections', 'OrderedDict')).bytes,
    code('w'),
    code(state.w),
    's}b',
  );
  assert.is((await read(torchBytes(ordered, { 0: SIX }))).tensors.size, 1);
  const roots: Picklable[] = [{}, { model: {} }, { config: { a: 1 } }, [], null, 'x', 1, [torchTensor({ shape: [6] })]];
  for (const root of roots) {
    await refused(torchBytes(root, { 0: SIX }), 'TORCH_STATE', 'model_state_dict');
  }
});

// case: P1
checkpoints('globals that are not data are refused by name, wherever they stand', async () => {
  for (
    const [module, name] of [['os', 'system'], ['builtins', 'eval'], ['torch.hub', 'load'], [
      'torch._utils',
      '_rebuild_qtensor',
    ]]
  ) {
    const bad: Picklable[] = [pickleGlobal(module, name), call(pickleGlobal(module, name), 'echo hello')];
    for (const value of bad) {
      await refused(
        torchBytes({ model: { w: torchTensor({ shape: [6] }) }, x: value }, { 0: SIX }),
        'PICKLE_GLOBAL',
        `${module}.${name}`,
      );
      await refused(torchBytes({ model: { w: value } }, { 0: SIX }), 'PICKLE_GLOBAL', `${module}.${name}`);
    }
  }
  const config = call(pickleGlobal('__main__', 'Config'));
  await refused(torchBytes({ config, model: {} }), 'PICKLE_GLOBAL', '__main__.Config', 'plain dict');
});

checkpoints('calls of globals on the list that make no tensor stay data', async () => {
  const device = call(pickleGlobal('torch', 'device'), 'cuda');
  const strange = call(pickleGlobal('torch', 'FloatStorage'), 10 ** 9);
  const { metadata } = await read(
    torchBytes({ model: { w: torchTensor({ shape: [6] }), strange }, device }, { 0: SIX }),
  );
  assert.is(metadata.size, 0);
});

// case: P4
checkpoints('metadata that contain themselves, or would grow beyond the file, are refused', async () => {
  const w = torchTensor({ shape: [6] });
  const withMeta = (meta: PickleCode): Uint8Array => torchBytes({ model: { w }, meta }, { 0: SIX });
  const self = new PickleCode('}q', 9, code('me'), 'h', 9, 's');
  await refused(withMeta(self), 'PICKLE_LIMIT', 'contains itself');
  const ownList = new PickleCode(']q', 9, 'h', 9, 'a');
  await read(withMeta(ownList));
  let doubled: PickleCode = new PickleCode('}', code('x'), code(1), 's');
  for (let i = 0; i < 40; i++) {
    doubled = new PickleCode('}q', i, '(', code('a'), doubled.bytes, 'q', i + 100, code('b'), 'h', i + 100, 'u');
  }
  await refused(withMeta(doubled), 'PICKLE_LIMIT');
  const list = new PickleCode(code(new Array(1000).fill(1)), 'q', 1);
  const copies = (count: number): PickleCode =>
    new PickleCode(
      '}(',
      code('k'),
      list.bytes,
      ...Array.from({ length: count }, (_, i) => [code(`k${i}`), 'h', 1]).flat(),
      'u',
    );
  assert.is((await read(withMeta(copies(900)))).metadata.size, 901);
  await refused(withMeta(copies(1100)), 'PICKLE_LIMIT', 'too many values');
  const entries = (count: number): PickleCode =>
    new PickleCode(code(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]))));
  assert.is((await read(withMeta(entries(MAX_METADATA_ENTRIES)))).metadata.size, MAX_METADATA_ENTRIES);
  await refused(withMeta(entries(MAX_METADATA_ENTRIES + 1)), 'PICKLE_LIMIT', `${MAX_METADATA_ENTRIES}`);
  await refused(withMeta(new PickleCode(code({ ['k'.repeat(300)]: 1 }))), 'PICKLE_LIMIT', '305 characters');
  await refused(torchBytes({ w, 'a.b': 1, a: { b: 2 } }, { 0: SIX }), 'METADATA', '"a.b"');
});

// case: P10
checkpoints('big-endian checkpoints are refused, little-endian ones by name read', async () => {
  const marked = (text: string): Uint8Array =>
    torchBytes({ w: torchTensor({ shape: [6] }) }, { 0: SIX }, [{ name: 'model/byteorder', data: utf8(text) }]);
  await read(marked('little'));
  await refused(marked('big'), 'BYTE_ORDER', '"big"');
  await refused(marked(''), 'BYTE_ORDER');
  await refused(marked('x'.repeat(100)), 'BYTE_ORDER', '100 bytes');
});

// case: P13
checkpoints('TorchScript archives, other archives and old checkpoints are told apart', async () => {
  const w = { w: torchTensor({ shape: [6] }) };
  for (const name of ['model/constants.pkl', 'model/code/__torch__.py']) {
    await refused(torchBytes(w, { 0: SIX }, [{ name }]), 'TORCH_SCRIPT', 'state_dict()');
  }
  const zip = (...names: string[]): Uint8Array => torchBytes(w, { 0: SIX }, names.map((name) => ({ name })));
  await refused(zip('other/data.pkl'), 'UNKNOWN_FORMAT', 'more than one data.pkl');
  await read(zip('model/deep/data.pkl', 'data.pkl', 'model/.data/serialization_id'));
  await refusedBy(
    openContainer,
    bytesOf(...utf8('PK\x05\x06'), ...new Uint8Array(18)),
    'UNKNOWN_FORMAT',
    'no data.pkl',
  );
  const old = bytesOf(0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e);
  await refusedBy(openContainer, old, 'PICKLE_CORRUPT', 'version');
  await refusedBy(openContainer, pickleBytes({ a: 1 }), 'TORCH_LEGACY', 'torch.save');
  for (const name of ['sys_info', 'storages']) {
    await refusedBy(openContainer, bytesOf(...utf8(name), ...new Uint8Array(512)), 'TORCH_LEGACY', 'torch.save');
  }
});

checkpoints('a pickle beyond its limit is refused before it is read', async () => {
  const parts = new ByteBuilder();
  const file: ZipFile = { name: 'model/data.pkl', data: bytesOf() };
  putLocal(parts, file);
  const size = MAX_PICKLE_BYTES + 1;
  const head = parts.take().subarray(0, -16);
  const tail = new ByteBuilder();
  const at = head.length + size + 24;
  putDirectory(tail, [{ file, header: 0, size }], {}, at);
  const end = tail.take();
  const source = countingSource(sparseSource(at + end.length, [[0, head], [at, end]]));
  await refuses(readTorch(source), 'PICKLE_LIMIT', `${size}`);
  assert.ok(source.counts.bytes < 100_000);
});

const FIXTURE = torchBytes(
  {
    config: { vocab: 4 },
    model_state_dict: { w: torchTensor({ shape: [2, 3] }), v: torchTensor({ shape: [1], key: '1' }) },
  },
  { 0: SIX, 1: floats(7) },
);

// case: B2
checkpoints('a file cut at any byte is refused', async () => {
  await read(FIXTURE);
  for (let length = 0; length < FIXTURE.length; length++) {
    const error = await read(FIXTURE.subarray(0, length)).catch((error) => error);
    assert.instance(error, TernspikeError, `${length}: ${error}`);
    assert.is(error.code, 'TRUNCATED');
  }
});

// case: B3
checkpoints('with any bit flipped it is read or refused, within the file', async () => {
  let accepted = 0;
  for (let bit = 0; bit < FIXTURE.length * 8; bit++) {
    const bytes = FIXTURE.slice();
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

checkpoints('short reads give the same, failing reads our error with the cause; an abort ends reading', async () => {
  assert.equal(await readTorch(trickle(memorySource(FIXTURE, 'test.file'))), await read(FIXTURE));
  const { counts } = await (async () => {
    const source = countingSource(memorySource(FIXTURE));
    await readTorch(source);
    return source;
  })();
  for (let failAt = 1; failAt <= counts.reads; failAt++) {
    const source = faultySource(memorySource(FIXTURE), { failAt, kind: 'throw' });
    await refuses(readTorch(source), 'IO', 'on purpose');
    await readTorch(source);
    await readTorch(faultySource(memorySource(FIXTURE), { failAt, kind: 'short' }));
  }
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  assert.is(await readTorch(memorySource(FIXTURE), { signal }).catch((error) => error), reason);
});

checkpoints('weights are not touched, and a storage may lie beyond 4 GiB', async () => {
  const GIB = 2 ** 30;
  const big: TorchTensor = { shape: [5 * GIB], storage: 'ByteStorage', key: '0' };
  const pickle = pickleBytes({ big: torchTensor(big), w: torchTensor({ shape: [2, 3], key: '1' }) });
  const out = new ByteBuilder();
  const files: Array<{ file: ZipFile; header: number; size: number }> = [];
  const put = (file: ZipFile, base: number, size: number = file.data?.length ?? 0): void => {
    files.push({ file, header: base + putLocal(out, file), size });
  };
  put({ name: 'm/data.pkl', data: pickle }, 0);
  put({ name: 'm/data/0', data: bytesOf() }, 0, 5 * GIB);
  const split = out.length;
  put({ name: 'm/data/1', data: SIX }, 5 * GIB);
  const dataEnd = 5 * GIB + out.length - 16;
  putDirectory(out, files, {}, 5 * GIB);
  const all = out.take();
  const first = all.subarray(0, split - 16);
  const parts = [[0, first], [5 * GIB + split, all.subarray(split)]] as const;
  const source = countingSource(sparseSource(5 * GIB + all.length, parts));
  const { tensors } = await readTorch(source);
  assert.equal([tensors.get('w')?.offset, tensors.get('w')?.byteLength], [dataEnd - 24, 24]);
  assert.equal([tensors.get('big')?.byteLength, tensors.get('big')?.type], [5 * GIB, 'U8']);
  assert.ok(source.counts.bytes < 100_000);
});

checkpoints.run();
