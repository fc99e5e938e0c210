import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { unpickle } from '../../src/container/pickle.ts';
import {
  PickleCall,
  PickleGlobal,
  PickleReference,
  PickleTuple,
  type PickleValue,
} from '../../src/container/pickle-values.ts';
import { type ErrorCode, TernspikeError } from '../../src/errors.ts';
import { MAX_PICKLE_DEPTH, MAX_PICKLE_ITEMS } from '../../src/limits.ts';
import { bytesOf, u32Bytes, utf8 } from '../builders.ts';
import { call, type Picklable, pickleBytes, PickleCode, pickleGlobal, tuple } from '../builders-torch.ts';
import { cpuMillisOf } from '../clock.ts';
import { refuses } from '../refusal.ts';
import { bestMillis } from './checks.ts';

const pickles = suite('pickle');

const read = (bytes: Uint8Array): PickleValue => unpickle(bytes, 'test.file', (name) => name === 'torch.float32');
const value = (of: Picklable): PickleValue => read(pickleBytes(of));
/** The value of instructions between PROTO and STOP. */
const run = (...parts: Array<number | string | Uint8Array>): PickleValue =>
  read(new PickleCode(0x80, 2, ...parts, '.').bytes);

async function refused(work: () => unknown, code: ErrorCode, ...words: string[]): Promise<void> {
  const millis = await bestMillis(100, () => refuses((async () => work())(), code, 'test.file', ...words));
  assert.ok(millis < 100, `${millis} ms`);
}

pickles('plain values are read', () => {
  assert.equal([null, true, false, 'ä😀', '', 1.5, -0.0].map(value), [null, true, false, 'ä😀', '', 1.5, -0.0]);
  assert.equal([0, 1, 255, 65_535, -1, 2 ** 31 - 1, -(2 ** 31)].map(value), [
    0,
    1,
    255,
    65_535,
    -1,
    2 ** 31 - 1,
    -(2 ** 31),
  ]);
  assert.equal([2 ** 31, -(2 ** 40), 2 ** 53 - 1].map(value), [2 ** 31, -(2 ** 40), 2 ** 53 - 1]);
  assert.equal([2n ** 53n, -(2n ** 64n)].map(value), [2n ** 53n, -(2n ** 64n)]);
  assert.equal([run('K', 200), run('M', 1, 2), run(0x8a, 0), run(0x8a, 1, 0xff)], [200, 513, 0, -1]);
  assert.ok(Number.isNaN(value(NaN)));
  assert.is(run(0x8a, 255, new Uint8Array(255).fill(0xff)), -1);
});

pickles('containers are read, with shared and with self-referential values', () => {
  assert.equal(value([1, ['a'], []]), [1, ['a'], []]);
  assert.equal(value({ a: 1, b: { c: null } }), new Map<string, unknown>([['a', 1], ['b', new Map([['c', null]])]]));
  assert.equal(
    value(new Map<Picklable, Picklable>([[1, 2], [2n ** 60n, 3]])),
    new Map<unknown, unknown>([[1, 2], [2n ** 60n, 3]]),
  );
  assert.equal(run(')'), new PickleTuple([]));
  for (const [op, count] of [[0x85, 1], [0x86, 2], [0x87, 3]]) {
    const items = [1, 2, 3].slice(0, count);
    assert.equal(run(...items.flatMap((item) => ['K', item]), op), new PickleTuple(items));
  }
  assert.equal(value(tuple(1, 'x')), new PickleTuple([1, 'x']));
  assert.equal(run('}X', u32Bytes(1), 'aK', 1, 's'), new Map([['a', 1]]));
  assert.equal(run(']NaK', 2, 'a'), [null, 2]);
  const shared = run('](K', 1, 'q', 5, 'h', 5, 'r', u32Bytes(2 ** 32 - 1), 'j', u32Bytes(2 ** 32 - 1), 'e');
  assert.equal(shared, [1, 1, 1]);
  const list = run(']q', 0, 'h', 0, 'a') as PickleValue[];
  assert.is(list[0], list);
  const dict = run('}q', 0, 'Nh', 0, 's') as Map<null, PickleValue>;
  assert.is(dict.get(null), dict);
});

pickles('names are keys of a map', () => {
  const dict = read(new PickleCode(0x80, 2, '}X', u32Bytes(9), '__proto__', 'Ns.').bytes) as Map<string, unknown>;
  assert.equal([...dict], [['__proto__', null]]);
  assert.is(Object.getPrototypeOf(dict), Map.prototype);
});

pickles('globals, calls, ordered dictionaries and persistent ids are noted as data', () => {
  const dtype = value(pickleGlobal('torch', 'float32'));
  assert.instance(dtype, PickleGlobal);
  assert.equal(value(call(pickleGlobal('torch', 'float32'), 1, 'a')), new PickleCall('torch.float32', [1, 'a']));
  assert.equal(value(call(pickleGlobal('collections', 'OrderedDict'))), new Map());
  assert.equal(run('X', u32Bytes(1), 'k', 'Q'), new PickleReference('k'));
  const versions = new PickleCode(call(pickleGlobal('collections', 'OrderedDict')).bytes, '}b').bytes;
  assert.equal(run(versions), new Map());
});

