/** File blocks to codes: every byte value, bad scales and codes named by block, nothing read beyond the last block. */
import * as assert from 'uvu/assert';
import * as reference from '../reference.ts';
import { kernelSuite, noise, sameBits } from './harness.ts';

interface Format {
  readonly name: string;
  /** Bytes and elements of a block. */
  readonly bytes: number;
  readonly elements: number;
  /** Where the f16 scale stands in a block; −1: there is none. */
  readonly scaleAt: number;
  readonly reference: (src: Uint8Array) => reference.Unpacked;
  /** Whether a byte of codes can hold a code that the format does not have. */
  readonly refuses: boolean;
  readonly call: (kernels: KernelsOf, src: number, codes: number, scales: number, blocks: number) => number;
}
type KernelsOf = Parameters<Parameters<typeof kernelSuite>[1]>[0]['k'];

const FORMATS: readonly Format[] = [
  {
    name: 'TQ1_0',
    bytes: 54,
    elements: 256,
    scaleAt: 52,
    reference: reference.unpackTq1,
    refuses: false,
    call: (k, ...args) => k.unpack_tq1_0(...args),
  },
  {
    name: 'TQ2_0',
    bytes: 66,
    elements: 256,
    scaleAt: 64,
    reference: reference.unpackTq2,
    refuses: true,
    call: (k, ...args) => k.unpack_tq2_0(...args),
  },
  {
    name: 'Q2_0 of 64',
    bytes: 18,
    elements: 64,
    scaleAt: 0,
    refuses: false,
    reference: (src) => reference.unpackQ2(src, 64),
    call: (k, ...args) => k.unpack_q2_0(...args, 64),
  },
  {
    name: 'Q2_0 of 128',
    bytes: 34,
    elements: 128,
    scaleAt: 0,
    refuses: false,
    reference: (src) => reference.unpackQ2(src, 128),
    call: (k, ...args) => k.unpack_q2_0(...args, 128),
  },
  {
    name: 'Q1_0',
    bytes: 18,
    elements: 128,
    scaleAt: 0,
    reference: reference.unpackQ1,
    refuses: false,
    call: (k, ...args) => k.unpack_q1_0(...args),
  },
  {
    name: 'Q8_0',
    bytes: 34,
    elements: 32,
    scaleAt: 0,
    reference: reference.unpackQ8,
    refuses: false,
    call: (k, ...args) => k.unpack_q8_0(...args),
  },
  {
    name: 'I2_S',
    bytes: 32,
    elements: 128,
    scaleAt: -1,
    reference: reference.unpackI2s,
    refuses: true,
    call: (k, src, codes, _, blocks) => k.unpack_i2_s(src, codes, blocks * 128),
  },
];

/** Blocks in which every byte value comes at every place; values with a code 3 are replaced where that is refused. */
function everyByte(format: Format): Uint8Array {
  const out = new Uint8Array(256 * format.bytes);
  const hasThree = (byte: number): boolean => (byte & (byte >> 1) & 0x55) !== 0;
  for (let b = 0; b < 256; b++) {
    for (let i = 0; i < format.bytes; i++) {
      const value = (b + 37 * i) & 255;
      out[b * format.bytes + i] = format.refuses && hasThree(value) ? value & 0xaa : value;
    }
    if (format.scaleAt >= 0) out[b * format.bytes + format.scaleAt + 1] = b & 0x3b; // finite
  }
  return out;
}

await kernelSuite('unpack', ({ k, arena }, test) => {
  for (const format of FORMATS) {
    const { name, bytes, elements, scaleAt } = format;
    const signed = name === 'Q8_0';
    const read = (at: number, n: number): ArrayLike<number> => (signed ? arena.i8(at, n) : arena.bytes(at, n));
    /** Result, codes and scales of the kernel on a block that ends with the memory. */
    const unpack = (src: Uint8Array): reference.Unpacked => {
      const blocks = src.length / bytes;
      const codes = arena.alloc(blocks * elements, 1);
      const scales = arena.alloc(blocks * 2, 2);
      const result = format.call(k, arena.putAtEnd(src), codes, scales, blocks);
      const bits = arena.u16(scales, scaleAt < 0 ? 0 : blocks);
      return { result, codes: Array.from(read(codes, blocks * elements)), scales: Array.from(bits) };
    };

    // case: N13
    test(`${name}: every byte value in every place is read as the reference reads it`, () => {
      const src = everyByte(format);
      assert.equal(unpack(src), format.reference(src));
    });

    test(`${name}: 0, 1, 2 and 33 blocks, aligned or not`, () => {
      const all = everyByte(format);
      for (const blocks of [0, 1, 2, 33]) {
        arena.reset();
        const src = all.subarray(5 * bytes, (5 + blocks) * bytes);
        const expected = format.reference(src);
        assert.is(expected.result, -1);
        assert.equal(unpack(src), expected);
        const codes = arena.alloc(blocks * elements, 3);
        assert.is(format.call(k, arena.put(src, 1), codes, arena.alloc(blocks * 2, 4), blocks), -1);
        sameBits(read(codes, expected.codes.length), expected.codes);
      }
    });

    if (scaleAt >= 0) {
      // case: G16
      test(`${name}: the first scale that is NaN or infinite is named, a largest finite one is read`, () => {
        for (const bits of [0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e01, 0x7c01]) {
          const finite = Number.isFinite(reference.f16(bits));
          arena.reset();
          const src = everyByte(format).subarray(0, 9 * bytes);
          for (const b of [4, 7]) new DataView(src.buffer).setUint16(b * bytes + scaleAt, bits, true);
          const actual = unpack(src);
          assert.is(actual.result, finite ? -1 : 4);
          assert.is(format.reference(src).result, actual.result);
          if (!finite) assert.equal(actual.codes.slice(0, 4 * elements), format.reference(src).codes);
          assert.ok(actual.codes.slice(5 * elements, 6 * elements).some((code) => code !== 0) === finite);
        }
      });
    }

    if (format.refuses) {
      test(`${name}: a code 3 anywhere is refused with its block`, () => {
        for (let i = 0; i < bytes; i++) {
          if (scaleAt >= 0 && i >= scaleAt) continue;
          for (const pair of [0, 2, 4, 6]) {
            arena.reset();
            const src = everyByte(format).subarray(0, 4 * bytes);
            src[2 * bytes + i] |= 3 << pair;
            assert.is(unpack(src).result, -4, `byte ${i} bits ${pair}`);
            assert.is(format.reference(src).result, -4);
          }
        }
      });
    }
  }

  test('any bytes at all give an answer and stay inside their blocks', () => {
    for (const format of FORMATS) {
      for (let seed = 0; seed < 20; seed++) {
        arena.reset();
        const src = noise(7 * format.bytes, seed);
        const codes = arena.alloc(7 * format.elements);
        const result = format.call(k, arena.putAtEnd(src), codes, arena.alloc(14), 7);
        assert.is(result, format.reference(src).result, format.name);
      }
    }
  });
});
