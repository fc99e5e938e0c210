/** Neurons against the plain version: membranes, thresholds, lists, decaying states, over lengths and extremes. */
import * as assert from 'uvu/assert';
import * as reference from '../reference-spikes.ts';
import { type Guarded, kernelSuite, LENGTHS, normals, NOT_FINITE, patterns, random, sameBits } from './harness.ts';

const up = (n: number, to: number): number => Math.ceil(n / to) * to;
const fround = Math.fround;

/** The largest f32 below a positive one. */
const below = (x: number): number => {
  const bits = new Uint32Array(Float32Array.of(x).buffer);
  bits[0]--;
  return new Float32Array(bits.buffer)[0];
};

/** Rows one after the other, padded with zeros to whole words of spikes. */
function rows(arena: Guarded, xs: readonly Float32Array[], stride: number): number {
  const all = new Float32Array(xs.length * stride);
  xs.forEach((x, t) => all.set(x, t * stride));
  return arena.put(all);
}

await kernelSuite('spike', ({ k, arena }, test) => {
  const lif = (
    xs: readonly Float32Array[],
    start: Float32Array,
    { leak = 0.95, theta = 1, limit = 3 }: { leak?: number; theta?: number; limit?: number } = {},
  ): { v: Float32Array; bits: Uint8Array } => {
    arena.reset();
    const n = start.length;
    const padded = up(n, 32);
    const v = arena.put(Float32Array.from({ length: padded }, (_, i) => start[i] ?? 0));
    const spikes = arena.alloc(xs.length * padded / 8);
    k.lif_scan_f32(rows(arena, xs, padded), padded, v, spikes, padded / 8, n, xs.length, leak, theta, limit);
    return { v: arena.f32(v, n), bits: arena.bytes(spikes, xs.length * padded / 8) };
  };

  test('membranes and spikes equal the reference at every length, and steps equal a scan', () => {
    for (const n of LENGTHS) {
      for (const count of [0, 1, 2, 7]) {
        const xs = Array.from({ length: count }, (_, t) => normals(n, n + t + 1, 1.5));
        const v = normals(n, n + 90);
        const what = `n = ${n}, ${count} steps`;
        const got = lif(xs, v);
        const after = v.slice();
        const fired = reference.lifScan(xs, after, { leak: 0.95, theta: 1, limit: 3 });
        sameBits(got.v, after, what);
        assert.equal([...got.bits], fired.flatMap((row) => [...reference.bitsOf(row)]), what);
        let step = v;
        for (const x of xs) step = lif([x], step).v;
        sameBits(step, after, `${what}, one by one`);
      }
    }
  });

  test('extremes equal the reference', () => {
    for (const n of [1, 33, 257]) {
      for (const { name, x } of patterns(n)) {
        for (const leak of [0, 0.5, 1]) {
          const v = normals(n, 5);
          const got = lif([x, x], v, { leak });
          const fired = reference.lifScan([x, x], v, { leak, theta: 1, limit: 3 });
          sameBits(got.v, v, `${name}, n = ${n}`);
          assert.equal([...got.bits], fired.flatMap((row) => [...reference.bitsOf(row)]), `${name}, n = ${n}`);
        }
      }
    }
  });

  // case: N8
  test('a membrane exactly at the threshold fires, one ulp below it does not', () => {
    for (const theta of [1, fround(0.8), fround(2.9)]) {
      const x = Float32Array.of(theta, below(theta), -theta, 0);
      const { v, bits } = lif([x], new Float32Array(4), { theta });
      assert.is(bits[0], 0b0001);
      sameBits(v, [0, below(theta), -theta, 0]);
      assert.is(lif([new Float32Array(4)], x, { theta, leak: 1 }).bits[0], 0b0001);
    }
  });

  // case: N8
  test('membranes are clamped at ±3, and are +0 after a spike', () => {
    const { v, bits } = lif([Float32Array.of(100, -100, 3, -3, -3.5)], new Float32Array(5));
    sameBits(v, [0, -3, 0, -3, -3]);
    assert.is(bits[0], 0b00101);
    // beyond the clamp nothing fires
    sameBits(lif([Float32Array.of(100)], new Float32Array(1), { theta: 3.5 }).v, [3]);
    assert.ok(Object.is(v[0], 0));
  });

  test('NaN never fires and stays; infinities are clamped', () => {
    const { v, bits } = lif([Float32Array.from(NOT_FINITE), new Float32Array(3)], new Float32Array(3));
    sameBits(v, [0, fround(-3 * fround(0.95)), NaN]);
    assert.is(bits[0], 0b001);
  });

  const fire = (x: Float32Array, theta = 1): { count: number; bits: Uint8Array } => {
    arena.reset();
    const padded = up(x.length, 32);
    const spikes = arena.alloc(padded / 8);
    const count = k.threshold_f32(rows(arena, [x], padded), x.length, theta, spikes);
    return { count, bits: arena.bytes(spikes, padded / 8) };
  };

  test('thresholds equal the reference, and count', () => {
    for (const n of LENGTHS) {
      for (const { name, x } of [...patterns(n), { name: 'not finite', x: new Float32Array(n).fill(NaN) }]) {
        const expected = reference.threshold(x, 1);
        const { count, bits } = fire(x);
        assert.equal([...bits], [...reference.bitsOf(expected)], `${name} n = ${n}`);
        assert.is(count, expected.reduce((a, b) => a + b, 0), `${name} n = ${n}`);
      }
    }
    assert.is(fire(Float32Array.of(1, below(1), 1)).bits[0], 0b101);
  });

  test('lists name who fired, ascending: none, all, some', () => {
    for (const n of [...LENGTHS, 1536, 6144]) {
      const u = random(n + 1);
      for (const rate of [0, 0.06, 0.5, 1]) {
        arena.reset();
        const fired = Array.from({ length: n }, () => Number(u() < rate));
        const expected = reference.activeList(fired);
        const list = arena.alloc(expected.length * 4);
        assert.is(k.active_list(arena.put(reference.bitsOf(fired)), n, list), expected.length);
        assert.equal([...arena.i32(list, expected.length)], expected, `n = ${n}, rate ${rate}`);
      }
    }
  });

  const decay = (
    xs: readonly Float32Array[],
    h: Float32Array,
    a: Float32Array,
    headDim: number,
  ): { h: Float32Array; x: Float32Array } => {
    arena.reset();
    const n = h.length;
    const at = rows(arena, xs, n);
    const state = arena.put(h);
    k.decay_scan_f32(at, n, state, arena.put(a), a.length, headDim, xs.length);
    return { h: arena.f32(state, n), x: arena.f32(at, n * xs.length) };
  };

  test('decaying states equal the reference for every leak, and steps equal a scan', () => {
    for (const [heads, headDim] of [[1, 4], [3, 32], [24, 64]]) {
      for (const leak of [0, 0.3, 0.999999, 1]) {
        const n = heads * headDim;
        const a = Float32Array.from({ length: heads }, (_, i) => (i % 2 ? 0.7 : leak));
        const xs = Array.from({ length: 5 }, (_, t) => normals(n, t + 3));
        const start = normals(n, 77);
        const got = decay(xs, start, a, headDim);
        let step = start;
        for (const x of xs) step = decay([x], step, a, headDim).h;
        const h = start.slice();
        const out = xs.map((x) => x.slice());
        reference.decayScan(out, h, a, headDim);
        sameBits(got.h, h);
        sameBits(got.x, out.flatMap((x) => [...x]));
        sameBits(step, h);
      }
    }
  });

  // case: N9
  test('100 000 steps stay beside the exact recurrence, for leaks up to 1', () => {
    const steps = 100_000;
    const a = Float32Array.of(0, 0.5, 0.999999, 1);
    const h = Float64Array.of(0.25, 0.25, 0.25, 0.25);
    arena.reset();
    const state = arena.put(new Float32Array(16).fill(0.25));
    const x = arena.alloc(64);
    const leaks = arena.put(a);
    const u = random(9);
    for (let t = 0; t < steps; t++) {
      const input = fround(u() - 0.5);
      new Float32Array(arena.memory.buffer, x, 16).fill(input);
      k.decay_scan_f32(x, 16, state, leaks, 4, 4, 1);
      for (let i = 0; i < 4; i++) h[i] = a[i] * h[i] + (1 - a[i]) * input;
    }
    const got = arena.f32(state, 16);
    for (let i = 0; i < 4; i++) assert.ok(Math.abs(got[4 * i] - h[i]) < 2e-3, `leak ${a[i]}: ${got[4 * i]}, ${h[i]}`);
    assert.is(got[12], 0.25);
  });

  // case: N9
  test('a state that fades ends at +0 without subnormal numbers', () => {
    const state = arena.put(new Float32Array(4).fill(-1));
    const leaks = arena.put(Float32Array.of(0.95));
    const x = arena.alloc(16);
    const least = 2 ** -126;
    for (let t = 0; t < 2000; t++) {
      new Float32Array(arena.memory.buffer, x, 4).fill(0);
      k.decay_scan_f32(x, 4, state, leaks, 1, 4, 1);
      const h = Math.abs(arena.f32(state, 1)[0]);
      assert.ok(h === 0 || h >= least, `step ${t}: ${h}`);
    }
    sameBits(arena.f32(state, 4), new Float32Array(4));
    sameBits(arena.f32(x, 4), new Float32Array(4));
  });

  test('paths are mixed as the reference mixes them', () => {
    for (const n of LENGTHS) {
      for (const gate of [0, 0.25, 1]) {
        arena.reset();
        const x = normals(n, 1);
        const y = normals(n, 2);
        const at = arena.put(y);
        k.mix_f32(at, arena.put(x), gate, n);
        sameBits(arena.f32(at, n), reference.mix(y, x, gate), `n = ${n}, gate ${gate}`);
      }
    }
  });
});