// case: P1
pickles('any other global is refused by name, and nothing is called', async () => {
  const names = [
    'os system',
    'posix system',
    'nt system',
    'sys exit',
    'builtins eval',
    'builtins getattr',
    '__builtin__ eval',
    'torch.hub load',
    'torch load',
    'torch.jit load',
    'numpy.core.multiarray scalar',
    'collections Counter',
    '__main__ Config',
    'constructor prototype',
    '__proto__ x',
    'torch float32x',
    'torch.float32 ',
    'torch _utils',
  ];
  for (const name of names) {
    const [module, attribute] = name.split(' ');
    const full = JSON.stringify(`${module}.${attribute}`);
    const hint = module === '__main__' ? 'plain dict' : 'state dict';
    await refused(() => value(pickleGlobal(module, attribute)), 'PICKLE_GLOBAL', full, hint, 'byte 2');
    await refused(() => value(call(pickleGlobal(module, attribute), 'echo')), 'PICKLE_GLOBAL', full);
  }
  value(pickleGlobal('torch', 'float32'));
});

// case: P2
pickles('only the instructions on the list are carried out', async () => {
  const allowed = new Set([...'(.BCGJKMNQRX]abc}ehjqrst)u'].map((op) => op.charCodeAt(0)));
  for (const op of [0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f]) allowed.add(op);
  for (const op of [0x90, 0x91, 0x93, 0x94, 0x95, 0x96]) allowed.add(op);
  for (let op = 0; op < 256; op++) {
    const error = (() => {
      try {
        run('N', op, new Uint8Array(8));
      } catch (error) {
        return error as TernspikeError;
      }
    })();
    const atOnce = error?.code === 'PICKLE_OPCODE' && error.message.includes('byte 3: instruction');
    assert.is(atOnce, !allowed.has(op), `0x${op.toString(16)}: ${error}`);
  }
  // INST, OBJ, EXT1, NEWOBJ, NEWOBJ_EX, NEXT_BUFFER, POP, DUP
  for (const op of [0x69, 0x6f, 0x82, 0x81, 0x92, 0x97, 0x30, 0x32]) {
    await refused(() => run('NN', op), 'PICKLE_OPCODE', `0x${op.toString(16)}`, 'byte 4');
  }
  for (const protocol of [2, 3, 4, 5]) assert.is(read(bytesOf(0x80, protocol, 0x4e, 0x2e)), null);
  for (const protocol of [0, 1, 6, 255]) {
    await refused(() => read(bytesOf(0x80, protocol, 0x4e, 0x2e)), 'PICKLE_OPCODE', `protocol ${protocol}`);
  }
  await refused(() => run('N', 0x80, 2), 'PICKLE_OPCODE', '0x80');
});

pickles('what protocols 3 to 5 write is read', () => {
  const short = (text: string): PickleCode => new PickleCode(0x8c, utf8(text).length, text, 0x94);
  const long = (length: number): Uint8Array => bytesOf(...u32Bytes(length), 0, 0, 0, 0);
  assert.is(run(0x95, long(6), short('abc').bytes), 'abc');
  assert.is(run(0x8d, long(2), 'hi'), 'hi');
  assert.equal(run(']', 0x94, '(', short('a').bytes, 'h', 1, 'e'), ['a', 'a']);
  assert.equal(run(0x8f, '(NK', 1, 0x90), [null, 1]);
  assert.equal(run('(K', 1, 0x91), [1]);
  assert.is(run(0x8b, u32Bytes(9), bytesOf(0, 0, 0, 0, 0, 0, 0, 0, 1)), 2n ** 64n);
  for (const bytes of [['C', 2, 'ab'], ['B', u32Bytes(2), 'ab'], [0x8e, long(2), 'ab'], [0x96, long(2), 'ab']]) {
    assert.is((run(...bytes) as PickleCall).callee, 'bytes');
  }
  const global = run(short('torch').bytes, short('float32').bytes, 0x93) as PickleGlobal;
  assert.is(global.name, 'torch.float32');
  assert.equal(run(short('collections').bytes, short('OrderedDict').bytes, 0x93, ')R'), new Map());
});

pickles('so is a pickle of these protocols that Python would not read', async () => {
  const long = bytesOf(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f);
  for (const op of [0x8d, 0x8e, 0x96, 0x95]) await refused(() => run(op, long), 'PICKLE_CORRUPT');
  await refused(() => run('NN', 0x93), 'PICKLE_CORRUPT', 'two strings');
  await refused(() => run(0x94), 'PICKLE_CORRUPT', 'missing');
  await refused(() => run(0x8b, u32Bytes(5000), new Uint8Array(5000)), 'PICKLE_LIMIT', '5000');
  await refused(() => run(0x8c, 2, 'os', 0x8c, 6, 'system', 0x93), 'PICKLE_GLOBAL', '"os.system"');
});

