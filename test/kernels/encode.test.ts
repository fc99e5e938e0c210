/** f32 to file blocks: as the reference, byte for byte; blocks of model files, read and written again, stay. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import { readGguf } from '../../src/container/parts.ts';
import * as reference from '../reference.ts';
import { sharedTest } from '../shared.ts';
import { type KernelEnv, kernelSuite, normals, NOT_FINITE, random } from './harness.ts';

interface Format {
  readonly name: string;
  readonly bytes: number;
  readonly elements: number;
  readonly file: string;
  readonly encode: 'encode_q8_0' | 'encode_tq2_0' | 'encode_tq1_0';
  readonly unpack: 'unpack_q8_0' | 'unpack_tq2_0' | 'unpack_tq1_0';
  readonly reference: (x: Float32Array) => { result: number; bytes: Uint8Array };
  readonly decode: (src: Uint8Array) => reference.Unpacked;
}

const FORMATS: readonly Format[] = [
  {
    name: 'Q8_0',
    bytes: 34,
    elements: 32,
    file: 'conformance/llama/tiny-q8_0.gguf',
    encode: 'encode_q8_0',
    unpack: 'unpack_q8_0',
    reference: reference.encodeQ8,
    decode: reference.unpackQ8,
  },
  {
    name: 'TQ2_0',
    bytes: 66,
    elements: 256,
    file: 'conformance/llama/tiny-tq2_0.gguf',
    encode: 'encode_tq2_0',
    unpack: 'unpack_tq2_0',
    reference: reference.encodeTq2,
    decode: reference.unpackTq2,
  },
  {
    name: 'TQ1_0',
    bytes: 54,
    elements: 256,
    file: 'conformance/llama/tiny-tq1_0.gguf',
    encode: 'encode_tq1_0',
    unpack: 'unpack_tq1_0',
    reference: reference.encodeTq1,
    decode: reference.unpackTq1,
  },
];

await kernelSuite('encode', ({ k, arena }: KernelEnv, test) => {
  for (const format of FORMATS) {
    const { name, bytes, elements } = format;
    const encode = (x: Float32Array): { result: number; bytes: Uint8Array } => {
      const blocks = x.length / elements;
      const to = arena.alloc(blocks * bytes, 2);
      const result = k[format.encode](arena.putAtEnd(x), to, blocks);
      return { result, bytes: arena.bytes(to, blocks * bytes) };
    };

    test(`${name}: equals the reference byte for byte`, () => {
      for (const blocks of [0, 1, 2, 17]) {
        for (const scale of [1, 1e-3, 1e-7, 1e-39, 1e4]) {
          arena.reset();
          const x = normals(blocks * elements, blocks + 1, scale);
          assert.equal(encode(x), format.reference(x), `${blocks} blocks of ${scale}`);
        }
      }
    });

    // case: N4
    test(`${name}: halves are rounded away from zero, a row of zeros and of equal values is kept`, () => {
      const u = random(5);
      const halves = Float32Array.from({ length: 4 * elements }, () => Math.floor(u() * 254 - 127) + 0.5);
      for (let i = 0; i < halves.length; i += elements) halves[i] = 127;
      const quarter = new Float32Array(elements).fill(-0.25);
      for (
        const x of [
          halves,
          halves.map((v) => v / 127),
          new Float32Array(elements),
          quarter,
          Float32Array.from({ length: elements }, (_, i) => [0.5, -0.5, 1, 0.49999997, -0, -1][i % 6]),
        ]
      ) {
        arena.reset();
        assert.equal(encode(x), format.reference(x));
      }
    });

    test(`${name}: a block with NaN, an infinity or a scale beyond f16 is refused, its neighbours are not`, () => {
      for (const bad of [...NOT_FINITE, 3e38]) {
        for (const place of [0, elements - 1]) {
          arena.reset();
          const x = normals(3 * elements, 1);
          assert.is(encode(x).result, -1);
          x[elements + place] = bad;
          assert.is(encode(x).result, 1, `${bad}`);
          assert.is(format.reference(x).result, 1, `${bad}`);
        }
      }
      const most = new Float32Array(elements).fill(name === 'Q8_0' ? 65504 * 127 : 65504);
      assert.is(encode(most).result, -1);
    });

    test(`${name}: what was read is written back as it was`, () => {
      const blocks = 64;
      const u = random(11);
      const x = Float32Array.from(
        { length: blocks * elements },
        (_, i) => name === 'Q8_0' ? (i % elements === 3 ? 127 : Math.floor(u() * 255) - 127) : Math.floor(u() * 3) - 1,
      );
      const first = encode(x);
      const codes = arena.alloc(blocks * elements);
      k[format.unpack](arena.put(first.bytes), codes, arena.alloc(blocks * 2), blocks);
      const again = name === 'Q8_0'
        ? Float32Array.from(arena.i8(codes, x.length))
        : Float32Array.from(arena.bytes(codes, x.length), (code) => code - 1);
      assert.equal(again, x);
      assert.equal(encode(again).bytes, first.bytes);
    });

    sharedTest(test, `${name}: blocks of a model file are written back byte for byte`, format.file, async (path) => {
      const file = new Uint8Array(readFileSync(path));
      let compared = 0;
      for (const tensor of (await readGguf(memorySource(file))).tensors.values()) {
        if (tensor.type !== name) continue;
        arena.reset();
        const src = file.subarray(tensor.offset, tensor.offset + 64 * bytes);
        const { codes, scales } = format.decode(src);
        const zero = name === 'Q8_0' ? 0 : 1;
        const scale = (i: number): number => reference.f16(scales[Math.floor(i / elements)]);
        const x = Float32Array.from(codes, (code, i) => (code - zero) * scale(i));
        const actual = encode(x);
        assert.is(actual.result, -1);
        for (let b = 0; b < 64; b++) {
          // a block whose codes do not use their whole range has a finer scale when it is written anew
          const block = codes.slice(b * elements, (b + 1) * elements);
          const most = Math.max(...block.map((code) => Math.abs(code - zero)));
          if (most !== (name === 'Q8_0' ? 127 : 1)) continue;
          const expected = src.subarray(b * bytes, (b + 1) * bytes);
          const written = actual.bytes.subarray(b * bytes, (b + 1) * bytes);
          assert.equal(written, Uint8Array.from(expected), `${tensor.name} block ${b}`);
          compared++;
        }
      }
      assert.ok(compared >= 100, `${compared} blocks`);
    });
  }
});
