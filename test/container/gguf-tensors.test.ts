import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { weightType } from '../../src/container/ggml-types.ts';
import { readGguf } from '../../src/container/parts.ts';
import { MAX_ALIGNMENT, MAX_DIM } from '../../src/limits.ts';
import { ggufBytes, type GgufParts, type MetaEntry } from '../builders.ts';
import { sparseSource } from '../faults.ts';
import { accepted, refused, tensor } from './checks.ts';

const NONE = new Uint8Array(0);
const table = suite('gguf, tensor table');

// case: G8
table('alignments that are no power of two or of another type are refused', async () => {
  const key = 'general.alignment';
  for (const value of [0, 3, 13, 2 * MAX_ALIGNMENT, 2 ** 31, 2 ** 32 - 1]) {
    await refused({ metadata: [[key, 'uint32', value]] }, 'GGUF_ALIGN', `${value}`);
  }
  const others: MetaEntry[] = [[key, 'uint64', 32], [key, 'int32', 32], [key, 'string', '32'], [key, 'uint32[]', [32]]];
  for (const entry of others) await refused({ metadata: [entry] }, 'GGUF_ALIGN', entry[1]);
  for (const value of [1, 32, MAX_ALIGNMENT]) {
    await accepted({
      alignment: value,
      metadata: [[key, 'uint32', value]],
      tensors: [tensor(), tensor({ name: 'b' })],
    });
  }
});

// case: G9 G10
table('dimensions beyond their number, size or product are refused; products never divide', async () => {
  for (const dimCount of [5, 255, 2 ** 32 - 1]) {
    await refused({ tensors: [tensor({ dims: [1, 1, 1, 1, 1], dimCount })] }, 'GGUF_DIMS', '"a"', `${dimCount}`);
  }
  const dims: Array<Array<number | bigint>> = [
    [2n ** 62n, 2, 1, 1],
    [2 ** 32, 2 ** 32],
    [2 ** 30, 2 ** 30, 2 ** 30, 2 ** 30],
    [2n ** 64n - 1n],
    [1, 0, 2n ** 62n],
    [MAX_DIM + 1],
  ];
  for (const each of dims) await refused({ tensors: [tensor({ dims: each, data: NONE })] }, 'GGUF_DIMS', '"a"');
  for (const each of [[0], [1, 0], [0, 7], [0, 0, 0, 0], [MAX_DIM, 0, MAX_DIM, MAX_DIM], []]) {
    await accepted({ tensors: [tensor({ dims: each, data: new Uint8Array(each.length === 0 ? 4 : 0) })] });
  }
  const header = ggufBytes({ tensors: [tensor({ dims: [MAX_DIM, 2 ** 20], data: NONE })], headerOnly: true });
  await readGguf(sparseSource(2 ** 52 + 2 ** 54, [[0, header]]));
});

// case: G11
table('types without kernels are listed by name, or by number, and end where the next tensor begins', async () => {
  const named: Array<[number, string]> = [
    [4, 'Q4_2'],
    [9, 'Q8_1'],
    [15, 'Q8_K'],
    [16, 'IQ2_XXS'],
    [23, 'IQ4_XS'],
    [25, 'I16'],
    [28, 'F64'],
    [29, 'IQ1_M'],
    [31, 'Q4_0_4_4'],
    [38, 'IQ4_NL_8_8'],
    [39, 'MXFP4'],
    [40, 'NVFP4'],
    [43, 'TYPE_43'],
    [2 ** 32 - 1, 'TYPE_4294967295'],
  ];
  for (const [type, name] of named) {
    const other = tensor({ name: 'odd', type, shape: [7, 3], data: new Uint8Array(64) });
    const { tensors } = await readGguf(memorySource(ggufBytes({ tensors: [tensor(), other, tensor({ name: 'b' })] })));
    const { offset, ...rest } = tensors.get('odd')!;
    assert.equal(rest, { name: 'odd', type: name, shape: [7, 3], blockElements: 1, byteLength: 64 });
    assert.is(tensors.get('b')?.offset, offset + 64);
    assert.throws(() => weightType(tensors.get('odd')!), /TENSOR_TYPE.*"odd".*weights are one of F32/);
    const last = await readGguf(memorySource(ggufBytes({ tensors: [tensor(), other] })));
    assert.is(last.tensors.get('odd')?.byteLength, 64);
    for (const offset of [0, 32]) {
      await refused({ tensors: [tensor(), other, tensor({ name: 'b', offset })] }, 'TENSOR_LAYOUT', 'overlaps');
    }
  }
  for (const type of [0, 1, 24, 30]) await accepted({ tensors: [tensor({ type, data: new Uint8Array(16) })] });
});

// case: G12
table('rows that are no whole number of blocks are refused', async () => {
  const blocks = [['Q8_0', 32], ['TQ1_0', 256], ['TQ2_0', 256], ['Q2_0', 64], ['Q1_0', 128], ['I2_S', 128]] as const;
  for (const [type, block] of blocks) {
    for (const cols of [1, block - 1, block + 1, block / 2]) {
      const data = new Uint8Array(4096);
      await refused(
        { tensors: [tensor({ type, shape: [2, cols], data })] },
        'TENSOR_BLOCK',
        type,
        `${cols}`,
        `${block}`,
      );
    }
    await refused({ tensors: [tensor({ type, shape: [], data: new Uint8Array(256) })] }, 'TENSOR_BLOCK', type);
    await accepted({ tensors: [tensor({ type, shape: [2, block] })] });
    await accepted({ tensors: [tensor({ type, shape: [2, 0], data: NONE })] });
  }
});

// case: G13
table('tensors beyond the file, unaligned, overlapping or behind a hole are refused', async () => {
  const b = (offset: number | bigint): GgufParts => ({ tensors: [tensor(), tensor({ name: 'b', offset })] });
  await accepted(b(32));
  for (const offset of [64, 2 ** 40, 2n ** 63n, 2n ** 64n - 32n]) await refused(b(offset), 'TENSOR_OUT_OF_FILE', '"b"');
  await refused(b(0), 'TENSOR_LAYOUT', '"b"', 'offset 0', 'expected 32', 'overlaps');
  await refused(b(16), 'TENSOR_LAYOUT', 'aligned');
  await refused(b(33), 'TENSOR_LAYOUT', 'aligned');
  const hole = ggufBytes({ ...b(64), headerOnly: false });
  await refused(new Uint8Array([...hole, ...new Uint8Array(64)]), 'TENSOR_LAYOUT', 'gap');
  await refused({ tensors: [tensor({ offset: 32 }), tensor({ name: 'b', offset: 0 })] }, 'TENSOR_LAYOUT', '"a"');

  const end = ggufBytes({ tensors: [tensor(), tensor({ name: 'b' })], padEnd: false });
  await accepted(end);
  await refused(end.subarray(0, -1), 'TENSOR_OUT_OF_FILE', '"b"', `ends at ${end.length}`, `${end.length - 1} bytes`);
});

// case: G14
table('names that are empty, twice there or hide something behind NUL are refused', async () => {
  await refused({ tensors: [tensor(), tensor()] }, 'TENSOR_NAME', 'tensor 1', '"a"', 'twice');
  await refused({ tensors: [tensor({ name: '' })] }, 'TENSOR_NAME', 'empty');
  await refused({ tensors: [tensor({ name: 'a\0b' })] }, 'TENSOR_NAME', 'NUL');
  for (const length of [1, 63, 64]) await accepted({ tensors: [tensor({ name: 'n'.repeat(length) })] });
});

table.run();
