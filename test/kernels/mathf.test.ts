/** The transcendental functions against f64 over all exponents, at their ends, and in lanes and tails. */
import * as assert from 'uvu/assert';
import * as reference from '../reference.ts';
import { kernelSuite, LENGTHS, normals, sameBits, ulps } from './harness.ts';

/** Results under it are flushed to 0 by exp. */
const SMALLEST = 2 ** -126;
/** Every STRIDE-th of the 2^32 bit patterns. */
const STRIDE = 8209;
const CHUNK = 1 << 16;

interface Case {
  readonly name: 'exp' | 'sigmoid';
  readonly truth: (x: number) => number;
  readonly bound: number;
  /** Exact answers, -0 told from +0. */
  readonly ends: readonly (readonly [number, number])[];
}

const CASES: readonly Case[] = [
  {
    name: 'exp',
    truth: Math.exp,
    bound: 1.0,
    ends: [
      [0, 1],
      [-0, 1],
      [Infinity, Infinity],
      [-Infinity, 0],
      [NaN, NaN],
      [88.73, Infinity],
      [3e38, Infinity],
      [-87.34, 0],
      [-104, 0],
      [-3e38, 0],
      [1e-45, 1],
      [-1e-45, 1],
    ],
  },
  {
    name: 'sigmoid',
    truth: reference.sigmoid,
    bound: 2.5,
    ends: [[0, 0.5], [-0, 0.5], [Infinity, 1], [-Infinity, 0], [NaN, NaN], [18, 1], [-89, 0], [-3e38, 0]],
  },
];

await kernelSuite('functions', ({ k, arena }, test) => {
  /** e^x is what the weights of a sampler are at temperature 1 above a top of 0. */
  const run = (name: Case['name'], x: number, y: number, n: number): void => {
    if (name === 'exp') k.exp_sum_f32(x, y, n, 0, 1);
    else k.math_sigmoid_f32(x, y, n);
  };

  for (const { name, truth, bound, ends } of CASES) {
    const call = (x: Float32Array): Float32Array => {
      const from = arena.put(x);
      const to = arena.alloc(x.byteLength);
      run(name, from, to, x.length);
      return arena.f32(to, x.length);
    };

    // case: N10
    test(`${name} is within ${bound} ulp of f64 over all exponents`, () => {
      let worst = 0;
      let where = 0;
      for (let first = 0; first < 2 ** 32; first += STRIDE * CHUNK) {
        arena.reset();
        const bits = Uint32Array.from({ length: CHUNK }, (_, i) => first + i * STRIDE);
        const x = new Float32Array(bits.buffer);
        const y = call(x);
        for (let i = 0; i < CHUNK; i++) {
          const exact = truth(x[i]);
          if (Math.abs(exact) < SMALLEST && (name === 'exp' || name === 'sigmoid')) {
            assert.ok(y[i] >= 0 && y[i] <= SMALLEST, `${name}(${x[i]}) is ${y[i]}`);
            continue;
          }
          const error = ulps(y[i], exact);
          if (error > worst) [worst, where] = [error, x[i]];
        }
      }
      assert.ok(worst <= bound, `${worst} ulp at ${where}`);
      if (process.env.TERNSPIKE_VERBOSE) console.log(`${name}: ${worst.toFixed(3)} ulp at ${where}`);
    });

    // case: N10
    test(`${name} has defined values at its ends`, () => {
      const y = call(Float32Array.from(ends, ([x]) => x));
      sameBits(y, ends.map(([, expected]) => expected), name);
    });

    test(`${name} gives an element the same bits in every lane, tail and alignment`, () => {
      for (const n of LENGTHS) {
        arena.reset();
        const x = normals(n, n + 7, 3);
        const whole = call(x);
        const shifted = arena.put(x, 4);
        run(name, shifted, shifted, n);
        sameBits(arena.f32(shifted, n), whole, `${name} n = ${n}`);
        const end = arena.putAtEnd(x);
        run(name, end, end, n);
        sameBits(arena.f32(end, n), whole, `${name} n = ${n} at the end of memory`);
        if (n <= 257) {
          for (let i = 0; i < n; i++) {
            const one = arena.putAtEnd(x.subarray(i, i + 1));
            run(name, one, one, 1);
            sameBits(arena.f32(one, 1), whole.subarray(i, i + 1), `${name} alone`);
          }
        }
      }
    });
  }

  test('sine and cosine are within 1e-15 of the host up to 2^20 and keep to the circle for big angles', () => {
    const out = arena.alloc(16);
    const angles = [0, -0, 1e-300, 0.5, -0.5, 3, Math.PI / 2, Math.PI, 100, 65535.5, 2 ** 20, -(2 ** 20), 2 ** 29 - 1];
    for (let i = 0; i < 2000; i++) angles.push((i * 2 ** 20) / 1999.3);
    for (const angle of angles) {
      k.math_cossin_f64(angle, out);
      const [cos, sin] = arena.f64(out, 2);
      assert.ok(Math.abs(sin - Math.sin(angle)) <= 1e-15, `sin ${angle} is ${sin}`);
      assert.ok(Math.abs(cos - Math.cos(angle)) <= 1e-15, `cos ${angle} is ${cos}`);
      assert.ok(Math.abs(sin * sin + cos * cos - 1) < 1e-15, `${angle}`);
    }
    for (const angle of [NaN, Infinity, -Infinity]) {
      k.math_cossin_f64(angle, out);
      assert.ok(arena.f64(out, 2).every(Number.isNaN), `${angle}`);
    }
  });
});
