/** Values inside tensors: what is no number or no trit is refused with tensor and place, everything else loads. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import type { BuiltTensor } from '../builders.ts';
import { type FileType, type LlamaFile, llamaFile } from '../llama-files.ts';
import { allLogits, bare } from '../models.ts';
import { f16 } from '../reference.ts';
import { referenceLogits, relativeError } from '../reference-llama.ts';
import { refuses } from '../refusal.ts';

const load = (file: LlamaFile): Promise<unknown> => bare(memorySource(file.bytes()), { context: 8 });

const files = new Map<FileType, { file: LlamaFile; whole: Uint8Array }>();

/** A well-formed file of one type, and the bytes of its key matrix to write into. */
function fileOf(type: FileType): { file: LlamaFile; bytes: Uint8Array; view: DataView } {
  const made = files.get(type);
  const file = made?.file ?? llamaFile({ type, shape: { layers: 1 } });
  const { data } = file.tensors.find(({ name }) => name === 'blk.0.attn_k.weight') as BuiltTensor;
  const bytes = data as Uint8Array;
  if (made) bytes.set(made.whole);
  else files.set(type, { file, whole: bytes.slice() });
  return { file, bytes, view: new DataView(bytes.buffer) };
}

/** Bytes of a block, where its scale lies, blocks of a row of 256. */
const SCALES: [FileType, number, number, number][] = [
  ['Q8_0', 34, 0, 8],
  ['TQ1_0', 54, 52, 1],
  ['TQ2_0', 66, 64, 1],
  ['Q2_0', 18, 0, 4],
  ['Q2_0/128', 34, 0, 2],
  ['Q1_0', 18, 0, 2],
];

const test = suite('values of weights');
for (const [type, bytes, scaleAt, blocks] of SCALES) {
  // case: G16
  test(`${type}: a scale that is NaN or infinite is refused with tensor, row and block; −0 and subnormals load`, async () => {
    const row = 6; // inside the second group of four
    for (const bits of [0x7e00, 0x7c00, 0xfc00, 0xffff]) {
      const { file, view } = fileOf(type);
      view.setUint16((row * blocks + blocks - 1) * bytes + scaleAt, bits, true);
      await refuses(load(file), 'WEIGHT_NOT_FINITE', 'blk.0.attn_k.weight', `row ${row}, block ${blocks - 1}`);
    }
    for (const bits of [0x8000, 0x0001, 0x83ff, 0]) {
      const { file, view } = fileOf(type);
      view.setUint16(row * blocks * bytes + scaleAt, bits, true);
      await load(file);
    }
  });
}

for (const [type, size, bits] of [['F32', 4, 0x7fc00000], ['F16', 2, 0x7e00], ['BF16', 2, 0x7fc0]] as const) {
  test(`${type}: NaN and infinity are refused with tensor, row and column; −0 and subnormals load`, async () => {
    for (const [flip, words] of [[0, ['row 5, column 43']], [1, ['row 5, column 43']]] as const) {
      const { file, view } = fileOf(type);
      const at = (5 * 44 + 43) * size;
      // NaN, or infinity with the same exponent
      const value = flip ? (type === 'F32' ? 0xff800000 : type === 'F16' ? 0xfc00 : 0xff80) : bits;
      if (size === 4) view.setUint32(at, value, true);
      else view.setUint16(at, value, true);
      await refuses(load(file), 'WEIGHT_NOT_FINITE', 'blk.0.attn_k.weight', ...words);
    }
    const { file, view } = fileOf(type);
    view.setUint16(0, 1, true);
    if (size === 4) view.setUint32(4, 0x80000000, true);
    else view.setUint16(2, 0x8000, true);
    await load(file);
  });

  test(`vectors in ${type}: NaN is refused with tensor and element`, async () => {
    const file = llamaFile({ vectorType: type });
    const { data } = file.tensors.find(({ name }) => name === 'output_norm.weight') as BuiltTensor;
    const view = new DataView((data as Uint8Array).buffer);
    if (size === 4) view.setUint32(43 * 4, bits, true);
    else view.setUint16(43 * 2, bits, true);
    await refuses(load(file), 'WEIGHT_NOT_FINITE', 'output_norm.weight', 'element 43');
  });
}

