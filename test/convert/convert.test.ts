/** Conversion of model files: weights against plain references, whatever the type on either side. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import type { ByteSource } from '../../src/bytes/source.ts';
import type { GgufContainer } from '../../src/container/gguf.ts';
import { readGguf } from '../../src/container/parts.ts';
import { builtinModule } from '../../src/wasm/builtin.ts';
import { GGUF_TYPES } from '../../src/convert/gguf.ts';
import { convertModel } from '../../src/model/convert.ts';
import type { ConvertOptions, ConvertResult, ConvertType } from '../../src/convert/types.ts';
import { type BuiltTensor, ggufBytes, utf8 } from '../builders.ts';
import { trickle } from '../faults.ts';
import { normals } from '../kernels/harness.ts';
import { type FileType, llamaFile } from '../llama-files.ts';
import { encodeQ8, encodeTq1, encodeTq2, f16Bits } from '../reference.ts';
import { refuses } from '../refusal.ts';
import { sharedTest } from '../shared.ts';

const converting = suite('convert');
const { module } = await builtinModule('base');

/** A converted file, opened. */
interface Converted {
  readonly bytes: Uint8Array;
  readonly container: GgufContainer;
  readonly result: ConvertResult;
  data(name: string): Uint8Array;
}

async function convert(source: ByteSource | Uint8Array, options: ConvertOptions): Promise<Converted> {
  const chunks: Uint8Array[] = [];
  const from = source instanceof Uint8Array ? memorySource(source) : source;
  const result = await convertModel(module, from, { write: async (part) => void chunks.push(part.slice()) }, options);
  const bytes = new Uint8Array(Buffer.concat(chunks));
  const container = await readGguf(memorySource(bytes));
  const data = (name: string): Uint8Array => {
    const { offset, byteLength } = container.tensors.get(name)!;
    return bytes.slice(offset, offset + byteLength);
  };
  return { bytes, container, result, data };
}

const floats = (bytes: Uint8Array): Float32Array => new Float32Array(bytes.slice().buffer);

/** A file of one F32 matrix. */
const single = (data: Float32Array, cols: number, name = 'blk.0.ffn_up.weight'): Uint8Array =>
  ggufBytes({ tensors: [{ name, type: 'F32', shape: [data.length / cols, cols], data }] });

const FROM: readonly FileType[] = ['F32', 'F16', 'BF16', 'Q8_0', 'TQ1_0', 'TQ2_0', 'Q2_0', 'Q2_0/128', 'Q1_0', 'I2_S'];

for (const type of FROM) {
  converting(`${type} becomes f32 without losing a bit`, async () => {
    const file = llamaFile({ type, headType: type === 'F16' ? 'BF16' : 'F16', vectorType: 'BF16', seed: 3 });
    const { container, data, result } = await convert(file.bytes(), { type: 'f32' });
    assert.is(container.tensors.size, file.tensors.length);
    for (const [name, values] of file.values) {
      assert.is(container.tensors.get(name)!.type, 'F32');
      assert.equal(floats(data(name)), Float32Array.from(values), name);
    }
    assert.ok(
      result.tensors.every(({ maxError, rmsError, fellBack }) => maxError === 0 && rmsError === 0 && !fellBack),
    );
  });
}

const encodeF16 = (x: Float32Array): { bytes: Uint8Array } => ({
  bytes: new Uint8Array(Uint16Array.from(x, (value) => f16Bits(value)).buffer),
});
const TO = [
  ['f16', 'F16', encodeF16, encodeF16],
  ['q8_0', 'Q8_0', encodeQ8, encodeQ8],
  ['tq2_0', 'TQ2_0', encodeTq2, encodeQ8],
  ['tq1_0', 'TQ1_0', encodeTq1, encodeQ8],
] as const;

for (const [type, name, encode, encodeHead] of TO) {
  converting(
    `f32 becomes ${type} byte for byte as the reference, embedding and head as llama.cpp chooses, vectors f32`,
    async () => {
      // longer than one run of the converter
      const big: BuiltTensor = {
        name: 'blk.9.ffn_up.weight',
        type: 'F32',
        shape: [1100, 256],
        data: normals(1100 * 256, 7, 0.05),
      };
      const file = llamaFile({ shape: { layers: 1, width: 256, hidden: 256, headDim: 64 } });
      file.tensors.push(big);
      file.values.set(big.name as string, Float64Array.from(big.data as Float32Array));
      const { container, data, result } = await convert(file.bytes(), { type });
      for (const [tensor, values] of file.values) {
        const { shape, type: to } = container.tensors.get(tensor)!;
        const head = tensor === 'token_embd.weight' || tensor === 'output.weight';
        const plain = Float32Array.from(values);
        if (shape.length === 1) assert.equal([to, floats(data(tensor))], ['F32', plain], tensor);
        else {
          if (!head) assert.is(to, name, tensor);
          assert.equal(data(tensor), (head ? encodeHead : encode)(plain).bytes, tensor);
        }
      }
      assert.is(result.bytes.in, file.bytes().length);
    },
  );
}

