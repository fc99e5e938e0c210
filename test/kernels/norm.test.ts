/** RMSNorm and LayerNorm: equal to the reference bit for bit, at every length, in place, and for rows of zeros. */
import * as assert from 'uvu/assert';
import * as reference from '../reference.ts';
import { kernelSuite, LENGTHS, normals, NOT_FINITE, patterns, sameBits } from './harness.ts';

const EPS = [1e-5, 1e-12, 0];

await kernelSuite('norms', ({ k, arena }, test) => {
  // case: N1
  test('RMSNorm equals the reference bit for bit', () => {
    for (const n of LENGTHS) {
      const weight = normals(n, 3);
      for (const { name, x } of patterns(n)) {
        for (const eps of EPS) {
          arena.reset();
          const y = arena.alloc(n * 4);
          k.rms_norm_f32(arena.put(x), arena.put(weight), y, n, eps);
          sameBits(arena.f32(y, n), reference.rmsNorm(x, weight, eps), `${name} n = ${n} eps = ${eps}`);
        }
      }
    }
  });

  test('RMSNorm without weights is RMSNorm with ones', () => {
    for (const n of LENGTHS) {
      const x = normals(n, n);
      const at = arena.put(x);
      k.rms_norm_f32(at, 0, at, n, 1e-6);
      sameBits(arena.f32(at, n), reference.rmsNorm(x, new Float32Array(n).fill(1), 1e-6), `n = ${n}`);
    }
  });

  test('LayerNorm equals the reference bit for bit, with and without bias', () => {
    for (const n of LENGTHS) {
      const weight = normals(n, 3);
      const bias = normals(n, 4);
      for (const { name, x } of patterns(n)) {
        for (const eps of EPS) {
          arena.reset();
          const y = arena.alloc(n * 4);
          const from = arena.put(x);
          const w = arena.put(weight);
          k.layer_norm_f32(from, w, 0, y, n, eps);
          sameBits(arena.f32(y, n), reference.layerNorm(x, weight, null, eps), `${name} n = ${n} eps = ${eps}`);
          k.layer_norm_f32(from, w, arena.put(bias), y, n, eps);
          sameBits(arena.f32(y, n), reference.layerNorm(x, weight, bias, eps), `${name} n = ${n} eps = ${eps}, bias`);
        }
      }
    }
  });

  test('in place, unaligned and at the end of memory give the same bits', () => {
    for (const n of LENGTHS) {
      arena.reset();
      const x = normals(n, n + 5);
      const weight = normals(n, 3);
      const ones = arena.put(new Float32Array(n).fill(1), 4);
      const at = arena.put(x, 12);
      k.rms_norm_f32(at, ones, at, n, 1e-5);
      sameBits(arena.f32(at, n), reference.rmsNorm(x, null, 1e-5), `n = ${n}`);
      const end = arena.putAtEnd(x);
      const w = arena.put(weight, 8);
      k.layer_norm_f32(end, w, w, end, n, 1e-5);
      sameBits(arena.f32(end, n), reference.layerNorm(x, weight, weight, 1e-5), `n = ${n}`);
      k.rms_norm_f32(w, arena.putAtEnd(x), w, n, 1e-5);
      sameBits(arena.f32(w, n), reference.rmsNorm(weight, x, 1e-5), `n = ${n}`);
    }
  });

  // case: N3
  test('a row of zeros stays zero, even with eps 0', () => {
    const n = 65;
    const at = arena.alloc(n * 4);
    const w = arena.put(normals(n, 1));
    for (const eps of EPS) {
      k.rms_norm_f32(at, w, at, n, eps);
      assert.ok(arena.f32(at, n).every((v) => v === 0));
      k.layer_norm_f32(at, w, 0, at, n, eps);
      assert.ok(arena.f32(at, n).every((v) => v === 0));
    }
  });

  test('the largest f32 does not overflow', () => {
    const n = 64;
    const x = new Float32Array(n).fill(3.4e38);
    const at = arena.put(x);
    k.rms_norm_f32(at, 0, at, n, 1e-5);
    // 1 / 3.4e38 is a subnormal f32: two bits fewer
    assert.ok(arena.f32(at, n).every((v) => Math.abs(v - 1) < 1e-6));
  });

  // case: N3
  test('NaN or an infinity in the input comes out as NaN, so that the check of a step finds it', () => {
    for (const bad of NOT_FINITE) {
      const n = 17;
      const x = normals(n, 1);
      x[16] = bad;
      const at = arena.put(x);
      const ones = arena.put(new Float32Array(n).fill(1));
      k.rms_norm_f32(at, ones, at, n, 1e-5);
      assert.ok(k.not_finite_f32(at, n) >= 0, `${bad}`);
      const again = arena.put(x);
      k.layer_norm_f32(again, ones, 0, again, n, 1e-5);
      assert.is(k.not_finite_f32(again, n), 0, `${bad}`);
    }
  });

  test('LayerNorm keeps its accuracy around a large mean', () => {
    const n = 256;
    const x = normals(n, 9).map((v) => v + 10000);
    const at = arena.put(x);
    k.layer_norm_f32(at, arena.put(new Float32Array(n).fill(1)), 0, at, n, 1e-12);
    const y = arena.f32(at, n);
    const mean = y.reduce((a, b) => a + b, 0) / n;
    const variance = y.reduce((a, b) => a + b * b, 0) / n;
    assert.ok(Math.abs(mean) < 1e-6 && Math.abs(variance - 1) < 1e-6, `${mean} ${variance}`);
  });
});