// case: G17
test('TQ2_0 and I2_S: code 3 is refused with its place; Q2_0 takes it as +2', async () => {
  const tq2 = fileOf('TQ2_0');
  tq2.bytes[7 * 66 + 10] |= 0x30;
  await refuses(load(tq2.file), 'TERNARY_CODE', 'blk.0.attn_k.weight', 'row 7, block 0');
  const i2s = fileOf('I2_S');
  i2s.bytes[6 * 64 + 32 + 5] |= 0x0c;
  await refuses(load(i2s.file), 'TERNARY_CODE', 'blk.0.attn_k.weight', 'row 6, block 1');
  const q2 = fileOf('Q2_0');
  q2.bytes[2] = 255;
  await load(q2.file);
});

test('I2_S: a scale that is NaN is refused; its place is behind all codes', async () => {
  const { file, view } = fileOf('I2_S');
  view.setFloat32((128 * 256) / 4, NaN, true);
  await refuses(load(file), 'WEIGHT_NOT_FINITE', 'blk.0.attn_k.weight', 'scale');
  await load(fileOf('I2_S').file);
});

for (const type of ['TQ1_0', 'Q2_0', 'Q1_0'] as const) {
  // case: G17 N13
  test(`${type}: all 256 bytes at every place of a block have a meaning, and it is the reference's`, async () => {
    const [, blockBytes, scaleAt] = SCALES.find(([name]) => name === type) as [FileType, number, number, number];
    // an embedding of 256 rows: code byte j of row r is r + j, so that every place sees every byte
    const file = llamaFile({ type, headType: type, tied: true, shape: { layers: 1, vocab: 256 } });
    const { data } = file.tensors[0];
    const bytes = data as Uint8Array;
    const perRow = (256 / { TQ1_0: 256, Q2_0: 64, Q1_0: 128 }[type]) * blockBytes;
    for (let at = 0; at < bytes.length; at++) {
      const inBlock = at % blockBytes;
      if (inBlock !== scaleAt && inBlock !== scaleAt + 1) bytes[at] = Math.floor(at / perRow) + (at % perRow);
    }
    const values = new Map(file.values).set('token_embd.weight', plainRows(type, bytes, blockBytes, scaleAt));
    const ids = [0, 1, 80, 127, 128, 243, 255];
    const model = await bare(memorySource(file.bytes()), { kv: 'f32', context: 8 });
    const error = relativeError(await allLogits(model, ids), referenceLogits(file.shape, values, ids, file.spanOf));
    assert.ok(error < 1e-2, String(error));
  });
}

/** What block bytes stand for, written out once more from the definition of each type. */
function plainRows(
  type: 'TQ1_0' | 'Q2_0' | 'Q1_0',
  bytes: Uint8Array,
  blockBytes: number,
  scaleAt: number,
): Float64Array {
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const b = bytes.subarray(at, at + blockBytes);
    const d = f16(b[scaleAt] | (b[scaleAt + 1] << 8));
    const trit = (byte: number, digit: number): number => d * (Math.floor((((byte * 3 ** digit) % 256) * 3) / 256) - 1);
    if (type === 'Q1_0') { for (let i = 0; i < 128; i++) out.push(b[2 + (i >> 3)] & (1 << (i & 7)) ? d : -d); }
    else if (type === 'Q2_0') {
      for (let i = 0; i < 64; i++) out.push(d * (((b[2 + (i >> 2)] >> (2 * (i & 3))) & 3) - 1));
    } else {
      for (let digit = 0; digit < 5; digit++) for (let i = 0; i < 32; i++) out.push(trit(b[i], digit));
      for (let digit = 0; digit < 5; digit++) for (let i = 32; i < 48; i++) out.push(trit(b[i], digit));
      for (let digit = 0; digit < 4; digit++) for (let i = 48; i < 52; i++) out.push(trit(b[i], digit));
    }
  }
  return Float64Array.from(out);
}
test.run();