converting('the errors that are reported are those of the file that was written', async () => {
  const data = normals(3 * 256, 11, 0.1);
  const bytes = single(data, 256);
  const { bytes: written, result } = await convert(bytes, { type: 'tq2_0' });
  const { data: back } = await convert(written, { type: 'f32' });
  const errors = floats(back('blk.0.ffn_up.weight')).map((value, i) => Math.abs(value - data[i]));
  const [tensor] = result.tensors;
  assert.is(Math.fround(tensor.maxError), Math.max(...errors));
  const rms = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
  assert.ok(Math.abs(tensor.rmsError / rms - 1) < 1e-5, `${tensor.rmsError}, expected ${rms}`);
  assert.equal([tensor.name, tensor.from, tensor.to], ['blk.0.ffn_up.weight', 'F32', 'TQ2_0']);
});

converting('a tensor that has its type already is copied bit for bit', async () => {
  const file = llamaFile({ type: 'Q8_0', headType: 'Q8_0' }); // random codes: encoding them again would change them
  const first = await convert(file.bytes(), { type: 'q8_0' });
  for (const { name, data } of file.tensors) {
    assert.equal(first.data(name as string), new Uint8Array(data!.buffer, data!.byteOffset, data!.byteLength));
  }
  const second = await convert(first.bytes, { type: 'q8_0' });
  assert.equal(second.bytes, first.bytes);
});

converting('metadata is kept with its types, and says what the file is now', async () => {
  const metadata = [
    ['general.architecture', 'string', 'llama'],
    ['general.file_type', 'uint32', 1],
    ['general.alignment', 'uint32', 64],
    ['wide', 'uint64', 2n ** 60n],
    ['list', 'string[]', ['a', 'ü', '']],
    ['flags', 'bool[]', [true, false]],
  ] as const;
  const bytes = ggufBytes({
    metadata: metadata.map(([key, type, value]) => [key, type, Array.isArray(value) ? [...value] : value] as never),
    tensors: [{ name: 'w', type: 'F32', shape: [2, 32], data: normals(64, 1) }],
    alignment: 64,
  });
  for (const [type, number] of [['f32', 0], ['f16', 1], ['q8_0', 7], ['tq1_0', 36], ['tq2_0', 37]] as const) {
    const { container } = await convert(bytes, { type });
    assert.is(container.metadata.get('general.file_type'), number);
    assert.is(container.metadata.get('general.quantization_version'), number > 1 ? 2 : undefined);
    assert.is(container.alignment, 64);
    for (const [key, kind, value] of metadata) {
      if (key === 'general.file_type') continue;
      assert.equal(container.metadata.get(key), value, key);
      assert.is(container.metadataTypes.get(key), kind, key);
    }
  }
});

converting('rows that are no multiple of the block take the next type that fits, and are said to', async () => {
  const matrix = (name: string, cols: number): BuiltTensor => ({
    name,
    type: 'F32',
    shape: [2, cols],
    data: normals(2 * cols, 1),
  });
  const bytes = ggufBytes({
    tensors: [matrix('a', 256), matrix('b', 96), matrix('c', 44), matrix('output.weight', 44)],
  });
  const { result } = await convert(bytes, { type: 'tq1_0' });
  const seen = result.tensors.map(({ name, to, fellBack }) => [name, to, fellBack]);
  assert.equal(seen, [['a', 'TQ1_0', false], ['b', 'Q8_0', true], ['c', 'F16', true], ['output.weight', 'F16', true]]);
});

converting('head chooses the type of embedding and output', async () => {
  const file = llamaFile({ shape: { width: 256, hidden: 256, headDim: 64 } });
  const { container } = await convert(file.bytes(), { type: 'tq2_0', head: 'f16' });
  assert.is(container.tensors.get('token_embd.weight')!.type, 'F16');
  assert.is(container.tensors.get('output.weight')!.type, 'F16');
  assert.is(container.tensors.get('blk.0.attn_q.weight')!.type, 'TQ2_0');
});

