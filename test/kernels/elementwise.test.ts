/** Sums, products, activations, softmax and the check for NaN, against the reference. */
import * as assert from 'uvu/assert';
import * as reference from '../reference.ts';
import { kernelSuite, LENGTHS, normals, NOT_FINITE, patterns, sameBits, ulps } from './harness.ts';

const fround = Math.fround;
const bounded = (x: Float32Array): Float32Array => x.map((v) => Math.max(-1e4, Math.min(1e4, v)));

await kernelSuite('elementwise', ({ k, arena }, test) => {
  /** Applies a kernel of one vector in place, on a shifted block and on one that ends with the memory. */
  function inPlace(kernel: (x: number, n: number) => void, x: Float32Array): Float32Array {
    const shifted = arena.put(x, 4);
    kernel(shifted, x.length);
    const y = arena.f32(shifted, x.length);
    const end = arena.putAtEnd(x);
    kernel(end, x.length);
    sameBits(arena.f32(end, x.length), y, 'at the end of memory');
    return y;
  }

  /** The same for kernels of two vectors. */
  function pairwise(kernel: (y: number, x: number, n: number) => void, y: Float32Array, x: Float32Array): Float32Array {
    const from = arena.put(x, 12);
    const result = inPlace((at, n) => kernel(at, from, n), y);
    const to = arena.put(y);
    kernel(to, arena.putAtEnd(x), x.length);
    sameBits(arena.f32(to, x.length), result, 'second operand at the end of memory');
    sameBits(arena.f32(from, x.length), x, 'the second operand is read only');
    return result;
  }

  const ones = (n: number): Float32Array => new Float32Array(n).fill(1);
  /** SiLU alone: a product with 1 changes no bit. */
  const silu = (x: Float32Array): Float32Array => pairwise(k.silu_mul_f32, x, ones(x.length));

  // case: N1
  test('add, scale and gated squared ReLU equal the reference bit for bit', () => {
    for (const n of LENGTHS) {
      const other = normals(n, n + 3);
      for (const { name, x } of patterns(n)) {
        arena.reset();
        const what = `${name} n = ${n}`;
        sameBits(pairwise(k.add_f32, x, other), x.map((v, i) => reference.add(v, other[i])), `add ${what}`);
        const scaled = inPlace((at, count) => k.scale_f32(at, 0.3, count), x);
        sameBits(scaled, x.map((v) => reference.mul(v, fround(0.3))), `scale ${what}`);
        const gated = pairwise(k.relu2_mul_f32, x, other);
        sameBits(gated, x.map((v, i) => reference.mul(reference.relu2(v), other[i])), `relu2_mul ${what}`);
      }
    }
  });

  test('SiLU is within 2.5 ulp and GELU within 1e-7 |x| of f64 over the range where they bend', () => {
    for (const scale of [1, 1e-3]) {
      arena.reset();
      const x = Float32Array.from({ length: 60_000 }, (_, i) => ((i - 30_000) / 1500) * scale);
      const silus = silu(x);
      const gelu = inPlace(k.gelu_f32, x);
      for (let i = 0; i < x.length; i++) {
        assert.ok(ulps(silus[i], reference.silu(x[i])) <= 2.5, `silu ${x[i]}`);
        assert.ok(Math.abs(gelu[i] - reference.gelu(x[i])) <= 1e-7 * Math.abs(x[i]), `gelu ${x[i]}`);
      }
    }
    sameBits(inPlace(k.gelu_f32, Float32Array.of(0, -0, 3.4e38)), [0, -0, fround(3.4e38)]);
    assert.is(k.not_finite_f32(arena.put(inPlace(k.gelu_f32, Float32Array.of(1, -Infinity))), 2), 1);
    assert.is(k.not_finite_f32(arena.put(inPlace(k.gelu_f32, Float32Array.of(1, Infinity))), 2), 1);
  });

  test('SiLU and GELU keep to their bounds in every pattern and length', () => {
    for (const n of LENGTHS) {
      for (const { name, x: raw } of patterns(n)) {
        arena.reset();
        const x = bounded(raw);
        const silus = silu(x);
        const gelu = inPlace(k.gelu_f32, x);
        for (let i = 0; i < n; i++) {
          const truth = reference.silu(x[i]);
          if (x[i] > -87) assert.ok(ulps(silus[i], truth) <= 2.5, `silu ${name} ${x[i]}: ${silus[i]}`);
          else assert.ok(Math.abs(silus[i] - truth) < 2 ** -121, `silu ${name} ${x[i]}: ${silus[i]}`);
          const error = Math.abs(gelu[i] - reference.gelu(x[i]));
          assert.ok(error <= 1e-7 * Math.abs(x[i]) + 2 ** -149, `gelu ${name} ${x[i]}: ${gelu[i]}, off by ${error}`);
        }
      }
    }
  });

  test('the gated SiLU is the activation, then the product', () => {
    for (const n of LENGTHS) {
      arena.reset();
      const gate = normals(n, n, 4);
      const up = normals(n, n + 1);
      const gated = silu(gate).map((v, i) => fround(v * up[i]));
      sameBits(pairwise(k.silu_mul_f32, gate, up), gated, `silu n = ${n}`);
    }
  });

  test('GELU by tanh is within 1e-6 |x| of f64 in every pattern and length, the product rounded once', () => {
    for (const n of LENGTHS) {
      const up = normals(n, n + 1);
      for (const { name, x: raw } of [...patterns(n), { name: 'bend', x: normals(n, n, 4) }]) {
        arena.reset();
        const x = bounded(raw);
        const alone = pairwise(k.gelu_tanh_mul_f32, x, ones(n));
        for (let i = 0; i < n; i++) {
          const truth = reference.geluTanh(x[i]);
          const error = Math.abs(alone[i] - truth);
          assert.ok(error <= 1e-6 * Math.abs(x[i]) + 2 ** -121, `${name} ${x[i]}: ${alone[i]}, expected ${truth}`);
        }
        sameBits(pairwise(k.gelu_tanh_mul_f32, x, up), alone.map((v, i) => fround(v * up[i])), `${name} n = ${n}`);
      }
    }
    const x = Float32Array.from({ length: 60_000 }, (_, i) => (i - 30_000) / 1500);
    arena.reset();
    pairwise(k.gelu_tanh_mul_f32, x, ones(x.length)).forEach((y, i) => {
      assert.ok(Math.abs(y - reference.geluTanh(x[i])) <= 1e-6 * Math.abs(x[i]), `${x[i]}: ${y}`);
    });
  });

  test('NaN survives every activation', () => {
    const x = Float32Array.of(1, NaN, 2, 3, NaN);
    const one = arena.put(new Float32Array(5).fill(1));
    for (const kernel of [k.gelu_f32, k.softmax_f32]) {
      const y = inPlace(kernel, x);
      assert.ok(Number.isNaN(y[1]) && Number.isNaN(y[4]));
    }
    for (const kernel of [k.silu_mul_f32, k.gelu_tanh_mul_f32, k.relu2_mul_f32, k.add_f32]) {
      const y = inPlace((at, n) => kernel(at, one, n), x);
      assert.ok(Number.isNaN(y[1]) && Number.isNaN(y[4]) && !Number.isNaN(y[0]));
    }
  });

  test('softmax agrees with f64 and sums to 1', () => {
    for (const n of LENGTHS) {
      for (const { name, x } of patterns(n)) {
        arena.reset();
        const y = inPlace(k.softmax_f32, x);
        const truth = reference.softmax(x);
        for (let i = 0; i < n; i++) {
          const error = Math.abs(y[i] - truth[i]);
          assert.ok(ulps(y[i], truth[i]) <= 4 || error <= 2 ** -126, `${name} n = ${n} [${i}] ${y[i]} ${truth[i]}`);
        }
        if (n > 0) assert.ok(Math.abs(y.reduce((a, b) => a + b, 0) - 1) <= 1e-6, `${name} n = ${n}`);
      }
    }
  });

  // case: N6
  test('softmax of a masked row is zeros, of one element 1, of equal values 1/n, and −∞ gets 0', () => {
    for (const n of LENGTHS) {
      arena.reset();
      sameBits(inPlace(k.softmax_f32, new Float32Array(n).fill(-Infinity)), new Float32Array(n), `masked n = ${n}`);
      for (const value of [0, -80, 80, 3.4e38]) {
        const y = inPlace(k.softmax_f32, new Float32Array(n).fill(value));
        sameBits(y, new Float32Array(n).fill(1 / n), `equal n = ${n}`);
      }
    }
    sameBits(inPlace(k.softmax_f32, Float32Array.of(-Infinity, 5, -Infinity)), [0, 1, 0]);
    const wide = inPlace(k.softmax_f32, Float32Array.of(80, -80));
    assert.is(wide[0], 1);
    assert.is(wide[1], 0);
    assert.ok(Number.isNaN(inPlace(k.softmax_f32, Float32Array.of(1, Infinity))[1]));
  });

  test('not_finite_f32 finds the first NaN or infinity, and nothing in finite vectors', () => {
    for (const n of LENGTHS) {
      for (const { name, x } of patterns(n)) {
        arena.reset();
        assert.is(k.not_finite_f32(arena.putAtEnd(x), n), -1, `${name} n = ${n}`);
      }
      for (const bad of NOT_FINITE) {
        for (const place of new Set([0, n >> 1, n - 1]).values()) {
          if (place < 0 || place >= n) continue;
          arena.reset();
          const x = normals(n, 1);
          x[place] = bad;
          x[n - 1] = bad;
          assert.is(k.not_finite_f32(arena.put(x, 4), n), reference.notFinite(x), `${bad} at ${place} of ${n}`);
        }
      }
    }
  });
});
