/** Attention against f64, and rotation against its formula. */
import * as assert from 'uvu/assert';
import { attentionBytes } from '../../src/description/layout.ts';
import { f16, f16Bits } from '../reference.ts';
import { attention, rope } from '../reference-matrix.ts';
import { kernelSuite, normals, sameBits } from './harness.ts';

const COUNTS = [1, 2, 31, 32, 33, 65, 130];
const HEAD_DIMS = [4, 8, 64, 80];

await kernelSuite('attention and rotation', ({ k, arena }, test) => {
  const run = (
    half: boolean,
    q: Float32Array,
    keys: Float32Array,
    values: Float32Array,
    count: number,
    scale: number,
  ): Float32Array => {
    const dim = q.length;
    const store = (x: Float32Array): number => arena.put(half ? Uint16Array.from(x, f16Bits) : x);
    const out = arena.alloc(dim * 4);
    const scratch = arena.alloc(attentionBytes(dim, count));
    const attend = half ? k.attention_f16 : k.attention_f32;
    attend(arena.put(q), dim, 1, store(keys), store(values), out, dim, dim, count, 1, scale, scratch);
    return arena.f32(out, dim);
  };

  for (const half of [false, true]) {
    const name = half ? 'f16' : 'f32';

    // case: N1
    test(`over an ${name} cache it is close to f64, for every number of keys and head width`, () => {
      for (const count of COUNTS) {
        for (const dim of HEAD_DIMS) {
          for (const size of [0.1, 1, 10]) {
            arena.reset();
            const q = normals(dim, count, size);
            const read = (x: Float32Array): Float32Array => (half ? x.map((v) => f16(f16Bits(v))) : x);
            const keys = normals(count * dim, dim);
            const values = normals(count * dim, dim + 1);
            const got = run(half, q, keys, values, count, 1 / Math.sqrt(dim));
            const truth = attention(q, read(keys), read(values), count, 1 / Math.sqrt(dim), half);
            // a probability next to a rounding boundary of f16 may fall on its other side
            const bound = half ? 1e-3 : 5e-6;
            for (let i = 0; i < dim; i++) {
              if (Math.abs(got[i] - truth[i]) > bound) {
                assert.unreachable(`${count} keys, dim ${dim}: ${got[i]}, truth ${truth[i]}`);
              }
            }
          }
        }
      }
    });

    test(`over an ${name} cache, equal scores give the mean, one key gives its value, a huge score wins`, () => {
      const dim = 8;
      const values = normals(40 * dim, 3).map((v) => f16(f16Bits(v)));
      const zeros = new Float32Array(40 * dim);
      const mean = run(half, new Float32Array(dim), zeros, new Float32Array(32 * dim).fill(0.5), 32, 1);
      assert.ok(mean.every((v) => Math.abs(v - 0.5) < 1e-6));
      sameBits(run(half, normals(dim, 1), normals(dim, 2), values.subarray(0, dim), 1, 1), values.subarray(0, dim));
      const keys = new Float32Array(40 * dim);
      keys[37 * dim] = 100;
      const q = new Float32Array(dim);
      q[0] = 80;
      sameBits(run(half, q, keys, values, 40, 1), values.subarray(37 * dim, 38 * dim));
    });

    test(`over an ${name} cache, heads and tokens of a batch are what they are alone`, () => {
      for (const dim of [4, 80]) {
        for (const heads of [1, 3, 8]) {
          for (const count of [1, 30, 65]) {
            arena.reset();
            const n = 4;
            const stride = heads * dim + 12;
            const q = normals(n * stride, dim + heads, 3);
            const [keys, values] = [normals((count + n) * dim, 1), normals((count + n) * dim, 2)];
            // what is behind the last key must not be looked at
            keys.fill(NaN, (count + n - 1) * dim);
            values.fill(NaN, (count + n - 1) * dim);
            const [kp, vp] = [keys, values].map((x) => arena.put(half ? Uint16Array.from(x, f16Bits) : x));
            const [qp, out, one] = [arena.put(q), arena.alloc(n * stride * 4), arena.alloc(dim * 4)];
            const attend = half ? k.attention_f16 : k.attention_f32;
            const scratch = arena.alloc(attentionBytes(dim, count + n - 1));
            attend(qp, stride, heads, kp, vp, out, stride, dim, count, n, 0.2, scratch);
            const got = arena.f32(out, n * stride);
            for (let t = 0; t < n; t++) {
              for (let h = 0; h < heads; h++) {
                const at = t * stride + h * dim;
                attend(qp + at * 4, 0, 1, kp, vp, one, 0, dim, count + t, 1, 0.2, scratch);
                const what = `dim ${dim}, head ${h} of ${heads}, token ${t}`;
                sameBits(got.subarray(at, at + dim), arena.f32(one, dim), what);
              }
              assert.ok(got.subarray(t * stride + heads * dim, (t + 1) * stride).every((v) => v === 0));
            }
          }
        }
      }
    });

    test(`over an ${name} cache, NaN in the query comes out`, () => {
      const q = new Float32Array(8).fill(NaN);
      assert.ok(run(half, q, normals(24, 1), normals(24, 2), 3, 1).every(Number.isNaN));
    });
  }

  test('rotation equals its formula, in both pairings, and leaves further dimensions alone', () => {
    for (const dims of [0, 2, 8, 64]) {
      for (const extra of [0, 4]) {
        for (const halved of [false, true]) {
          arena.reset();
          const half = dims / 2;
          const angles = Array.from({ length: half }, (_, i) => i + 0.3);
          const cos = Float32Array.from(angles, Math.cos);
          const sin = Float32Array.from(angles, Math.sin);
          const heads = [normals(dims + extra, 1), normals(dims + extra, 2)];
          const x = arena.put(Float32Array.from([...heads[0], ...heads[1]]));
          const table = arena.put(Float32Array.from([...cos, ...sin]));
          k.rope_apply_f32(x, 2, dims + extra, table, half, halved ? 1 : 0);
          const expected = heads.flatMap((head) => [...rope(head, cos, sin, halved)]);
          sameBits(arena.f32(x, expected.length), expected, `${dims} + ${extra} ${halved}`);
        }
      }
    }
  });

  // case: N11
  test('frequencies and tables are exact to their last digits at position 0, 1, 2^20 and behind 0', () => {
    const dims = 64;
    const half = dims / 2;
    for (const theta of [1, 10000, 1000042, 1e6]) {
      for (const linear of [1, 4]) {
        arena.reset();
        const factors = Float32Array.from({ length: half }, (_, i) => 1 + i / 8);
        const freqs = arena.alloc(half * 8);
        k.rope_freqs_f64(theta, dims, linear, arena.put(factors), freqs);
        const got = arena.f64(freqs, half);
        for (let i = 0; i < half; i++) {
          const truth = theta ** ((-2 * i) / dims) / linear / factors[i];
          assert.ok(Math.abs(got[i] / truth - 1) < 1e-14, `theta ${theta} pair ${i}: ${got[i]}, truth ${truth}`);
        }
        for (const pos of [0, 1, 100, 2 ** 20, -7]) {
          const table = arena.alloc(dims * 4);
          k.rope_table_f32(freqs, half, pos, 1, 1, table);
          const values = arena.f32(table, dims);
          for (let i = 0; i < half; i++) {
            assert.ok(Math.abs(values[i] - Math.cos(pos * got[i])) < 1e-7, `cos at ${pos}`);
            assert.ok(Math.abs(values[half + i] - Math.sin(pos * got[i])) < 1e-7, `sin at ${pos}`);
          }
        }
      }
    }
  });
});