converting('short reads give the same file', async () => {
  const bytes = llamaFile({ type: 'TQ2_0', headType: 'Q8_0', shape: { layers: 1 } }).bytes();
  const whole = await convert(bytes, { type: 'q8_0' });
  const pieces = await convert(trickle(memorySource(bytes), 1000), { type: 'q8_0' });
  assert.equal(pieces.bytes, whole.bytes);
});

converting('damaged weights are refused with their place', async () => {
  const data = normals(512, 1, 0.1);
  await convert(single(data, 256), { type: 'q8_0' });
  const bad = data.slice();
  bad[300] = NaN;
  for (const type of GGUF_TYPES) {
    await refuses(convert(single(bad, 256), { type }), 'WEIGHT_NOT_FINITE', 'blk.0.ffn_up.weight', 'row 1, column 44');
  }
  const block = new Uint8Array(66);
  const ternary = (): Uint8Array =>
    ggufBytes({ tensors: [{ name: 'w', type: 'TQ2_0', shape: [1, 256], data: block }] });
  await convert(ternary(), { type: 'f32' });
  block[5] = 3;
  await refuses(convert(ternary(), { type: 'f32' }), 'TERNARY_CODE', '"w"');
  const scale = (value: number): Uint8Array => {
    const stored = new Uint8Array(64);
    new DataView(stored.buffer).setFloat32(32, value, true);
    return ggufBytes({ tensors: [{ name: 'w', type: 'I2_S', shape: [1, 128], data: stored }] });
  };
  await convert(scale(2), { type: 'f32' });
  await refuses(convert(scale(Infinity), { type: 'f32' }), 'WEIGHT_NOT_FINITE', '"w"');
});

converting('weights that a type cannot hold are refused, and taken by one that can', async () => {
  const data = normals(512, 1, 0.1);
  data[256] = 1e9;
  for (const type of ['q8_0', 'tq2_0', 'tq1_0'] as const) {
    await refuses(convert(single(data, 256), { type }), 'TENSOR_TYPE', 'row 1', type.toUpperCase());
  }
  const { data: kept } = await convert(single(data, 256), { type: 'f32' });
  assert.equal(floats(kept('blk.0.ffn_up.weight')), data);
});

converting('an unknown type is refused before anything is read', async () => {
  const untouched: ByteSource = { size: 10, name: 'untouched', read: () => assert.unreachable('it was read') as never };
  await refuses(convert(untouched, { type: 'q3_9' as ConvertType }), 'OPTION', 'q3_9', 'tq2_0');
  await refuses(convert(untouched, { type: 'f16', head: 'q3_9' as ConvertType }), 'OPTION', 'head', 'q3_9');
});

converting('a file of another format is refused by name', async () => {
  const header = utf8('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
  const bytes = new Uint8Array(8 + header.length + 4);
  bytes[0] = header.length;
  bytes.set(header, 8);
  await refuses(convert(bytes, { type: 'f32' }), 'UNKNOWN_FORMAT', 'safetensors', 'GGUF');
});

converting('an abort ends the work with its reason', async () => {
  const controller = new AbortController();
  const bytes = llamaFile({ type: 'F32' }).bytes();
  let reports = 0;
  const onProgress = (): void => {
    if (++reports === 3) controller.abort(new Error('enough'));
  };
  try {
    await convert(bytes, { type: 'f16', signal: controller.signal, onProgress });
    assert.unreachable('it was not aborted');
  } catch (error) {
    assert.is((error as Error).message, 'enough');
  }
  assert.is(reports, 3);
});

for (const type of ['f16', 'tq2_0', 'tq1_0'] as const) {
  sharedTest(
    converting,
    `llama.cpp's ${type} file becomes f32 and comes back with the same blocks`,
    `conformance/llama/tiny-${type}.gguf`,
    async (file) => {
      const bytes = new Uint8Array(readFileSync(file));
      const original = await readGguf(memorySource(bytes));
      const { data } = await convert((await convert(bytes, { type: 'f32' })).bytes, { type });
      for (const info of original.tensors.values()) {
        if (info.type === 'Q8_0') continue; // its random blocks are not normalised to ±127
        assert.equal(data(info.name), bytes.slice(info.offset, info.offset + info.byteLength), info.name);
      }
    },
  );
}

converting.run();