// case: P3
pickles('a pickle that Python would not read is refused', async () => {
  const cases: Array<[parts: Array<number | string | Uint8Array>, word: string]> = [
    [[], 'one value'],
    [['NN'], 'one value'],
    [['N('], 'one value'],
    [['a'], 'missing'],
    [['Na'], 'missing'],
    [['NNa'], 'not a list'],
    [['NNs'], 'missing'],
    [['NNNs'], 'not a dictionary'],
    [['t'], 'mark'],
    [['u'], 'mark'],
    [['](a'], 'missing'],
    [['](Na'], 'missing'],
    [['N(', 0x85], 'missing'],
    [['}(Nu'], 'no value'],
    [['}]Ns'], 'key'],
    [['})Ns'], 'key'],
    [['}(NNNNu'], 'twice'],
    [['h', 0], 'never stored'],
    [['j', u32Bytes(2 ** 32 - 1)], 'never stored'],
    [['q', 0], 'missing'],
    [['NNR'], 'a call needs'],
    [['N)R'], 'a call needs'],
    [['ccollections\nOrderedDict\n]R'], 'a call needs'],
    [['ccollections\nOrderedDict\n(Nt', 'R'], 'with arguments'],
    [['N}b'], 'not an OrderedDict'],
    [['X', u32Bytes(2), bytesOf(0xc3, 0x28)], 'UTF-8'],
    [['X', u32Bytes(3), bytesOf(0xed, 0xa0, 0x80)], 'UTF-8'],
    [['c', 'x'.repeat(300), '\n\n'], '200'],
  ];
  for (const [parts, word] of cases) await refused(() => run(...parts), 'PICKLE_CORRUPT', word);
  for (const length of [1, 100, 2 ** 31, 2 ** 32 - 1]) {
    await refused(() => run('X', u32Bytes(length)), 'PICKLE_CORRUPT');
  }
  await refused(() => read(bytesOf()), 'PICKLE_CORRUPT', 'ends');
  await refused(() => read(utf8('(dp0\n.')), 'PICKLE_CORRUPT', 'protocol');
  await refused(() => read(bytesOf(0x80, 2, 0x4e)), 'PICKLE_CORRUPT', 'ends');
  await refused(() => read(bytesOf(0x80, 2, 0x4e, 0x2e, 0)), 'PICKLE_CORRUPT', '1 bytes follow');
  assert.is(run('N'), null);
});

// case: P4
pickles('depth and items have budgets, and sharing is not expansion', async () => {
  // tuples in tuples take no mark, and are not walked
  assert.instance(run(')', new Uint8Array(100_000).fill(0x85)), PickleTuple);
  const nested = (depth: number): Uint8Array => new PickleCode('('.repeat(depth), 't'.repeat(depth)).bytes;
  run(nested(MAX_PICKLE_DEPTH));
  await refused(() => run(nested(MAX_PICKLE_DEPTH + 1)), 'PICKLE_LIMIT', `${MAX_PICKLE_DEPTH} marks`);

  const nones = (count: number): Uint8Array => new PickleCode('](', 'N'.repeat(count - 1), 'e').bytes;
  run(nones(MAX_PICKLE_ITEMS));
  const took = await cpuMillisOf(async () => {
    await refuses((async () => run(nones(MAX_PICKLE_ITEMS + 1)))(), 'PICKLE_LIMIT', `${MAX_PICKLE_ITEMS} values`);
    await refuses((async () => run(')', new Uint8Array(MAX_PICKLE_ITEMS).fill(0x85)))(), 'PICKLE_LIMIT');
  });
  assert.ok(took < 3000, `${took} ms`);

  const puts = new Uint8Array((MAX_PICKLE_ITEMS + 1) * 5).fill(0x72);
  const view = new DataView(puts.buffer);
  for (let i = 0; i <= MAX_PICKLE_ITEMS; i++) view.setUint32(i * 5 + 1, i, true);
  run('N', puts.subarray(5));
  await refuses((async () => run('N', puts))(), 'PICKLE_LIMIT', 'remembered');

  // every list holds the one before it ten times: 10^60 leaves in a few hundred bytes
  let laughs: Array<number | string> = [']q', 0];
  for (let i = 1; i <= 60; i++) {
    laughs = [...laughs, ']q', i, '(', ...Array.from({ length: 10 }, () => ['h', i - 1]).flat(), 'e'];
  }
  const many = run('(', ...laughs, 't');
  assert.instance(many, PickleTuple);
});

// case: B2 B3 P3
pickles('a pickle cut at any byte is refused, and with any bit flipped it is read or refused', () => {
  const whole = pickleBytes({
    a: [1, 2.5, 'text', null, true, 2n ** 60n],
    b: tuple(call(pickleGlobal('torch', 'float32'), {}), new PickleCode('NQ')),
    c: call(pickleGlobal('collections', 'OrderedDict')),
  });
  read(whole);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(
      () => read(whole.subarray(0, length)),
      (error: unknown) => error instanceof TernspikeError && error.code === 'PICKLE_CORRUPT',
      `${length}`,
    );
  }
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const bytes = whole.slice();
    bytes[bit >> 3] ^= 1 << (bit & 7);
    try {
      read(bytes);
    } catch (error) {
      if (!(error instanceof TernspikeError)) throw error;
    }
  }
});

pickles.run();
