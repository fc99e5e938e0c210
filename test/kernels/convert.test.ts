/** Half precision and bfloat16: every pattern read; half precision rounded to nearest even when written. */
import * as assert from 'uvu/assert';
import * as reference from '../reference.ts';
import { kernelSuite, LENGTHS, normals, random, sameBits } from './harness.ts';

const ALL = Uint16Array.from({ length: 65536 }, (_, i) => i);
const bitsOf = (x: Float32Array): Uint32Array => new Uint32Array(x.buffer);

await kernelSuite('float formats', ({ k, arena }, test) => {
  const read = (kernel: typeof k.f16_to_f32, src: Uint16Array): Float32Array => {
    const to = arena.alloc(src.length * 4);
    kernel(arena.put(src, 2), to, src.length);
    return arena.f32(to, src.length);
  };
  const write = (kernel: typeof k.f32_to_f16, src: Float32Array): Uint16Array => {
    const to = arena.alloc(src.length * 2, 2);
    kernel(arena.put(src), to, src.length);
    return arena.u16(to, src.length);
  };

  // case: N12
  test('all 65536 f16 patterns are read exactly, payloads of NaN included', () => {
    const y = read(k.f16_to_f32, ALL);
    sameBits(y, Array.from(ALL, reference.f16));
    const bits = bitsOf(y);
    for (let h = 0x7c01; h < 0x8000; h++) assert.is(bits[h], 0x7f800000 + (h & 0x3ff) * 0x2000);
  });

  test('every finite f16 pattern is widened exactly, in any number of fours', () => {
    const finite = ALL.filter((h) => (h & 0x7c00) !== 0x7c00);
    sameBits(read(k.widen_f16, finite), Array.from(finite, reference.f16));
    for (const n of [0, 4, 8, 12, 4096]) {
      const some = finite.subarray(1000, 1000 + n);
      sameBits(read(k.widen_f16, some), Array.from(some, reference.f16), `${n}`);
    }
  });

  // case: N12
  test('all 65536 bf16 patterns are read exactly, payloads of NaN included', () => {
    const bits = bitsOf(read(k.bf16_to_f32, ALL));
    for (let h = 0; h < 65536; h++) assert.is(bits[h], h * 65536);
  });

  test('what was read is written back as it was; signalling NaN becomes quiet', () => {
    const f16 = write(k.f32_to_f16, read(k.f16_to_f32, ALL));
    for (let h = 0; h < 65536; h++) assert.is(f16[h], (h & 0x7fff) > 0x7c00 ? h | 0x200 : h);
  });

  test('f32_to_f16 rounds to nearest even, at and around every midpoint', () => {
    const x: number[] = [];
    for (let h = 0; h < 0x7bff; h += 7) {
      const middle = (reference.f16(h) + reference.f16(h + 1)) / 2;
      x.push(middle, middle * (1 + 2 ** -23), middle * (1 - 2 ** -23), -middle);
    }
    const src = Float32Array.from(x);
    sameBits(write(k.f32_to_f16, src), Array.from(src, reference.f16Bits));
    const u = random(1);
    const any = Float32Array.from({ length: 65536 }, () => (u() - 0.5) * 2 ** (u() * 44 - 26));
    sameBits(write(k.f32_to_f16, any), Array.from(any, reference.f16Bits));
  });

  test('f32_to_f16 saturates finite values and keeps infinities', () => {
    const cases = [
      [65504, 0x7bff],
      [65519.996, 0x7bff],
      [65520, 0x7bff],
      [1e38, 0x7bff],
      [-65520, 0xfbff],
      [-3e38, 0xfbff],
      [Infinity, 0x7c00],
      [-Infinity, 0xfc00],
      [2 ** -25, 0],
      [2 ** -25 * 1.0001, 1],
      [-1e-45, 0x8000],
      [-0, 0x8000],
    ];
    sameBits(write(k.f32_to_f16, Float32Array.from(cases, ([x]) => x)), cases.map(([, bits]) => bits));
  });

  test('every length gives the same elements, and nothing beyond is read', () => {
    for (const n of LENGTHS) {
      arena.reset();
      const x = normals(n, n);
      const half = Array.from(x, reference.f16Bits);
      sameBits(write(k.f32_to_f16, x), half);
      const h = Uint16Array.from(half);
      sameBits(read(k.f16_to_f32, h), half.map(reference.f16));
      sameBits(read(k.bf16_to_f32, h), half.map(reference.bf16));
      const to = arena.alloc(n * 4);
      k.f16_to_f32(arena.putAtEnd(h), to, n);
      sameBits(arena.f32(to, n), half.map(reference.f16));
      k.f32_to_f16(arena.putAtEnd(x), to, n);
      sameBits(arena.u16(to, n), half);
    }
  });
});
